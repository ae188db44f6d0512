"""Which model is loaded next, and which ones have to go for it: pure functions over lanes.

Loading costs seconds in which a card does nothing, so a lane that is in use keeps its memory for a turn: long enough that
what it does outweighs the swap. Requests for another lane gather meanwhile, and are then served together. A lane that
nobody uses goes at once. Nothing is ever taken from under a request: a lane that has to go is drained first.
"""

from collections.abc import Sequence

from msgspec import Struct

from headgate.fleet.lanes import Lane, fits

TURN = 5.0
"""Seconds that a lane in use keeps its memory at least."""

SWAPS = 3.0
"""… or so many times what the swap costs, if that is longer: at most a quarter of the time goes into loading."""

BATCH_PATIENCE = 4.0
"""So many turns a batch waits for a lane that people use."""

WARM = 0.02
"""Use of its slots from which on a lane is worth loading before anybody asks."""


class Swap(Struct, frozen=True):
    """Load one lane, after these have left."""

    load: str
    evict: tuple[str, ...] = ()


def next_swap(lanes: Sequence[Lane], free: int, now: float) -> Swap | float | None:
    """What to load next into one pool.

    Args:
        lanes: all that share the pool's memory.
        free: bytes.
        now: seconds of any steady clock.

    Returns:
        The swap; or when there will be one, if nothing else happens; or None when nobody waits.
    """
    moments = []
    for lane in sorted(wanting(lanes, now), key=urgency):
        victims = cheapest(lane, lanes, free)
        if victims is None:
            continue  # what is loading or leaving has to be done first
        moment = max([may_go(victim, lane, now) for victim in victims], default=now)
        if moment <= now:
            return Swap(lane.name, tuple([victim.name for victim in victims]))
        moments.append(moment)
    moments += [
        lane.retry_at for lane in lanes if lane.state == "out" and lane.waiting and lane.retry_at > now
    ]
    return min(moments, default=None)


def wanting(lanes: Sequence[Lane], now: float) -> list[Lane]:
    """The lanes that somebody waits for and that are not in memory, nor a longer one of the same model."""
    return [
        lane
        for lane in lanes
        if lane.state == "out"
        and lane.waiting
        and lane.retry_at <= now
        and not any(stands_in(other, lane) for other in lanes)
    ]


def stands_in(other: Lane, lane: Lane) -> bool:
    """Whether another lane serves this one's requests, or will in a moment."""
    return (
        other is not lane
        and other.state in ("loading", "ready")
        and not other.draining
        and same_weights(other, lane)
        and fits(other, lane.context)
    )


def same_weights(one: Lane, other: Lane) -> bool:
    """Whether they are one model with two context sizes."""
    return one.engine == other.engine and one.weights == other.weights


def urgency(lane: Lane) -> tuple[bool, float]:
    """Smaller is loaded first: what people wait for, then what has been waited for longest."""
    person = lane.waiting.oldest(batch=False)
    oldest = person or lane.waiting.oldest()
    return person is None, oldest.arrived if oldest is not None else 0.0


def cheapest(lane: Lane, lanes: Sequence[Lane], free: int) -> list[Lane] | None:
    """The lanes that are missed least, of which enough to make room; None when it cannot be done now."""
    here = [other for other in lanes if other.state == "ready" and other is not lane]
    if any(other.state in ("loading", "leaving") and same_weights(other, lane) for other in lanes):
        return None
    victims = [other for other in here if same_weights(other, lane)]
    lacking = lane.memory - free - sum([victim.memory for victim in victims])
    for other in sorted((other for other in here if other not in victims), key=missed):
        if lacking <= 0:
            break
        victims.append(other)
        lacking -= other.memory
    if lacking > 0:
        return None
    for victim in victims[::-1]:  # a big one that came last may make earlier ones unnecessary
        if not same_weights(victim, lane) and lacking + victim.memory <= 0:
            victims.remove(victim)
            lacking += victim.memory
    return victims


def missed(lane: Lane) -> tuple[int, float]:
    """How much a lane would be missed: by people who wait for it or are served, by a batch, or by recent traffic."""
    if lane.waiting.oldest(batch=False) is not None:
        return 2, float(len(lane.waiting))
    if lane.running or lane.waiting:
        return 1, float(len(lane.waiting) + lane.running)
    return 0, lane.use(lane.used_at)


def may_go(victim: Lane, lane: Lane, now: float) -> float:
    """From when on a lane may be asked to make room for another that somebody waits for."""
    oldest = lane.waiting.oldest(batch=False) or lane.waiting.oldest()
    if oldest is None:
        return now
    cost = victim.load_seconds + lane.load_seconds
    turn = max(TURN, SWAPS * cost)
    if victim.idle:
        return oldest.arrived + turn * victim.use(now)
    if oldest.batch and victim.waiting.oldest(batch=False) is not None:
        turn *= BATCH_PATIENCE
    elif not oldest.batch and victim.waiting and victim.waiting.oldest(batch=False) is None:
        turn /= BATCH_PATIENCE
    pressed = oldest.deadline - lane.load_seconds - (lane.service or 0.0)
    return max(victim.since + min(turn, cost), min(max(victim.since, oldest.arrived) + turn, pressed))


def worth_warming(lanes: Sequence[Lane], free: int, now: float) -> str | None:
    """The lane that recent traffic will probably want next, if there is room without sending anybody away."""
    able = [
        lane
        for lane in lanes
        if lane.state == "out"
        and lane.memory <= free
        and lane.retry_at <= now
        and lane.use(now) >= WARM
        and not any(other.here and same_weights(other, lane) for other in lanes)
    ]
    return max(able, key=lambda lane: lane.use(now)).name if able else None
