"""The caller's side of a stream: headers late, signs of life while it is held, and a proper end."""

import asyncio
from contextlib import suppress
from typing import Self

from headgate.core.types import Delta, Failure, GiveUp, Outcome, Reply
from headgate.gateway.caller import Call
from headgate.gateway.headers import answer_fault, ascii_bytes, told
from headgate.gateway.journey import Journey
from headgate.wire import faults
from headgate.wire.doors import openai_chat as door
from headgate.wire.doors.openai_chat import ChunkWriter
from headgate.wire.faults import Fault

EVENTS = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class EventStream:
    """A stream of events to one caller.

    Nothing is sent before the first delta, or before the first sign of life is due: until then a failure is still an
    ordinary error with its own status.
    """

    def __init__(self, journey: Journey, call: Call, keep_alive: float) -> None:
        self.journey = journey
        self.call = call
        self.keep_alive = keep_alive
        self.created = int(journey.received)
        self.write: ChunkWriter | None = None
        self.begun = False
        self.gave_up: GiveUp | None = None
        self.broken: Failure | None = None
        self.reply: Reply | None = None
        self.deltas = 0
        self.alive: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.alive = asyncio.create_task(self.stay_alive(), name="headgate-keep-alive")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.alive is not None:
            self.alive.cancel()
            with suppress(asyncio.CancelledError):
                await self.alive

    async def stay_alive(self) -> None:
        """Send a comment now and then until the answer flows."""
        while self.deltas == 0:
            await asyncio.sleep(self.keep_alive)
            if self.deltas == 0:
                self.begin()
                await self.call.write(door.KEEP_ALIVE)

    async def put(self, part: Delta | Reply | Failure | GiveUp) -> None:
        """Take the next part of the journey."""
        if isinstance(part, Delta):
            await self.delta(part)
        elif isinstance(part, Reply):
            self.reply = part
        elif isinstance(part, Failure):
            self.broken = part
        else:
            self.gave_up = part

    async def delta(self, delta: Delta) -> None:
        """Send a piece of the answer."""
        self.deltas += 1
        self.begin()
        first = b""
        if self.write is None:
            model = self.journey.model.id if self.journey.model is not None else ""
            self.write = door.chunk_writer(
                request_id=self.journey.request.id, model=model, created=self.created
            )
            first = self.write({"role": "assistant", "content": ""}, None, None)
        await self.call.write(first + self.write(door.delta_out(delta), None, delta.logprobs))

    def begin(self, outcome: Outcome | None = None) -> None:
        """Name the headers, once: all that is known of the request by now. They go out with what is written next."""
        if not self.begun:
            self.begun = True
            self.call.stream(200, EVENTS + (told(outcome) if outcome is not None else self.known()))

    def known(self) -> bytes:
        """What can be said before the end: neither cost nor savings."""
        journey = self.journey
        lines = b"x-headgate-request-id: %b\r\nx-headgate-route: %b\r\nx-headgate-reason: %b\r\n" % (
            journey.request.id.encode(),
            ascii_bytes(journey.decision.route),
            ascii_bytes(journey.reason or journey.decision.why),
        )
        if journey.model is None:
            return lines
        more = b"%bx-headgate-model: %b\r\nx-headgate-attempts: %d\r\n"
        return more % (lines, ascii_bytes(journey.model.name), len(journey.attempts) + 1)

    async def end(self, outcome: Outcome) -> None:
        """Send what was held, the finish reason, the usage if asked for, and the end mark."""
        assert self.reply is not None
        if self.deltas == 0:
            self.begin(outcome)
            for delta in door.deltas_of(self.reply) or (Delta(),):
                await self.delta(delta)
        assert self.write is not None
        last = self.write({}, self.reply.finish, None)
        if self.journey.request.include_usage:
            model = self.journey.model.id if self.journey.model is not None else ""
            last += door.usage_chunk(
                self.reply.usage, request_id=outcome.id, model=model, created=self.created
            )
        self.call.end(last + door.DONE)

    def fail(self, fault: Fault, outcome: Outcome | None) -> None:
        """End without an answer: an ordinary error if nothing was sent yet, else an error event and no end mark."""
        if not self.begun:
            answer_fault(self.call, fault, told(outcome) if outcome is not None else b"")
            return
        self.call.end(faults.encode_event(fault))
