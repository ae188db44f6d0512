"""An outcome as rows.

Columns hold what is filtered or counted; the rest, which only the story of one request needs, goes into one compact
JSON text per row. `decode` is the other direction; `docs/ledger.md` lists what is rounded and what is not kept. This
module does not know when rows are written; it only numbers words through `Dimensions`.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from headgate.core.types import Attempt, Candidate, Decision, Outcome, Usage, Verdict
from headgate.core.words import Mode
from headgate.ledger.dimensions import Dimensions, nano

MICRO: Final = 1_000_000
"""Times and durations are kept in microseconds."""
FINE: Final = 10_000
"""Scores and log-probabilities are kept in ten-thousandths."""
CONFIDENCE: Final = 1_000
"""The classifier's confidence is kept in thousandths."""

TOKENS_HERE: Final = "\x1a"
"""Stands, in a stored sentence, for the request's number of tokens: what differs only by it is stored once."""

Shared = int | str
"""A text, or its number in `names`; 0 is the empty text."""
UsageRow = tuple[int, int, int, int, int, int, bool]


class Plan(Struct, frozen=True, array_like=True):
    """The part of a decision that many requests have in common."""

    checks: tuple[str, ...]
    pass_at: float
    mode: Mode
    within: float
    attempts_at_most: int
    by_name: bool
    tokens_over: int | None


class RequestStory(Struct, frozen=True, omit_defaults=True):
    """What only the story of one request needs."""

    asked: Shared = field(default=0, name="a")
    why: Shared = field(default=0, name="w")
    plan: Shared = field(default=0, name="p")
    candidates: Shared = field(default=0, name="c")
    """JSON: model, skip, model, skip …, as numbers; 0 is "not skipped"."""
    details: tuple[Shared, ...] = field(default=(), name="d")
    estimates: tuple[int | None, ...] = field(default=(), name="e")
    spend_at_most: int | None = field(default=None, name="s")
    error: Shared = field(default=0, name="x")
    usage: UsageRow | UnsetType | None = field(default=UNSET, name="u")
    """Only where it is not the answering attempt's."""


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


class BodyRest(Struct, frozen=True, omit_defaults=True):
    """Other pieces of prompt and answer, kept only together with them."""

    labels: tuple[str, ...] = ()
    texts: dict[int, str] = {}
    """What had arrived before an attempt failed, by its position."""


class Rows(Struct, frozen=True):
    """One outcome's rows, in the order of the tables' columns."""

    request: tuple[Any, ...]
    attempts: list[tuple[Any, ...]]
    body: tuple[Any, ...] | None


def encode(outcome: Outcome, n: int, numbers: Dimensions) -> Rows:
    """The rows of one outcome; `n` is its number in the ledger."""
    name = numbers.name
    signals, decision = outcome.signals, outcome.decision
    attempts = [_attempt(a, n, i, decision.pass_at, numbers) for i, a in enumerate(outcome.attempts)]
    answered = _answering(outcome)
    local = [a for a in outcome.attempts if numbers.local(a.model)]
    request = (
        n,
        outcome.id,
        round(outcome.received * MICRO),
        None if signals.task is None else name(signals.task),
        _scaled(signals.task_confidence, CONFIDENCE) or 0,
        name(signals.task_by),
        signals.tokens,
        signals.tokens_exact,
        name(signals.format),
        signals.tools,
        signals.images,
        name(signals.language) if signals.language else None,
        signals.code_blocks,
        signals.local_only,
        outcome.stream,
        name(decision.route),
        name(outcome.status),
        None if outcome.model is None else numbers.model(outcome.model),
        None if outcome.fallback is None else name(outcome.fallback),
        outcome.fallback_limit,
        answered,
        round(outcome.seconds * MICRO),
        _scaled(outcome.first_token, MICRO),
        nano(outcome.cost),
        numbers.model(outcome.baseline),
        nano(outcome.baseline_cost),
        name(outcome.prices_as_of) if outcome.prices_as_of else None,
        bool(local),
        any(a.failure is not None or was_rejected(a, decision.pass_at) for a in local),
        any(a.usage is not None and not a.usage.exact for a in outcome.attempts),
        _request_story(outcome, answered, numbers),
    )
    return Rows(request, attempts, _body(outcome, n))


def was_rejected(attempt: Attempt, pass_at: float) -> bool:
    """Its answer was judged, and found wanting."""
    return attempt.score is not None and attempt.score < pass_at


