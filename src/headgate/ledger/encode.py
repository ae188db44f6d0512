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
from headgate.ledger.cells import size_of
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.schema import NOTHING
from headgate.ledger.sketches import bins_of
from headgate.ledger.storable import storable
from headgate.ledger.stories import attempt_story, request_story, text_of
from headgate.ledger.units import CONFIDENCE, FINE, MICRO, NANO

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


def encode(outcomes: Iterable[Outcome], n: int, numbers: Dimensions, *, imported: bool = False) -> Rows:
    """The rows of outcomes.

    Args:
        outcomes: whose rows.
        n: the number of the first in the ledger; the others follow.
        numbers: of the ledger's words and models.
        imported: they were read from a file.
    """
    rows = Rows([], [], [], [])
    for number, outcome in enumerate(outcomes, n):
        try:
            request, attempts = _request(outcome, number, numbers, imported)
        except (ValueError, OverflowError):  # a figure that is no number, say
            outcome = storable(outcome)  # noqa: PLW2901 - what follows has to be that too
            request, attempts = _request(outcome, number, numbers, imported)
        rows.requests.append(request)
        rows.attempts.extend(attempts)
        if outcome.prompt is not UNSET or outcome.answer is not UNSET:
            rows.bodies.append(_body(outcome, number))
        if outcome.turn is not UNSET:
            rows.turns.append((number, outcome.turn.previous or None, text_of(outcome.turn.messages)))
    return rows


def _request(outcome: Outcome, n: int, numbers: Dimensions, imported: bool) -> tuple[Row, list[Row]]:
    """The row of a request, and those of its attempts."""
    names, models, local = numbers.names, numbers.models, numbers.local
    signals, decision, tried = outcome.signals, outcome.decision, outcome.attempts
    model, language, limit, agent = outcome.model, signals.language, outcome.fallback_limit, outcome.agent
    pass_at = decision.pass_at
    # what the request is counted by
    task = None if signals.task is None else names[signals.task]
    route, status = names[decision.route], names[outcome.status]
    answering = None if model is None else models[model]
    fallback = NOTHING if outcome.fallback is None else names[outcome.fallback]
    size = 0 if limit is None else size_of(signals.tokens)
    baseline = models[outcome.baseline]
    alternative = models[outcome.alternative] if outcome.alternative else NOTHING
    key = names[outcome.key] if outcome.key else NOTHING
    team = names[outcome.team] if outcome.team else NOTHING
    prices_as_of = names[outcome.prices_as_of] if outcome.prices_as_of else None
    first_token, cost, baseline_cost = outcome.first_token, outcome.cost, outcome.baseline_cost
    alternative_cost, energy, energy_cost = outcome.alternative_cost, outcome.energy, outcome.energy_cost

    rows: list[Row] = []
    answered = told = call_input = call_output = None
    call = tried_locally = failed_locally = estimated = 0
    alone = len(tried) == 1 and tried[0].cost == cost  # counted with its only call
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
        asked = models[attempt.model]
        failure = NOTHING if attempt.failure is None else names[attempt.failure.reason]
        counted = numbers.call_variants[(task, asked, failure, rejected, attempt.cost is None)]
        if alone:
            call, counted = counted, NOTHING
            if usage is not None:
                call_input, call_output = usage.prompt, usage.output
        rows.append(_attempt(attempt, (n, position, counted, asked), failure, rejected, numbers))
    variant = numbers.variants[
        (
            answering,
            task,
            route,
            key,
            team,
            status,
            fallback,
            limit,
            baseline,
            alternative,
            prices_as_of,
            size,
            call,
            cost is None,
            # the rule of reports.savings: a request without an answer has a baseline of zero, not an unknown one
            cost is not None and (baseline_cost is not None or model is None),
            energy is None,
            energy_cost is None,
            alternative_cost is None,
            first_token is not None,
            tried_locally,
            failed_locally,
            estimated,
            imported,
        )
    ]
    seconds = round(outcome.seconds * MICRO)
    first = None if first_token is None else round(first_token * MICRO)
    request = (
        n,
        outcome.id,
        round(outcome.received * MICRO),
        variant,
        bins_of(seconds, first),
        call_input,
        call_output,
        seconds,
        first,
        None if cost is None else round(cost * NANO),
        None if baseline_cost is None else round(baseline_cost * NANO),
        NOTHING if energy is None else round(energy * MICRO),
        NOTHING if energy_cost is None else round(energy_cost * NANO),
        NOTHING if alternative_cost is None else round(alternative_cost * NANO),
        task,
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
        route,
        status,
        answering,
        fallback,
        NOTHING if limit is None else limit,
        answered,
        baseline,
        NOTHING if outcome.baseline_input is None else outcome.baseline_input,
        NOTHING if outcome.baseline_output is None else outcome.baseline_output,
        alternative,
        key,
        team,
        names[agent] if agent else NOTHING,
        1 if imported else NOTHING,
        prices_as_of,
        tried_locally,
        failed_locally,
        estimated,
        request_story(outcome, told, numbers),
    )
    return request, rows


def _attempt(
    attempt: Attempt, key: tuple[int, int, int, int], failure: int, rejected: int, numbers: Dimensions
) -> Row:
    """The row of an attempt. It begins with its request, position, variant and model."""
    started, ended = round(attempt.started * MICRO), round(attempt.ended * MICRO)
    first_token, usage, cost, energy = attempt.first_token, attempt.usage, attempt.cost, attempt.energy
    score, logprob, finish = attempt.score, attempt.logprob, attempt.finish
    return (
        *key,
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
        failure,
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
