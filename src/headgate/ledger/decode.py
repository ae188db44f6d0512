"""Rows as the outcome they were.

The other direction of `encode`: times come back to the microsecond, money to the nano-dollar, scores to the fourth
digit. Bodies come back only if they were kept. This module runs no query; `queries` hands it rows and dictionaries.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from headgate.core.parts import WHOLE
from headgate.core.types import (
    Attempt,
    Candidate,
    Decision,
    Failure,
    Model,
    Outcome,
    Signals,
    Usage,
    Verdict,
)
from headgate.ledger.encode import BodyRest
from headgate.ledger.prices import price_in
from headgate.ledger.stories import (
    TOKENS_HERE,
    AttemptStory,
    CommonStory,
    Plan,
    RequestStory,
    Shared,
    UsageRow,
)
from headgate.ledger.units import CONFIDENCE, FINE, MICRO, NANO

Row = Any
"""A row whose fields are named after the table's columns."""


def decode(
    request: Row,
    attempts: Sequence[Row],
    body: Row | None,
    names: Mapping[int, str],
    models: Mapping[int, str],
) -> Outcome:
    """The outcome behind a request's row, its attempts' rows in order, and its body's row if there is one.

    Args:
        request: a row of `requests`.
        attempts: its rows of `attempts`, in order of position.
        body: its row of `bodies`.
        names: the words by number.
        models: the models' names by number.
    """
    common = msgspec.json.decode(request.story, type=CommonStory)
    own = msgspec.json.decode(request.story, type=RequestStory)
    rest = BodyRest() if body is None or body.rest is None else msgspec.json.decode(body.rest, type=BodyRest)
    told = tuple(_attempt(row, rest.texts.get(row.position, ""), names, models) for row in attempts)
    answered = None if request.answered is None else told[request.answered].usage
    return Outcome(
        id=request.id,
        received=request.received / MICRO,
        asked=_word(common.asked, names),
        stream=bool(request.stream),
        signals=_signals(request, rest.labels, own, names, models),
        decision=_decision(request, common, own, names, models),
        attempts=told,
        status=names[request.status],  # type: ignore[arg-type]  # only words of the closed lists were written
        model=None if request.model is None else models[request.model],
        fallback=None if request.fallback is None else names[request.fallback],  # type: ignore[arg-type]  # as above
        fallback_limit=request.fallback_limit,
        seconds=request.seconds / MICRO,
        first_token=_part(request.first_token, MICRO),
        usage=_other_usage(own.usage, answered),
        cost=_part(request.cost, NANO),
        baseline=models[request.baseline],
        baseline_cost=_part(request.baseline_cost, NANO),
        baseline_input=request.baseline_input,
        baseline_output=request.baseline_output,
        alternative="" if request.alternative is None else models[request.alternative],
        alternative_cost=_part(request.alternative_cost, NANO),
        energy=_part(request.energy, MICRO),
        energy_cost=_part(request.energy_cost, NANO),
        key="" if request.key is None else names[request.key],
        team="" if request.team is None else names[request.team],
        agent="" if request.agent is None else names[request.agent],
        prices_as_of="" if request.prices_as_of is None else names[request.prices_as_of],
        error=_word(own.error, names),
        adjusted=tuple(msgspec.json.decode(_word(own.adjusted, names), type=list[str]))
        if own.adjusted
        else (),
        prompt=UNSET if body is None or body.prompt is None else body.prompt,
        answer=UNSET if body is None or body.answer is None else body.answer,
    )


def decode_model(row: Row, price: Row | None) -> Model | None:
    """The model as it was described when the row was written; None if nobody had described it."""
    if row.engine_kind is None:
        return None
    return Model(
        name=row.name,
        engine=row.engine,
        engine_kind=row.engine_kind,
        id=row.engine_id,
        kind=row.kind,
        local=bool(row.local),
        display=row.display,
        label=row.label,
        price=None if price is None else price_in(price),
    )


def _signals(
    request: Row,
    labels: tuple[str, ...],
    own: RequestStory,
    names: Mapping[int, str],
    models: Mapping[int, str],
) -> Signals:
    keeps_to, cached = own.kept or ("", 0)
    return Signals(
        task=None if request.task is None else names[request.task],  # type: ignore[arg-type]  # a closed list
        task_confidence=request.task_confidence / CONFIDENCE,
        task_by=names[request.task_by],  # type: ignore[arg-type]  # a closed list
        tokens=request.tokens,
        tokens_exact=bool(request.tokens_exact),
        format=names[request.format],  # type: ignore[arg-type]  # a closed list
        tools=request.tools,
        images=request.images,
        language="" if request.language is None else names[request.language],
        code_blocks=request.code_blocks,
        labels=labels,
        local_only=bool(request.local_only),
        keeps_to=keeps_to,
        chances={models[model]: chance / FINE for model, chance, _ in own.expected},
        trusted=tuple([models[model] for model, _, trusted in own.expected if trusted]),
        cached=cached,
    )


