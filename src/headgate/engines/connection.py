"""One HTTP/1.1 connection to an engine: bytes out, one response in, and the clocks that bound it.

A connection carries one exchange at a time. The task that owns the exchange writes the request and then sleeps on a
single future; the socket's callbacks feed the parser and wake the task when the head, more body, the end or a failure
is there. No task is made here, and one timer serves the connection for its whole life: it is left running, and looks
when it fires how far the deadline has moved.

It does not know: its origin and its siblings (`transport` does), redirects, cookies, compression, upgrades,
pipelining, or what the bytes of a body mean. Trailers are read over.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEAD_LIMIT = 64 * 1024  # bytes of head, interim heads, chunk framing or trailers with no body between them
HIGH_WATER = 256 * 1024  # body bytes that may wait for a slow consumer before the socket is no longer read
SLICE = 256 * 1024  # a longer request body goes out in pieces of this size, as fast as the peer takes them
TICK = 0.001  # seconds; event loops keep time in milliseconds, so a timer may fire this much early

FailureKind = Literal["refused", "timeout", "broken"]
ClockName = Literal["pool", "connect", "first_byte", "between_bytes", "total"]


class Clocks(msgspec.Struct, frozen=True):
    """How long each stage of a request may take, in seconds. They are separate since a cold model delays one only.

    Attributes:
        connect: to open a connection (name look-up, TCP and TLS), and before that, to get a free place in the pool.
        first_byte: from a ready connection to the first byte of the response's body; sending the request is
            included, and so is a response head that comes long before its body.
        between_bytes: the longest silence once the body has begun. A pause that the consumer causes is not counted.
        total: everything together.
    """

    connect: float
    first_byte: float
    between_bytes: float
    total: float


class Timing(msgspec.Struct, frozen=True):
    """What a response took, in seconds since the request was made.

    Attributes:
        connect: until a connection was in hand, some microseconds if a kept one was.
        first_byte: until the first byte of the body, or until the end if the body is empty.
        total: until the end of the body.
    """

    connect: float
    first_byte: float
    total: float


class TransportFailure(msgspec.Struct, frozen=True):
    """Why there is no whole response: an expected event, hence a value.

    Attributes:
        kind: `refused`: no connection came about; `timeout`: a clock ran out; `broken`: there was a connection, and
            what came over it is not one whole HTTP/1.1 response.
        detail: one sentence for people.
        clock: which clock ran out; None unless `kind` is `timeout`. `pool` is the wait for a free connection,
            bounded by `Clocks.connect`: the engine is not to blame for it.
        bytes_received: bytes of the response that arrived, head included.
        retryable: the same request may succeed here if it is sent again, and the engine is not at work on it as far
            as can be told. False once a byte has arrived, and for what another try cannot change.
    """

    kind: FailureKind
    detail: str
    clock: ClockName | None = None
    bytes_received: int = 0
    retryable: bool = False


class ResponseHeaders(msgspec.Struct, frozen=True):
    """The response's headers as they came: raw pairs in order, decoded only when someone asks."""

    pairs: Sequence[tuple[bytes, bytes]] = ()

    def get(self, name: str | bytes) -> str | None:
        """Return the first value under `name`, in any case of letters, or None."""
        wanted = (name.encode("latin-1") if isinstance(name, str) else name).lower()
        for key, value in self.pairs:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None


