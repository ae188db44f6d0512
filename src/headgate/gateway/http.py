"""The caller's side of the network: an HTTP/1.1 server for one handler.

    server = Server(handle, body_limit=…)
    await server.open(listening)          handle(call) is awaited for every request
    await server.close(grace)             requests under way may end

A connection is one task that takes one call after the other, so a caller who hangs up cancels his own request and
nothing else. Bytes go out at the end of a turn of the event loop, all callers' together: every write wakes its reader,
and to wake thirty at once costs less than thirty times one. What is larger than its limit is read and thrown away, so that its sender
sees the refusal and not a broken pipe.

It does not know: TLS and HTTP/2 (a proxy in front does), upgrades (ignored, as HTTP allows), compression, trailers, and
what the paths mean.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from socket import socket

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

BACKLOG = 2048
"""Connections that the kernel keeps until they are accepted."""

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's head."""

DRAIN_AT_MOST = 256 * 1024 * 1024
"""Bytes of a too large body that are still read."""

HIGH_WATER = 64 * 1024
"""Bytes that wait for the end of a turn of the event loop."""

SILENCE = 75.0
"""Seconds that a connection may stay silent while nothing is asked on it, or a request has not wholly come."""

LAST_WORDS = 1.0
"""Seconds that callers get to take the error that ends a cancelled request."""

TICK = 1.0
"""Seconds between two looks at the clock: for the date, and for connections that have fallen silent."""

STATUS_LINES = {int(status): f"HTTP/1.1 {status} {status.phrase}\r\n".encode() for status in HTTPStatus}
KEEP_ALIVE = b"connection: keep-alive\r\n"
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"

log = logging.getLogger("headgate.gateway")


class Call:
    """One request of a caller, and the way to answer it.

    Header lines of an answer are bytes, each line with its line break; length, date and connection are added.

    Attributes:
        method: "GET", "POST" …
        path: without the query.
        headers: by their names in small letters; of several with one name the last.
        body: None when it was larger than the server takes.
        begun: whether a part of the answer has gone out.
    """

    __slots__ = ("_connection", "_head", "_last", "_plain", "begun", "body", "headers", "method", "path")

    def __init__(
        self,
        connection: "Connection",
        method: str,
        path: str,
        headers: dict[bytes, bytes],
        body: bytes | None,
        *,
        keep_alive: bool,
        old: bool,
    ) -> None:
        self._connection = connection
        self._head = b""
        self._last = not keep_alive
        self._plain = old
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.begun = False

    @property
    def gone(self) -> bool:
        """Whether the caller has hung up."""
        return self._connection.lost

    @property
    def last(self) -> bool:
        """Whether the connection ends with this answer."""
        return self._last

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Send a whole response."""
        self.begun = True
        shown = b"" if self.method == "HEAD" else body
        response = b"%bcontent-length: %d\r\n\r\n%b" % (self._lines(status, lines), len(body), shown)
        self._connection.write(response)

    def stream(self, status: int, lines: bytes) -> None:
        """Begin a response of unknown length; its head goes out with the first `write`."""
        if self._plain:
            self._last = True  # HTTP/1.0 knows no chunks: the end of the connection is the end of the body
        self._head = self._lines(status, lines) + (b"\r\n" if self._plain else CHUNKED)

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a piece of the body, and wait while the caller reads more slowly than we write."""
        self.begun = True
        head, self._head = self._head, b""
        if self._plain:
            self._connection.write(head + data)
        else:
            chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            self._connection.write(head + chunk + (b"" if more else b"0\r\n\r\n"))
        await self._connection.drained()

    def _lines(self, status: int, lines: bytes) -> bytes:
        server = self._connection.server
        self._last = self._last or server.closing
        connection = CLOSE if self._last else KEEP_ALIVE if self._plain else b""
        return b"%b%b%b%b" % (STATUS_LINES[status], server.date, connection, lines)


Handle = Callable[[Call], Awaitable[None]]


class Server:
    """Everybody who is connected, and the clock that they share.

    Args:
        handle: answers one call; called once at a time for each connection.
        body_limit: bytes of a request's body; of a larger one the handler gets None.
        refuse: answers a call that is no HTTP, by (status, what is wrong) → (header lines, body).
    """

    def __init__(
        self, handle: Handle, *, body_limit: int, refuse: Callable[[int, str], tuple[bytes, bytes]]
    ) -> None:
        self.handle = handle
        self.body_limit = body_limit
        self.refuse = refuse
        self.connections: set[Connection] = set()
        self.closing = False
        self.date = b""
        self._listening: asyncio.Server | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()

    async def open(self, listening: socket) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()
        self._look()
        self._listening = await loop.create_server(lambda: Connection(self), sock=listening, backlog=BACKLOG)

    async def close(self, grace: float) -> None:
        """Accept nobody, let requests under way end for `grace` seconds, then cancel them."""
        self.closing = True
        if self._listening is not None:
            self._listening.close()
        for connection in tuple(self.connections):
            if connection.idle:
                connection.close()
        if not await self._empty_within(grace):
            self.cancel()
            if not await self._empty_within(LAST_WORDS):
                for connection in tuple(self.connections):
                    connection.abort()
        if self._tick is not None:
            self._tick.cancel()

    async def _empty_within(self, seconds: float) -> bool:
        """Wait until everybody is gone."""
        if not self.connections:
            return True
        self._emptied.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """End all requests under way now."""
        for connection in tuple(self.connections):
            if connection.task is not None:
                connection.task.cancel()

    def forget(self, connection: "Connection") -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()

    def _look(self) -> None:
        """Tell the date anew, and close what has been silent for too long."""
        loop = asyncio.get_running_loop()
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        long_ago = loop.time() - SILENCE
        for connection in [each for each in self.connections if each.idle and each.heard < long_ago]:
            connection.abort()
        self._tick = loop.call_later(TICK, self._look)


