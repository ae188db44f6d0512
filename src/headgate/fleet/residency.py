"""Which model is loaded next, and which ones have to go for it: pure functions over lanes.

    an idle lane               goes at once for a person; for a batch after a swap's time and a half, so that requests gather
    one that answers           goes when nobody else waits for it and it has been there as long as a swap costs
    one that is waited for     keeps its memory for a turn, counted from when somebody began to wait for the other
    any, when much is asked    goes when as many wait for the other as are worth a swap, or they have waited together as long as others
                               will because of it; after a turn at the latest

Loading costs seconds in which a model answers nobody, so what a lane does in its turn outweighs the swap. Requests for another
lane gather meanwhile, and are then served together. A batch's request waits many turns. Nothing is taken from under a request:
a lane that has to go is drained first. Of several lanes the one goes for which the least waiting is expected.

The figures were tuned with `benchmarks/scheduler.py`, on all its levels of traffic; what was tried stands beside them.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from headgate.fleet.lanes import Lane, fits
from headgate.fleet.turns import Ticket, arrival, may_wait

TURN = 5.0
"""Seconds that a lane keeps its memory at least while people wait for it and for another …"""

SWAPS = 3.0
"""… or so many times what the swap costs, if that is longer.

At 1 there were a fifth more loads at rush hour, and people waited longer; from 6 on nothing changed, because by then a lane
has served everybody who waits for it. That it stays as long as a swap costs even when nobody waits matters little: half and
three times of it were as good."""

BATCH_PATIENCE = 10.0
"""So many turns a batch waits for a lane that is in use. At 2 and 4 people waited up to a fifth longer, and the batch was done
hardly earlier."""

GATHER = 1.5
"""So many swaps' time a batch's requests gather before an idle lane goes for them. At a half there were a quarter more loads by
night. People's requests gather by number (`worth_a_swap`); by time alone people waited longer on a working day."""

WARM = 0.005
"""Requests per second from which on a lane is worth loading before anybody asks."""


class Swap(Struct, frozen=True):
    """Load one lane, after these have left."""

    load: str
    evict: tuple[str, ...] = ()


def next_swap(lanes: Sequence[Lane], free: int, foreign: int, now: float) -> Swap | float | None:
    """What to load next into one pool.

    Args:
        lanes: all that share the pool's memory.
        free: bytes that nobody takes.
        foreign: bytes that others' models take.
        now: seconds of any steady clock.

    Returns:
        The swap; or when there will be one, if nothing else happens; or None when nobody waits.
    """
    moments = []
    for lane in sorted(wanting(lanes, now), key=lambda lane: urgency(lane, now)):
        victims = cheapest(lane, lanes, free, foreign, now)
        if victims is None:
            continue  # what is loading or leaving has to be done first
        oldest = pressing(lane, now)
        turns = [may_go(victim, lane, oldest, now) for victim in victims]
        moment = max([gathered_at(lane, victims, lanes, oldest, now), *turns])
        if moment <= now:
            return Swap(lane.name, tuple([victim.name for victim in victims]))
        moments.append(moment)
    moments += [
        lane.retry_at for lane in lanes if lane.state == "out" and lane.waiting and lane.retry_at > now
    ]
    return min(moments, default=None)


def wanting(lanes: Sequence[Lane], now: float) -> list[Lane]:
    """The lanes to load, as somebody waits for them. Not those that a longer one of the same model serves, or will."""
    wanted = [
        lane
        for lane in lanes
        if lane.state == "out"
        and lane.waiting
        and lane.retry_at <= now
        and not any(stands_in(other, lane) for other in lanes)
    ]
    return [
        lane
        for lane in wanted
        if not any(is_shorter(lane, other) and lane.context != other.context for other in wanted)
    ]


def stands_in(other: Lane, lane: Lane) -> bool:
    """Whether another lane serves this one's requests, or will in a moment."""
    return other.state in ("loading", "ready") and not other.draining and is_shorter(lane, other)


def is_shorter(other: Lane, lane: Lane) -> bool:
    """Whether another lane is the same model with a context that this one includes."""
    return other is not lane and same_weights(other, lane) and fits(lane, other.context)


