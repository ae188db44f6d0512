"""What happens next, after each attempt: try another model, deliver an answer, or give up.

    next_step(decision, attempts) → Try | Deliver | GiveUp

This reducer *is* the cascade. It always ends, never tries a model twice, and never exceeds the request's own limits of
time, attempts and money, which hold over the whole chain together. The first answer that passes its checks is delivered;
when none passes and nothing is left to try, the best imperfect one is delivered, and marked as such.

It does not know how a model is called or how an answer is judged: it sees only what came of it.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from headgate.core.types import Attempt, Candidate, Decision, Deliver, GiveUp, Model, Step, Try
from headgate.core.words import FallbackReason, Skip

LEAST_TIME = 0.25
"""Seconds below which another attempt is not worth starting."""

ITSELF = "itself"
"""In place of another model: the same one is asked again, and its chance told to fall otherwise."""

KEPT_BACK = 0.35
"""Share of the remaining time that is kept for the models behind: an engine that hangs must not use up theirs."""


def next_step(decision: Decision, attempts: Sequence[Attempt], now: float = 0.0) -> Step:
    """Fold the attempts so far into the next step.

    Args:
        decision: the candidates and limits. A model that turned out busy is skipped there (`skip`), not here.
        attempts: what was tried, in order.
        now: seconds since the request was received.
    """
    left = decision.within - now
    last = len(attempts) - 1
    if attempts and attempts[last].confirms:
        last -= 1  # what it confirms is right before it
    if attempts and passes(attempts[last], decision.pass_at):
        second = second_opinion(decision, attempts) if decision.confirm else ""
        if second and left >= LEAST_TIME:
            return Try(second, left * (1 - KEPT_BACK), confirms=True)
        return Deliver(last, perfect=True)
    candidate = next_candidate(decision, attempts)
    if candidate is not None and len(attempts) < decision.attempts_at_most and left >= LEAST_TIME:
        chain = decision.chain
        ends = len(attempts) + 1 >= decision.attempts_at_most or not chain or candidate.model == chain[-1]
        return Try(candidate.model, left if ends else left * (1 - KEPT_BACK))
    best = best_answer(attempts)
    if best is not None:
        return Deliver(best, perfect=False)
    return GiveUp(why_nothing(decision, attempts, left))


def second_opinion(decision: Decision, attempts: Sequence[Attempt]) -> str:
    """The model that is asked whether it answers as the last attempt did; "" is none.

    There has to be somebody to go to where it does not, so nobody is asked after the last model of a chain.
    """
    last = attempts[-1]
    if last.confirms or last.late or len(attempts) + 2 > decision.attempts_at_most:
        return ""
    if not any(
        candidate.model == last.model and candidate.estimate == 0.0 for candidate in decision.candidates
    ):
        return ""  # what is paid for is believed
    model = last.model if decision.confirm == ITSELF else decision.confirm
    tried = {attempt.model for attempt in attempts}
    if decision.confirm != ITSELF and model in tried:
        return ""
    left = (candidate.model for candidate in candidates_left(decision, attempts))
    return model if any(name != model for name in left) else ""


def next_candidate(decision: Decision, attempts: Sequence[Attempt]) -> Candidate | None:
    """The first candidate that is fit, untried, and within what is left of the money.

    One that was left out as unlikely is better than no answer at all.
    """
    found = next(candidates_left(decision, attempts), None)
    if found is None and best_answer(attempts) is None:
        found = next(candidates_left(decision, attempts, skip="unlikely"), None)
    return found


def candidates_left(
    decision: Decision, attempts: Sequence[Attempt], skip: Skip | None = None
) -> Iterator[Candidate]:
    """The candidates that are fit (or that were left out for one reason), untried, and within what is left of the money."""
    tried = {attempt.model for attempt in attempts}
    money = money_left(decision, attempts)
    for candidate in decision.candidates:
        if candidate.skip != skip or candidate.model in tried:
            continue
        if money is None or (candidate.estimate is not None and candidate.estimate <= money):
            yield candidate


def money_left(decision: Decision, attempts: Sequence[Attempt]) -> float | None:
    """Dollars that further attempts may spend. An attempt of unknown cost counts as its estimate."""
    if decision.spend_at_most is None or not attempts:
        return decision.spend_at_most
    estimates = {candidate.model: candidate.estimate for candidate in decision.candidates}
    spent = sum(
        attempt.cost if attempt.cost is not None else estimates.get(attempt.model) or 0.0
        for attempt in attempts
    )
    return max(0.0, decision.spend_at_most - spent)


def passes(attempt: Attempt, pass_at: float) -> bool:
    """Whether its answer may go to the caller. Without evidence against it, it may."""
    return attempt.failure is None and passes_with(attempt.score, pass_at)


def passes_with(score: float | None, pass_at: float) -> bool:
    """Whether an answer with this lowest score goes out. Without evidence against it, it does."""
    return score is None or score >= pass_at


def best_answer(attempts: Sequence[Attempt]) -> int | None:
    """The answer with the highest score, the later of equals: the chain rises in ability."""
    answers = [
        index for index, attempt in enumerate(attempts) if attempt.failure is None and not attempt.confirms
    ]
    return max(answers, key=lambda index: (attempts[index].score or 0.0, index), default=None)


def skip(decision: Decision, model: str, reason: Skip, detail: str) -> Decision:
    """The same decision with one more candidate skipped: the gate learned something while it waited."""
    candidates = tuple(
        replace(candidate, skip=reason, detail=detail) if candidate.model == model else candidate
        for candidate in decision.candidates
    )
    return replace(decision, candidates=candidates)


def pass_by(
    decision: Decision,
    attempts: Sequence[Attempt],
    models: Mapping[str, Model],
    name: str,
    *,
    reason: Skip,
    detail: str,
) -> Decision:
    """The same decision without a model that cannot be had now, nor its other lanes: in memory they are one model."""
    missing, tried = models[name], {attempt.model for attempt in attempts}
    for lane in decision.chain:
        other = models[lane]
        if lane not in tried and (other.engine, other.id) == (missing.engine, missing.id):
            decision = skip(decision, lane, reason, detail)
    return decision


def pay(decision: Decision, attempts: Sequence[Attempt], models: Mapping[str, Model]) -> Decision:
    """The same decision without the local models that were not tried yet, if there is a paid one to go to."""
    paying, tried = decision, {attempt.model for attempt in attempts}
    for name in decision.chain:
        if models[name].local and name not in tried:
            paying = skip(paying, name, "busy", "the route pays when its local models are busy")
    return decision if next_candidate(paying, attempts) is None else paying


def why_nothing(decision: Decision, attempts: Sequence[Attempt], left: float) -> str:
    """One sentence for the caller who gets no answer."""
    if not decision.candidates:
        return "the route names no model"
    parts = [f"{a.model}: {a.failure.reason} ({a.failure.detail})" for a in attempts if a.failure is not None]
    parts += [
        f"{c.model}: skipped, {c.skip}" + (f" ({c.detail})" if c.detail else "")
        for c in decision.candidates
        if c.skip
    ]
    tried = {attempt.model for attempt in attempts}
    untried = [c.model for c in decision.candidates if c.skip is None and c.model not in tried]
    if untried:
        limit = "the time" if left < LEAST_TIME else "the number of attempts or the money"
        parts.append(f"{', '.join(untried)}: not tried, {limit} for this request is used up")
    return "no model gave an answer: " + "; ".join(parts)


def fallback_reason(
    decision: Decision, attempts: Sequence[Attempt], answered_by: Model | None, models: Mapping[str, Model]
) -> tuple[FallbackReason, int | None] | None:
    """Why a paid model answered in the end, with N for "token count > N"; None if none did.

    The first thing that kept the request from a local model is the reason: a rule that sends it straight to a paid one,
    else what happened to the first local candidate.
    """
    if answered_by is None or answered_by.local:
        return None
    if decision.by_name or decision.order == "ablest first":
        return "asked for by name", None
    if decision.order == "conversation stays" and decision.candidates[0].model == answered_by.name:
        return "conversation stays", None
    outcomes = {attempt.model: attempt for attempt in attempts if not attempt.confirms}
    for candidate in decision.candidates:
        if candidate.model == answered_by.name:
            break
        if not models[candidate.model].local:
            continue
        if candidate.skip == "window" and has_longer_lane(candidate.model, decision, models):
            continue  # it is the longer lane that could not serve
        if candidate.skip is not None:
            return SKIP_TO_FALLBACK[candidate.skip], None
        attempt = outcomes.get(candidate.model)
        if attempt is None:
            continue
        if attempt.failure is None:
            return "quality check failed", None
        if attempt.failure.reason == "context_overflow":
            return "token count", None
        if attempt.failure.reason in ("malformed", "truncated"):
            return "quality check failed", None
        return "engine unavailable", None
    if decision.tokens_over is not None:
        return "token count", decision.tokens_over
    return "sent by its route", None


def has_longer_lane(model: str, decision: Decision, models: Mapping[str, Model]) -> bool:
    """Whether a longer lane of this model is a candidate too."""
    longer = models[model].longer
    return any(candidate.model in longer for candidate in decision.candidates)


SKIP_TO_FALLBACK: dict[Skip, FallbackReason] = {
    "down": "engine unavailable",
    "breaker": "engine unavailable",
    "busy": "engine busy",
    "window": "token count",
    "format": "unsupported output format",
    "capability": "unsupported output format",
    "budget": "engine unavailable",
    "privacy": "engine unavailable",
    "unlikely": "predicted to fail",
}
