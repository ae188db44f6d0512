"""How workers ask models: each request through the gate like any other, with a row of its own in the ledger.

It does not know what a worker wants to know.
"""

import time
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

from msgspec.structs import replace

from headgate.core.policy import AGENT, Policy, smaller
from headgate.core.types import Agent, GiveUp, Outcome, Reply, Request, Usage
from headgate.gateway.journey import Journey
from headgate.gateway.outcomes import outcome_of, status_of
from headgate.gateway.road import Road
from headgate.gateway.serve import new_id

CLOSED = "the run was stopped"


class Ask(Protocol):
    """One request through the gate."""

    async def __call__(
        self, request: Request, *, caller: str = "", spend: float | None = None
    ) -> tuple[Reply | GiveUp, Outcome]:
        """Ask, and write the outcome down.

        Args:
            request: ready to be routed, an agent's prompt included. It is given an id of its own.
            caller: whose it is, as far as waiting has to be fair.
            spend: dollars that it may cost, if less than the policy allows.
        """
        ...


class Asking:
    """Asks through a gate.

    Args:
        road: what requests travel on.
        record: takes each outcome, without blocking.
    """

    def __init__(self, road: Road, record: Callable[[Outcome], object]) -> None:
        self.road = road
        self.record = record

    async def __call__(
        self, request: Request, *, caller: str = "", spend: float | None = None
    ) -> tuple[Reply | GiveUp, Outcome]:
        """One request."""
        received, begun = time.time(), perf_counter()
        request = replace(request, id=new_id(received), stream=False)
        road = self.road if spend is None else thrifty(self.road, spend)
        signals = await road.tokenizer.measure(request, road.policy, 0)
        journey = Journey(road, request, signals, received=received, begun=begun, caller=caller)
        try:
            result = await journey.run()
        except BaseException as error:
            self.record(outcome_of(journey, "cancelled", str(error) or CLOSED))
            raise
        if isinstance(result, GiveUp):
            outcome = outcome_of(journey, "failed", result.reason)
        else:
            outcome = outcome_of(journey, status_of(journey))
        self.record(outcome)
        return result, outcome


def thrifty(road: Road, spend: float) -> Road:
    """The same road, on which one request may cost less."""
    limits = road.policy.limits
    limits = replace(limits, paid_per_request=smaller(limits.paid_per_request, spend))
    return replace(road, policy=replace(road.policy, limits=limits))


def agent_of(policy: Policy, request: Request) -> Agent | None:
    """The agent that a request asks for and does not carry yet."""
    if request.agent or not request.asked.startswith(AGENT):
        return None
    return policy.agents.get(request.asked.removeprefix(AGENT))


def all_together(outcomes: Sequence[Outcome], seconds: float) -> Outcome:
    """The last outcome, with the money, tokens and attempts of all, and the time that they took together."""
    costs = [outcome.cost for outcome in outcomes]
    baselines = [outcome.baseline_cost for outcome in outcomes]
    return replace(
        outcomes[-1],
        attempts=tuple(attempt for outcome in outcomes for attempt in outcome.attempts),
        cost=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        baseline_cost=sum(cost for cost in baselines if cost is not None) if None not in baselines else None,
        usage=added([outcome.usage for outcome in outcomes if outcome.usage is not None]),
        seconds=seconds,
        first_token=seconds,
    )


def added(usages: Sequence[Usage]) -> Usage:
    """The tokens of several answers."""
    return Usage(
        input=sum(usage.input for usage in usages),
        cache_read=sum(usage.cache_read for usage in usages),
        cache_write_5m=sum(usage.cache_write_5m for usage in usages),
        cache_write_1h=sum(usage.cache_write_1h for usage in usages),
        output=sum(usage.output for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        exact=all(usage.exact for usage in usages),
    )
