"""The caller's side of the network: an HTTP/1.1 server for one handler.

    server = Server(handle, body_limit=…, refuse=…)
    await server.open(listening)          handle(call) is awaited for every request
    await server.close(grace)             requests under way may end

It knows who is connected (`caller.Connection`), what time it is, and when all have gone. It does not know what paths mean.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from socket import socket
from typing import BinaryIO, NamedTuple

from headgate.gateway.caller import Call, Connection

BACKLOG = 2048
"""Connections that the kernel keeps until they are accepted."""

SILENCE = 75.0
"""Seconds that a connection may stay silent while nothing is asked on it: between requests, in the middle of one, or while an
answer is not taken."""

LAST_WORDS = 1.0
"""Seconds that callers get to take the error that ends a cancelled request."""

TICK = 1.0
"""Seconds between two looks at the clock: for the date, and for connections that have fallen silent."""

Handle = Callable[[Call], Awaitable[None]]
Refuse = Callable[[int, str], tuple[bytes, bytes]]
"""(status, what is wrong) → (header lines, body)."""


class Upload(NamedTuple):
    """Bodies that go into a file, because they are too large for the memory."""

    limit: int
    """Bytes."""
    open: Callable[[], BinaryIO]
    """A new file, which is gone when it is closed."""


class Server:
    """Everybody who is connected, and the clock that they share.

    Args:
        handle: answers one call; called for one at a time on each connection.
        body_limit: bytes of a request's body; of a larger one the handler gets None.
        refuse: the answer to what is no HTTP request.
        uploads: paths whose bodies go into files, with a limit of their own.
    """

    def __init__(
        self, handle: Handle, *, body_limit: int, refuse: Refuse, uploads: Mapping[str, Upload] = {}
    ) -> None:
        self.uploads = uploads
        self.handle = handle
        self.body_limit = body_limit
        self.refuse = refuse
        self.connections: set[Connection] = set()
        self.closing = False
        self.date = b""
        self._cancelled = False
        self._listening: asyncio.Server | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

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
        await self._empty_within(grace, or_cancelled=True)
        self.cancel()
        await self._empty_within(LAST_WORDS)
        for connection in tuple(self.connections):
            connection.abort()
        await self._empty_within(LAST_WORDS)
        if self._tick is not None:
            self._tick.cancel()

    def cancel(self) -> None:
        """End all requests under way now."""
        if self._cancelled:
            return
        self._cancelled = True
        self._changed.set()
        for connection in tuple(self.connections):
            connection.task.cancel()

    def remember(self, connection: Connection) -> None:
        """A caller has come."""
        self.connections.add(connection)
        connection.task.add_done_callback(lambda _: self.forget(connection))
        if self.closing:
            connection.close()

    def forget(self, connection: Connection) -> None:
        """A caller has gone, or his task has ended; both make an end."""
        if connection.lost and connection.task.done():
            self.connections.discard(connection)
            self._changed.set()

    async def _empty_within(self, seconds: float, *, or_cancelled: bool = False) -> None:
        """Wait until everybody is gone, for so long."""
        try:
            async with asyncio.timeout(seconds):
                while self.connections and not (or_cancelled and self._cancelled):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _look(self) -> None:
        """Tell the date anew, and close what has been silent for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        for connection in tuple(self.connections):
            if connection.idle and connection.heard < now - SILENCE:
                unread = connection.transport.get_write_buffer_size()
                if unread and unread != connection.unread:  # he is slow, but he reads
                    connection.unread, connection.heard = unread, now
                else:
                    connection.abort()
        self._tick = loop.call_later(TICK, self._look)
