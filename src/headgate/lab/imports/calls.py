"""A past call as a value, and how its parts are read from a record whose fields may be missing, empty or texts.

A record may stand for one call, or for the calls of a day: then only their sums are known.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from headgate.core.types import Usage

Record = Mapping[str, Any]
"""One object of an export, as it stands there."""

MILLISECONDS: Final = 100_000_000_000
"""Numbers above it are Unix times in milliseconds, the others in seconds."""


class PastCall(Struct, frozen=True, kw_only=True):
    """A call to a model, or several that are only known together."""

    model: str
    time: float | None = None
    """Unix time."""
    id: str = ""
    calls: int = 1
    """How many; more than one where the export tells only their sums."""
    usage: Usage | None = None
    cost: float | None = None
    """Dollars, as it was billed; None where the export does not say."""
    body: Record | None = None
    """The request as its API took it, where the export keeps prompts."""
    provider: str | None = None
    """ "openai", "anthropic" …, where it is known."""
    who: str = ""
    """Whose it was: a user, a key, a project."""
    failed: bool = False
    """It brought no answer."""


def text(record: Record, *names: str) -> str:
    """The first of these fields that says something."""
    for name in names:
        value = record.get(name)
        if value is not None and not isinstance(value, dict | list) and str(value).strip():
            return str(value).strip()
    return ""


def number(record: Record, *names: str) -> float | None:
    """The first of these fields that is a number, or a text that is one: "$1,234.50"."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            value = value.strip().removeprefix("$").replace(",", "")
            try:
                value = float(value)
            except ValueError:
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def tokens(record: Record, *names: str) -> int | None:
    """The first of these fields that is a number of tokens."""
    found = number(record, *names)
    return None if found is None or found < 0 else int(found)


def moment(record: Record, *names: str) -> float | None:
    """The first of these fields that is a moment: Unix time in seconds or milliseconds, or ISO 8601; without a zone it is UTC."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            try:
                at = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
            except ValueError:
                continue
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        figure = number(record, name)
        if figure is not None and figure > 0:
            return figure / 1000 if figure > MILLISECONDS else figure
    return None


def inner(record: Record, *names: str) -> Record:
    """The first of these fields that is an object, or a text of JSON that is one; else an empty one."""
    for name in names:
        value = nested(record.get(name))
        if isinstance(value, dict) and value:
            return value
    return {}


def nested(value: Any) -> Any:
    """The value; where it is a text of JSON, as in a cell of a CSV file, what it says."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def openai_usage(usage: Record) -> Usage | None:
    """Usage in the words of OpenAI's API, where cached tokens are inside; in either API's names for the sums."""
    prompt = tokens(usage, "prompt_tokens", "input_tokens", "promptTokens", "input")
    output = tokens(usage, "completion_tokens", "output_tokens", "completionTokens", "output")
    if prompt is None and output is None:
        return None
    details = inner(usage, "prompt_tokens_details", "input_tokens_details")
    cached = min(tokens(details, "cached_tokens") or tokens(usage, "input_cached_tokens") or 0, prompt or 0)
    written = min(tokens(details, "cache_write_tokens") or 0, (prompt or 0) - cached)
    thought = tokens(inner(usage, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    return Usage(
        input=(prompt or 0) - cached - written,
        cache_read=cached,
        cache_write_5m=written,
        output=output or 0,
        reasoning=min(thought or 0, output or 0),
    )


def anthropic_usage(usage: Record) -> Usage | None:
    """Usage in the words of Anthropic's API, where cached tokens are outside."""
    fresh = tokens(usage, "input_tokens", "uncached_input_tokens")
    output = tokens(usage, "output_tokens")
    if fresh is None and output is None:
        return None
    created = inner(usage, "cache_creation")
    hour = tokens(created, "ephemeral_1h_input_tokens") or 0
    five = tokens(created, "ephemeral_5m_input_tokens")
    if five is None:
        five = max(0, (tokens(usage, "cache_creation_input_tokens") or 0) - hour)
    return Usage(
        input=fresh or 0,
        cache_read=tokens(usage, "cache_read_input_tokens") or 0,
        cache_write_5m=five,
        cache_write_1h=hour,
        output=output or 0,
    )


def provider_of(model: str) -> tuple[str | None, str]:
    """The provider that a name such as "anthropic/claude-sonnet-5-5" tells, and the rest of it."""
    head, slash, rest = model.partition("/")
    known = {
        "openai": "openai",
        "azure": "azure",
        "anthropic": "anthropic",
        "gemini": "google",
        "vertex_ai": "google",
    }
    if slash and head in known:
        return known[head], rest
    if model.startswith("claude"):
        return "anthropic", model
    if model.startswith(("gpt-", "o1", "o3", "o4", "text-embedding")):
        return "openai", model
    return None, model
