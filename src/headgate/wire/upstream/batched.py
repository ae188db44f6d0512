"""The lines of providers' batches: OpenAI's input and output files, Anthropic's requests and results. Pure.

A line is read into a `BatchAnswer`, whose body is in the engine's own dialect; `reply_of` reads that as if it had come live.
Source: the API references of OpenAI and Anthropic.
"""

from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from headgate.core.batching import BatchAnswer
from headgate.core.types import Failure, Model, Reply, Request
from headgate.wire.upstream import UNREADABLE, Headers

NEVER_DONE = {
    "batch_expired": "the provider's batch expired before it came to this request",
    "expired": "the provider's batch expired before it came to this request",
    "batch_cancelled": "the provider's batch was cancelled before it came to this request",
    "canceled": "the provider's batch was cancelled before it came to this request",
}

ANTHROPIC_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""The status of a live error by its type; any other is 500."""


class NoHeaders:
    """A line of a batch has no headers."""

    def get(self, name: str, /) -> None:
        """None of them."""


class Reading(Protocol):
    """The part of a dialect that reads answers."""

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The answer in a body that came with a status of success."""
        ...

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure in a body that came with another status."""
        ...


def reply_of(answer: BatchAnswer, dialect: Reading, request: Request, model: Model) -> Reply | Failure:
    """The answer to a request, read as a live one is."""
    if not answer.status:
        return Failure(reason="timeout", detail=answer.detail)
    body = bytes(answer.body)
    if answer.status == 200:
        return dialect.decode_reply(body, request, model)
    return dialect.decode_error(answer.status, NoHeaders(), body)


class OpenAIResponse(Struct, frozen=True):
    status_code: int
    body: Raw = Raw(b"null")


class OpenAIProblem(Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class OpenAILine(Struct, frozen=True):
    custom_id: str
    response: OpenAIResponse | None = None
    error: OpenAIProblem | None = None


class AnthropicResult(Struct, frozen=True):
    type: str
    message: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


class AnthropicLine(Struct, frozen=True):
    custom_id: str
    result: AnthropicResult


class AnthropicInner(Struct, frozen=True):
    type: str = ""


class AnthropicError(Struct, frozen=True):
    error: AnthropicInner = AnthropicInner()


_openai = msgspec.json.Decoder(OpenAILine).decode
_anthropic = msgspec.json.Decoder(AnthropicLine).decode


def openai_line(custom_id: str, url: str, body: bytes) -> bytes:
    """A request in an input file, without its line break."""
    line: dict[str, Any] = {"custom_id": custom_id, "method": "POST", "url": url, "body": Raw(body)}
    return msgspec.json.encode(line)


def read_openai(line: bytes) -> BatchAnswer | None:
    """A line of an output or error file; None where it is none."""
    try:
        read = _openai(line)
    except UNREADABLE:
        return None
    if read.response is not None:
        return BatchAnswer(
            custom_id=read.custom_id, status=read.response.status_code, body=read.response.body
        )
    error = read.error or OpenAIProblem()
    said = NEVER_DONE.get(error.code or "") or error.message or "the provider's batch gave no reason"
    return BatchAnswer(custom_id=read.custom_id, status=0, detail=said)


def anthropic_line(custom_id: str, params: bytes) -> bytes:
    """A request among those of a batch."""
    return msgspec.json.encode({"custom_id": custom_id, "params": Raw(params)})


def read_anthropic(line: bytes) -> BatchAnswer | None:
    """A line of the results; None where it is none."""
    try:
        read = _anthropic(line)
        result = read.result
        if result.type == "succeeded":
            return BatchAnswer(custom_id=read.custom_id, status=200, body=result.message)
        if result.type == "errored":
            kind = msgspec.json.decode(result.error, type=AnthropicError).error.type
            status = ANTHROPIC_STATUS.get(kind, 500)
            return BatchAnswer(custom_id=read.custom_id, status=status, body=result.error)
    except UNREADABLE:
        return None
    said = NEVER_DONE.get(result.type, f"the provider's batch says: {result.type}")
    return BatchAnswer(custom_id=read.custom_id, status=0, detail=said)
