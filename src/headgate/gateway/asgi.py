"""The small change of ASGI: reading a body, sending a response, and the headers that say who answered."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from headgate.core.types import Outcome
from headgate.reports.savings import saved_by
from headgate.wire import faults
from headgate.wire.faults import Fault

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Lines = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
DRAIN_AT_MOST = 256 * 1024 * 1024
"""Bytes of a too large body that are still read, so that its sender sees our answer and not a broken pipe."""


class CallerGoneError(Exception):
    """The caller hung up before the whole body had come."""


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None when it is larger than `limit` bytes.

    Raises:
        CallerGoneError: there will be nobody to answer.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= limit else None
    parts, size = [body], len(body)
    while message.get("more_body") and size <= DRAIN_AT_MOST:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGoneError
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
    return b"".join(parts) if size <= limit else None


def told(outcome: Outcome) -> Lines:
    """The headers that say who answered, why, and at what price."""
    lines: Lines = [
        (b"x-headgate-request-id", outcome.id.encode()),
        (b"x-headgate-route", ascii_bytes(outcome.decision.route)),
        (b"x-headgate-reason", ascii_bytes(outcome.fallback or outcome.decision.why)),
        (b"x-headgate-status", outcome.status.encode()),
        (b"x-headgate-attempts", str(len(outcome.attempts)).encode()),
        (b"x-headgate-cost", dollars(outcome.cost)),
    ]
    if outcome.model is not None:
        lines.append((b"x-headgate-model", ascii_bytes(outcome.model)))
        lines.append((b"x-headgate-saved", dollars(saved_by(outcome))))
    return lines


def dollars(amount: float | None) -> bytes:
    """Money for a header: "0.003500", or "unknown"."""
    return b"unknown" if amount is None else b"%.6f" % amount


@lru_cache(maxsize=1024)
def ascii_bytes(text: str) -> bytes:
    """Text for a header, where only printable ASCII travels safely."""
    if not text.isprintable():
        text = "".join([letter if letter.isprintable() else " " for letter in text])
    return text.encode("ascii", "replace")


async def send_body(send: Send, status: int, body: bytes, *lines: tuple[bytes, bytes]) -> None:
    """Send a whole response."""
    headers = [*lines, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_fault(send: Send, fault: Fault, lines: Lines | None = None) -> None:
    """Send an error in OpenAI's envelope."""
    await send_body(send, fault.status, faults.encode(fault), JSON, *faults.headers(fault), *(lines or []))
