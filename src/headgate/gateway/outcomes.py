"""How a journey ended, as one row of the ledger: who answered, how well, why a paid model did, and at what cost.

It reads a `Journey` and changes nothing. It does not know how the row is stored (`ledger`), nor how it is told (`headers`).
"""

from collections.abc import Iterable

from msgspec import UNSET
from msgspec.structs import replace

from headgate.core import cascade
from headgate.core.alternatives import cheapest
from headgate.core.cascade import fallback_reason
from headgate.core.power import energy_cost
from headgate.core.prefixes import told_of
from headgate.core.types import Attempt, Model, Outcome, Usage
from headgate.core.words import FallbackReason, Status
from headgate.engines.profiles import adjustments
from headgate.gateway.auditing import sampled
from headgate.gateway.journey import Journey
from headgate.gateway.recounts import Baseline

ALL_KNOWN = "input: all vectors were known, and no model was asked"
SOME_KNOWN = "input: some vectors were known, and the model was asked for the others"

NOT_COMPARED = Baseline(usage=Usage(), cost=None)
"""Of a request that nobody answered, or that was no chat."""


def outcome_of(journey: Journey, status: Status, error: str = "") -> Outcome:
    """The journey as one row of the ledger."""
    road, request, model = journey.road, journey.request, journey.model
    final = answering(journey)
    reason = None
    if final is not None:  # what came from the cache, nobody was paid for
        reason = fallback_reason(journey.decision, journey.attempts, model, road.policy.models)
    fallback = reason[0] if reason is not None else None
    usage = final.usage if final is not None else None
    there, cheap = compared(journey, model, usage)
    energy = total_energy(journey.attempts)
    seconds = journey.now()
    # In steps: Python makes a dictionary for a call with more than 15 names, which costs more than all that they name.
    outcome = Outcome(
        id=request.id,
        received=journey.received,
        asked=request.asked,
        stream=request.stream,
        signals=journey.signals,
        decision=journey.decision,
        attempts=tuple(journey.attempts),
        status=status,
        model=model.name if model is not None else None,
        fallback=fallback,
        seconds=seconds,
        usage=usage,
        cost=total_cost(journey.attempts),
        baseline=road.policy.baseline,
        baseline_cost=there.cost,
    )
    outcome = replace(
        outcome,
        fallback_limit=reason[1] if reason is not None else None,
        first_token=journey.first_byte if journey.first_byte is not None else seconds,
        energy=energy,
        energy_cost=energy_cost(energy, road.price_per_kwh),
        baseline_input=there.input,
        baseline_output=there.output,
        alternative="" if cheap is None else cheap[0].name,
        alternative_cost=None if cheap is None else cheap[1],
        key=journey.holder.name,
        team=journey.holder.team,
        prices_as_of=road.prices_as_of,
        error=error,
        adjusted=adjusted(journey, model) if model is not None else (),
    )
    if (
        road.sampling is not None
        and (chosen := sampled(road.sampling, journey, status, fallback)) is not UNSET
    ):
        outcome = replace(outcome, audit=chosen)
    if road.keep_bodies:
        prompt, answer = bodies(journey)
        outcome = replace(outcome, prompt=prompt, answer=answer)
    return outcome


def status_of(journey: Journey) -> Status:
    """How good the delivered answer is."""
    answered = answering(journey)
    if answered is None:
        if journey.model is not None:
            return "ok"  # no call was needed
        answered = journey.attempts[-1] if journey.attempts else None
    if answered is None:
        return "failed"
    return "ok" if cascade.passes(answered, journey.decision.pass_at) else "imperfect"


def reason_of(journey: Journey) -> FallbackReason | None:
    """Why a paid model answers, as far as it is known by now; None if none does."""
    found = fallback_reason(journey.decision, journey.attempts, journey.model, journey.road.policy.models)
    return found[0] if found is not None else None


def answering(journey: Journey) -> Attempt | None:
    """The attempt whose answer goes out."""
    if journey.model is not None:
        for attempt in reversed(journey.attempts):
            if attempt.model == journey.model.name and not attempt.confirms:
                return attempt
    return None


def compared(
    journey: Journey, model: Model | None, usage: Usage | None
) -> tuple[Baseline, tuple[Model, float] | None]:
    """What the request would have been on the baseline; and the cheapest cloud model that could have taken it, with its dollars."""
    road, request = journey.road, journey.request
    if model is None or usage is None or request.kind != "chat":
        return NOT_COMPARED, None
    there = road.recounts.on_baseline(request, journey.signals, model, usage)
    return there, cheapest(road.alternatives, journey.signals, there.usage)


def total_energy(attempts: Iterable[Attempt]) -> float | None:
    """Joules of all attempts together; None when any part is unknown."""
    total = 0.0
    for attempt in attempts:
        if attempt.energy is None:
            return None
        total += attempt.energy
    return total


def total_cost(attempts: Iterable[Attempt]) -> float | None:
    """Dollars of all attempts together; None when any part is unknown."""
    total = 0.0
    for attempt in attempts:
        if attempt.cost is None:
            return None
        total += attempt.cost
    return total


def adjusted(journey: Journey, model: Model) -> tuple[str, ...]:
    """What of the request was said otherwise for the model that answered."""
    request = journey.request
    told = adjustments(request, model) if request.wishes else ()
    if request.kind == "embedding":
        told += told_of(request, model)
        if journey.cached:
            told += (ALL_KNOWN if journey.cached == len(request.messages) else SOME_KNOWN,)
    if model.name in journey.limited:
        told += (f"max_tokens: set to {journey.limited[model.name]:,}, which is what the money left buys",)
    return told


def bodies(journey: Journey) -> tuple[str, str]:
    """Prompt and answer, for a ledger that keeps them: the answer that went out, as far as it did."""
    prompt = "\n\n".join(f"{message.role}: {message.text}" for message in journey.request.messages)
    answer = ""
    for attempt, reply in zip(journey.attempts, journey.replies, strict=True):
        if journey.model is not None and attempt.model == journey.model.name and not attempt.confirms:
            answer = (
                reply.text
                if reply is not None
                else attempt.failure.text
                if attempt.failure is not None
                else ""
            )
    return prompt, answer
