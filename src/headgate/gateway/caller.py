"""One caller's connection: bytes become calls, calls are handled one after the other, answers become bytes.

A connection is one task, so a caller who hangs up cancels his own request and nothing else. Bytes go out at the end of a
turn of the event loop, all callers' together: every write wakes its reader, and to wake thirty at once costs less than
thirty times one. A body that is too large is read and thrown away, so that its sender sees the refusal and not a broken pipe.

It does not know TLS, HTTP/2, compression and trailers (read and dropped). A wish for another protocol is passed over, as
HTTP allows. A caller who closes his sending side counts as one who hung up.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

if TYPE_CHECKING:
    from headgate.gateway.http import Server

HEAD_LIMIT = 64 * 1024
"""Bytes in a row that are no body: a head, trailers, the marks between chunks."""

DRAIN_AT_MOST = 256 * 1024 * 1024
"""Bytes of a too large body that are still read."""

HIGH_WATER = 64 * 1024
"""Bytes that wait for the end of a turn of the event loop."""

PIPELINED = 16
"""Calls that wait behind the one being handled; then nothing more is read."""

LINGER = 2.0
"""Seconds that a caller gets to take a refusal before his connection is closed on what he still sends."""

STATUS_LINES = {int(status): f"HTTP/1.1 {status} {status.phrase}\r\n".encode() for status in HTTPStatus}
STATUS_LINES[529] = b"HTTP/1.1 529 Overloaded\r\n"  # Anthropic's own
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
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
        query: what stands behind the "?", as it came.
        headers: by their names in small letters; of several with one name the last.
        body: None when it was larger than the server takes.
        file: the body instead, of an upload; whoever answers closes it.
        begun: whether a part of the answer has gone out.
        ended: whether all of it has.
        last: whether the connection ends with this answer.
    """

    __slots__ = (
        "_connection",
        "_head",
        "_old",
        "begun",
        "body",
        "ended",
        "file",
        "headers",
        "last",
        "method",
        "path",
        "query",
    )

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
        query: str = "",
        file: BinaryIO | None = None,
    ) -> None:
        self._connection = connection
        self._head = b""
        self._old = old  # HTTP/1.0
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.file = file
        self.begun = self.ended = False
        self.last = not keep_alive

    @property
    def gone(self) -> bool:
        """Whether the caller has hung up."""
        return self._connection.lost

    @property
    def address(self) -> str:
        """Where the caller is, without the port."""
        return self._connection.address

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Send a whole response."""
        self.begun = self.ended = True
        shown = b"" if self.method == "HEAD" else body
        response = b"%bcontent-length: %d\r\n\r\n%b" % (self._lines(status, lines), len(body), shown)
        self._connection.write(response)

    def stream(self, status: int, lines: bytes) -> None:
        """Begin a response of unknown length; its head goes out with the first `write`."""
        if self._old:
            self.last = True  # HTTP/1.0 knows no chunks: the end of the connection is the end of the body
        self._head = self._lines(status, lines) + (b"\r\n" if self._old else CHUNKED)

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, and wait while the caller reads more slowly than we write."""
        self._piece(data, b"")
        await self._connection.drained()

    def interject(self, data: bytes) -> None:
        """Send a piece of the body that is too small to wait for."""
        self._piece(data, b"")

    def end(self, data: bytes = b"") -> None:
        """Send the last piece of the body. Waits for nobody."""
        self._piece(data, b"" if self._old else b"0\r\n\r\n")
        self.ended = True

    def _piece(self, data: bytes, end: bytes) -> None:
        self.begun = True
        head, self._head = self._head, b""
        if data and not self._old:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._connection.write(head + data + end)

    def _lines(self, status: int, lines: bytes) -> bytes:
        server = self._connection.server
        self.last = self.last or server.closing
        connection = CLOSE if self.last else KEEP_ALIVE if self._old else b""
        return b"%b%b%b%b" % (STATUS_LINES[status], server.date, connection, lines)


