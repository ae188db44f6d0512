"""Servers that misbehave to order, on loopback, for the tests of the transport."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from headgate.engines.transport import Clocks, HttpTransport

PATIENT = Clocks(connect=10, first_byte=10, between_bytes=10, total=30)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """What a double saw."""

    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    connections: int = 0
    open_now: int = 0
    open_most: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@asynccontextmanager
async def serving(answer: Answer, **options: Any) -> AsyncIterator[Server]:
    """Run `answer` for every connection, on a free port."""
    seen = Server(scheme="https" if "ssl" in options else "http")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        seen.open_now += 1
        seen.open_most = max(seen.open_most, seen.open_now)
        task = asyncio.current_task()
        assert task is not None
        seen.tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await answer(reader, writer)
        finally:
            seen.open_now -= 1
            seen.tasks.discard(task)
            writer.transport.abort()

    bind = options.pop("bind", "127.0.0.1")
    server = await asyncio.start_server(connected, bind, 0, **options)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        left = tuple(seen.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def reaching(server: Server, **options: Any) -> AsyncIterator[HttpTransport]:
    """A transport to `server`, which must leave neither connections nor tasks behind."""
    before = asyncio.all_tasks()
    transport = HttpTransport(server.url, **options)
    try:
        yield transport
    finally:
        await transport.close()
    assert not transport._open
    assert not transport._idle
    await until(lambda: not asyncio.all_tasks() - before - server.tasks)


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request: head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return head, await reader.readexactly(int(length[1])) if length else b""


async def until(reached: Callable[[], object]) -> None:
    """Let the loop turn until `reached`; a test that hangs here has failed."""
    async with asyncio.timeout(5):
        while not reached():  # what is waited for has no event to offer
            await asyncio.sleep(0)


def answering(*answers: bytes, close: bool = False) -> Answer:
    """Give the answers in turn on each connection, the last again and again; with `close`, hang up after them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = 0
        while not (close and turn == len(answers)):
            await read_request(reader)
            writer.write(answers[min(turn, len(answers) - 1)])
            await writer.drain()
            turn += 1
        writer.close()
        await writer.wait_closed()

    return answer


class Silence:
    """Takes a request, says `first`, then nothing; `hung_up` is set when the client is gone."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(self.first)
        self.asked.set()
        with suppress(ConnectionError):
            await reader.read()
        self.hung_up.set()
