"""A slot for one request: at once, after a wait, or not at all, and then the model is skipped with the reason.

How long it waits is its route's wish and depends on who else is there. It does not know whose turn it is (`fleet.scheduler`), nor what
becomes of the request then (`journey`).
"""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from headgate.core import cascade
from headgate.core.types import Model
from headgate.core.words import Skip
from headgate.fleet.admission import Denied

if TYPE_CHECKING:
    from headgate.gateway.journey import Journey


class Place(Struct, frozen=True, gc=False):
    """A slot on a model."""

    model: Model
    """The lane that serves: the model itself, or a longer lane of it that is loaded in its place."""
    queued: float
    """Seconds waited for it."""
    left: float
    """Seconds that are left for the answer."""


BATCH_WAITS = 3600.0
"""Seconds that a batch's request waits for a slot. Nobody sits and waits for it, so its own time begins when it is served."""


async def take(journey: "Journey", model: Model, within: float) -> Place | None:
    """A slot on a model; None when there is none to be had, and the model is skipped."""
    fleet = journey.road.fleet
    if fleet.troubled and not fleet.try_again(model.name):
        journey.skip(
            model, "breaker", f"{model.name} failed several times in a row, and another request tries it"
        )
        return None
    lane = fleet.admission.enter(model.name)
    queued = 0.0
    if lane is None:
        begun = journey.now()
        at_leisure = journey.request.batch and journey.request.within is None
        lane = await wait(journey, model, BATCH_WAITS if at_leisure else within)
        if lane is None:
            fleet.not_tried(model.name)
            return None
        queued = journey.now() - begun
        if at_leisure:
            journey.decision = replace(journey.decision, within=journey.decision.within + queued)
            within += queued
    if not model.local and not journey.reserve(model):
        fleet.admission.leave(lane, None)
        fleet.not_tried(model.name)
        return None
    served = model if lane == model.name else journey.road.policy.models[lane]
    return Place(served, queued, within - queued)


async def wait(journey: "Journey", model: Model, within: float) -> str | None:
    """Wait for a slot, where waiting is what the route wishes or nobody else is there; else skip the model as busy."""
    admission, decision, models = journey.road.fleet.admission, journey.decision, journey.road.policy.models
    batch = journey.request.batch
    expected = admission.expected_wait(model.name, journey.caller, batch=batch)
    if decision.when_busy == "wait" or not model.local or not goes_sooner(journey, model, expected):
        patience = within
    elif decision.when_busy == "pay":
        patience = min(within, decision.queue_for)
    else:  # a model that would have to be loaded for everybody who is to come is worth that wait
        patience = min(within, decision.queue_for + admission.load_seconds(model.name))
    if expected > patience:
        denied = Denied(f"about {expected:.0f} s to wait, and it waits {patience:.3g} s at most")
        admission.want(model.name)
    else:
        found = await admission.wait(
            model.name, caller=journey.caller, batch=batch, patience=patience, deadline=within
        )
        if isinstance(found, str):
            return found
        denied = found
    reason: Skip = "down" if denied.down else "busy"
    journey.decision = cascade.pass_by(
        decision, journey.attempts, models, model.name, reason=reason, detail=denied.why
    )
    if decision.when_busy == "pay" and not denied.down:
        journey.decision = cascade.pay(journey.decision, journey.attempts, models)
    return None


def goes_sooner(journey: "Journey", model: Model, expected: float) -> bool:
    """Whether anybody else is left who is paid for it, or of whom no longer wait than this is expected.

    For a batch nobody is paid because people are there; it comes after them.
    """
    admission, models = journey.road.fleet.admission, journey.road.policy.models
    batch = journey.request.batch
    others = cascade.pass_by(journey.decision, journey.attempts, models, model.name, reason="busy", detail="")
    return any(
        not (models[other.model].local or batch)
        or (
            models[other.model].local
            and admission.expected_wait(other.model, journey.caller, batch=batch) <= expected
        )
        for other in cascade.candidates_left(others, journey.attempts)
    )
