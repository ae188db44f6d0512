"""Whose turn it is: the waiting requests of one lane, fair between callers.

Every caller has a clock that runs while his requests are served; whoever's clock shows least goes next (start-time fair
queueing, Goyal et al. 1996). So one caller's five hundred requests wait for each other, and not the other nineteen callers
for them. A caller who was away gains nothing by it: his clock is set to that of those who are being served. People go
before batches, until a batch has waited long.

Pure but for its own memory: time is an argument. It does not know engines or models.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

AGED = 600.0
"""Seconds after which a batch's request is served like a person's."""

MANY_CALLERS = 10_000


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


class Clocks:
    """How much each caller has been served, in seconds of service."""

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        self._now = 0.0

    def of(self, caller: str) -> float:
        """What the caller's clock shows."""
        return max(self._served.get(caller, 0.0), self._now)

    def charge(self, caller: str, seconds: float) -> None:
        """Serve the caller for so long; the clock of everybody who comes later starts from where his stood."""
        self._now = self.of(caller)
        if len(self._served) >= MANY_CALLERS:  # a clock that is behind is the same as none
            self._served = {one: had for one, had in self._served.items() if had > self._now}
        self._served[caller] = self._now + seconds


class Waiting:
    """The requests that wait for one lane: per caller in the order in which they came."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[tuple[bool, str], deque[Ticket]] = {}

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
        self._of.setdefault((ticket.batch, ticket.caller), deque()).append(ticket)

    def remove(self, ticket: Ticket) -> bool:
        """Wait no longer; False if it did not."""
        queue = self._of.get((ticket.batch, ticket.caller))
        if queue is None or ticket not in queue:
            return False
        queue.remove(ticket)
        if not queue:
            del self._of[ticket.batch, ticket.caller]
        return True

    def clear(self) -> None:
        """Let all of them go."""
        self._of.clear()

    def next(self, clocks: Clocks, now: float) -> Ticket | None:
        """Whose turn it is."""
        if not self._of:
            return None
        return min((queue[0] for queue in self._of.values()), key=lambda ticket: rank(ticket, clocks, now))

    def oldest(self, *, batch: bool | None = None) -> Ticket | None:
        """Who has waited longest, among people (False), batches (True) or all."""
        heads = [queue[0] for key, queue in self._of.items() if batch is None or key[0] is batch]
        return min(heads, key=lambda ticket: ticket.arrived, default=None)

    def ahead_of(self, caller: str, *, batch: bool) -> int:
        """How many would probably go before a newcomer: one of each other caller's for each of his own."""
        own = len(self._of.get((batch, caller), ()))
        return own + sum(
            len(queue) if batch and not its_batch else min(len(queue), own + 1)
            for (its_batch, other), queue in self._of.items()
            if other != caller and (batch or not its_batch)
        )

    def callers(self) -> Iterable[tuple[str, int]]:
        """Each caller, and how many of his requests wait."""
        return [(caller, len(queue)) for (_, caller), queue in self._of.items()]


def rank(ticket: Ticket, clocks: Clocks, now: float) -> tuple[bool, float, float, float]:
    """Smaller goes first: people before batches, then who had least, then who is pressed for time, then who came first."""
    later = ticket.batch and now - ticket.arrived < AGED
    return later, clocks.of(ticket.caller), ticket.deadline, ticket.arrived
