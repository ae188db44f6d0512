"""Outcomes as rows.

Columns hold what is filtered or counted; the rest, which only the story of one request needs, goes into one compact
JSON text per row (`stories`). `decode` is the other direction; `docs/ledger.md` lists what is rounded and what is not
kept. This module does not know when rows are written; it only numbers words through `Dimensions`.

All of this runs under the interpreter's lock, which the event loop needs too, so it is written to be quick: each figure
is read once, truth values are written as integers and a usual NULL as `NOTHING`, because the driver takes ten times as
long to bind a `bool` or a `None` as to bind an `int` or a `str`.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct

from headgate.core.types import Attempt, Outcome, Usage
from headgate.ledger.dimensions import NANO, Dimensions
from headgate.ledger.schema import CONFIDENCE, FINE, MICRO, NOTHING
from headgate.ledger.storable import storable
from headgate.ledger.stories import attempt_story, request_story, text_of

Row = tuple[Any, ...]


class BodyRest(Struct, frozen=True, omit_defaults=True):
    """Other pieces of prompt and answer, kept only together with them."""

    labels: tuple[str, ...] = ()
    texts: dict[int, str] = {}
    """What had arrived before an attempt failed, by its position."""


class Rows(NamedTuple):
    """The rows of some outcomes, in the order of the tables' columns."""

    requests: list[Row]
    attempts: list[Row]
    bodies: list[Row]
    turns: list[Row]


def encode(outcomes: Iterable[Outcome], n: int, numbers: Dimensions) -> Rows:
    """The rows of outcomes; the first has the number `n` in the ledger, and so on."""
    rows = Rows([], [], [], [])
    for number, outcome in enumerate(outcomes, n):
        try:
            request, attempts = _request(outcome, number, numbers)
        except (ValueError, OverflowError):  # a figure that is no number, say
            outcome = storable(outcome)  # noqa: PLW2901 - what follows has to be that too
            request, attempts = _request(outcome, number, numbers)
        rows.requests.append(request)
        rows.attempts.extend(attempts)
        if outcome.prompt is not UNSET or outcome.answer is not UNSET:
            rows.bodies.append(_body(outcome, number))
        if outcome.turn is not UNSET:
            rows.turns.append((number, outcome.turn.previous or None, text_of(outcome.turn.messages)))
    return rows


def _request(outcome: Outcome, n: int, numbers: Dimensions) -> tuple[Row, list[Row]]:
    """The row of a request, and those of its attempts."""
    names, models, local = numbers.names, numbers.models, numbers.local
    signals, decision, tried = outcome.signals, outcome.decision, outcome.attempts
    task, language = signals.task, signals.language
    model, fallback, limit, as_of = (
        outcome.model,
        outcome.fallback,
        outcome.fallback_limit,
        outcome.prices_as_of,
    )
    first_token, cost, baseline_cost = outcome.first_token, outcome.cost, outcome.baseline_cost
    alternative, alternative_cost = outcome.alternative, outcome.alternative_cost
    energy, energy_cost = outcome.energy, outcome.energy_cost
    key, team, agent = outcome.key, outcome.team, outcome.agent
    pass_at = decision.pass_at

    rows: list[Row] = []
    answered = told = None
    tried_locally = failed_locally = estimated = 0
    for position, attempt in enumerate(tried):
        score, usage = attempt.score, attempt.usage
        rejected = 1 if score is not None and score < pass_at else 0
        if attempt.model == model and not attempt.confirms:
            answered, told = position, usage
        if attempt.model in local:
            tried_locally = 1
            if rejected or attempt.failure is not None:
                failed_locally = 1
        if usage is not None and not usage.exact:
            estimated = 1
        rows.append(_attempt(attempt, n, position, rejected, numbers))
    request = (
        n,
        outcome.id,
        round(outcome.received * MICRO),
        None if task is None else names[task],
        round(signals.task_confidence * CONFIDENCE),
        names[signals.task_by],
        signals.tokens,
        +signals.tokens_exact,
        names[signals.format],
        signals.tools,
        signals.images,
        names[language] if language else None,
        signals.code_blocks,
        +signals.local_only,
        +outcome.stream,
        names[decision.route],
        names[outcome.status],
        None if model is None else models[model],
        NOTHING if fallback is None else names[fallback],
        NOTHING if limit is None else limit,
        answered,
        round(outcome.seconds * MICRO),
        None if first_token is None else round(first_token * MICRO),
        None if cost is None else round(cost * NANO),
        models[outcome.baseline],
        None if baseline_cost is None else round(baseline_cost * NANO),
        outcome.baseline_input,
        outcome.baseline_output,
        models[alternative] if alternative else NOTHING,
        NOTHING if alternative_cost is None else round(alternative_cost * NANO),
        NOTHING if energy is None else round(energy * MICRO),
        NOTHING if energy_cost is None else round(energy_cost * NANO),
        names[key] if key else NOTHING,
        names[team] if team else NOTHING,
        names[agent] if agent else NOTHING,
        NOTHING,  # not imported
        names[as_of] if as_of else None,
        tried_locally,
        failed_locally,
        estimated,
        request_story(outcome, told, numbers),
    )
    return request, rows


def _attempt(attempt: Attempt, n: int, position: int, rejected: int, numbers: Dimensions) -> Row:
    started, ended = round(attempt.started * MICRO), round(attempt.ended * MICRO)
    first_token, usage, cost, energy = attempt.first_token, attempt.usage, attempt.cost, attempt.energy
    failure, score, logprob, finish = attempt.failure, attempt.score, attempt.logprob, attempt.finish
    return (
        n,
        position,
        numbers.models[attempt.model],
        started,
        ended,
        round(attempt.queued * MICRO),
        None if first_token is None else round(first_token * MICRO),
        *(
            _NO_USAGE
            if usage is None
            else (
                usage.input,
                usage.cache_read,
                usage.cache_write_5m,
                usage.cache_write_1h,
                usage.output,
                usage.reasoning,
                +usage.exact,
                usage.estimated or NOTHING,
                numbers.names[usage.service] if usage.service else NOTHING,
                _more(usage),
            )
        ),
        None if cost is None else round(cost * NANO),
        NOTHING if energy is None else round(energy * MICRO),
        NOTHING if failure is None else numbers.names[failure.reason],
        rejected,
        None if score is None else round(score * FINE),
        NOTHING if logprob is None else round(logprob * FINE),
        None if finish is None else numbers.names[finish],
        +attempt.late,
        attempt_story(attempt, ended - started, numbers),
    )


def _more(usage: Usage) -> str | int:
    """What few attempts have."""
    charged = usage.charged
    if charged is None and not (usage.images or usage.audio or usage.audio_output or usage.searches):
        return NOTHING
    money = None if charged is None else round(charged * NANO)
    return text_of((usage.images, usage.audio, usage.audio_output, usage.searches, money))


def _body(outcome: Outcome, n: int) -> Row:
    texts = {
        i: a.failure.text for i, a in enumerate(outcome.attempts) if a.failure is not None and a.failure.text
    }
    rest = BodyRest(labels=outcome.signals.labels, texts=texts)
    return (
        n,
        None if outcome.prompt is UNSET else outcome.prompt,
        None if outcome.answer is UNSET else outcome.answer,
        None if rest == BodyRest() else text_of(rest),
    )


_NO_USAGE: Final = (None,) * 7 + (NOTHING,) * 3
