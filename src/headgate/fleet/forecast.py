"""How long a newcomer would probably wait: pure functions over lanes, for deciding whether to wait, go elsewhere, or pay.

It looks at what is known now: who waits and whose turn comes before, who is being answered, what is being loaded; and whoever has
asked for much is told that others come meanwhile. It does not know whose models these will need; so at rush hour it is too low,
and for a batch, which people overtake, by much.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headgate.fleet.lanes import Lane
from headgate.fleet.residency import Swap, cheapest, drained_in, gathered_at, pressing, swap_cost, will_go
from headgate.fleet.turns import Clocks, Ticket, may_wait


class Room(Struct, frozen=True):
    """A pool's memory as it is now."""

    lanes: Sequence[Lane]
    free: int
    foreign: int
    swap: Swap | None


def ahead_of(newcomer: Ticket, lane: Lane, clocks: Clocks, now: float) -> int:
    """How many will probably be served in a lane before a newcomer."""
    seconds = (lane.service or 1.0) / lane.slots
    return sum([queue.ahead_of(newcomer, clocks, seconds, lane.use(now), now) for queue in lane.queues])


def until_ready(lane: Lane, newcomer: Ticket, room: Room, now: float) -> float:
    """Seconds until a lane that is not in memory, or has to leave it, will be there for a newcomer."""
    if lane.state == "loading":
        return until_swapped(lane, (), now)
    by_name = {other.name: other for other in room.lanes}
    if room.swap is not None:
        coming = by_name[room.swap.load]
        until = until_swapped(coming, [by_name[name] for name in room.swap.evict], now)
        return until if coming is lane else until + swap_cost(coming, lane) + lane.load_seconds
    evict = cheapest(lane, room.lanes, room.free, room.foreign, now) or []
    oldest = pressing(lane, now)
    if oldest is None or (may_wait(oldest, now) and not newcomer.batch):
        oldest = newcomer
    gathered = gathered_at(lane, evict, room.lanes, oldest, now, newcomers=1)
    until = max([now, gathered, *[will_go(victim, lane, oldest, now) for victim in evict]]) - now
    return until + until_swapped(lane, evict, now)


def until_swapped(lane: Lane, evict: Iterable[Lane], now: float) -> float:
    """Seconds until some lanes have left and one is loaded."""
    if lane.state == "loading":
        return max(0.0, lane.since + lane.load_seconds - now)
    leaving = 0.0
    for victim in evict:
        if victim.state == "ready":
            leaving = max(leaving, drained_in(victim) + victim.unload_seconds)
        elif victim.state == "leaving":
            leaving = max(leaving, victim.since + victim.unload_seconds - now)
    return leaving + lane.load_seconds
