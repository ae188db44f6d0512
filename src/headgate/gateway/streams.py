"""Streams and callers who hang up: the caller's side of a request that takes its time."""

import asyncio
from contextlib import suppress
from typing import Self

from headgate.core.types import Delta, Failure, GiveUp, Outcome, Reply
from headgate.gateway.asgi import Lines, Receive, Send, ascii_bytes, send_fault, told
from headgate.gateway.journey import Journey
from headgate.wire import faults
from headgate.wire.doors import openai_chat as door
from headgate.wire.doors.openai_chat import ChunkWriter
from headgate.wire.faults import Fault

EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")

WATCH_AFTER = 0.05
"""Seconds after which we start to listen for the caller hanging up; most requests are done before."""


class EventStream:
    """The caller's side of a stream: headers late, signs of life while it is held, and a proper end.

    Nothing is sent before the first delta, or before the first sign of life is due: until then a failure is still an
    ordinary error with its own status.
    """

    def __init__(self, journey: Journey, send: Send, keep_alive: float) -> None:
        self.journey = journey
        self.send = send
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
                await self.begin()
                await self.body(door.KEEP_ALIVE)

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
        await self.begin()
        first = b""
        if self.write is None:
            model = self.journey.model.id if self.journey.model is not None else ""
            self.write = door.chunk_writer(
                request_id=self.journey.request.id, model=model, created=self.created
            )
            first = self.write({"role": "assistant", "content": ""}, None, None)
        await self.body(first + self.write(door.delta_out(delta), None, delta.logprobs))

    async def begin(self, outcome: Outcome | None = None) -> None:
        """Send the headers, once: all that is known of the request by now."""
        if self.begun:
            return
        self.begun = True
        lines: Lines = [EVENTS, (b"cache-control", b"no-cache")]
        lines += told(outcome) if outcome is not None else self.known()
        await self.send({"type": "http.response.start", "status": 200, "headers": lines})

    def known(self) -> Lines:
        """What can be said before the end: neither cost nor savings."""
        journey = self.journey
        lines: Lines = [
            (b"x-headgate-request-id", journey.request.id.encode()),
            (b"x-headgate-route", ascii_bytes(journey.decision.route)),
            (b"x-headgate-reason", ascii_bytes(journey.reason or journey.decision.why)),
        ]
        if journey.model is not None:
            lines.append((b"x-headgate-model", ascii_bytes(journey.model.name)))
            lines.append((b"x-headgate-attempts", b"%d" % (len(journey.attempts) + 1)))
        return lines

    async def body(self, data: bytes, *, more: bool = True) -> None:
        """Send bytes."""
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def end(self, outcome: Outcome) -> None:
        """Send what was held, the finish reason, the usage if asked for, and the end mark."""
        assert self.reply is not None
        if self.deltas == 0:
            await self.begin(outcome)
            for delta in door.deltas_of(self.reply) or (Delta(),):
                await self.delta(delta)
        assert self.write is not None
        last = self.write({}, self.reply.finish, None)
        if self.journey.request.include_usage:
            model = self.journey.model.id if self.journey.model is not None else ""
            last += door.usage_chunk(
                self.reply.usage, request_id=outcome.id, model=model, created=self.created
            )
        await self.body(last + door.DONE, more=False)

    async def fail(self, fault: Fault, outcome: Outcome | None) -> None:
        """End without an answer: an ordinary error if nothing was sent yet, else an error event and no end mark."""
        if not self.begun:
            await send_fault(self.send, fault, told(outcome) if outcome is not None else [])
            return
        await self.body(faults.encode_event(fault), more=False)


class HangUp:
    """Cancels the current task when the caller goes away.

    Most answers are quick, so nobody listens at first: the gate's `Watch` begins to for those that are not.
    """

    __slots__ = ("gone", "listening", "receive", "since", "task", "watch")

    def __init__(self, receive: Receive, watch: "Watch") -> None:
        self.receive = receive
        self.watch = watch
        self.gone = False
        self.since = 0.0
        self.task: asyncio.Task[object] | None = None
        self.listening: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self.task = asyncio.current_task()
        self.watch.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.open.pop(self, None)
        if self.listening is not None:
            self.listening.cancel()

    async def wait(self) -> None:
        """Wait until the connection ends, then cancel."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self.task is not None:
            self.task.cancel()


class Watch:
    """The callers that wait for an answer, the oldest first, and one timer for all of them."""

    def __init__(self) -> None:
        self.open: dict[HangUp, None] = {}
        self.timer: asyncio.TimerHandle | None = None

    def add(self, caller: HangUp) -> None:
        """Watch one more caller."""
        loop = asyncio.get_running_loop()
        caller.since = loop.time()
        self.open[caller] = None
        if self.timer is None:
            self.timer = loop.call_later(WATCH_AFTER, self.look)

    def look(self) -> None:
        """Begin to listen for those who have waited for a while."""
        loop = asyncio.get_running_loop()
        due = loop.time() - WATCH_AFTER / 2
        for caller in [caller for caller in self.open if caller.since <= due]:
            del self.open[caller]
            caller.listening = loop.create_task(caller.wait(), name="headgate-hang-up")
        self.timer = loop.call_later(WATCH_AFTER, self.look) if self.open else None