class Connection(asyncio.Protocol):
    """One caller's socket and the task that serves it.

    Attributes:
        address: the caller's, without the port.
        lost: the socket is gone.
        task: handles the calls.
        heard: when the caller last began to say something, said a piece of a body, or was answered (the loop's clock).
        unread: bytes that he had not taken at the last look.
    """

    task: "asyncio.Task[None]"
    transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.address = ""
        self.lost = False
        self.heard = 0.0
        self.unread = 0
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._calls: deque[Call] = deque()
        self._asked = 0  # calls taken and not yet handled to their end
        self._next: asyncio.Future[Call] | None = None
        self._taken_up = asyncio.Event()
        self._taken_up.set()
        self._unsent: list[bytes] = []
        self._unsent_bytes = self._barren = 0
        self._in_head = self._expects = self._reading_paused = False
        self._deaf = False  # what still comes is not looked at
        self._refusal: tuple[int, str] | None = None
        self._file: BinaryIO | None = None

    # ── The task's side ──────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self) -> None:
        """Handle call after call until the connection ends."""
        handle, calls = self.server.handle, self._calls
        try:
            while True:
                call = calls.popleft() if calls else await self._wait()
                await handle(call)
                self._asked -= 1
                self.heard = self._loop.time()
                if call.last or not call.ended or self.lost or self.server.closing:
                    return
                await self.drained()
                if calls:
                    await asyncio.sleep(0)  # a caller who asks for much at once is not the only one
                    continue
                if self._reading_paused:
                    self._reading_paused = False
                    self.transport.resume_reading()
                if self._refusal is not None:
                    self._say_refusal(*self._refusal)
        except asyncio.CancelledError:
            pass  # the caller hung up, or the server closes
        except Exception:
            log.exception("a connection failed inside the gate")
        finally:
            self._asked = 0
            self.close()

    async def _wait(self) -> Call:
        waiter: asyncio.Future[Call] = self._loop.create_future()
        self._next = waiter
        if self._expects:
            self._expects = False
            self.write(CONTINUE)
        try:
            return await waiter
        finally:
            self._next = None

    @property
    def idle(self) -> bool:
        """Whether nothing is asked."""
        return not self._asked

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
        if not self._taken_up.is_set():
            await self._taken_up.wait()

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
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self.heard = self._loop.time()
        self.task = self._loop.create_task(self.serve(), name="headgate-caller")
        self.server.remember(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Take the request that is under way back."""
        self.lost = True
        self._taken_up.set()
        if self._file is not None:
            discard(self._file)
        self.task.cancel()
        self.server.forget(self)

    def pause_writing(self) -> None:
        """The caller reads more slowly than we write."""
        self._taken_up.clear()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self._taken_up.set()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._deaf:
            return
        left: bytes | memoryview = data
        self._barren += len(data)
        try:
            while left:
                try:
                    self._parser.feed_data(left)
                    break
                except HttpParserUpgrade as upgrade:
                    left = memoryview(left)[upgrade.args[0] :]
                    if not self._pass_over():
                        return
        except HttpParserError as error:
            self._refuse(400, f"this is not HTTP/1.1: {error}")
        if self._barren > HEAD_LIMIT:
            self._refuse(431, f"the head of the request is longer than {HEAD_LIMIT // 1024} KB")

    def _pass_over(self) -> bool:
        """Read the head of a request that wishes for another protocol as if it did not: the parser stops at such wishes."""
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(400, "CONNECT is for proxies, and this is none")
            return False
        wishes = self._headers.pop(b"connection", b"").lower().split(b",")
        kept = [wish.strip() for wish in wishes if wish.strip() in (b"close", b"keep-alive")]
        self._headers.pop(b"upgrade", None)
        lines = [b"%b: %b" % line for line in self._headers.items()]
        lines += [b"connection: %b" % b", ".join(kept)] if kept else []
        head = b"\r\n".join([b"%b %b HTTP/%b" % (method, self._url, version.encode()), *lines, b"\r\n"])
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(head)
        return True

    def _refuse(self, status: int, problem: str) -> None:
        """Answer what cannot be understood once all before it is answered, and look at nothing that follows."""
        if self._deaf:
            return
        self._deaf = True
        self._refusal = status, problem
        if not self._asked:
            self._say_refusal(status, problem)

    def _say_refusal(self, status: int, problem: str) -> None:
        call = Call(self, "", "", {}, b"", keep_alive=False, old=False)
        call.answer(status, *self.server.refuse(status, problem))
        self._flush()
        # To close on bytes that nobody has read would take the answer back, so the caller gets a moment to stop.
        if not self.lost and self.transport.can_write_eof():
            self.transport.write_eof()
        self._loop.call_later(LINGER, self.abort)

    # ── The parser's side ────────────────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:  # noqa: D102
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._size = 0
        self._limit = self.server.body_limit
        self._in_head = True
        self.heard = self._loop.time()

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; a trailer is dropped."""
        if self._in_head:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is here; who waits for a word before he sends the body gets it."""
        self._in_head = False
        self._path, self._query = target_of(self._url)
        upload = self.server.uploads.get(self._path) if self._parser.get_method() == b"POST" else None
        if upload is not None:
            self._limit = upload.limit
            try:
                self._file = upload.open()
            except OSError as error:
                self._refuse(507, f"an upload cannot be kept here: {error.strerror}")
        expects = self._headers.get(b"expect")
        if expects is None or expects.lower() != b"100-continue":
            return
        if self._parser.get_http_version() == "1.1" and not self._parser.should_upgrade():
            if self._asked:
                self._expects = True
            else:
                self.write(CONTINUE)

    def on_body(self, part: bytes) -> None:
        """Keep a piece of the body, as long as it is not too large."""
        self._barren = 0
        self.heard = self._loop.time()
        self._size += len(part)
        if self._size > self._limit:
            self._body = b""
            if self._size > max(DRAIN_AT_MOST, self._limit):
                self.abort()
        elif self._file is not None:
            self._save(self._file, part)
        elif not self._body:
            self._body = part
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part

    def _save(self, file: BinaryIO, part: bytes) -> None:
        try:
            file.write(part)
        except OSError as error:
            self._refuse(507, f"there is no room for this upload: {error.strerror}")

    def on_message_complete(self) -> None:
        """Hand the call over, or let it wait for the one before it."""
        parser = self._parser
        if parser.should_upgrade():
            return
        self._barren = 0
        self._expects = False
        call = Call(
            self,
            parser.get_method().decode("ascii"),
            self._path,
            self._headers,
            None if self._size > self._limit else bytes(self._body),
            keep_alive=parser.should_keep_alive(),
            old=parser.get_http_version() == "1.0",
            query=self._query,
            file=self._file,
        )
        self._file = None
        self._asked += 1
        if self._next is not None and not self._next.done():
            self._next.set_result(call)
            return
        self._calls.append(call)
        if len(self._calls) >= PIPELINED and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()


def discard(file: BinaryIO) -> None:
    """Close an upload's file. What a full disk did not take is not missed."""
    with suppress(OSError):
        file.close()


def target_of(url: bytes) -> tuple[str, str]:
    """Path and query in a request line, which may also name scheme and host."""
    path, _, query = url.decode("latin-1").partition("?")
    if path.startswith("/"):
        return path, query
    try:
        return (parse_url(url).path or b"/").decode("latin-1"), query
    except HttpParserError:
        return url.decode("latin-1"), query