def same_weights(one: Lane, other: Lane) -> bool:
    """Whether they are one model with two context sizes."""
    return one.engine == other.engine and one.weights == other.weights


def loaded_as(lanes: Sequence[Lane], contexts: Mapping[str, int | None]) -> list[Lane]:
    """The lanes that models in memory are: of each model the one with the longest context that it can serve.

    Args:
        lanes: of one engine.
        contexts: of the models that are in memory, by their weights; None where the engine does not say.
    """
    here = []
    for weights, context in contexts.items():
        lanes_of_it = [lane for lane in lanes if lane.weights == weights]
        if context is None:
            here += lanes_of_it
            continue
        able = [lane.context for lane in lanes_of_it if lane.context is not None and lane.context <= context]
        here += [lane for lane in lanes_of_it if lane.context == max(able, default=None)]
    return here


def urgency(lane: Lane, now: float) -> tuple[bool, float]:
    """Smaller is loaded first: what people wait for, then what has been waited for longest."""
    oldest = pressing(lane, now)
    return (may_wait(oldest, now), oldest.arrived) if oldest is not None else (True, 0.0)


def cheapest(lane: Lane, lanes: Sequence[Lane], free: int, foreign: int, now: float) -> list[Lane] | None:
    """The lanes that are missed least, of which enough to make room; None when it cannot be done now.

    Where all of them are not enough, but others' models would be, it is for the engine to send those away, or to refuse.
    """
    here = [other for other in lanes if other.state == "ready" and other is not lane]
    if any(other.state in ("loading", "leaving") and same_weights(other, lane) for other in lanes):
        return None
    victims = [other for other in here if same_weights(other, lane)]
    lacking = lane.memory - free - sum([victim.memory for victim in victims])
    others = [other for other in here if other not in victims]
    for other in sorted(others, key=lambda other: missed(other, lane, now)):
        if lacking <= 0:
            break
        victims.append(other)
        lacking -= other.memory
    if lacking > foreign:
        return None
    for victim in victims[::-1]:  # a big one that came last may make earlier ones unnecessary
        if not same_weights(victim, lane) and lacking + victim.memory <= 0:
            victims.remove(victim)
            lacking += victim.memory
    return victims


def missed(victim: Lane, lane: Lane, now: float) -> float:
    """Seconds of waiting that are expected if a lane makes room for another.

    Those who wait for the other wait until this one may go and is drained. Those who wait for this one, or ask for it while
    the other is loaded and this one is loaded again, wait about as long as a swap takes. Choosing by time since the last use,
    as engines do, people waited up to a fifth longer.
    """
    cost = swap_cost(victim, lane)
    until = will_go(victim, lane, pressing(lane, now), now) - now + drained_in(victim)
    asked_meanwhile = victim.rate(now) * 2 * cost
    return len(lane.waiting) * until + (victim.wanted_by + asked_meanwhile) * cost


def gathered_at(
    lane: Lane,
    victims: Sequence[Lane],
    lanes: Sequence[Lane],
    oldest: Ticket | None,
    now: float,
    *,
    newcomers: int = 0,
) -> float:
    """When enough requests have gathered for a lane that others make room for it. At once while the card answers nobody.

    Args:
        lane: the one to load.
        victims: those that have to go for it.
        lanes: all that share the pool's memory.
        oldest: for whom it would be loaded; a batch's requests gather otherwise (`may_go`).
        now: the time.
        newcomers: to be counted beside those who wait for it.
    """
    if oldest is None or may_wait(oldest, now) or not any(other.running for other in lanes):
        return now
    wanted_by = lane.wanted_by + newcomers
    kept = [victim for victim in victims if not worth_a_swap(wanted_by, victim, lane, now)]
    if not kept:
        return now
    came = sum([ticket.arrived for queue in lane.queues for ticket in queue]) + newcomers * now
    moments = []
    for victim in kept:
        waited_as_much = (lost(victim, lane, now) + came) / wanted_by
        latest = oldest.arrived + turn(victim, lane)
        moments.append(in_time(min(waited_as_much, latest), oldest, victim, lane))
    return max(moments)


