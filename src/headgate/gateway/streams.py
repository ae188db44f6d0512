"""The caller's side of a stream: headers late, signs of life while it is held, and a proper end."""

import asyncio
from collections.abc import Callable
from typing import Self

from headgate.core.types import Delta, Failure, GiveUp, Outcome, Reply
from headgate.gateway.caller import Call
from headgate.gateway.headers import answer_fault, ascii_bytes, told
from headgate.gateway.journey import Journey
from headgate.gateway.outcomes import reason_of
from headgate.wire.doors import About, StreamEncoder, StreamingDoor, deltas_of
from headgate.wire.faults import Fault


class AnswerStream:
    """A streamed answer to one caller, in the words of the door he came through.

    Nothing is sent before the first delta, or before the first sign of life is due: until then a failure is still an
    ordinary error with its own status.

    Args:
        door: in whose words it is written.
        call: the caller's.
        keep_alive: seconds between two signs of life.
        about: what the answer says about itself, as far as it is known by now.
        known: the headers that can be said by now.
    """

    alive: asyncio.TimerHandle

    def __init__(
        self,
        door: StreamingDoor,
        call: Call,
        keep_alive: float,
        *,
        about: Callable[[], About],
        known: Callable[[], bytes],
    ) -> None:
        self.about = about
        self.known = known
        self.door = door
        self.call = call
        self.keep_alive = keep_alive
        self.encoder: StreamEncoder | None = None
        self.begun = False
        self.gave_up: GiveUp | None = None
        self.broken: Failure | None = None
        self.reply: Reply | None = None
        self.deltas = 0

    def __enter__(self) -> Self:
        self.alive = asyncio.get_running_loop().call_later(self.keep_alive, self.show_life)
        return self

    def __exit__(self, *_: object) -> None:
        self.alive.cancel()

    def show_life(self) -> None:
        """Send a comment now and then until the answer flows."""
        if self.deltas == 0:
            self.begin()
            self.call.interject(self.door.keep_alive(self.about()))
            self.alive = asyncio.get_running_loop().call_later(self.keep_alive, self.show_life)

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
        data = self.encode().delta(delta)
        if data:
            await self.call.write(data)

    def encode(self) -> StreamEncoder:
        """The one encoder of this stream; it is made when the answering model is known."""
        if self.encoder is None:
            self.encoder = self.door.stream_encoder(self.about())
        return self.encoder

    def begin(self, outcome: Outcome | None = None) -> None:
        """Name the headers, once: all that is known of the request by now. They go out with what is written next."""
        if not self.begun:
            self.begun = True
            kind = b"content-type: %b\r\ncache-control: no-cache\r\n" % self.door.stream_type
            self.call.stream(200, kind + (told(outcome) if outcome is not None else self.known()))

    async def end(self, outcome: Outcome) -> None:
        """Send what was held and the end of the answer."""
        assert self.reply is not None
        if self.deltas == 0:
            self.begin(outcome)
            for delta in deltas_of(self.reply):
                await self.delta(delta)
        self.call.end(self.encode().end(self.reply))

    def fail(self, fault: Fault, outcome: Outcome | None) -> None:
        """End without an answer: an ordinary error if nothing was sent yet, else an error event and no end mark."""
        if not self.begun:
            lines = told(outcome) if outcome is not None else b""
            answer_fault(self.call, fault, lines, self.door.dialect, self.about().request.id)
            return
        self.call.end(self.encode().fail(fault))


def about_journey(journey: Journey) -> About:
    """What a journey's answer says about itself."""
    model = journey.model.id if journey.model is not None else ""
    return About(journey.request, model, journey.received, journey.signals.tokens)


def known_of(journey: Journey) -> bytes:
    """The headers of a journey that is under way: neither cost nor savings are known."""
    lines = b"x-headgate-request-id: %b\r\nx-headgate-route: %b\r\nx-headgate-reason: %b\r\n" % (
        journey.request.id.encode(),
        ascii_bytes(journey.decision.route),
        ascii_bytes(reason_of(journey) or journey.decision.why),
    )
    if journey.model is None:
        return lines
    more = b"%bx-headgate-model: %b\r\nx-headgate-attempts: %d\r\n"
    return more % (lines, ascii_bytes(journey.model.name), len(journey.attempts) + 1)
