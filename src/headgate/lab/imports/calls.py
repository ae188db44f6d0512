"""A past call as a value, and how its parts are read from a record whose fields may be missing, empty or texts.

A record may stand for one call, or for the calls of a day: then only their sums are known.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from headgate.core.types import Usage
from headgate.core.usage import BATCH

Record = Mapping[str, Any]
"""One object of an export, as it stands there."""

FIRST: Final = 1_400_000_000.0
LAST: Final = 4_102_444_800.0
"""Unix times between which calls to a model can be: 2014 to 2100. Others are not told."""
FINEST: Final = 1_000_000_000
"""Of a second, the finest parts in which a Unix time is counted."""
MOST_TOKENS: Final = 10**13
"""More no sum of a day is."""
MOST_DOLLARS: Final = 1e9
"""Likewise."""
DAY: Final = 86_400.0

USUAL: Final = frozenset({"", "default", "standard", "auto", "on_demand", "standard_only"})
"""Words for the usual service."""
HIDDEN: Final = frozenset({"redacted-by-litellm"})
"""What stands where a message was, in exports that keep none."""

_NO_CHAT: Final = re.compile(r"embed|image|dall-e|whisper|transcri|speech|tts|moderation|rerank")
_THOUSANDS: Final = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")


class PastCall(Struct, frozen=True, kw_only=True):
    """A call to a model, or several that are only known together."""

    model: str
    time: float | None = None
    """Unix time."""
    until: float | None = None
    """Of sums, the Unix time at which theirs ends."""
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
    chat: bool = True
    """A call for an embedding, a picture or speech is none of those that are judged."""


def text(record: Record, *names: str) -> str:
    """The first of these fields that says something."""
    for name in names:
        value = record.get(name)
        if value is not None and not isinstance(value, dict | list) and str(value).strip():
            return str(value).strip()
    return ""


def number(record: Record, *names: str) -> float | None:
    """The first of these fields that is a number, or a text that is one: "$1,234.50", "0,0125"."""
    for name in names:
        value = record.get(name)
        try:
            if isinstance(value, str):
                found = float(_plain(value))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found = float(value)
            else:
                continue
        except (ValueError, OverflowError):
            continue
        if math.isfinite(found):
            return found
    return None


def _plain(value: str) -> str:
    """A number without its dollar sign, its thousands' commas, or with a decimal point for its comma."""
    value = value.strip().removeprefix("$")
    return value.replace(",", "" if _THOUSANDS.fullmatch(value) else ".")


def tokens(record: Record, *names: str) -> int | None:
    """The first of these fields that is a number of tokens."""
    for name in names:
        found = number(record, name)
        if found is not None and 0 <= found <= MOST_TOKENS:
            return int(found)
    return None


def billed(record: Record, *names: str) -> float | None:
    """The first of these fields that is an amount of money. Nought is not: so exports write a price that they do not know."""
    for name in names:
        found = number(record, name)
        if found is not None and 0 < found <= MOST_DOLLARS:
            return found
    return None


def moment(record: Record, *names: str) -> float | None:
    """The first of these fields that is a moment: Unix time, in whole seconds or finer parts, or ISO 8601; without a zone it is UTC."""
    for name in names:
        value = record.get(name)
        found = number(record, name)
        if isinstance(value, str) and (found is None or len(value.strip()) == len("20261014")):
            try:
                at = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
                found = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
            except (ValueError, OverflowError):
                continue
        if found is None:
            continue
        finer = 1
        while found / finer > LAST and finer < FINEST:
            finer *= 1000
        if FIRST <= found / finer <= LAST:
            return found / finer
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
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def service_of(record: Record) -> str:
    """How it was served, where that has another price: "batch", "flex" …; "" is the usual way."""
    if text(record, "batch").lower() == "true" or text(record, "usage_type").lower() == BATCH:
        return BATCH
    word = text(record, "service_tier").lower()
    return "" if word in USUAL else word


def openai_usage(usage: Record, service: str = "") -> Usage | None:
    """Usage in the words of OpenAI's API, where cached tokens are inside; in either API's names for the sums.

    LiteLLM writes so of Anthropic's models, too, with the names of that API for the parts of the cache.
    """
    prompt = tokens(usage, "prompt_tokens", "input_tokens", "promptTokens", "input")
    output = tokens(usage, "completion_tokens", "output_tokens", "completionTokens", "output")
    if prompt is None and output is None:
        return None
    details = inner(usage, "prompt_tokens_details", "input_tokens_details")
    said = inner(usage, "completion_tokens_details", "output_tokens_details")
    prompt, output = prompt or 0, output or 0
    cached = tokens(details, "cached_tokens")
    if cached is None:
        cached = tokens(usage, "input_cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
    written = tokens(details, "cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = tokens(usage, "cache_creation_input_tokens")
    cached = min(cached or 0, prompt)
    written = min(written or 0, prompt - cached)
    return Usage(
        input=prompt - cached - written,
        cache_read=cached,
        cache_write_5m=written,
        output=output,
        reasoning=min(tokens(said, "reasoning_tokens") or 0, output),
        audio=min(
            tokens(details, "audio_tokens") or tokens(usage, "input_audio_tokens") or 0,
            prompt - cached - written,
        ),
        audio_output=min(
            tokens(said, "audio_tokens") or tokens(usage, "output_audio_tokens") or 0,
            output,
        ),
        service=service,
    )


def anthropic_usage(usage: Record, service: str = "") -> Usage | None:
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
        searches=tokens(inner(usage, "server_tool_use"), "web_search_requests") or 0,
        service=service or service_of(usage),
    )


def is_chat(model: str, kind: str = "") -> bool:
    """Whether a call is one for an answer of words, as far as its model's name and its own kind tell."""
    return _NO_CHAT.search(f"{kind} {model}".lower()) is None


def is_told(messages: object) -> bool:
    """Whether messages are as they were asked, and no gateway has put its own words in their place."""
    return not isinstance(messages, list) or not any(
        isinstance(message, dict) and isinstance(message.get("content"), str) and message["content"] in HIDDEN
        for message in messages
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
