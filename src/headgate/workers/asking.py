"""How workers ask models: each request through the gate like any other, with a row of its own in the ledger.

It does not know what a worker wants to know.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec.structs import replace

from headgate.core.policy import AGENT, Policy, smaller
from headgate.core.subagent import Agent
from headgate.core.types import GiveUp, Outcome, Reply, Request
from headgate.core.words import Status
from headgate.gateway.road import Road
from headgate.gateway.serve import new_id


class Ask(Protocol):
    """One request through the gate."""

    async def __call__(
        self,
        request: Request,
        caller: str = "",
        checks: tuple[str, ...] | None = None,
        *,
        spend: float | None = None,
    ) -> tuple[Reply | GiveUp, Outcome]:
        """Ask, and write the outcome down.

        Args:
            request: ready to be routed, an agent's prompt included.
            caller: whose it is, as far as waiting has to be fair.
            checks: look at the answer in place of those of its route.
            spend: dollars that it may cost, if less than the policy allows.
        """
        ...


Settle = Callable[[Request, Status, str], Awaitable[Outcome]]
"""Writes a request down for which no model was asked, and why."""


def anew(request: Request) -> Request:
    """The same, as a request of its own."""
    return replace(request, id=new_id(time.time()), stream=False)


def agent_of(policy: Policy, request: Request) -> Agent | None:
    """The agent that a request asks for and does not carry yet."""
    if request.agent or not request.asked.startswith(AGENT):
        return None
    return policy.agents.get(request.asked.removeprefix(AGENT))


def thrifty(road: Road, spend: float) -> Road:
    """The same road, on which a request may cost so much and no more."""
    limits = road.policy.limits
    limits = replace(limits, paid_per_request=smaller(limits.paid_per_request, spend))
    return replace(road, policy=replace(road.policy, limits=limits))
