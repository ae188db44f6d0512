"""Lines as the outcomes that they tell (`lines`). What a line leaves out follows from the rest of it, or is unknown."""

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET

from headgate.core.parts import PARTS
from headgate.core.types import Attempt, Candidate, Decision, Failure, Model, Outcome, Signals, Usage, Verdict
from headgate.core.words import ENGINE_KINDS, Status
from headgate.ledger.lines import Line, LineAttempt, LineError, LineModel, LineUsage, moment

AT_HOME: Final = frozenset({"ollama", "lmstudio", "llamacpp"})
"""Kinds of engines that run on the user's own machines unless a line says otherwise."""


def models_of(line: Line) -> Iterator[Model]:
    """The models that a line explains, as they are described in the ledger.

    Raises:
        LineError: an engine is named that nobody explains.
    """
    for name, told in line.models.items():
        yield _described(name, told)
    for attempt in line.attempts:
        if attempt.engine and attempt.model not in line.models:
            yield _described(attempt.model, LineModel(engine=attempt.engine))


def _described(name: str, told: LineModel) -> Model:
    kind = told.kind or next((kind for kind in ENGINE_KINDS if kind == told.engine), None)
    if kind is None:
        raise LineError(
            f'the engine "{told.engine}" of {name} is none of {", ".join(ENGINE_KINDS)}; '
            f'say which it is like: "models": {{"{name}": {{"engine": "{told.engine}", "kind": "openai_compatible"}}}}'
        )
    return Model(
        name=name,
        engine=told.engine,
        engine_kind=kind,
        id=told.id or name,
        kind=told.purpose,
        local=kind in AT_HOME if told.local is None else told.local,
        display=told.display,
        label=told.label,
        price=told.price,
    )


def outcome_of(line: Line, request_id: str) -> Outcome:
    """The outcome that a line tells.

    Args:
        line: the line.
        request_id: the id that it gets.

    Raises:
        LineError: it contradicts itself.
    """
    local = {model.name for model in models_of(line) if model.local}
    attempts = tuple(
        _attempt(attempt, line.pass_at, local=attempt.model in local) for attempt in line.attempts
    )
    model = _answered(line)
    answering = next(
        (attempt for attempt in reversed(attempts) if attempt.model == model and not attempt.confirms), None
    )
    if line.attempts and model is not None and answering is None:
        raise LineError(f'"{model}" answered, but is none of the attempts')
    costs = [attempt.cost for attempt in attempts]
    known = [cost for cost in costs if cost is not None]
    first_token = line.first_token
    if first_token is None and answering is not None and answering.first_token is not None:
        first_token = answering.started + answering.first_token
    return Outcome(
        id=request_id,
        received=moment(line.time),
        asked=line.asked,
        stream=line.stream,
        signals=_signals(line),
        decision=_decision(line),
        attempts=attempts,
        status=line.status or _status(model, answering, line.pass_at),
        model=model,
        fallback=None if line.fallback is None else line.fallback.reason,
        fallback_limit=None if line.fallback is None else line.fallback.limit,
        seconds=max((attempt.ended for attempt in attempts), default=0.0)
        if line.latency is None
        else line.latency,
        first_token=first_token,
        usage=None if answering is None else answering.usage,
        cost=(sum(known) if len(known) == len(costs) else None) if line.cost is UNSET else line.cost,
        baseline=line.baseline,
        baseline_cost=line.baseline_cost,
        baseline_input=line.baseline_input,
        baseline_output=line.baseline_output,
        alternative=line.alternative,
        alternative_cost=line.alternative_cost,
        energy=line.energy,
        energy_cost=line.energy_cost,
        key=line.key,
        team=line.team,
        agent=line.agent,
        prices_as_of=line.prices_as_of,
        error=line.error,
        prompt=line.prompt,
        answer=line.answer,
    )


