"""Our errors, and the form that each dialect gives them.

A `Fault` says what is wrong, what to do (`hint`), and whether trying again can help. Final failures carry
`x-should-retry: false`, because the official clients would otherwise multiply our own attempts by theirs. The hint stands in the
message, because that is all that most clients show, and for programs in a field of its own where the envelope has fields.

Source: the API references and clients of OpenAI, Anthropic and Ollama (docs/api.md).
"""

import msgspec
from msgspec import Struct

from headgate.core.words import DialectName


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


class OpenAIError(Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None
    hint: str


class AnthropicError(Struct, frozen=True):
    type: str
    message: str
    hint: str


ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's error types by status; any other is an `api_error`."""

ANTHROPIC_BUSY = 529
"""Where others say 503, Anthropic says that it is overloaded."""


ANTHROPIC_UNPAID = 402
"""Where OpenAI says 429 with the code `insufficient_quota`, Anthropic has a status for what cannot be paid."""


def status_of(fault: Fault, dialect: DialectName = "openai") -> int:
    """The HTTP status of the fault in a dialect."""
    if dialect == "anthropic" and fault.code == "insufficient_quota":
        return ANTHROPIC_UNPAID
    return ANTHROPIC_BUSY if dialect == "anthropic" and fault.status == 503 and fault.retry else fault.status


def encode(fault: Fault, dialect: DialectName = "openai", request_id: str = "") -> bytes:
    """The fault as a JSON body in a dialect's envelope."""
    if dialect == "anthropic":
        kind = ANTHROPIC_TYPES.get(status_of(fault, dialect), "api_error")
        error = AnthropicError(kind, sentence(fault), fault.hint)
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id or None})
    if dialect == "ollama":
        return msgspec.json.encode({"error": sentence(fault)})
    envelope = OpenAIError(sentence(fault), fault.kind, fault.param, fault.code, fault.hint)
    return msgspec.json.encode({"error": envelope})


def sentence(fault: Fault) -> str:
    """What is wrong and what to do, in one sentence."""
    return f"{fault.message} (hint: {fault.hint})" if fault.hint else fault.message


def encode_in_stream(fault: Fault, dialect: DialectName = "openai", request_id: str = "") -> bytes:
    """The fault in a stream that has begun, in the form on which the dialect's clients raise."""
    body = encode(fault, dialect, request_id)
    if dialect == "ollama":
        return body + b"\n"
    return (b"event: error\ndata: " if dialect == "anthropic" else b"data: ") + body + b"\n\n"


def header_lines(fault: Fault) -> bytes:
    """The headers that go with it, beside the content type."""
    lines = b"x-should-retry: true\r\n" if fault.retry else b"x-should-retry: false\r\n"
    if fault.retry_after is not None:
        lines += b"retry-after: %d\r\n" % max(1, round(fault.retry_after))
    return lines
