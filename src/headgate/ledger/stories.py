"""Stories: the compact JSON texts that say of a row what no column does.

Most of a story repeats from request to request: the same plan, the same chain, the same verdicts. Such parts are told in
numbers (`Dimensions.share`), and once a text holds nothing but numbers it is remembered by what it tells, so that the
next request finds it instead of telling it again. This module writes stories; `decode` reads them. It does not know
columns (`encode`).
"""

from collections.abc import Iterable
from math import isfinite
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from headgate.core.types import Attempt, Decision, Outcome, Signals, Usage, Verdict
from headgate.core.words import Mode, Order, WhenBusy
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.units import FINE, MICRO, NANO

TOKENS_HERE: Final = "\x1a"
"""Stands, in a stored sentence, for the request's number of tokens: what differs only by it is stored once."""

Shared = int | str
"""A text, or its number in `names`; 0 is the empty text."""


class UsageRow(Struct, frozen=True, array_like=True):
    """A usage that no row of its own tells."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    reasoning: int
    exact: bool
    estimated: int | None = None
    images: int = 0
    audio: int = 0
    audio_output: int = 0
    searches: int = 0
    service: str = ""
    charged: int | None = None
    """Nano-dollars."""


class Plan(Struct, frozen=True, array_like=True):
    """The part of a decision that many requests have in common. What has a default was not told by earlier versions."""

    checks: tuple[str, ...]
    pass_at: float
    mode: Mode
    within: float
    attempts_at_most: int
    by_name: bool
    tokens_over: int | None
    order: Order = "route"
    local_only: bool = False
    queue_for: float = 3.0
    when_busy: WhenBusy = "next"
    confirm: str = ""


class CommonStory(Struct, frozen=True, omit_defaults=True):
    """The part of a request's story that many requests have in common."""

    asked: Shared = field(default=0, name="a")
    why: Shared = field(default=0, name="w")
    plan: Shared = field(default=0, name="p")
    candidates: Shared = field(default=0, name="c")
    """JSON: model, skip, model, skip …, as numbers; 0 is "not skipped"."""
    details: tuple[Shared, ...] = field(default=(), name="d")


class RequestStory(Struct, frozen=True, omit_defaults=True):
    """The part that is the request's own. Both parts are one JSON object."""

    estimates: tuple[int | None, ...] = field(default=(), name="e")
    spend_at_most: int | None = field(default=None, name="s")
    error: Shared = field(default=0, name="x")
    usage: UsageRow | UnsetType | None = field(default=UNSET, name="u")
    """Only where it is not the answering attempt's."""
    kept: tuple[str, int] | None = field(default=None, name="k")
    """The model that the conversation was with, and the tokens of its prompt cache."""
    adjusted: Shared = field(default=0, name="j")
    """JSON: what was said otherwise for the answering model."""
    expected: tuple[tuple[int, int, bool], ...] = field(default=(), name="l")
    """What the learned router said: model, chance in ten-thousandths, whether it is trusted."""


class AttemptStory(Struct, frozen=True, omit_defaults=True):
    """What only the story of one attempt needs. Of a failure, what is unset is the same as the attempt's own."""

    verdicts: Shared = field(default=0, name="v")
    """JSON: check, score, reason, check, score, reason …"""
    detail: Shared = field(default=0, name="d")
    status: int | None = field(default=None, name="s")
    retry_after: int | None = field(default=None, name="r")
    usage: UsageRow | UnsetType | None = field(default=UNSET, name="u")
    first_token: int | UnsetType | None = field(default=UNSET, name="f")
    seconds: int | UnsetType = field(default=UNSET, name="t")
    confirms: bool = field(default=False, name="c")


def request_story(outcome: Outcome, told: Usage | None, numbers: Dimensions) -> str:
    """The story of a request; `told` is the usage of the answering attempt, which its own row tells."""
    decision, signals = outcome.decision, outcome.signals
    tokens = f"{signals.tokens:,}"
    why = _without_tokens(decision.why, tokens)
    chain: list[str | None] = []
    estimates: list[int | None] = []
    estimated = False
    for candidate in decision.candidates:
        detail = candidate.detail
        chain += (candidate.model, candidate.skip, _without_tokens(detail, tokens) if detail else "")
        estimate = candidate.estimate
        if estimate is None:
            estimates.append(None)
        else:
            estimates.append(round(estimate * NANO))
            estimated = True
    key = (
        outcome.asked,
        why,
        decision.checks,
        decision.pass_at,
        decision.mode,
        decision.within,
        decision.attempts_at_most,
        decision.by_name,
        decision.tokens_over,
        decision.order,
        decision.local_only,
        decision.queue_for,
        decision.when_busy,
        decision.confirm,
        *chain,
    )
    common = numbers.told.get(key)
    if common is None:
        story = _common(outcome.asked, why, decision, chain, numbers)
        common = text_of(story)
        if _is_settled((story.asked, story.why, story.plan, story.candidates, *story.details)):
            numbers.remember(key, common)
    limit, usage = decision.spend_at_most, outcome.usage
    own = text_of(
        RequestStory(
            tuple(estimates) if estimated else (),
            None if limit is None else round(limit * NANO),
            numbers.sentence(outcome.error) if outcome.error else 0,
            UNSET if usage is told else other_usage(usage, told),
            (signals.keeps_to, signals.cached) if signals.keeps_to else None,
            numbers.sentence(text_of(outcome.adjusted)) if outcome.adjusted else 0,
            _expected(signals, numbers) if signals.chances else (),
        )
    )
    return common if own == "{}" else f"{common[:-1]},{own[1:]}"


