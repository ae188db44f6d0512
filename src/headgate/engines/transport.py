"""The seam between engines and the network: `Transport`, and the HTTP/1.1 client that stands behind it.

`HttpTransport` sends requests to one origin over a pool of kept-alive connections. Whatever may go wrong out there
comes back as a `TransportFailure`; only a request that must not be written at all (a line break in a header, say)
raises `ValueError`. A connection that the server had closed while it lay idle is replaced once, unseen; that is the
only retry there is.

It does not know: redirects (a 3xx is a response like any other), compression (it asks for `identity` and passes on
what comes), cookies, proxies (the environment is not read), HTTP/2, `Expect: 100-continue`, and what statuses mean.
The addresses of a host name are tried one after the other.
Certificates and host names are always verified; a private authority is trusted by naming its file.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from headgate.engines.connection import (
    TICK,
    ClockName,
    Clocks,
    Connection,
    FailureKind,
    ResponseHeaders,
    Timing,
    TransportFailure,
)
from headgate.engines.origin import Headers, Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "ClockName",
    "Clocks",
    "FailureKind",
    "Headers",
    "HttpTransport",
    "Response",
    "ResponseHead",
    "ResponseHeaders",
    "ResponseStream",
    "StreamEnd",
    "Timing",
    "Transport",
    "TransportFailure",
]


class Response(msgspec.Struct, frozen=True):
    """A response that arrived. `complete` is False when only the closed connection marks the body's end.

    Such a body (no length, not chunked) may have been cut, and no one can tell; the caller decides what it is worth.
    """

    status: int
    headers: ResponseHeaders
    body: bytes
    timing: Timing
    complete: bool = True


class ResponseHead(msgspec.Struct, frozen=True):
    """What is known of a response before its body has come."""

    status: int
    headers: ResponseHeaders


class StreamEnd(msgspec.Struct, frozen=True):
    """The body has come to its end. `complete` as in `Response`; `bytes_received` counts body bytes."""

    bytes_received: int
    timing: Timing
    complete: bool = True


class ResponseStream(Protocol):
    """A response whose body is pulled: iterate over it for pieces of the body, then look at `end`.

    The iteration stops at the body's end and at a failure alike: only `end` tells them apart. If `head` is a
    failure, there is nothing to iterate over and `end` is the same failure.
    """

    @property
    def head(self) -> ResponseHead | TransportFailure:
        """Status and headers, or why there are none."""

    @property
    def end(self) -> StreamEnd | TransportFailure | None:
        """How the body ended; None until the iteration has stopped by itself."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Transport(Protocol):
    """How an engine's adapter reaches its server. Doubles implement these three methods."""

    async def request(
        self, method: str, target: str, *, headers: Headers = (), body: bytes = b"", clocks: Clocks
    ) -> Response | TransportFailure:
        """Send a request and return the whole response. Cancellation cancels the call upstream.

        Raises:
            ValueError: if `method`, `target` or `headers` cannot be written as a request.
        """

    def stream(
        self, method: str, target: str, *, headers: Headers = (), body: bytes = b"", clocks: Clocks
    ) -> AbstractAsyncContextManager[ResponseStream]:
        """Send a request on entering and give its response as it comes. Leaving early cancels the call upstream.

        Raises:
            ValueError: if `method`, `target` or `headers` cannot be written as a request.
        """

    async def close(self) -> None:
        """Close every connection. Requests under way end as failures, later ones are refused."""


