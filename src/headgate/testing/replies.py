"""A reply in a dialect's bytes, before any fault and before the wire: one document, or a stream in three parts."""

import msgspec

JSON = "application/json"
SSE = "text/event-stream"

encode = msgspec.json.encode
"""JSON bytes, fields in the order given."""


class Plain(msgspec.Struct, frozen=True):
    """One body. `delay` is in seconds, before anything is sent."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0


class Stream(msgspec.Struct, frozen=True):
    """A stream's pieces: what precedes the first token, one piece for each bit of answer, and the proof that it ended.

    `failure` is what this dialect sends when the engine dies under an open stream; empty when it says nothing at all.
    `pace` is the seconds between two pieces of content.
    """

    opening: tuple[bytes, ...]
    content: tuple[bytes, ...]
    closing: tuple[bytes, ...]
    failure: bytes
    content_type: str = SSE
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    pace: float = 0.0


Reply = Plain | Stream
