"""Whose turn it is: the waiting requests of one lane, fair between callers.

Every caller has a clock that runs while his requests are served; whoever's clock shows least goes next (fair queueing as
Linux's scheduler does it: a clock instead of a share). So one caller's five hundred requests wait for each other, and not the
other nineteen callers for them. Whoever comes newly starts from the clock that shows least, so nobody saves up turns by being
away, and when nobody waits all is forgotten. People go before batches, until a batch has waited long.

Pure but for its own memory: time is an argument. It does not know engines or models.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from math import floor

from msgspec import Struct

AGED = 600.0
"""Seconds after which a batch's request is served like a person's."""

MANY_CALLERS = 10_000

Party = tuple[bool, str]
"""Whether it is a batch, and whose: somebody's batch does not count against what he asks meanwhile."""


class Ticket(Struct, frozen=True, kw_only=True):
    """One request that waits."""

    id: int
    lane: str
    """The lane that its candidate asked for."""
    caller: str = ""
    batch: bool = False
    arrived: float
    deadline: float
    """When a start is of no use any more."""

    @property
    def party(self) -> Party:
        """Who is charged for it."""
        return self.batch, self.caller


class Clocks:
    """How much each caller has been served of late, in seconds of service."""

    def __init__(self) -> None:
        self._served: dict[Party, float] = {}
        self._waiting: dict[Party, int] = {}

    def of(self, party: Party) -> float:
        """What the party's clock shows, or would if it came now."""
        had = self._served.get(party, 0.0)
        return had if party in self._waiting else max(had, self._least())

    def come(self, party: Party) -> None:
        """One of its requests waits."""
        if party not in self._waiting:
            self._served[party] = self.of(party)
        self._waiting[party] = self._waiting.get(party, 0) + 1

    def go(self, party: Party) -> None:
        """One of its requests waits no longer."""
        self._waiting[party] -= 1
        if not self._waiting[party]:
            del self._waiting[party]
        if not self._waiting:
            self._served.clear()
        elif len(self._served) > MANY_CALLERS:  # a clock that is behind is the same as none
            least = self._least()
            self._served = {
                one: had for one, had in self._served.items() if had > least or one in self._waiting
            }

    def charge(self, party: Party, seconds: float) -> None:
        """It is served for so long."""
        self._served[party] = self.of(party) + seconds

    def _least(self) -> float:
        return min([self._served[party] for party in self._waiting], default=0.0)


class Waiting:
    """The requests that wait for one lane: per caller in the order in which they came."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Party, deque[Ticket]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._of.values())) if self._of else 0

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._of)

    def __iter__(self) -> Iterator[Ticket]:
        """All of them, in no order."""
        for queue in self._of.values():
            yield from queue

    def add(self, ticket: Ticket) -> None:
        """Wait behind the same caller's others."""
        self._of.setdefault(ticket.party, deque()).append(ticket)

    def remove(self, ticket: Ticket) -> bool:
        """Wait no longer; False if it did not."""
        queue = self._of.get(ticket.party)
        if queue is None or ticket not in queue:
            return False
        queue.remove(ticket)
        if not queue:
            del self._of[ticket.party]
        return True

    def clear(self) -> None:
        """Let all of them go."""
        self._of.clear()

    def next(self, clocks: Clocks, now: float) -> Ticket | None:
        """Whose turn it is."""
        heads = [queue[0] for queue in self._of.values()]
        return min(heads, key=lambda ticket: rank(ticket, clocks, now), default=None)

    def oldest(self) -> Ticket | None:
        """Who has waited longest."""
        return min([queue[0] for queue in self._of.values()], key=arrival, default=None)

    def oldest_person(self, now: float) -> Ticket | None:
        """Who has waited longest of those who are served as people are."""
        heads = [queue[0] for queue in self._of.values() if not may_wait(queue[0], now)]
        return min(heads, key=arrival, default=None)

    def ahead_of(self, newcomer: Ticket, clocks: Clocks, seconds: float, use: float, now: float) -> int:
        """How many will probably go before a newcomer.

        Whoever has asked for much is overtaken by others who come meanwhile, because their clocks show less: by all in every turn of
        his, but not by more than will come.

        Args:
            newcomer: who asks.
            clocks: what everybody was served.
            seconds: that one request is charged with.
            use: the share of the lane that recent traffic takes, 0–1.
            now: the time.
        """
        own = len(self._of.get(newcomer.party, ()))
        mine = clocks.of(newcomer.party) + own * seconds
        here = most = own
        for party, queue in self._of.items():
            if party == newcomer.party or (may_wait(queue[0], now) and not newcomer.batch):
                continue
            turns = max(0, floor((mine - clocks.of(party)) / seconds) + 1)
            if newcomer.batch and not may_wait(queue[0], now):
                turns = len(queue)
            here += min(len(queue), turns)
            most += turns
        return most if use >= 1 else min(most, round(here / (1 - use)))

    def callers(self) -> Iterable[tuple[str, int]]:
        """Each caller, and how many of his requests wait."""
        return [(caller, len(queue)) for (_, caller), queue in self._of.items()]


def rank(ticket: Ticket, clocks: Clocks, now: float) -> tuple[bool, float, float, float]:
    """Smaller goes first: people before batches, then who had least, then who is pressed for time, then who came first."""
    return may_wait(ticket, now), clocks.of(ticket.party), ticket.deadline, ticket.arrived


def may_wait(ticket: Ticket, now: float) -> bool:
    """Whether it is a batch's, and has not waited long."""
    return ticket.batch and now - ticket.arrived < AGED


def arrival(ticket: Ticket) -> float:
    """When it came."""
    return ticket.arrived
