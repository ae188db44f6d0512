"""A request that a worker answers: what its caller is given back, whole or as a stream, in the words of his door.

The worker takes as many requests to models as it needs, each with its own row in the ledger; meanwhile a stream shows signs of
life. Its answer goes out in one piece. This module does not know what workers do.
"""

import asyncio
import logging
from functools import partial

from msgspec.structs import replace

from headgate.core.types import GiveUp, Reply, Request
from headgate.core.usage import added
from headgate.gateway import paths, refusals
from headgate.gateway.asking import caller_of
from headgate.gateway.caller import Call
from headgate.gateway.conversations import Conversations
from headgate.gateway.headers import JSON, answer_fault, told
from headgate.gateway.road import Road
from headgate.gateway.services import Worked, Worker
from headgate.gateway.streams import AnswerStream
from headgate.wire.doors import About, Door

log = logging.getLogger("headgate.gateway")


class Shift:
    """One request in a worker's hands.

    Args:
        worker: who does it.
        request: what is asked.
        call: the caller's.
        road: knows the models' ids, and how long a busy engine will be.
        conversations: remember the answer for a while, where its caller may name it later.
        received: Unix time of its first byte.
    """

    def __init__(
        self,
        worker: Worker,
        request: Request,
        call: Call,
        road: Road,
        *,
        conversations: Conversations,
        received: float,
    ) -> None:
        self.worker = worker
        self.request = request
        self.call = call
        self.road = road
        self.conversations = conversations
        self.received = received

    async def answer(self, door: Door, keep_alive: float) -> None:
        """Have it done, and answer. A caller who hangs up takes the worker's requests with him."""
        if self.request.stream:
            await self.stream(keep_alive)
            return
        try:
            worked = await self.work()
        except asyncio.CancelledError:
            if not self.call.gone:
                answer_fault(self.call, refusals.closed(), b"", door.dialect, self.request.id)
            raise
        if isinstance(worked.result, GiveUp):
            fault = refusals.no_answer(worked.outcome, worked.result, self.road.fleet)
            answer_fault(self.call, fault, told(worked.outcome), door.dialect, worked.outcome.id)
            return
        body = door.encode_reply(worked.result, self.about(worked))
        self.call.answer(200, JSON + told(worked.outcome), body)

    async def stream(self, keep_alive: float) -> None:
        """The same as a stream: signs of life, then the whole answer."""
        door = paths.STREAMING[self.call.path]
        stream = AnswerStream(door, self.call, keep_alive, about=self.about, known=self.known)
        try:
            with stream:
                worked = await self.work()
        except asyncio.CancelledError:
            if not self.call.gone:
                stream.fail(refusals.closed(), None)
            raise
        except Exception:
            log.exception("a worker failed inside the gate")
            stream.fail(refusals.inside(), None)
            return
        stream.about = partial(self.about, worked)
        await stream.put(worked.result)
        if isinstance(worked.result, GiveUp):
            fault = refusals.no_answer(worked.outcome, worked.result, self.road.fleet)
            stream.fail(fault, worked.outcome)
        else:
            await stream.end(worked.outcome)

    async def work(self) -> Worked:
        """What the worker makes of it."""
        worked = all_together(await self.worker.work(self.request, caller=caller_of(self.call)))
        if self.request.remember and isinstance(worked.result, Reply):
            self.conversations.note(self.request, worked.result, local_only=worked.outcome.signals.local_only)
        return worked

    def about(self, worked: Worked | None = None) -> About:
        """What the answer says about itself; before there is one, nobody has answered."""
        model = self.road.policy.models.get(worked.outcome.model or "") if worked is not None else None
        return About(self.request, model.id if model is not None else "", self.received)

    def known(self) -> bytes:
        """The header that can be said before the answer."""
        return b"x-headgate-request-id: %b\r\n" % self.request.id.encode()


def all_together(worked: Worked) -> Worked:
    """The same, as its caller is told it: with the money, the tokens and the time of all its requests."""
    outcomes = (*worked.before, worked.outcome)
    costs = [outcome.cost for outcome in outcomes]
    baselines = [outcome.baseline_cost for outcome in outcomes]
    outcome = replace(
        worked.outcome,
        attempts=tuple(attempt for outcome in outcomes for attempt in outcome.attempts),
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        baseline_cost=None if None in baselines else sum(cost for cost in baselines if cost is not None),
        status="imperfect" if worked.incomplete and worked.outcome.status == "ok" else worked.outcome.status,
    )
    result = worked.result
    if isinstance(result, Reply):
        result = replace(result, usage=added([one.usage for one in outcomes if one.usage is not None]))
    return worked._replace(result=result, outcome=outcome)
