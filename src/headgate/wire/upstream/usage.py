"""Counts of tokens as engines write them → a `Usage`, whose parts never overlap and always sum to the whole.

Each provider draws the lines elsewhere:

    OpenAI, and most of those who speak like it     cached tokens are inside `prompt_tokens`
    Anthropic                                       they stand beside `input_tokens`
    DeepSeek                                        prompt = `prompt_cache_hit_tokens` + `prompt_cache_miss_tokens`
    Gemini and xAI in OpenAI's words                thinking is outside `completion_tokens`; only the total tells
    Groq                                            in streams, the usage may stand under `x_groq`
    OpenRouter                                      `cost` is what was charged, in dollars
    llama.cpp                                       `timings` count, where there is no usage

Figures are a stranger's: one that cannot be (negative, broken, no number, more than the whole) is no figure, and its part is
estimated and called so; the answer itself stands. It does not know prices, nor what a stream is.

Sources: the API references of these providers, whose examples are in tests/data/usage.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import msgspec
from msgspec import Raw

from headgate.core.parts import (
    AUDIO,
    AUDIO_OUTPUT,
    CACHE_READ,
    CACHE_WRITE_1H,
    CACHE_WRITE_5M,
    IMAGES,
    INPUT,
    OUTPUT,
    PROMPT,
    REASONING,
)
from headgate.core.prices import MOST_TOKENS
from headgate.core.types import Request, Usage
from headgate.core.usage import tokens_in

USUAL = frozenset({"", "default", "standard", "auto", "on_demand", "standard_only"})
"""Words of providers for the usual service."""

MOST_DOLLARS = 1_000_000.0
"""More for one attempt cannot be."""

PLAIN = 3
"""Figures of a plain usage (`plain_usage`)."""

ANYWHERE = frozenset({"", "global", "not_available"})
"""Words of Anthropic for no place in particular."""

NOTHING: Mapping[str, Any] = {}


class Guess:
    """What we think of an answer that its engine does not count, by bytes/4. Nothing is counted before it is asked for.

    Attributes:
        writes: it is an answer of words; vectors have no output.

    Args:
        request: what was asked.
        said: the answer's text and its tools' arguments, in pieces.
        thought: what the model thought before it.
    """

    def __init__(self, request: Request, said: Sequence[str] = (), thought: Sequence[str] = ()) -> None:
        self._request = request
        self._said = said
        self._thought = thought
        self.writes = request.kind != "embedding"

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        return estimate_prompt(self._request)

    @property
    def output(self) -> int:
        """Tokens of the answer and of what was thought."""
        return tokens_in((*self._said, *self._thought))

    @property
    def reasoning(self) -> int:
        """Tokens of what was thought."""
        return tokens_in(self._thought) if self._thought else 0

    def usage(self) -> Usage:
        """All of it estimated."""
        return openai_usage(NOTHING, self)


def estimate_prompt(request: Request) -> int:
    """The prompt's tokens by bytes/4; images weigh nothing here, since no rule fits all models."""
    size = sum(len(message.text.encode("utf-8", "replace")) + 16 for message in request.messages)
    size += sum(len(call.arguments) for message in request.messages for call in message.tool_calls)
    size += sum(len(tool.description) + len(bytes(tool.parameters)) for tool in request.tools)
    return ceil(size / 4)


def fields_of(raw: Raw) -> Mapping[str, Any]:
    """A JSON object, or nothing where it is none."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOTHING
    return value if isinstance(value, dict) else NOTHING


def inside(fields: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first of these objects that there is in another."""
    for name in names:
        if isinstance(value := fields.get(name), dict):
            return value
    return NOTHING


def figure(value: object) -> int | None:
    """A number of tokens, if it can be one."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value) if 0 <= value <= MOST_TOKENS else None
    return None


def tokens(fields: Mapping[str, Any], *names: str) -> int | None:
    """The first of these figures that can be a number of tokens."""
    for name in names:
        if name in fields and (found := figure(fields[name])) is not None:
            return found
    return None


def dollars(value: object) -> float | None:
    """A figure that can be an amount of money."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_DOLLARS
    return float(value) if known else None  # type: ignore[arg-type]  # seen above