def _decision(
    request: Row,
    common: CommonStory,
    own: RequestStory,
    names: Mapping[int, str],
    models: Mapping[int, str],
) -> Decision:
    plan = msgspec.json.decode(_word(common.plan, names), type=Plan)
    flat = msgspec.json.decode(_word(common.candidates, names) or "[]", type=list[int])
    tokens = f"{request.tokens:,}"
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    details: Sequence[Shared] = common.details or (0,) * len(pairs)
    estimates = own.estimates or (None,) * len(pairs)
    return Decision(
        route=names[request.route],
        why=_word(common.why, names).replace(TOKENS_HERE, tokens),
        candidates=tuple(
            Candidate(
                model=models[model],
                skip=names[skip] if skip else None,  # type: ignore[arg-type]  # a closed list
                detail=_word(detail, names).replace(TOKENS_HERE, tokens),
                estimate=_part(estimate, NANO),
            )
            for (model, skip), detail, estimate in zip(pairs, details, estimates, strict=True)
        ),
        checks=plan.checks,
        pass_at=plan.pass_at,
        mode=plan.mode,
        within=plan.within,
        attempts_at_most=plan.attempts_at_most,
        spend_at_most=_part(own.spend_at_most, NANO),
        by_name=plan.by_name,
        tokens_over=plan.tokens_over,
        order=plan.order,
        local_only=plan.local_only,
        queue_for=plan.queue_for,
        when_busy=plan.when_busy,
        confirm=plan.confirm,
    )


def _attempt(row: Row, text: str, names: Mapping[int, str], models: Mapping[int, str]) -> Attempt:
    story = AttemptStory() if row.story is None else msgspec.json.decode(row.story, type=AttemptStory)
    usage = None
    if row.input is not None:
        usage = usage_in(row, names)
    return Attempt(
        model=models[row.model],
        started=row.started / MICRO,
        ended=row.ended / MICRO,
        queued=row.queued / MICRO,
        first_token=_part(row.first_token, MICRO),
        usage=usage,
        cost=_part(row.cost, NANO),
        energy=_part(row.energy, MICRO),
        failure=None if row.failure is None else _failure(row, story, usage, text, names),
        verdicts=_verdicts(story.verdicts, names),
        score=_part(row.score, FINE),
        logprob=_part(row.logprob, FINE),
        finish=None if row.finish is None else names[row.finish],  # type: ignore[arg-type]  # a closed list
        late=bool(row.late),
        confirms=story.confirms,
    )


def _failure(
    row: Row, story: AttemptStory, usage: Usage | None, text: str, names: Mapping[int, str]
) -> Failure:
    return Failure(
        reason=names[row.failure],  # type: ignore[arg-type]  # a closed list
        detail=_word(story.detail, names),
        status=story.status,
        retry_after=_part(story.retry_after, MICRO),
        usage=_other_usage(story.usage, usage),
        first_token=_part(row.first_token if story.first_token is UNSET else story.first_token, MICRO),
        seconds=(row.ended - row.started if story.seconds is UNSET else story.seconds) / MICRO,
        text=text,
    )


def verdicts_of(story: str, names: Mapping[int, str]) -> tuple[Verdict, ...]:
    """The verdicts in an attempt's story."""
    return _verdicts(msgspec.json.decode(story, type=AttemptStory).verdicts, names)


def _verdicts(shared: Shared, names: Mapping[int, str]) -> tuple[Verdict, ...]:
    text = _word(shared, names)
    if not text:
        return ()
    flat = iter(msgspec.json.decode(text, type=list[int | str | None]))
    return tuple(
        Verdict(names[check], _part(score, FINE), _word(reason, names))  # type: ignore[arg-type, index]  # as `encode` wrote it
        for check, score, reason in zip(flat, flat, flat, strict=True)
    )


def _other_usage(row: UsageRow | UnsetType | None, told: Usage | None) -> Usage | None:
    if row is UNSET:
        return told
    return None if row is None else _usage(row)


More = tuple[int, int, int, int, int | None]
_NO_MORE: More = (0, 0, 0, 0, None)


def usage_in(row: Row, names: Mapping[int, str]) -> Usage:
    """The usage in a row of `attempts`, which has one."""
    more = _NO_MORE if row.more is None else msgspec.json.decode(row.more, type=More)
    return _usage(
        UsageRow(
            row.input,
            row.cache_read,
            row.cache_write_5m,
            row.cache_write_1h,
            row.output,
            row.reasoning,
            bool(row.exact),
            row.estimated,
            more[0],
            more[1],
            more[2],
            more[3],
            names[row.service] if row.service else "",
            more[4],
        )
    )


def _usage(row: UsageRow) -> Usage:
    estimated = row.estimated
    if estimated is None:  # an exact one; or one of before version 5, which knew no parts
        estimated = 0 if row.exact else WHOLE
    return Usage(
        input=row.input,
        cache_read=row.cache_read,
        cache_write_5m=row.cache_write_5m,
        cache_write_1h=row.cache_write_1h,
        output=row.output,
        reasoning=row.reasoning,
        images=row.images,
        audio=row.audio,
        audio_output=row.audio_output,
        searches=row.searches,
        service=row.service,
        charged=_part(row.charged, NANO),
        estimated=estimated,
    )


def _word(shared: Shared, names: Mapping[int, str]) -> str:
    if isinstance(shared, str):
        return shared
    return names[shared] if shared else ""


def _part(value: int | None, scale: int) -> float | None:
    return None if value is None else value / scale
