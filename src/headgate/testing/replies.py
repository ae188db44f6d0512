"""A reply in a dialect's bytes, before any fault and before the wire: one document, or a stream in three parts."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from headgate.testing.server import Script

JSON = "application/json"
SSE = "text/event-stream"

encode = msgspec.json.encode
"""JSON bytes, fields in the order given."""


class Plain(msgspec.Struct, frozen=True):
    """One body. `delay` is in seconds, before anything is sent. `instead` may take over until then."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    instead: "asyncio.Future[Script] | None" = None


class Stream(msgspec.Struct, frozen=True):
    """A stream's pieces: what precedes the first token, one piece for each bit of answer, and the proof that it ended.

    `failure` is what this dialect sends when the engine dies under an open stream; empty when it says nothing at all.
    `pace` is the seconds between two pieces of content; `waits`, if given, has the seconds before each of them, None for ever.
    `reached` is called with the number of each piece when its time has come. `instead` may take over while the stream waits.
    """

    opening: tuple[bytes, ...]
    content: tuple[bytes, ...]
    closing: tuple[bytes, ...]
    failure: bytes
    content_type: str = SSE
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    pace: float = 0.0
    waits: tuple[float | None, ...] = ()
    reached: Callable[[int], None] | None = None
    instead: "asyncio.Future[Script] | None" = None


Reply = Plain | Stream

Later = AbstractAsyncContextManager[Reply]
"""A reply that must wait (entering), and holds something until it was played to its end (leaving)."""


def takes_time(reply: Reply) -> bool:
    """Whether playing it takes a while."""
    return bool(
        reply.delay or (isinstance(reply, Stream) and (reply.pace or any(w != 0 for w in reply.waits)))
    )
