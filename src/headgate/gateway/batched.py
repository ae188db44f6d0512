"""Answers that a provider's batch gave: judged, priced and recorded as if they had come live.

An answer takes the place of the first attempt of a journey whose only model is the one that gave it. It costs what the provider lists for batches, mostly half. The row in the
ledger begins when the request was handed over, and its reason says that a batch answered. It does not know how an answer came.
"""

from time import perf_counter, time

from msgspec.structs import replace

from headgate.core.batching import BatchAnswer
from headgate.core.cascade import best_answer, passes, why_nothing
from headgate.core.types import Deliver, GiveUp, Outcome, Reply, Request
from headgate.core.usage import BATCH
from headgate.gateway.journey import Journey
from headgate.gateway.outcomes import outcome_of, status_of
from headgate.gateway.road import Road
from headgate.wire.upstream.batched import Reading, reply_of


async def settle(
    road: Road,
    dialect: Reading,
    request: Request,
    answer: BatchAnswer,
    *,
    job: str,
    submitted: float,
    caller: str,
) -> tuple[Reply | GiveUp, Outcome]:
    """What an answer is worth.

    Args:
        road: what requests travel on.
        dialect: reads it.
        request: what was asked; `only` is the model that was.
        answer: what came back.
        job: the provider's name for the batch.
        submitted: Unix time at which it was handed over.
        caller: whose request it is.
    """
    model = road.policy.models[request.only]
    signals = await road.tokenizer.measure(request, road.policy, 0)
    begun = perf_counter() - max(0.0, time() - submitted)
    journey = Journey(road, request, signals, received=submitted, begun=begun, caller=caller)
    journey.meter(model)
    why = f"provider batch {job} at half price: {model.name} was asked in it"
    journey.decision = replace(journey.decision, why=why)
    result = reply_of(answer, dialect, request, model)
    if result.usage is not None:  # OpenAI's answers do not say that a batch gave them
        result = replace(result, usage=replace(result.usage, service=BATCH))
    journey.conclude(model, 0.0, 0.0, result)
    best = best_answer(journey.attempts)
    said: Reply | GiveUp
    if best is None:
        said = GiveUp(why_nothing(journey.decision, journey.attempts, journey.decision.within))
    else:
        perfect = passes(journey.attempts[best], journey.decision.pass_at)
        said = journey.deliver(Deliver(best, perfect))
    if isinstance(said, GiveUp):
        return said, outcome_of(journey, "failed", said.reason)
    return said, outcome_of(journey, status_of(journey))
