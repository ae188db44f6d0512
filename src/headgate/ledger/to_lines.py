"""Outcomes as the lines that tell them (`lines`)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import get_args

from headgate.core.parts import PARTS
from headgate.core.types import Attempt, Decision, Model, Outcome
from headgate.ledger.lines import (
    Line,
    LineAttempt,
    LineAudit,
    LineCandidate,
    LineCheck,
    LineDecision,
    LineFallback,
    LineModel,
    LineSignals,
    LineUsage,
    Part,
)


def line_of(outcome: Outcome, models: Mapping[str, Model], audit: LineAudit | None) -> Line:
    """The line that tells an outcome.

    Args:
        outcome: what became of a request.
        models: the models that it names, as far as they were described.
        audit: what an audit found of it.
    """
    signals = outcome.signals
    return Line(
        time=datetime.fromtimestamp(outcome.received, UTC).isoformat().replace("+00:00", "Z"),
        id=outcome.id,
        task=signals.task,
        signals=LineSignals(
            tokens=signals.tokens,
            tokens_exact=signals.tokens_exact,
            confidence=signals.task_confidence,
            task_by=signals.task_by,
            format=signals.format,
            tools=signals.tools,
            images=signals.images,
            language=signals.language,
            code_blocks=signals.code_blocks,
            local_only=signals.local_only,
            labels=signals.labels,
            keeps_to=signals.keeps_to,
            cached=signals.cached,
            chances=dict(signals.chances),
            trusted=signals.trusted,
        ),
        asked=outcome.asked,
        stream=outcome.stream,
        route=outcome.decision.route,
        why=outcome.decision.why,
        attempts=tuple(_line_attempt(attempt) for attempt in outcome.attempts),
        pass_at=outcome.decision.pass_at,
        decision=_line_decision(outcome.decision) if outcome.decision.is_known else None,
        model=outcome.model,
        status=outcome.status,
        fallback=None if outcome.fallback is None else LineFallback(outcome.fallback, outcome.fallback_limit),
        latency=outcome.seconds,
        first_token=outcome.first_token,
        cost=outcome.cost,
        baseline=outcome.baseline,
        baseline_cost=outcome.baseline_cost,
        baseline_input=outcome.baseline_input,
        baseline_output=outcome.baseline_output,
        alternative=outcome.alternative,
        alternative_cost=outcome.alternative_cost,
        energy=outcome.energy,
        energy_cost=outcome.energy_cost,
        key=outcome.key,
        team=outcome.team,
        agent=outcome.agent,
        prices_as_of=outcome.prices_as_of,
        error=outcome.error,
        prompt=outcome.prompt,
        answer=outcome.answer,
        audit=audit,
        models={
            name: LineModel(
                engine=model.engine,
                kind=model.engine_kind,
                id=model.id,
                purpose=model.kind,
                local=model.local,
                display=model.display,
                label=model.label,
                price=model.price,
            )
            for name, model in models.items()
        },
    )


def _line_decision(decision: Decision) -> LineDecision:
    return LineDecision(
        candidates=tuple(
            LineCandidate(candidate.model, candidate.skip, candidate.detail, candidate.estimate)
            for candidate in decision.candidates
        ),
        checks=decision.checks,
        mode=decision.mode,
        within=decision.within,
        attempts_at_most=decision.attempts_at_most,
        spend_at_most=decision.spend_at_most,
        by_name=decision.by_name,
        tokens_over=decision.tokens_over,
        order=decision.order,
        local_only=decision.local_only,
        queue_for=decision.queue_for,
        when_busy=decision.when_busy,
        confirm=decision.confirm,
    )


def _line_attempt(attempt: Attempt) -> LineAttempt:
    usage = attempt.usage
    return LineAttempt(
        model=attempt.model,
        started=attempt.started,
        latency=round(attempt.ended - attempt.started, 6),
        queued=attempt.queued,
        first_token=attempt.first_token,
        usage=None
        if usage is None
        else LineUsage(
            input=usage.input,
            cache_read=usage.cache_read,
            cache_write_5m=usage.cache_write_5m,
            cache_write_1h=usage.cache_write_1h,
            output=usage.output,
            reasoning=usage.reasoning,
            images=usage.images,
            audio=usage.audio,
            audio_output=usage.audio_output,
            searches=usage.searches,
            service=usage.service,
            charged=usage.charged,
            estimated=tuple(part for part in get_args(Part) if usage.estimated & PARTS[part]),
        ),
        cost=attempt.cost,
        energy=attempt.energy,
        score=attempt.score,
        checks=tuple(LineCheck(verdict.check, verdict.score, verdict.reason) for verdict in attempt.verdicts),
        failure=None if attempt.failure is None else attempt.failure.reason,
        detail="" if attempt.failure is None else attempt.failure.detail,
        finish=attempt.finish,
        logprob=attempt.logprob,
        late=attempt.late,
        confirms=attempt.confirms,
    )