class Connection(asyncio.Protocol):
    """A socket to `peer` (a name for messages), with the state of the exchange that it carries.

    `on_lost` is called once, when the socket is gone, if there ever was one.
    """

    _loop: asyncio.AbstractEventLoop
    _transport: asyncio.Transport
    _clocks: Clocks

    def __init__(self, peer: str, body_limit: int, on_lost: Callable[[Connection], None]) -> None:
        self._peer = peer
        self._body_limit = body_limit
        self._on_lost = on_lost
        self._parser = HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._write_paused = self._read_paused = self._busy = False
        self._chunks: list[bytes] = []
        self.open = self.reused = False
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = self.received = self.body_bytes = self._barren = self._buffered = 0
        self.ended = self._keep = self._begun = self._sent = False
        self.complete = True
        self.failure: TransportFailure | None = None
        self._first_at = 0.0

    # ------------------------------------------------------------------ the task's side

    async def exchange(
        self, head: bytes, body: bytes, clocks: Clocks, started: float, *, bodiless: bool, streaming: bool
    ) -> TransportFailure | None:
        """Send a request and wait for the whole response or, if `streaming`, for its head.

        `started` is when the request was made (`perf_counter`); `bodiless` says that the response to this method has
        no body whatever its head promises. Cancellation closes the connection, which cancels the call upstream.
        """
        if not self.open:
            return self._unanswered()
        self._reset()
        self._busy = True
        self._bodiless = bodiless
        self._streaming = streaming
        self._clocks = clocks
        self._started = started
        self._deadline = started + clocks.total
        self._sent_at = now = perf_counter()
        self._watch(min(now + clocks.first_byte, self._deadline))
        if len(body) <= SLICE:
            # Sent with the turn of the event loop, like all other requests of this turn: every write wakes its reader,
            # and to wake thirty at once costs less than thirty times one.
            self._loop.call_soon(self._send, head + body)
        else:
            await self._upload(head, body)
        while not (self.ended or self.failure or (streaming and self.status)):
            await self._woken()
        return None if streaming and self.status else self.failure

    async def next_chunk(self) -> bytes:
        """Return the body bytes that have arrived since the last call, waiting for some; b"" at the end or failure."""
        while not self._chunks:
            if self.ended or self.failure:
                return b""
            await self._woken()
        return self.take_body()

    def take_body(self) -> bytes:
        """Return the body bytes at hand and read on if reading had been paused for them."""
        chunks = self._chunks
        if len(chunks) == 1:
            chunk = chunks[0]
            chunks.clear()
        else:
            chunk = b"".join(chunks)
            self._chunks = []
        self._buffered = 0
        if self._read_paused:
            self._read_paused = False
            if self.open:
                self._transport.resume_reading()
                self._heard_at = now = perf_counter()
                self._watch(min(now + self._clocks.between_bytes, self._deadline))
        return chunk

    def timing(self) -> Timing:
        """Return what the exchange took; to be asked when it has ended."""
        return Timing(
            self._sent_at - self._started, self._first_at - self._started, self._heard_at - self._started
        )

    def finish(self) -> bool:
        """Let go of the exchange. True if the connection may carry another; if not, it has been closed."""
        if not (self.open and self.ended and self._keep and self._sent):
            self.abort()
        self._busy = False
        self.reused = True
        self._chunks = []
        return self.open

    def abort(self) -> None:
        """Close the socket now; the peer sees the end at once, and what was not sent yet never is."""
        if self.open:
            self.open = False
            self._transport.abort()

    def fail(self, kind: FailureKind, detail: str, clock: ClockName | None = None) -> None:
        """End the exchange with a failure and close the connection. Without effect on one that has ended."""
        if self._busy and not self.ended and self.failure is None:
            self.failure = TransportFailure(kind, detail, clock, self.received)
            self._wake()
        self.abort()

    def _send(self, data: bytes) -> None:
        if self.open:
            self._begun = self._sent = True
            self._transport.write(data)

    async def _upload(self, head: bytes, body: bytes) -> None:
        self._begun = True
        self._transport.write(head)
        view = memoryview(body)
        for at in range(0, len(body), SLICE):
            self._transport.write(view[at : at + SLICE])
            while self._write_paused and not self._settled():
                await self._woken()
            if self._settled():
                return
        self._sent = True

    def _settled(self) -> bool:
        # An early refusal (413, 401) makes the rest of the upload pointless; an early 200 does not.
        return self.ended or self.failure is not None or self.status >= 300

    async def _woken(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ------------------------------------------------------------------ the clocks

    def _watch(self, due: float) -> None:
        # The timer may run too early, never too late: an earlier one finds the new deadline when it fires.
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(due - perf_counter(), 0.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if not self._busy or self.ended or self.failure is not None:
            return
        clock: ClockName = "between_bytes" if self._first_at else "first_byte"
        limit = self._clocks.between_bytes if self._first_at else self._clocks.first_byte
        due = (self._heard_at if self._first_at else self._sent_at) + limit
        if self._deadline < due or self._read_paused:
            clock, limit, due = "total", self._clocks.total, self._deadline
        if due - perf_counter() > TICK:
            self._watch(due)
        else:
            what = {
                "first_byte": f"sent nothing of an answer within {limit:g} s",
                "between_bytes": f"fell silent for {limit:g} s after {self.body_bytes} body bytes",
                "total": f"did not finish its answer within {limit:g} s",
            }
            self.fail("timeout", f"{self._peer} {what[clock]}", clock)

    # ------------------------------------------------------------------ the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._loop = asyncio.get_running_loop()
        self._transport = transport  # type: ignore[assignment]  # a stream protocol is given a stream transport
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Decide what an end of the connection means for the exchange: its end without proof, or a break."""
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy and not self.ended and self.failure is None:
            if self.status and exc is None and not self._promised_an_end():
                self.ended, self.complete = True, False
                self._first_at = self._first_at or self._heard_at
            elif self.received:
                where = (
                    f"after {self.body_bytes} body bytes" if self.status else "within the head of its answer"
                )
                self.fail("broken", f"{self._peer} closed the connection {where}")
            else:
                self.failure = self._unanswered()
            self._wake()
        self._on_lost(self)

    def _unanswered(self) -> TransportFailure:
        detail = f"{self._peer} closed the connection without an answer"
        return TransportFailure("broken", detail, retryable=True)

    def eof_received(self) -> None:
        """Close our side too: half-open connections have no use here."""
        self.abort()

    def pause_writing(self) -> None:
        """Hold the upload back: the peer does not take it as fast as we write."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Let the upload go on."""
        self._write_paused = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then see to limits, clocks and whoever waits."""
        if not self._busy or not self.open:
            self.abort()  # nobody asked: whatever this is, the next response could not be trusted
            return
        if not self._begun:
            # A farewell to an idle connection, which crossed the request that is about to be sent.
            self.failure = self._unanswered()
            self._wake()
            self.abort()
            return
        self._heard_at = perf_counter()
        self.received += len(data)
        body_bytes = self.body_bytes
        try:
            if not self.status and self._barren + len(data) > HEAD_LIMIT:
                room = HEAD_LIMIT - self._barren
                self._parser.feed_data(data[:room])
                if self.status:
                    self._parser.feed_data(data[room:])
            else:
                self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._keep = False  # which is all that matters if the junk came behind a whole response
            self.fail("broken", f"{self._peer} does not speak HTTP/1.1 as agreed: {error}")
        if self.body_bytes > self._body_limit:
            self.ended = False
            self.fail("broken", f"the answer of {self._peer} is longer than {self._body_limit} bytes")
        elif self.ended:
            self._first_at = self._first_at or self._heard_at
            self._wake()
        elif self.failure is None:
            self._look_after(len(data), new=self.body_bytes - body_bytes)

    def _look_after(self, received: int, *, new: int) -> None:
        # The response goes on: `received` bytes came, `new` of them body.
        if not new:
            self._barren += received
            if self._barren > HEAD_LIMIT:
                self.fail("broken", f"{self._peer} sent more than {HEAD_LIMIT} bytes of headers")
        else:
            self._barren = 0
            if not self._first_at:
                self._first_at = self._heard_at
                self._watch(min(self._heard_at + self._clocks.between_bytes, self._deadline))
            if self._streaming and self._buffered >= HIGH_WATER and not self._read_paused:
                self._read_paused = True
                self._transport.pause_reading()
        if self._streaming:
            self._wake()

    def _promised_an_end(self) -> bool:
        headers = ResponseHeaders(self.headers)
        return headers.get("content-length") is not None or headers.get("transfer-encoding") is not None

    # ------------------------------------------------------------------ the parser's side

    def on_message_begin(self) -> None:
        """Notice a second response behind the end of the one that was asked for."""
        if self.ended:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; a trailer is dropped."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head, unless it is an interim (1xx) one."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
        elif not self.ended:
            self.status = status
            self.ended = self._bodiless
            # After HEAD the parser waits for a body that never comes, so the connection is not used again.
            self._keep = not self._bodiless and self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        """Keep a piece of the body."""
        if not self.ended:
            self._chunks.append(chunk)
            self.body_bytes += len(chunk)
            self._buffered += len(chunk)

    def on_message_complete(self) -> None:
        """Take note of the end, unless it is that of an interim response."""
        if self.status:
            self.ended = True
