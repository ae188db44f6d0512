"""Callers who read streams, and what they saw: first token, gaps, chunks. They know no gate, only a port and a path."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterable
from time import perf_counter

from msgspec import Struct

TOKEN = b'"content":" word'
END = b"data: [DONE]\n\n"


def request(model: str, chunks: int, every_ms: int) -> bytes:
    """The HTTP request for so many chunks at that pace."""
    prompt = f"How should a small workshop move its bookings to its website? [{chunks} chunks, {every_ms} ms apart]"
    body = json.dumps(
        {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]}
    ).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


class Reader(asyncio.Protocol):
    """One caller: asks on his connection, and reads all that comes.

    Attributes:
        tokens: chunks with a token that have come.
        first: seconds from asking to the first of them; None before it.
        gaps: seconds between two arrivals of tokens.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.tokens = 0
        self.first: float | None = None
        self.gaps: list[float] = []
        self.tail = b""
        self.asked = self.last = 0.0
        self.began = self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream protocol is given a stream transport

    def ask(self, sent: bytes) -> None:
        """Ask anew; `began` and `ended` come true in time."""
        loop = asyncio.get_running_loop()
        self.began, self.ended = loop.create_future(), loop.create_future()
        self.first, self.tail = None, b""
        self.asked = perf_counter()
        self.transport.write(sent)

    def data_received(self, data: bytes) -> None:
        found = data.count(TOKEN)
        if found:
            now = perf_counter()
            self.tokens += found
            if self.first is None:
                self.first = now - self.asked
                self.began.set_result(None)
            else:
                self.gaps.append(now - self.last)
            self.last = now
        self.tail = (self.tail + data)[-64:]
        if END in self.tail and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        for event in (self.began, self.ended):
            if not event.done():
                event.set_exception(ConnectionError(f"the stream broke off: {self.tail!r}"))
                event.exception()


async def connect(port: int) -> Reader:
    """A caller with a connection."""
    _, reader = await asyncio.get_running_loop().create_connection(Reader, "127.0.0.1", port)
    return reader


async def first_tokens(ports: Iterable[tuple[int, str]], times: int, pause: float) -> list[list[float]]:
    """Seconds to the first token at each port, asked in turns so that all see the same weather."""
    callers = [(await connect(port), request(model, 2, 1)) for port, model in ports]
    seen: list[list[float]] = [[] for _ in callers]
    for _ in range(times):
        for (reader, sent), found in zip(callers, seen, strict=True):
            reader.ask(sent)
            await reader.ended
            assert reader.first is not None
            found.append(reader.first)
            await asyncio.sleep(pause)
    for reader, _ in callers:
        reader.transport.close()
    return seen


class Course(Struct, frozen=True):
    """So many streams at once, of so many chunks each, so far apart."""

    streams: int
    chunks: int
    every_ms: int = 0


async def read_all(
    port: int, model: str, course: Course, ready: Callable[[], None] = lambda: None
) -> tuple[int, list[float]]:
    """Read streams: tokens that came, and the gaps between two arrivals of a stream.

    `ready` is called when every stream has begun; tokens and gaps count from then on.
    """
    readers = [await connect(port) for _ in range(course.streams)]
    sent = request(model, course.chunks, course.every_ms)
    for reader in readers:
        reader.ask(sent)
        await asyncio.sleep(course.every_ms / 1000 / course.streams)  # callers do not come in step
    await asyncio.gather(*[reader.began for reader in readers])
    ready()
    before = [(reader.tokens, len(reader.gaps)) for reader in readers]
    await asyncio.gather(*[reader.ended for reader in readers])
    tokens = sum(reader.tokens - seen for reader, (seen, _) in zip(readers, before, strict=True))
    gaps = [gap for reader, (_, seen) in zip(readers, before, strict=True) for gap in reader.gaps[seen:]]
    for reader in readers:
        reader.transport.close()
    return tokens, gaps


async def hold_open(port: int, model: str, streams: int) -> list[Reader]:
    """So many streams that have begun and then say nothing."""
    readers = []
    sent = request(model, 2, 600_000)
    for _ in range(streams):
        readers.append(reader := await connect(port))
        reader.ask(sent)
        if len(readers) % 50 == 0:
            await asyncio.gather(*[each.began for each in readers])
    await asyncio.gather(*[each.began for each in readers])
    return readers


async def read_slowly(port: int, model: str, chunks: int, seconds: int, each: int = 1024) -> int:
    """Read one stream at `each` bytes a second, and hang up: bytes read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as caller:  # a bare socket: what nobody reads stays in the kernel
        caller.setblocking(False)
        await loop.sock_connect(caller, ("127.0.0.1", port))
        await loop.sock_sendall(caller, request(model, chunks, 0))
        got, begun = 0, loop.time()
        for second in range(1, seconds + 1):
            got += len(await loop.sock_recv(caller, each))
            await asyncio.sleep(begun + second - loop.time())
    return got