class Connection(asyncio.Protocol):
    """One caller: bytes become calls, and calls are handled one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.task: asyncio.Task[None] | None = None
        self.lost = False
        self.heard = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._calls: deque[Call] = deque()
        self._unsent: list[bytes] = []
        self._next: asyncio.Future[Call] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._in_head = True
        self._reading_paused = self._broken = False
        self._head_bytes = self._unsent_bytes = 0

    # ── The task's side ──────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self) -> None:
        """Handle call after call until the connection ends."""
        handle, calls = self.server.handle, self._calls
        try:
            while True:
                call = calls.popleft() if calls else await self._wait()
                if self._reading_paused:
                    self._reading_paused = False
                    self.transport.resume_reading()
                await handle(call)
                if call.last or self.lost:
                    return
                await self.drained()
        except asyncio.CancelledError:
            pass  # the caller hung up, or the server closes
        except Exception:
            log.exception("a connection failed inside the gate")
        finally:
            self.close()

    async def _wait(self) -> Call:
        waiter: asyncio.Future[Call] = self._loop.create_future()
        self._next = waiter
        try:
            return await waiter
        finally:
            self._next = None

    @property
    def idle(self) -> bool:
        """Whether no call is being handled."""
        return self._next is not None

    def write(self, data: bytes) -> None:
        """Send bytes with the turn of the event loop, unless there is nobody any more."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes >= HIGH_WATER:
            self._flush()

    def _flush(self) -> None:
        unsent = self._unsent
        if unsent and not self.lost:
            self.transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))
        unsent.clear()
        self._unsent_bytes = 0

    async def drained(self) -> None:
        """Wait while more is written than the caller reads."""
        if self._drained is not None:
            await self._drained

    def close(self) -> None:
        """Close once all is sent."""
        self._flush()
        if not self.lost:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        if not self.lost:
            self.transport.abort()

    # ── The socket's side ────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = transport  # type: ignore[assignment]  # a stream protocol is given a stream transport
        self.heard = self._loop.time()
        self.server.connections.add(self)
        self.task = self._loop.create_task(self.serve(), name="headgate-caller")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Take the request that is under way back."""
        self.lost = True
        self.server.forget(self)
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        """The caller reads more slowly than we write."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._broken:
            return
        self.heard = self._loop.time()
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except HttpParserError as error:
            self._refuse(400, f"this is not HTTP/1.1: {error}")
        if self._in_head and self._head_bytes > HEAD_LIMIT and not self._broken:
            self._refuse(431, f"the head of the request is longer than {HEAD_LIMIT // 1024} KB")

    def _stay(self, rest: bytes) -> None:
        """Read a request that wishes for another protocol as one that does not: the parser stops at such wishes."""
        method = self._parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "CONNECT is for proxies, and this is none")
            return
        lines = [
            b"%b: %b" % line for line in self._headers.items() if line[0] not in (b"connection", b"upgrade")
        ]
        head = b"\r\n".join([b"%b %b HTTP/1.1" % (method, self._url), *lines, b"\r\n"])
        self._parser = HttpRequestParser(self)
        self.data_received(head + rest)

    def _refuse(self, status: int, problem: str) -> None:
        """Answer what cannot be understood, if nothing else is being answered, and read no more."""
        self._broken = True
        if self.idle and not self._calls:
            call = Call(self, "", "", {}, b"", keep_alive=False, old=False)
            call.answer(status, *self.server.refuse(status, problem))
            self.close()
        else:
            self.abort()

    # ── The parser's side ────────────────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:  # noqa: D102
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is here; who waits for a word before he sends the body gets it."""
        self._in_head = False
        self._head_bytes = 0
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self.idle:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """Keep a piece of the body, as long as it is not too large."""
        self._size += len(part)
        if self._size <= self.server.body_limit:
            self._parts.append(part)
            return
        self._parts.clear()
        if self._size > DRAIN_AT_MOST:
            self.abort()

    def on_message_complete(self) -> None:
        """Hand the call over, or let it wait for the one before it."""
        parser, parts = self._parser, self._parts
        if parser.should_upgrade():
            return
        body = (
            None if self._size > self.server.body_limit else parts[0] if len(parts) == 1 else b"".join(parts)
        )
        call = Call(
            self,
            parser.get_method().decode("ascii"),
            self._url.partition(b"?")[0].decode("latin-1"),
            self._headers,
            body,
            keep_alive=parser.should_keep_alive(),
            old=parser.get_http_version() == "1.0",
        )
        if self._next is not None and not self._next.done():
            self._next.set_result(call)
            return
        self._calls.append(call)
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