class HttpTransport:
    """A `Transport` to one origin, over at most `max_connections` connections, the last used one first.

    Args:
        base_url: `http://host[:port][/path]` or https; its path is put before every target.
        headers: sent with every request, before the request's own, which never replace them.
        ca_file: PEM file of authorities to trust besides the system's.
        max_connections: a request beyond it waits for a free one, for `Clocks.connect` at most.
        idle_limit: seconds after which an unused connection is closed.
        body_limit: bytes; a longer response body is a failure.
        address: the IP address to connect to, where the host name has been looked up already.
        keep: whether connections are used again. A request on a kept one may be sent twice; on a new one, never.

    Raises:
        ValueError: if the address, a header or the `ca_file` is unusable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Headers = (),
        ca_file: str | None = None,
        max_connections: int = 256,
        idle_limit: float = 60.0,
        body_limit: int = 64 * 1024 * 1024,
        address: str | None = None,
        keep: bool = True,
    ) -> None:
        self._keeps = keep
        self._origin = Origin(base_url, headers, ca_file)
        self._address = address or self._origin.host
        self._max = max_connections
        self._idle_limit = idle_limit
        self._body_limit = body_limit
        self._open: set[Connection] = set()  # from the first attempt to connect until the socket is gone
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._dialling: set[asyncio.Timeout] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    async def request(
        self, method: str, target: str, *, headers: Headers = (), body: bytes = b"", clocks: Clocks
    ) -> Response | TransportFailure:
        """Send a request and return the whole response: see `Transport.request`."""
        head = self._origin.request_head(method, target, headers, len(body))
        connection = await self._send(head, body, clocks, bodiless=method == "HEAD", streaming=False)
        if not isinstance(connection, Connection):
            return connection
        response = Response(
            connection.status,
            ResponseHeaders(connection.headers),
            connection.take_body(),
            connection.timing(),
            connection.complete,
        )
        self._release(connection)
        return response

    def stream(
        self, method: str, target: str, *, headers: Headers = (), body: bytes = b"", clocks: Clocks
    ) -> HttpStream:
        """Send a request and give the response as it comes: see `Transport.stream`."""
        head = self._origin.request_head(method, target, headers, len(body))
        send = partial(self._send, head, body, clocks, bodiless=method == "HEAD", streaming=True)
        return HttpStream(send, self._release)

    async def close(self) -> None:
        """Close every connection and wait until they are gone."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._open):
            connection.fail("broken", f"the transport to {self._origin.label} was closed")
        for timeout in self._dialling:
            timeout.reschedule(0.0)
        while self._hand_on(None):
            pass
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def _send(
        self, head: bytes, body: bytes, clocks: Clocks, *, bodiless: bool, streaming: bool
    ) -> Connection | TransportFailure:
        """Have an exchange, twice at most: a kept connection may turn out to have been closed meanwhile."""
        started = perf_counter()
        connection = self._take_idle()
        retried = False
        while True:
            if connection is None:
                found = await self._connect(clocks, started + clocks.total)
                if isinstance(found, TransportFailure):
                    return found
                connection = found
            call = connection.exchange(head, body, clocks, started, bodiless=bodiless, streaming=streaming)
            failure = await call
            if failure is None:
                return connection
            stale = connection.reused and failure.kind == "broken" and not failure.bytes_received
            if not stale or retried or self._closed:
                return failure
            connection, retried = None, True

    # ------------------------------------------------------------------ the pool

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        return None

    async def _connect(self, clocks: Clocks, deadline: float) -> Connection | TransportFailure:
        """Open a connection, or wait until one comes free if there may be no more of them."""
        label = self._origin.label
        clock: ClockName = "pool"
        by = perf_counter() + clocks.connect
        if deadline < by:
            clock, by = "total", deadline
        waited = False
        while not self._closed:
            if len(self._open) < self._max:
                return await self._dial(clocks, deadline)
            connection = self._take_idle()
            if connection is None:
                try:
                    async with asyncio.timeout(by - perf_counter()):
                        connection = await self._turn(first=waited)
                except TimeoutError:
                    detail = f"none of the {self._max} connections to {label} came free in time"
                    return TransportFailure("timeout", detail, clock, retryable=True)
            if connection is not None and connection.open:
                return connection
            waited = True
        return TransportFailure("refused", f"the transport to {label} is closed")

    async def _turn(self, *, first: bool) -> Connection | None:
        """Wait for a connection, or for None: a free place for one. `first`: this caller had its turn and lost it."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.appendleft if first else self._waiting.append
        queue(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # given and cancelled at once: the next one's luck
                self._keep(turn.result())
            raise

    async def _dial(self, clocks: Clocks, deadline: float) -> Connection | TransportFailure:
        origin = self._origin
        clock: ClockName = "connect"
        limit, left = clocks.connect, max(deadline - perf_counter(), 0.0)
        if left < limit:
            clock, limit = "total", left
        connection = Connection(origin.label, self._body_limit, self._forget)
        self._open.add(connection)
        loop = asyncio.get_running_loop()
        timeout = asyncio.timeout(limit)
        self._dialling.add(timeout)
        try:
            async with timeout:
                await loop.create_connection(
                    lambda: connection,
                    self._address,
                    origin.port,
                    ssl=origin.tls,
                    server_hostname=origin.host if origin.tls is not None else None,
                )
        except TimeoutError:
            connection.abort()
            if not self._closed:
                detail = f"{origin.label} did not accept a connection within {limit:g} s"
                return TransportFailure("timeout", detail, clock, retryable=True)
        except OSError as error:
            connection.abort()
            return origin.refusal(error)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._dialling.discard(timeout)
            if not connection.open:
                self._forget(connection)
        if self._closed:
            connection.abort()
            return TransportFailure("refused", f"the transport to {origin.label} is closed")
        return connection

    def _release(self, connection: Connection) -> None:
        if not connection.finish():
            return
        if self._keeps:
            self._keep(connection)
        else:
            connection.abort()

    def _keep(self, connection: Connection | None) -> None:
        """Pass a free connection, or the place for one, to who waits for it; else lay the connection by."""
        if self._hand_on(connection) or connection is None:
            return
        connection.idle_since = perf_counter()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_limit, self._sweep_idle)

    def _hand_on(self, connection: Connection | None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _sweep_idle(self) -> None:
        now = perf_counter()
        while (
            self._idle and now - self._idle[0].idle_since >= self._idle_limit - TICK
        ):  # the oldest are in front
            self._idle.pop(0).abort()
        self._sweep = None
        if self._idle:
            rest = self._idle[0].idle_since + self._idle_limit - now
            self._sweep = asyncio.get_running_loop().call_later(rest, self._sweep_idle)

    def _forget(self, connection: Connection) -> None:
        if connection not in self._open:
            return
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._hand_on(None)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)


class HttpStream:
    """The `ResponseStream` of `HttpTransport`, to be entered once with `async with`."""

    __slots__ = ("_connection", "_release", "_send", "end", "head")

    head: ResponseHead | TransportFailure
    end: StreamEnd | TransportFailure | None

    def __init__(
        self,
        send: Callable[[], Awaitable[Connection | TransportFailure]],
        release: Callable[[Connection], None],
    ) -> None:
        self._send = send
        self._release = release
        self._connection: Connection | None = None
        self.end = None

    async def __aenter__(self) -> Self:
        found = await self._send()
        if isinstance(found, TransportFailure):
            self.head = self.end = found
        else:
            self._connection = found
            self.head = ResponseHead(found.status, ResponseHeaders(found.headers))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        connection = self._connection
        if connection is None:
            raise StopAsyncIteration
        chunk = await connection.next_chunk()
        if chunk:
            return chunk
        self.end = connection.failure or StreamEnd(
            connection.body_bytes, connection.timing(), connection.complete
        )
        self._let_go()
        raise StopAsyncIteration

    def _let_go(self) -> None:
        if self._connection is not None:
            self._release(self._connection)
            self._connection = None