def attempt_story(attempt: Attempt, lasted: int, numbers: Dimensions) -> str | None:
    """The story of an attempt that took `lasted` microseconds; None when there is nothing to tell."""
    failure = attempt.failure
    if failure is None:
        confirms = attempt.confirms
        if not (attempt.verdicts or confirms):
            return None
        key = (attempt.verdicts, confirms) if confirms else attempt.verdicts
        text = numbers.told.get(key)
        if text is None:
            verdicts = _verdicts(attempt.verdicts, numbers)
            text = text_of(AttemptStory(verdicts, confirms=confirms))
            if _is_settled((verdicts,)):
                numbers.remember(key, text)
        return text
    seconds, first = round(failure.seconds * MICRO), scaled(failure.first_token, MICRO)
    return text_of(
        AttemptStory(
            verdicts=_verdicts(attempt.verdicts, numbers),
            detail=numbers.sentence(failure.detail),
            status=failure.status,
            retry_after=scaled(failure.retry_after, MICRO),
            usage=other_usage(failure.usage, attempt.usage),
            first_token=UNSET if first == scaled(attempt.first_token, MICRO) else first,
            seconds=UNSET if seconds == lasted else seconds,
            confirms=attempt.confirms,
        )
    )


def other_usage(usage: Usage | None, told: Usage | None) -> UsageRow | UnsetType | None:
    """The usage, unset where it is the one already told."""
    if usage == told:
        return UNSET
    return None if usage is None else usage_row(usage)


def usage_row(usage: Usage) -> UsageRow:
    """The figures of a usage."""
    return UsageRow(
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.exact,
        usage.estimated,
        usage.images,
        usage.audio,
        usage.audio_output,
        usage.searches,
        usage.service,
        None if usage.charged is None else round(usage.charged * NANO),
    )


def scaled(value: float | None, scale: int) -> int | None:
    """As an integer; unknown, and what is no number, is unknown."""
    return None if value is None or not isfinite(value) else round(value * scale)


def text_of(value: object) -> str:
    """As compact JSON."""
    return _encode(value).decode()


_encode: Final = msgspec.json.Encoder().encode


def _common(
    asked: str, why: str, decision: Decision, chain: list[str | None], numbers: Dimensions
) -> CommonStory:
    if not isfinite(decision.pass_at + decision.within + decision.queue_for):
        raise ValueError("a limit that is no number would be a null that nobody can read")
    plan = Plan(
        checks=decision.checks,
        pass_at=decision.pass_at,
        mode=decision.mode,
        within=decision.within,
        attempts_at_most=decision.attempts_at_most,
        by_name=decision.by_name,
        tokens_over=decision.tokens_over,
        order=decision.order,
        local_only=decision.local_only,
        queue_for=decision.queue_for,
        when_busy=decision.when_busy,
        confirm=decision.confirm,
    )
    details = [detail or "" for detail in chain[2::3]]
    flat: list[int] = []
    for candidate in decision.candidates:
        skip = candidate.skip
        flat += (numbers.models[candidate.model], 0 if skip is None else numbers.names[skip])
    return CommonStory(
        asked=numbers.sentence(asked),
        why=numbers.sentence(why),
        plan=numbers.share(text_of(plan)),
        candidates=numbers.share(text_of(flat)),
        details=tuple([numbers.sentence(detail) for detail in details]) if any(details) else (),
    )


def _expected(signals: Signals, numbers: Dimensions) -> tuple[tuple[int, int, bool], ...]:
    """The trusted models first, in their order."""
    names = (*signals.trusted, *[name for name in signals.chances if name not in signals.trusted])
    return tuple(
        [
            (numbers.models[name], round(signals.chances[name] * FINE), name in signals.trusted)
            for name in names
        ]
    )


def _verdicts(verdicts: Iterable[Verdict], numbers: Dimensions) -> Shared:
    flat: list[int | str | None] = []
    for verdict in verdicts:
        flat += (numbers.names[verdict.check], scaled(verdict.score, FINE), numbers.sentence(verdict.reason))
    return numbers.share(text_of(flat)) if flat else 0


def _without_tokens(sentence: str, tokens: str) -> str:
    if TOKENS_HERE in sentence:
        sentence = sentence.replace(TOKENS_HERE, "")
    return sentence.replace(tokens, TOKENS_HERE) if tokens in sentence else sentence


def _is_settled(parts: Iterable[Shared]) -> bool:
    """Whether a text will be the same the next time: nothing in it waits for a number."""
    return all(isinstance(part, int) for part in parts)