def _attempt(attempt: Attempt, n: int, position: int, pass_at: float, numbers: Dimensions) -> tuple[Any, ...]:
    started, ended = round(attempt.started * MICRO), round(attempt.ended * MICRO)
    return (
        n,
        position,
        numbers.model(attempt.model),
        started,
        ended,
        round(attempt.queued * MICRO),
        _scaled(attempt.first_token, MICRO),
        *(_NO_USAGE if attempt.usage is None else _usage(attempt.usage)),
        nano(attempt.cost),
        None if attempt.failure is None else numbers.name(attempt.failure.reason),
        was_rejected(attempt, pass_at),
        _scaled(attempt.score, FINE),
        _scaled(attempt.logprob, FINE),
        None if attempt.finish is None else numbers.name(attempt.finish),
        attempt.late,
        _attempt_story(attempt, ended - started, numbers),
    )


def _request_story(outcome: Outcome, answered: int | None, numbers: Dimensions) -> str:
    decision = outcome.decision
    candidates = decision.candidates
    told = None if answered is None else outcome.attempts[answered].usage
    tokens = f"{outcome.signals.tokens:,}"

    def tell(sentence: str) -> Shared:
        return numbers.sentence(sentence.replace(TOKENS_HERE, "").replace(tokens, TOKENS_HERE))

    return _text(
        RequestStory(
            asked=numbers.sentence(outcome.asked),
            why=tell(decision.why),
            plan=numbers.share(_text(_plan(decision))),
            candidates=numbers.share(_text(_chain(candidates, numbers))),
            details=tuple(tell(c.detail) for c in candidates) if any(c.detail for c in candidates) else (),
            estimates=_estimates(candidates),
            spend_at_most=nano(decision.spend_at_most),
            error=numbers.sentence(outcome.error),
            usage=_other_usage(outcome.usage, told),
        )
    )


def _attempt_story(attempt: Attempt, lasted: int, numbers: Dimensions) -> str | None:
    failure = attempt.failure
    if failure is None:
        if not attempt.verdicts:
            return None
        return _text(AttemptStory(verdicts=_verdicts(attempt.verdicts, numbers)))
    seconds, first = round(failure.seconds * MICRO), _scaled(failure.first_token, MICRO)
    return _text(
        AttemptStory(
            verdicts=_verdicts(attempt.verdicts, numbers),
            detail=numbers.sentence(failure.detail),
            status=failure.status,
            retry_after=_scaled(failure.retry_after, MICRO),
            usage=_other_usage(failure.usage, attempt.usage),
            first_token=UNSET if first == _scaled(attempt.first_token, MICRO) else first,
            seconds=UNSET if seconds == lasted else seconds,
        )
    )


def _other_usage(usage: Usage | None, told: Usage | None) -> UsageRow | UnsetType | None:
    """The usage, unset where it is the one already told."""
    if usage == told:
        return UNSET
    return None if usage is None else _usage(usage)


def _verdicts(verdicts: Iterable[Verdict], numbers: Dimensions) -> Shared:
    flat: list[int | str | None] = []
    for verdict in verdicts:
        flat += (numbers.name(verdict.check), _scaled(verdict.score, FINE), numbers.sentence(verdict.reason))
    return numbers.share(_text(flat)) if flat else 0


def _chain(candidates: tuple[Candidate, ...], numbers: Dimensions) -> list[int]:
    flat: list[int] = []
    for candidate in candidates:
        flat += (
            numbers.model(candidate.model),
            0 if candidate.skip is None else numbers.name(candidate.skip),
        )
    return flat


def _estimates(candidates: tuple[Candidate, ...]) -> tuple[int | None, ...]:
    known = tuple(nano(c.estimate) for c in candidates)
    return () if all(estimate is None for estimate in known) else known


def _plan(decision: Decision) -> Plan:
    return Plan(
        checks=decision.checks,
        pass_at=decision.pass_at,
        mode=decision.mode,
        within=decision.within,
        attempts_at_most=decision.attempts_at_most,
        by_name=decision.by_name,
        tokens_over=decision.tokens_over,
    )


def _answering(outcome: Outcome) -> int | None:
    if outcome.model is None:
        return None
    places = (
        i for i in range(len(outcome.attempts) - 1, -1, -1) if outcome.attempts[i].model == outcome.model
    )
    return next(places, None)


def _body(outcome: Outcome, n: int) -> tuple[Any, ...] | None:
    if outcome.prompt is UNSET and outcome.answer is UNSET:
        return None
    texts = {
        i: a.failure.text for i, a in enumerate(outcome.attempts) if a.failure is not None and a.failure.text
    }
    rest = BodyRest(labels=outcome.signals.labels, texts=texts)
    return (
        n,
        None if outcome.prompt is UNSET else outcome.prompt,
        None if outcome.answer is UNSET else outcome.answer,
        None if rest == BodyRest() else _text(rest),
    )


_NO_USAGE: Final = (None,) * 7


def _usage(usage: Usage) -> UsageRow:
    return (
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.exact,
    )


def _scaled(value: float | None, scale: int) -> int | None:
    """As an integer; unknown, and what is no number, is unknown."""
    return None if value is None or not isfinite(value) else round(value * scale)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
