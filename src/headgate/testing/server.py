"""A socket that plays scripts: a small HTTP/1.1 server with a hand on the transport.

A double decides *what* to say; this module says it, byte for byte, and can misbehave for real on the wire: wait, stall,
close early, reset the connection, refuse to be reached. It knows HTTP framing and nothing of models or JSON dialects.
It does not do TLS, HTTP/2 or trailers.
"""

import asyncio
import enum
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, cast

import httptools
import msgspec

from headgate.testing.calls import Json, ReceivedCall


class Pause(msgspec.Struct, frozen=True):
    """Send what there is, then nothing for `seconds`; None: until the client goes away."""

    seconds: float | None


class Cut(enum.Enum):
    """How a reply dies before its end: `RESET` like a killed peer, `CLOSE` like a process that just ended.

    `GARBLE` is a close after bytes that are no chunk, as from a proxy that lost count.

    As in life, a reset may also destroy what the client's kernel has not yet taken (some megabytes at most).
    """

    RESET = "reset"
    CLOSE = "close"
    GARBLE = "garble"


Step = bytes | Pause | Cut | Callable[[], None]
"""A function is a milestone: it is called when the script has come so far."""


class Script(msgspec.Struct, frozen=True):
    """A reply as the wire will see it.

    `length` is what Content-Length promises (the steps may send less); None means chunked, one chunk for each bytes step.
    The head goes out with the first bytes step, so a script that begins with a pause or a cut holds back even its status
    line; an empty bytes step sends the head alone.

    `instead` is a script that may come while this one pauses: it takes over, from its head on if nothing was sent yet.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    length: int | None
    instead: "asyncio.Future[Script] | None" = None


Turn = AbstractAsyncContextManager[Script]
"""A script that has to wait until it may be played (entering), and that holds something while it is (until leaving)."""

Respond = Callable[[ReceivedCall], Script | Turn]


class Listener:
    """One address, the connections to it, and three figures: calls in flight, their peak, and how many were abandoned."""

    def __init__(
        self,
        respond: Respond,
        host: str,
        port: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.respond = respond
        self.sleep = sleep
        self.host = host
        self.port = port
        self.in_flight = 0
        self.peak_in_flight = 0
        self.abandoned = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.connections: set[_Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; raises OSError when the address cannot be had. Port 0 becomes the port that was found."""
        await self._serve(self._bind())

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self.refuse()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def refuse(self) -> None:
        """Close the port, at once: new connections are refused by the kernel, open ones are reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.connections):
            connection.end(Cut.RESET)

    def accept_again(self) -> None:
        """Undo `refuse` on the same port. The kernel accepts from here on; the loop follows in its next turn."""
        if self._server is None:
            self.keep(self._serve(self._bind()))

    def keep(self, work: Any) -> asyncio.Task[None]:
        """Run a coroutine as a task that `close` will end."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return cast("asyncio.Task[None]", task)

    def _bind(self) -> socket.socket:
        bound = socket.create_server((self.host, self.port), backlog=1024)
        self.port = bound.getsockname()[1]
        return bound

    async def _serve(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=bound, backlog=1024)