def _decision(line: Line) -> Decision:
    told = line.decision
    if told is None:
        return Decision(
            route=line.route,
            why=line.why,
            candidates=tuple(Candidate(model=name) for name in dict.fromkeys(a.model for a in line.attempts)),
            checks=(),
            pass_at=line.pass_at,
            mode="pass",
            within=0.0,
            attempts_at_most=len(line.attempts),
            local_only=line.signals.local_only,
        )
    return Decision(
        route=line.route,
        why=line.why,
        candidates=tuple(
            Candidate(model=one.model, skip=one.skip, detail=one.detail, estimate=one.estimate)
            for one in told.candidates
        ),
        checks=told.checks,
        pass_at=line.pass_at,
        mode=told.mode,
        within=told.within,
        attempts_at_most=told.attempts_at_most,
        spend_at_most=told.spend_at_most,
        by_name=told.by_name,
        tokens_over=told.tokens_over,
        order=told.order,
        local_only=told.local_only,
        queue_for=told.queue_for,
        when_busy=told.when_busy,
        confirm=told.confirm,
    )


def _answered(line: Line) -> str | None:
    if line.model is not UNSET:
        return line.model
    if not line.attempts or line.attempts[-1].failure is not None or line.status in ("failed", "cancelled"):
        return None
    return line.attempts[-1].model


def _status(model: str | None, answering: Attempt | None, pass_at: float) -> Status:
    if model is None:
        return "failed"
    rejected = answering is not None and answering.score is not None and answering.score < pass_at
    return "imperfect" if rejected else "ok"


def _signals(line: Line) -> Signals:
    told = line.signals
    unsaid = [name for name in told.trusted if name not in told.chances]
    if unsaid:
        raise LineError(f"`trusted` names {unsaid[0]}, of which `chances` says nothing")
    usage = next((attempt.usage for attempt in line.attempts if attempt.usage is not None), None)
    return Signals(
        task=line.task,
        task_confidence=told.confidence,
        task_by=told.task_by or ("none" if line.task is None else "caller"),
        tokens=told.tokens or (0 if usage is None else _usage(usage).prompt),
        tokens_exact=told.tokens_exact,
        format=told.format,
        tools=told.tools,
        images=told.images,
        language=told.language,
        code_blocks=told.code_blocks,
        local_only=told.local_only,
        labels=told.labels,
        keeps_to=told.keeps_to,
        cached=told.cached,
        chances=told.chances,
        trusted=told.trusted,
    )


def _attempt(told: LineAttempt, pass_at: float, *, local: bool) -> Attempt:
    usage = None if told.usage is None else _usage(told.usage)
    score = told.score
    if score is None and told.verdict is not None:
        score = 1.0 if told.verdict == "passed" else 0.0
    if told.verdict is not None and score is not None and (score >= pass_at) != (told.verdict == "passed"):
        raise LineError(f"a score of {score:g} is not {told.verdict} where {pass_at:g} passes")
    return Attempt(
        model=told.model,
        started=told.started,
        ended=told.started + told.latency,
        queued=told.queued,
        first_token=told.first_token,
        usage=usage,
        cost=(0.0 if local else None) if told.cost is UNSET else told.cost,
        energy=told.energy,
        failure=None
        if told.failure is None
        else Failure(
            reason=told.failure,
            detail=told.detail,
            usage=usage,
            first_token=told.first_token,
            seconds=told.latency,
        ),
        verdicts=tuple(Verdict(check.check, check.score, check.reason) for check in told.checks),
        score=score,
        logprob=told.logprob,
        finish=told.finish,
        late=told.late,
        confirms=told.confirms,
    )


def _usage(told: LineUsage) -> Usage:
    return Usage(
        input=told.input,
        cache_read=told.cache_read,
        cache_write_5m=told.cache_write_5m,
        cache_write_1h=told.cache_write_1h,
        output=told.output,
        reasoning=told.reasoning,
        images=told.images,
        audio=told.audio,
        audio_output=told.audio_output,
        searches=told.searches,
        service=told.service,
        charged=told.charged,
        estimated=sum(PARTS[part] for part in set(told.estimated)),
    )