def worth_a_swap(wanted_by: int, victim: Lane, lane: Lane, now: float) -> bool:
    """Whether so many requests for a lane are worth that another one goes.

    The more of them share a swap, the less of what is `lost` by it falls to each; but all wait for the next one to come. Per request,
    both together are least at the first n with n · (n + 1) ≥ 2 · the lane's rate · what is lost: the lot size of a machine that has to
    be set up, and the N-policy of queues. Where little is asked, n is one.
    """
    return wanted_by * (wanted_by + 1) >= 2 * lane.rate(now) * lost(victim, lane, now)


def lost(victim: Lane, lane: Lane, now: float) -> float:
    """Seconds that those wait who ask for a lane during a swap: rate · cost of them, each as long as it takes there and back."""
    return victim.rate(now) * swap_cost(victim, lane) ** 2


def may_go(victim: Lane, lane: Lane, oldest: Ticket | None, now: float) -> float:
    """From when on a lane may be asked to make room for another that somebody waits for."""
    if oldest is None:
        return now
    cost = swap_cost(victim, lane)
    if victim.idle:
        return oldest.arrived + (GATHER * cost if may_wait(oldest, now) else 0.0)
    earliest = victim.since + cost
    turns = 1.0
    if may_wait(oldest, now):
        turns = BATCH_PATIENCE
    elif not victim.wanted_by_people(now):
        return earliest
    latest = max(victim.since, oldest.arrived) + turns * turn(victim, lane)
    return max(earliest, in_time(latest, oldest, victim, lane))


def turn(victim: Lane, lane: Lane) -> float:
    """Seconds that a lane keeps its memory while people wait for another."""
    return max(TURN, SWAPS * swap_cost(victim, lane))


def in_time(moment: float, oldest: Ticket, victim: Lane, lane: Lane) -> float:
    """A moment, or an earlier one for somebody who would otherwise be too late. Nobody hurries for whom no swap was in time."""
    last = oldest.deadline - swap_cost(victim, lane) - (lane.service or 0.0)
    return min(moment, last) if last > oldest.arrived else moment


def will_go(victim: Lane, lane: Lane, oldest: Ticket | None, now: float) -> float:
    """When a lane will probably be asked: it is over with those who wait for it, or its turn is."""
    moment = may_go(victim, lane, oldest, now)
    if moment <= now or victim.idle:
        return max(moment, now)
    served = now + victim.wanted_by / victim.slots * (victim.service or 0.0)
    if oldest is not None and may_wait(oldest, now):
        served += drained_in(victim)  # a batch waits until it is idle
    return min(moment, max(served, victim.since + swap_cost(victim, lane)))


def pressing(lane: Lane, now: float) -> Ticket | None:
    """For whom a lane would be loaded: the person who has waited longest, or else the batch."""
    people = [queue.oldest_person(now) for queue in lane.queues]
    anybody = people if any(people) else [queue.oldest() for queue in lane.queues]
    return min([ticket for ticket in anybody if ticket is not None], key=arrival, default=None)


def swap_cost(victim: Lane, lane: Lane) -> float:
    """Seconds in which neither of two lanes answers anybody, there and back."""
    return victim.load_seconds + victim.unload_seconds + lane.load_seconds


def drained_in(lane: Lane) -> float:
    """Seconds until the last that runs in a lane has probably ended; it is between its beginning and its end now."""
    return (lane.service or 0.0) * lane.running / (lane.running + 1)


def worth_warming(lanes: Sequence[Lane], free: int, now: float) -> str | None:
    """The lane that recent traffic will probably want next, if there is room without sending anybody away."""
    able = [
        lane
        for lane in lanes
        if lane.state == "out"
        and lane.memory <= free
        and lane.retry_at <= now
        and lane.rate(now) >= WARM
        and not any(other.here and same_weights(other, lane) for other in lanes)
    ]
    return max(able, key=lambda lane: lane.rate(now)).name if able else None