class _Connection(asyncio.Protocol):
    """One client: bytes in become calls, scripts become bytes out, one call at a time and in order."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[ReceivedCall, bool]] = deque()
        self._playing: asyncio.Task[None] | None = None
        self._ended_here = False
        self._sent = asyncio.Event()
        self._sent.set()
        self._transport: asyncio.Transport

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # so that `_sent` means: all is with the kernel
        self._listener.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._listener.connections.discard(self)
        if self._playing is not None:
            self._listener.abandoned += not self._ended_here
            self._playing.cancel()

    def pause_writing(self) -> None:
        self._sent.clear()

    def resume_writing(self) -> None:
        self._sent.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
            self._transport.close()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        body = b"".join(self._body)
        value, broken = _decoded(body)
        method = self._parser.get_method().decode()
        call = ReceivedCall(method, path, query, self._headers, body, value, broken, time.time())
        self._waiting.append((call, self._parser.should_keep_alive()))
        self._play_next()

    # playing

    def end(self, how: Cut) -> None:
        """Drop the client: a reset is sent as RST, as the kernel does for a killed process with unread data."""
        self._ended_here = True
        if how is Cut.RESET:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            if how is Cut.GARBLE:
                self._transport.write(b"no chunk\r\n")
            self._transport.close()

    def _play_next(self) -> None:
        while self._waiting and self._playing is None and not self._transport.is_closing():
            call, keep_alive = self._waiting.popleft()
            listener = self._listener
            found = listener.respond(call)
            at_once = (
                isinstance(found, Script)
                and len(found.steps) == 1
                and found.length is not None
                and isinstance(found.steps[0], bytes)
            )
            if isinstance(found, Script) and (at_once or call.method == "HEAD"):
                body = b"" if call.method == "HEAD" else cast("bytes", found.steps[0])
                self._transport.write(_head(found, keep_alive=keep_alive) + body)  # it costs no task
            else:
                listener.in_flight += 1
                listener.idle.clear()
                listener.peak_in_flight = max(listener.peak_in_flight, listener.in_flight)
                self._playing = listener.keep(self._play_in_turn(found, keep_alive=keep_alive))
                self._playing.add_done_callback(self._played)
                return
            if not keep_alive:
                self._transport.close()

    def _played(self, _: asyncio.Task[None]) -> None:
        self._listener.in_flight -= 1
        if not self._listener.in_flight:
            self._listener.idle.set()
        self._playing = None
        self._play_next()

    async def _play_in_turn(self, found: Script | Turn, *, keep_alive: bool) -> None:
        if isinstance(found, Script):
            await self._play(found, keep_alive=keep_alive)
            return
        async with found as script:
            await self._play(script, keep_alive=keep_alive)

    async def _play(self, script: Script, *, keep_alive: bool) -> None:
        chunked = script.length is None
        unsent = [_head(script, keep_alive=keep_alive)]
        begun = False  # whether a body byte was due, and with it the head
        steps = deque(script.steps)
        while steps:
            step = steps.popleft()
            if isinstance(step, bytes):
                begun = True
                if step:
                    unsent.append(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
                continue
            if begun and unsent:
                self._transport.write(b"".join(unsent))
                unsent.clear()
                await self._sent.wait()
            if isinstance(step, Pause):
                other = await self._pass(step.seconds, script.instead)
                if other is not None and not begun:
                    await self._play(other, keep_alive=keep_alive)
                    return
                if other is not None:
                    steps = deque(other.steps)
            elif isinstance(step, Cut):
                self.end(step)
                return
            else:
                step()
        if chunked:
            unsent.append(b"0\r\n\r\n")
        self._transport.write(b"".join(unsent))
        if not keep_alive:
            self.end(Cut.CLOSE)

    async def _pass(self, seconds: float | None, instead: "asyncio.Future[Script] | None") -> Script | None:
        """Let time pass, for ever if there is no end to it; ends early with the script that takes over."""
        if instead is None:
            await _pass(seconds, self._listener.sleep)
            return None
        waiting = asyncio.ensure_future(_pass(seconds, self._listener.sleep))
        try:
            await asyncio.wait((waiting, instead), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return instead.result() if instead.done() else None


async def _pass(seconds: float | None, sleep: Callable[[float], Awaitable[object]]) -> None:
    if seconds is None:
        await asyncio.Event().wait()  # until connection_lost, or the listener's close, cancels us
    else:
        await sleep(seconds)


def _decoded(body: bytes) -> tuple[Json, bool]:
    if not body:
        return None, False
    try:
        return msgspec.json.decode(body), False
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, True


def _head(script: Script, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {script.status} {_phrase(script.status)}"]
    lines += [f"{name}: {value}" for name, value in script.headers]
    lines.append(
        "Transfer-Encoding: chunked" if script.length is None else f"Content-Length: {script.length}"
    )
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"
