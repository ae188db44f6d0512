"""Whether an input goes whole, and if not, how long a part may be.

    whole, if a model at home has a window for it, or the longest of its lanes;
    else in parts at home, each of which goes the way of any other request: on to a paid model when its answer is no good;
    else whole to a paid model that has a window for it.

A route that the user made for long prompts (`tokens_over`) is his word on where they go, and goes before the parts. Tokens are
counted by o200k; how much denser a model's own are is learned from what it reports. This module
asks no model.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.engine import ManagedEngine
from headgate.core.policy import decide
from headgate.core.tokens import ANSWER_ALLOWANCE
from headgate.core.types import Failure, Message, Model, Outcome, Request
from headgate.gateway.road import Road

LEAST = 48
"""Tokens of text below which a part says nothing any more."""


class Room(Struct, frozen=True):
    """Where the parts of a long input go first, and how much of it fits there."""

    model: Model
    window: int
    overhead: int
    """Tokens of a request without any of the text."""
    answer: int
    """Tokens kept free for the answer."""
    at_once: int
    """Requests that the model takes at a time."""

    def tokens(self, density: float) -> int:
        """Tokens of text in one request, where the model's own are so many times as dense."""
        return int((self.window - self.answer) / density) - self.overhead


async def find_room(
    road: Road, request: Request, bare: Request, densities: Mapping[str, float]
) -> Room | None:
    """Where the parts of a request go, or None if it goes whole or has nowhere to go.

    Args:
        road: the policy and the fleet.
        request: the whole of it, ready to be routed.
        bare: the same without its long text.
        densities: what was learned of the models' own tokens.
    """
    signals = await road.tokenizer.measure(request, road.policy, 0)
    signals = replace(signals, tokens=await road.tokenizer.count(request), tokens_exact=True)
    view = road.view(road.accounts(signals.task))
    decision = decide(road.policy, view, request, signals)
    fit = [road.policy.models[name] for name in decision.chain]
    if fit and decision.tokens_over is not None:
        return None
    for model in fit:
        window = await window_of(road, model) if model.local else None
        tokens = signals.tokens * densities.get(model.name, 1.0)
        if model.local and (window is None or tokens + answer_of(request, window) <= window):
            return None
    overhead = await road.tokenizer.count(bare)
    small = decide(road.policy, view, bare, replace(signals, tokens=overhead))
    able = [road.policy.models[name] for name in small.chain]
    home = [model for model in able if model.local]
    if not home and fit:
        return None
    rooms = []
    for model in home or able:
        window = await window_of(road, model)
        if window is not None:
            rooms.append(Room(model, window, overhead, answer_of(request, window), slots_of(road, model)))
    room = max(rooms, key=lambda room: room.window, default=None)
    if room is None or room.tokens(densities.get(room.model.name, 1.0)) < LEAST:
        return None
    return room


def answer_of(request: Request, window: int) -> int:
    """Tokens kept free for an answer: as many as it may have, but not more than half of the window."""
    if request.max_tokens is not None:
        return min(request.max_tokens, window // 2)
    return min(ANSWER_ALLOWANCE, window // 4)


async def window_of(road: Road, model: Model) -> int | None:
    """Tokens of prompt and answer that the model takes as it is loaded, or would be; None if nobody knows."""
    lane = road.fleet.admission.scheduler.lanes.get(model.name)
    known = model.context or (lane.context if lane is not None else None)
    if known is not None or not model.local:
        return known
    engine = road.fleet.engines[model.engine]
    if isinstance(engine, ManagedEngine):
        loaded = await engine.loaded()
        if not isinstance(loaded, Failure):
            known = next((one.context for one in loaded if one.id == model.id), None)
    return known or listed_window(road, model)


def listed_window(road: Road, model: Model) -> int | None:
    """The window that a model's engine lists: the embedded one's is what it loads, others name the most that the model can."""
    if model.engine_kind != "llamacpp":
        return None
    listed = road.fleet.listed.get(model.engine, ())
    return next((one.context for one in listed if one.id == model.id), None)


def slots_of(road: Road, model: Model) -> int:
    """Requests that a model takes at a time, as far as its lane and its engine let it."""
    scheduler = road.fleet.admission.scheduler
    lane = scheduler.lanes.get(model.name)
    return max(1, min(lane.slots if lane is not None else 1, scheduler.slots.get(model.engine, 1)))


def learn_density(densities: dict[str, float], outcome: Outcome, counted: int) -> None:
    """Note how many tokens the model that answered has made of so many of ours, if they were more than ever before."""
    if outcome.model is None or outcome.usage is None or not outcome.usage.exact or not counted:
        return
    seen = outcome.usage.prompt / counted
    densities[outcome.model] = max(densities.get(outcome.model, 1.0), seen)


def overflowed(outcome: Outcome) -> bool:
    """Whether nobody answered because the prompt is longer than the window of a model, as its engine counts, or as is guessed."""
    return outcome.model is None and (
        "window" in outcome.decision.skipped.values()
        or any(
            attempt.failure is not None and attempt.failure.reason == "context_overflow"
            for attempt in outcome.attempts
        )
    )


def framed(request: Request, text: str) -> Request:
    """A request that is the agent's already, with its orders, and this text in place of all that was said."""
    orders = tuple(message for message in request.messages[:1] if message.role == "system")
    return replace(request, messages=(*orders, Message("user", text)))
