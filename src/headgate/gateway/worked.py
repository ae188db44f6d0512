"""Answers of workers at the models' own doors: a subagent that takes more than one request, asked for by an ordinary client.

Whole answers and streams look like any other; a stream shows signs of life until the work is done. What the worker did on the way is
in the ledger already. It does not know which worker it is.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from headgate.core.policy import Policy
from headgate.core.types import GiveUp, Outcome, Reply, Request, Usage
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault, told
from headgate.gateway.services import Worked, Worker
from headgate.wire.doors import About, Door, StreamingDoor, deltas_of
from headgate.wire.faults import Fault


class WorkersAnswer:
    """The answer of a worker to one caller.

    Args:
        policy: knows the models by their names.
        call: the caller's.
        door: he came through it.
        request: what he asked.
        received: Unix time.
    """

    def __init__(self, policy: Policy, call: Call, door: Door, request: Request, received: float) -> None:
        self.policy = policy
        self.call = call
        self.door = door
        self.request = request
        self.received = received
        self.begun = False

    async def give(self, worker: Worker, caller: str, keep_alive: float) -> None:
        """Let the worker work, and answer. A caller who hangs up ends the work."""
        work = asyncio.ensure_future(worker.work(self.request, caller=caller))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=keep_alive if self.request.stream else None)
                if not work.done():
                    self.begin()
                    door = cast("StreamingDoor", self.door)
                    self.call.interject(door.keep_alive(About(self.request, "", self.received)))
        finally:
            work.cancel()
        worked = all_together(await work)
        if isinstance(worked.result, GiveUp):
            self.fail(worked.result, worked.outcome)
        elif self.request.stream:
            await self.stream(worked.result, worked)
        else:
            about = self.about(worked.outcome)
            self.call.answer(200, JSON + told(worked.outcome), self.door.encode_reply(worked.result, about))

    def about(self, outcome: Outcome) -> About:
        """What the answer says about itself."""
        model = self.policy.models.get(outcome.model or "")
        return About(self.request, model.id if model is not None else "", self.received)

    def begin(self, outcome: Outcome | None = None) -> None:
        """Name the headers of a stream, once."""
        if not self.begun:
            self.begun = True
            kind = cast("StreamingDoor", self.door).stream_type
            lines = b"content-type: %b\r\ncache-control: no-cache\r\n" % kind
            self.call.stream(200, lines + (told(outcome) if outcome is not None else b""))

    async def stream(self, reply: Reply, worked: Worked) -> None:
        """Send the answer as a stream, all at once."""
        encoder = cast("StreamingDoor", self.door).stream_encoder(self.about(worked.outcome))
        self.begin(worked.outcome)
        for delta in deltas_of(reply):
            data = encoder.delta(delta)
            if data:
                await self.call.write(data)
        self.call.end(encoder.end(reply))

    def fail(self, result: GiveUp, outcome: Outcome) -> None:
        """Answer an error: with its own status, or in a stream that has begun."""
        fault = Fault(
            status=503,
            message=result.reason,
            kind="api_error",
            code="no_answer",
            hint=f"headgate log show {outcome.id} tells what was tried last",
        )
        if self.begun:
            encoder = cast("StreamingDoor", self.door).stream_encoder(self.about(outcome))
            self.call.end(encoder.fail(fault))
        else:
            answer_fault(self.call, fault, told(outcome), self.door.dialect, self.request.id)


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