def service_of(*words: object) -> str:
    """The first word for a service that is not the usual one; "" is the usual one."""
    for word in words:
        if isinstance(word, str) and word.lower() not in USUAL:
            return word.lower()[:20]
    return ""


# ── OpenAI's words ───────────────────────────────────────────────────────────────────────────────────────────────────


def openai_usage(
    fields: Mapping[str, Any],
    guess: Guess,
    *,
    whole: bool = True,
    service: object = None,
    says_cost: bool = False,
) -> Usage:
    """Chat Completions, Responses and Embeddings, by whoever speaks so.

    Args:
        fields: the object `usage`.
        guess: what to take where a figure is missing.
        whole: the answer has come to its end. If not, the output so far is that of some piece before.
        service: the answer's `service_tier`.
        says_cost: `cost` is what this provider charged, in dollars.
    """
    if (
        len(fields) == PLAIN
        and whole
        and service is None
        and (plain := plain_usage(fields, guess)) is not None
    ):
        return plain
    estimated = 0
    prompt_details = inside(fields, "prompt_tokens_details", "input_tokens_details")
    output_details = inside(fields, "completion_tokens_details", "output_tokens_details")
    read = tokens(prompt_details, "cached_tokens") if prompt_details else None
    if read is None:
        read = tokens(fields, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
    read = read or 0
    prompt = tokens(fields, "prompt_tokens", "input_tokens")
    missed = tokens(fields, "prompt_cache_miss_tokens")
    if not prompt and missed is not None:
        prompt = read + missed
    if not prompt:  # no prompt has no tokens: the engine has not counted
        prompt, estimated = max(guess.prompt, read), PROMPT
    written = tokens(prompt_details, "cache_write_tokens") if prompt_details else None
    if written is None:
        written = tokens(fields, "cache_creation_input_tokens") or 0
    if read + written > prompt:
        estimated |= INPUT | CACHE_READ | CACHE_WRITE_5M
        read = min(read, prompt)
        written = min(written, prompt - read)

    output = tokens(fields, "completion_tokens", "output_tokens")
    reasoning = tokens(output_details, "reasoning_tokens") if output_details else None
    total = tokens(fields, "total_tokens")
    if total is not None and total > prompt + (output or 0) and not estimated & PROMPT:
        if not reasoning:  # Gemini and xAI leave the thinking out of `completion_tokens`
            reasoning, estimated = total - prompt - (output or 0), estimated | REASONING
        output = total - prompt
    output, reasoning, told = written_of(output, reasoning, guess, whole=whole)
    estimated |= told

    fresh = prompt - read - written
    images = audio = spoken = 0
    if prompt_details:
        images = tokens(prompt_details, "image_tokens") or 0
        audio = tokens(prompt_details, "audio_tokens") or 0
    if output_details:
        spoken = tokens(output_details, "audio_tokens") or 0
    if (images or audio) and fresh < prompt:  # nobody says whether the cache held the pictures or the words
        estimated |= (IMAGES if images else 0) | (AUDIO if audio else 0)
    if audio > fresh:
        audio, estimated = fresh, estimated | AUDIO
    if images > fresh - audio:
        images, estimated = fresh - audio, estimated | IMAGES
    if spoken > output - reasoning:
        spoken, estimated = output - reasoning, estimated | AUDIO_OUTPUT
    return Usage(
        input=fresh,
        cache_read=read,
        cache_write_5m=written,
        output=output,
        reasoning=reasoning,
        images=images,
        audio=audio,
        audio_output=spoken,
        service=service_of(service),
        charged=charge_in(fields) if says_cost else None,
        estimated=estimated,
    )


def plain_usage(fields: Mapping[str, Any], guess: Guess) -> Usage | None:
    """The usage of most engines at home: prompt, output and their sum, and nothing else. Any doubt is None, and goes the long way."""
    prompt, output = fields.get("prompt_tokens"), fields.get("completion_tokens")
    if (
        type(prompt) is int
        and type(output) is int
        and 0 < prompt <= MOST_TOKENS
        and 0 < output <= MOST_TOKENS
        and fields.get("total_tokens") == prompt + output
        and guess.writes
        and not guess.reasoning
    ):
        return Usage(input=prompt, output=output)
    return None


def charge_in(fields: Mapping[str, Any]) -> float | None:
    """What OpenRouter took: its price, or, with the user's own key for the provider behind it, its fee and that provider's price."""
    charged = dollars(fields.get("cost"))
    if charged is None or not fields.get("is_byok"):
        return charged
    behind = dollars(inside(fields, "cost_details").get("upstream_inference_cost"))
    return None if behind is None else charged + behind


def timings_usage(timings: Mapping[str, Any]) -> Mapping[str, Any]:
    """llama.cpp's own figures in the words of a usage; nothing where there are none."""
    fresh, read, output = (
        tokens(timings, "prompt_n"),
        tokens(timings, "cache_n") or 0,
        tokens(timings, "predicted_n"),
    )
    if fresh is None or output is None:
        return NOTHING
    return {"prompt_tokens": fresh + read, "completion_tokens": output, "cached_tokens": read}


def written_of(
    output: int | None, reasoning: int | None, guess: Guess, *, whole: bool
) -> tuple[int, int, int]:
    """Output, the thinking in it, and which of the two are estimated, from what was counted.

    Where the thinking was not counted but seen, it is its share of what was seen.
    """
    if not guess.writes:
        return output or 0, 0, 0
    estimated = 0
    if output is None or not whole:
        output, estimated = max(output or 0, guess.output), OUTPUT
    elif output == 0 and guess.output:  # something was written: the engine has not counted
        output, estimated = guess.output, OUTPUT
    if reasoning is None:
        seen = guess.reasoning
        if not seen:
            return output, 0, estimated
        return output, min(output, round(output * seen / guess.output)), estimated | REASONING
    if reasoning > output:
        return output, output, estimated | REASONING
    return output, reasoning, estimated


# ── Anthropic's words ────────────────────────────────────────────────────────────────────────────────────────────────


def anthropic_usage(fields: Mapping[str, Any], guess: Guess, *, whole: bool) -> Usage:
    """Anthropic's Messages.

    Args:
        fields: the object `usage`, with the newest of each figure.
        guess: what to take where a figure is missing.
        whole: the answer has come to its end. If not, the output so far is that of its beginning.
    """
    estimated = 0
    fresh = tokens(fields, "input_tokens")
    read = tokens(fields, "cache_read_input_tokens") or 0
    split = inside(fields, "cache_creation")
    minutes, hour = (
        tokens(split, "ephemeral_5m_input_tokens"),
        tokens(split, "ephemeral_1h_input_tokens") or 0,
    )
    written = tokens(fields, "cache_creation_input_tokens")
    if minutes is None:
        minutes = max(0, (written or 0) - hour)
    if written is not None and minutes + hour < written:
        minutes = written - hour
    elif written is not None and minutes + hour > written:
        estimated |= CACHE_WRITE_5M | CACHE_WRITE_1H
    if fresh is None:
        fresh, estimated = max(0, guess.prompt - read - minutes - hour), PROMPT
    reasoning = tokens(inside(fields, "output_tokens_details"), "thinking_tokens", "reasoning_tokens")
    output, reasoning, told = written_of(tokens(fields, "output_tokens"), reasoning, guess, whole=whole)
    return Usage(
        input=fresh,
        cache_read=read,
        cache_write_5m=minutes,
        cache_write_1h=hour,
        output=output,
        reasoning=reasoning,
        searches=tokens(inside(fields, "server_tool_use"), "web_search_requests") or 0,
        service=service_of(place_of(fields), fields.get("service_tier"), fields.get("speed")),
        estimated=estimated | told,
    )


def place_of(fields: Mapping[str, Any]) -> str:
    """Where Anthropic was told to compute, as a word for a service: it charges a tenth more for "us", in every part."""
    place = fields.get("inference_geo")
    return f"in {place}" if isinstance(place, str) and place.lower() not in ANYWHERE else ""


# ── Ollama's words ───────────────────────────────────────────────────────────────────────────────────────────────────


def ollama_usage(read: object, written: object, guess: Guess) -> Usage:
    """Ollama's own API, which leaves out zeros: a prompt that was in memory as a whole may not be counted."""
    prompt, estimated = figure(read), 0
    if not prompt:
        prompt, estimated = guess.prompt, PROMPT
    output, reasoning, told = written_of(figure(written), None, guess, whole=True)
    return Usage(input=prompt, output=output, reasoning=reasoning, estimated=estimated | told)
