"""Engines' error bodies, in all the shapes they come in → `Failure`.

Reads objects, strings, arrays, JSON inside strings, plain text and HTML. It recognises the one error that leads
elsewhere, the overflow of the context window, in each engine's own words. It does not know what a failure leads to.
"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from headgate.core.types import Failure
from headgate.core.words import FailureReason
from headgate.wire.upstream import UNREADABLE, Headers

LONGEST_DETAIL = 400
DEEPEST = 8
OVERFLOW_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded"}
)
OVERFLOW_WORDS = (
    r"exceeds? the available context size",  # llama-server, and Ollama around it
    r"maximum context length",  # OpenAI, Mistral, vLLM
    r"context (?:length|window|size)[^.]{0,40}exceeded",
    r"exceeds? (?:the |this model's |your )?(?:model'?s? )?(?:maximum )?context (?:length|window|limit)",
    r"input length exceeds the",  # Ollama
    r"too large to process\. increase the physical batch size",  # llama-server, of a text to embed
    r"tokens when context the overflows",  # LM Studio, older
    r"tokens to keep from the initial prompt",  # LM Studio
    r"loaded with context length of only",
    r"prompt is too long",  # Anthropic
    r"exceed context limit",
    r"input token count .*exceeds the maximum",  # Gemini
    r"reduce the length of the messages",  # Groq
)
OVERFLOW = re.compile("|".join(OVERFLOW_WORDS), re.IGNORECASE)
BAD_OUTPUT = re.compile(
    r"does not match the expected \S+ format", re.IGNORECASE
)  # llama-server's output parser
NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "enforced_spend_limit_reached"})
NO_MONEY_TEXT = re.compile(
    r"credit balance is too low|exceeded your current quota|spend limit", re.IGNORECASE
)
WORDS = {
    400: "refused by the engine",
    401: "the key was not accepted",
    402: "out of credit",
    403: "not permitted",
    404: "not found",
    413: "the request is too large",
    429: "rate limited",
    503: "not ready or overloaded",
    529: "overloaded",
}
WAIT = re.compile(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)", re.IGNORECASE)
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

LONGEST_WAIT = 366 * 86_400.0
"""Seconds that an engine may ask us to wait. More (1e300, say) is no time that anybody waits."""


class Trouble(Struct, frozen=True):
    """What an engine says is wrong."""

    message: str
    kind: str = ""
    """The engine's type or code for it, "" if it gave none."""
    wait: float | None = None
    """Seconds after which it says one may try again."""


def read_trouble(body: bytes) -> Trouble:
    """What an error body says, whatever its shape."""
    return _read(body.decode("utf-8", "replace"), 0)


def failure_from(status: int, headers: Headers, body: bytes) -> Failure:
    """The failure behind a status that is not a success."""
    trouble = read_trouble(body)
    said = retry_after(headers)
    wait = trouble.wait if said is None else said
    return Failure(
        reason=classify(trouble, "http_error"),
        detail=describe(trouble, status),
        status=status,
        retry_after=wait if wait is None else min(wait, LONGEST_WAIT),
    )


def classify(trouble: Trouble, otherwise: FailureReason) -> FailureReason:
    """The reason behind an error's words: `otherwise`, unless they say more."""
    if trouble.kind in OVERFLOW_CODES or OVERFLOW.search(trouble.message):
        return "context_overflow"
    if BAD_OUTPUT.search(trouble.message):
        return "malformed"
    return otherwise


def describe(trouble: Trouble, status: int | None = None) -> str:
    """One sentence for people: what kind of refusal this is, and the engine's own words."""
    if trouble.kind in NO_MONEY or NO_MONEY_TEXT.search(trouble.message):
        lead = "out of quota, waiting will not help"
    elif status is None:
        lead = ""
    else:
        lead = WORDS.get(status, f"HTTP {status}")
    kind = f" ({trouble.kind})" if trouble.kind and trouble.kind not in trouble.message else ""
    text = f"{lead}{kind}: {trouble.message}" if lead else f"{trouble.message}{kind}"
    return text if len(text) <= LONGEST_DETAIL else text[: LONGEST_DETAIL - 1] + "…"


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` as seconds or as a date (against the `date` header)."""
    try:
        if (value := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(value) / 1000)
        if (value := headers.get("retry-after")) is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        then = parsedate_to_datetime(value)
        now = headers.get("date")
        return None if now is None else max(0.0, _gap(then, parsedate_to_datetime(now)))
    except ValueError:
        return None


def _gap(then: datetime, now: datetime) -> float:
    return then.timestamp() - now.timestamp()


def _read(value: Any, depth: int) -> Trouble:
    if depth > DEEPEST:
        return Trouble("unreadable error")
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in ("{", "[", '"'):
            try:
                return _read(msgspec.json.decode(text), depth + 1)
            except UNREADABLE:
                pass
        if text[:1] == "<":
            text = " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL).split())
        return Trouble(text or "no explanation")
    if isinstance(value, list):
        return _read(value[0], depth + 1) if value else Trouble("no explanation")
    if not isinstance(value, dict):
        return Trouble(str(value))
    for key in ("error", "detail", "message", "msg"):
        if value.get(key):
            inner = _read(value[key], depth + 1)
            return Trouble(
                inner.message, inner.kind or _kind(value), inner.wait or _wait(value, inner.message)
            )
    return Trouble(msgspec.json.encode(value).decode(), _kind(value))


def _kind(value: dict[str, Any]) -> str:
    details = value.get("details")
    if isinstance(details, dict) and isinstance(details.get("error_code"), str):
        return str(details["error_code"])
    for key in ("code", "type", "status"):
        if isinstance(value.get(key), str) and value[key] != "error":
            return str(value[key])
    return ""


def _wait(value: dict[str, Any], message: str) -> float | None:
    """The wait that some engines put into the body only."""
    details = value.get("details")
    delays = [
        item["retryDelay"]
        for item in (details if isinstance(details, list) else ())
        if isinstance(item, dict) and isinstance(item.get("retryDelay"), str)
    ]
    match = WAIT.search(message)
    text = delays[0] if delays else match.group(1) if match else ""
    spans = SPAN.findall(text)
    return sum(float(number) * SECONDS[unit] for number, unit in spans) if spans else None
