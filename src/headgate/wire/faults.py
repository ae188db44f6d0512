"""Our errors, before they take the form of a caller's dialect.

A `Fault` says what is wrong, what to do (`hint`), and whether trying again can help. Final failures carry
`x-should-retry: false`, because the official clients would otherwise multiply our own attempts by theirs.
"""

import msgspec
from msgspec import Struct


class Fault(Struct, frozen=True, kw_only=True):
    """An error on its way to a client."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    """OpenAI's error type."""
    code: str | None = None
    param: str | None = None
    hint: str = ""
    retry: bool = False
    """Whether the same request may succeed later."""
    retry_after: float | None = None


class Envelope(Struct, frozen=True):
    """The body of OpenAI's errors, with our hint."""

    message: str
    type: str
    param: str | None
    code: str | None
    hint: str


def encode(fault: Fault) -> bytes:
    """The fault as the JSON body `{"error": {...}}`."""
    envelope = Envelope(fault.message, fault.kind, fault.param, fault.code, fault.hint)
    return msgspec.json.encode({"error": envelope})


def header_lines(fault: Fault) -> bytes:
    """The headers that go with it, beside the content type."""
    lines = b"x-should-retry: true\r\n" if fault.retry else b"x-should-retry: false\r\n"
    if fault.retry_after is not None:
        lines += b"retry-after: %d\r\n" % max(1, round(fault.retry_after))
    return lines


def encode_event(fault: Fault) -> bytes:
    """The fault as a server-sent event, for streams that have begun; OpenAI's clients raise on it."""
    return b"data: " + encode(fault) + b"\n\n"
