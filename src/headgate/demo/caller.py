"""The week's callers: OpenAI-style requests over HTTP, some at a time, and what came back.

They know the gate's address and nothing else of it; who answered, and why, they read in the reply's headers.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Struct

from headgate.demo.week import Ask
from headgate.engines.transport import Clocks, HttpTransport, ResponseHeaders, TransportFailure
from headgate.wire.sse import SSEDecoder

AT_ONCE = 6
"""Requests in flight."""

PATH = "/v1/chat/completions"
CLOCKS = Clocks(connect=10.0, first_byte=60.0, between_bytes=60.0, total=120.0)


class Answered(Struct, frozen=True, kw_only=True):
    """One request of the week, and what came back."""

    ask: Ask
    status: int
    """Of HTTP; 0 when there was no answer at all."""
    text: str
    """The answer, or what went wrong."""
    seconds: float
    request_id: str = ""
    model: str = ""
    """Its name in the config."""
    attempts: int = 0


async def call_all(url: str, asks: Iterable[Ask], at_once: int = AT_ONCE) -> AsyncGenerator[Answered]:
    """Send the requests, `at_once` at a time, and give the answers as they come.

    Args:
        url: the gate's address.
        asks: in the order in which they are sent.
        at_once: requests in flight.
    """
    waiting = iter(asks)
    arrived: asyncio.Queue[Answered | None] = asyncio.Queue()
    transport = HttpTransport(url, headers=[("content-type", "application/json")], max_connections=at_once)

    async def work() -> None:
        for ask in waiting:
            arrived.put_nowait(await call(transport, ask))

    async def work_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())
        finally:
            arrived.put_nowait(None)

    working = asyncio.create_task(work_all(), name="demo-callers")
    try:
        while (answered := await arrived.get()) is not None:
            yield answered
        await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await transport.close()


async def call(transport: HttpTransport, ask: Ask) -> Answered:
    """Send one request and read the whole answer."""
    started = perf_counter()
    headers = [("x-headgate-task", ask.task)] if ask.task is not None else []
    body = msgspec.json.encode(ask.body)
    if not ask.stream:
        response = await transport.request("POST", PATH, headers=headers, body=body, clocks=CLOCKS)
        if isinstance(response, TransportFailure):
            return lost(ask, response, started)
        text = whole_text(response.body) if response.status == 200 else response.body.decode()
        return answered(ask, response.status, response.headers, text, started)
    async with transport.stream("POST", PATH, headers=headers, body=body, clocks=CLOCKS) as stream:
        received = b"".join([part async for part in stream])
        if isinstance(stream.head, TransportFailure):
            return lost(ask, stream.head, started)
        if isinstance(stream.end, TransportFailure):
            return lost(ask, stream.end, started)
        text = streamed_text(received) if stream.head.status == 200 else received.decode()
        return answered(ask, stream.head.status, stream.head.headers, text, started)


def answered(ask: Ask, status: int, headers: ResponseHeaders, text: str, started: float) -> Answered:
    """What came back, with what the headers say of it."""
    return Answered(
        ask=ask,
        status=status,
        text=text,
        seconds=perf_counter() - started,
        request_id=headers.get("x-headgate-request-id") or "",
        model=headers.get("x-headgate-model") or "",
        attempts=int(headers.get("x-headgate-attempts") or 0),
    )


def lost(ask: Ask, failure: TransportFailure, started: float) -> Answered:
    """A request without an answer."""
    return Answered(ask=ask, status=0, text=failure.detail, seconds=perf_counter() - started)


def whole_text(body: bytes) -> str:
    """The answer in a chat completion."""
    reply: Mapping[str, Any] = msgspec.json.decode(body)
    return str(reply["choices"][0]["message"]["content"] or "")


def streamed_text(body: bytes) -> str:
    """The answer in a stream of chunks."""
    decoder = SSEDecoder()
    chunks = [event.data for event in (*decoder.feed(body), *decoder.finish()) if event.data != b"[DONE]"]
    choices = [msgspec.json.decode(chunk).get("choices") for chunk in chunks]
    return "".join(found[0]["delta"].get("content") or "" for found in choices if found)
