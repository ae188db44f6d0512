"""Asks models aside from the traffic: as a request of nobody's, in slots that nobody needs, without a row in the ledger.

A walk along a chain is a `Journey` like any other: the same slots, checks, budgets and prices, but for the record of it. It is the
batch of somebody who always makes way. What models at home draw for it counts as drawn while they wait, since no request has
asked for it. This module does not know what is asked, nor why.
"""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from time import perf_counter, time

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.policy import is_auto, weigh
from headgate.core.prices import TYPICAL_ANSWER
from headgate.core.types import Attempt, Candidate, GiveUp, Reply, Request
from headgate.fleet.power.sampler import Power
from headgate.fleet.power.sensors import Found
from headgate.gateway.journey import Journey
from headgate.gateway.presence import Presence
from headgate.gateway.road import Road
from headgate.gateway.serve import new_id
from headgate.lab.auditing.purse import Purse

CALLER = "audits"
"""Whose requests they are, as far as waiting has to be fair."""


class Walked(Struct, frozen=True, kw_only=True):
    """What came of asking the models of a chain."""

    result: Reply | GiveUp
    model: str
    """Whose answer it is; "" without any."""
    attempts: tuple[Attempt, ...]
    replies: tuple[Reply | None, ...]
    """Of the attempts."""
    candidates: tuple[Candidate, ...]
    cut: bool
    """The answer was held to fewer tokens than were asked for, because that is all that the money buys."""


class Aside:
    """Who asks models for audits. One walk is under way at a time.

    Args:
        road: the gate's.
        purse: pays.
    """

    def __init__(self, road: Road, purse: Purse) -> None:
        self.road = road
        self.purse = purse
        self.displaces = False
        """Whether a model may be loaded in the place of another one, which the next request might want."""
        self._journey: Journey | None = None
        self._paid = False

    async def walk(
        self,
        request: Request,
        chain: Iterable[str],
        *,
        audited: int,
        checks: Iterable[str] = (),
        pass_at: float = 0.0,
        money: float = 0.0,
    ) -> Walked:
        """Ask the models of a chain, in order, until an answer passes its checks.

        Args:
            request: what is asked, made ready by `aside`.
            chain: names of models of the policy; one alone, if it is a paid one.
            audited: the number of the request that is audited, which pays.
            checks: look at the answers; those that the config has no more are left out.
            pass_at: the score with which an answer passes.
            money: dollars that it may cost. Without any, no paid model is asked.

        Raises:
            CancelledError: somebody came, before it began or while it was under way.
            LedgerError: what it pays cannot be written down, so it was not asked.
        """
        if self.road.presence.under_way:
            raise asyncio.CancelledError("somebody is there")
        road = replace(self.road, presence=Presence(), power=Power(Found()), keep_bodies=False)
        signals = await road.tokenizer.measure(request, road.policy, 0)
        journey = Journey(road, request, signals, received=time(), begun=perf_counter(), caller=CALLER)
        candidates = tuple([self._weighed(journey, name, money) for name in chain])
        journey.decision = replace(
            journey.decision,
            candidates=candidates,
            checks=tuple([name for name in checks if name in road.checks]),
            pass_at=pass_at,
            attempts_at_most=len(candidates),
            spend_at_most=money,
            when_busy="wait",
            mode="hold",
        )
        paid = [name for name in journey.decision.chain if not road.policy.models[name].local]
        self._journey, self._paid = journey, bool(paid)
        try:
            if paid:
                result = await self._pay(journey, paid[0], audited, money)
            else:
                result = await travelled(journey)
        finally:
            self._journey = None
        return Walked(
            result=result,
            model="" if journey.model is None else journey.model.name,
            attempts=tuple(journey.attempts),
            replies=tuple(journey.replies),
            candidates=journey.decision.candidates,
            cut=bool(journey.limited) and isinstance(result, Reply) and result.finish == "length",
        )

    def make_way(self) -> bool:
        """Somebody has come: give back what he might want. Whether the walk under way has to be given up for that.

        A paid answer is waited for, because it costs the same either way, unless it has the last slot.
        """
        journey = self._journey
        if journey is None:
            return False
        admission = self.road.fleet.admission
        if self._paid and (journey.place is None or admission.has_slot(journey.place.model.name)):
            return False
        journey.give_way()
        return True

    @property
    def pays(self) -> bool:
        """Whether a paid model is being asked."""
        return self._journey is not None and self._paid

    def _weighed(self, journey: Journey, name: str, money: float) -> Candidate:
        road, request = journey.road, journey.request
        model, view = road.policy.models[name], road.view(journey.accounts)
        found = weigh(
            model, view, request, journey.signals, local_only=journey.decision.local_only, spend=money
        )
        displaced = found.skip is None and model.local and not self.displaces
        if displaced and not road.fleet.admission.has_room(name):
            return replace(
                found, skip="busy", detail=f"{name} would have to be loaded in place of another model"
            )
        return found

    async def _pay(self, journey: Journey, name: str, audited: int, money: float) -> Reply | GiveUp:
        model = journey.road.policy.models[name]
        longest = max(journey.longest_answer(model), TYPICAL_ANSWER)
        most = min(money, journey.cost_at_most(model, longest) or money)
        async with self.purse.pay(audited, most) as bill:
            try:
                return await journey.run()
            finally:
                costs = [attempt.cost for attempt in journey.attempts if attempt.model == name]
                bill.cost = sum([most if cost is None else cost for cost in costs])


async def travelled(journey: Journey) -> Reply | GiveUp:
    """What comes of a journey at home. Answers are held and yet streamed: an engine that writes to nobody notices that sooner."""
    if journey.request.kind == "embedding":
        return await journey.run()
    last: object = None
    async with aclosing(journey.stream()) as parts:
        async for part in parts:
            last = part
    assert isinstance(last, Reply | GiveUp), "what is held is delivered whole or not at all"
    return last


def aside(request: Request, *, at_home: bool = False) -> Request:
    """The request as one of nobody's: nobody waits for it, nothing of it is kept, and the name that was asked for does not matter."""
    return replace(
        request,
        id=new_id(time()),
        asked=request.asked if is_auto(request.asked) else "auto",
        only="",
        stream=False,
        include_usage=False,
        batch=True,
        within=None,
        previous="",
        store=False,
        remember=False,
        pay=not at_home,
        local_only=at_home or request.local_only,
    )
