"""A slot for one request: at once, after a wait, or not at all, and then the model is skipped with the reason.

How long it waits is its route's wish and depends on who else is there. It does not know whose turn it is (`fleet.scheduler`), nor what
becomes of the request then (`journey`).
"""

from typing import TYPE_CHECKING

from msgspec import Struct

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
        lane = await wait(journey, model, within)
        if lane is None:
            fleet.not_tried(model.name)
            return None
        queued = journey.now() - begun
    if not model.local and not journey.reserve(model):
        fleet.admission.leave(lane, None)
        fleet.not_tried(model.name)
        return None
    return Place(model if lane == model.name else journey.road.policy.models[lane], queued)


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
    """Whether anybody else is left who is paid for it, or of whom no longer wait than this is expected."""
    admission, models = journey.road.fleet.admission, journey.road.policy.models
    others = cascade.pass_by(journey.decision, journey.attempts, models, model.name, reason="busy", detail="")
    return any(
        not models[other.model].local
        or admission.expected_wait(other.model, journey.caller, batch=journey.request.batch) <= expected
        for other in cascade.candidates_left(others, journey.attempts)
    )
