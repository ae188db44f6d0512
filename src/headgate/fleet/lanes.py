"""A lane: one model with one context size, as the scheduler sees it. Several lanes of a model share its weights.

    out → loading → ready → (draining) → leaving → out

An engine that loads its models by itself, or a paid one, has lanes that are always ready. Here stand the facts and the small
sums over them; what to do next is decided in `scheduler` and `residency`.
"""

from collections.abc import Mapping
from math import exp2, log
from typing import Literal

from msgspec import Struct

from headgate.fleet.turns import Waiting

State = Literal["out", "loading", "ready", "leaving"]

NEWEST = 0.1
"""Weight of the newest call in the running mean of service times. At 0.5 people waited longer: one long answer is no trend."""

HALF_LIFE = 300.0
"""Seconds after which a request counts half in a lane's traffic. A fifth and four times of it made no difference."""


LEAST_LOAD = 60.0
"""Seconds that a load is given at least: from a disk that has to be read it takes many times what it took before."""

TIMES_LOAD = 6.0


class Pool(Struct, frozen=True):
    """Memory that lanes share: a card, or a machine's RAM."""

    name: str
    capacity: int
    """Bytes that models may take."""


class LaneFacts(Struct, frozen=True, kw_only=True):
    """What is known of a lane before anything happens."""

    name: str
    """The model's name in the policy."""
    engine: str
    weights: str
    """What is loaded: lanes of one engine with the same weights take each other's place."""
    context: int | None = None
    slots: int = 1
    """Requests at a time."""
    pool: str | None = None
    """The memory in which it has to fit; None: the engine sees to that by itself."""
    memory: int = 0
    """Bytes."""
    load_seconds: float = 0.0
    service: float | None = None
    """Seconds that a request takes; None until one has been measured."""
    rate: float = 0.0
    """Requests per second in the time before."""


class Lane:
    """A lane as it is now."""

    __slots__ = (
        "_counted",
        "_counted_at",
        "context",
        "draining",
        "engine",
        "failures",
        "load_seconds",
        "memory",
        "name",
        "pool",
        "retry_at",
        "running",
        "service",
        "shorter",
        "since",
        "slots",
        "state",
        "unload_seconds",
        "waiting",
        "weights",
        "why_not",
    )

    def __init__(self, facts: LaneFacts) -> None:
        self.name = facts.name
        self.engine = facts.engine
        self.weights = facts.weights
        self.context = facts.context
        self.slots = facts.slots
        self.pool = facts.pool
        self.memory = facts.memory
        self.load_seconds = facts.load_seconds
        self.unload_seconds = 0.0
        self.service = facts.service
        self.state: State = "ready" if facts.pool is None else "out"
        self.running = 0
        self.waiting = Waiting()
        self.shorter: tuple[Lane, ...] = ()
        """Lanes of the same model whose requests it serves while it is in their place."""
        self.draining = False
        """Nothing more is started, because another lane needs its memory."""
        self.since = 0.0
        """When it came into its state."""
        self.failures = 0
        """Loads that failed in a row."""
        self.retry_at = 0.0
        """When it may be loaded again after one that failed."""
        self.why_not = ""
        """Why the last load failed."""
        self._counted = 0.0
        self._counted_at = 0.0

    def served(self, seconds: float | None, now: float) -> None:
        """One request has ended, after so many seconds where these say something about the pace."""
        self._counted = self._recent(now) + 1.0
        self._counted_at = now
        if seconds is not None:
            self.service = mean(self.service, seconds)

    def expect(self, rate: float, now: float) -> None:
        """So many requests per second came before anybody here counted them."""
        self._counted = max(self._recent(now), rate * HALF_LIFE / log(2))
        self._counted_at = now

    def rate(self, now: float) -> float:
        """Requests per second of late."""
        return self._recent(now) * log(2) / HALF_LIFE

    def use(self, now: float) -> float:
        """The share of its slots' time that recent traffic took: 0 is unused, 1 is all of it."""
        return min(1.0, self.rate(now) * (self.service or 0.0) / self.slots)

    def load_within(self, most: float) -> float:
        """Seconds that a load may take: several times what is usual, so that one that hangs does not block the memory for long.

        After a failure it gets all that the user allows: perhaps it was slow, and did not hang.
        """
        if not self.load_seconds or self.failures:
            return most
        return min(most, max(LEAST_LOAD, TIMES_LOAD * self.load_seconds))

    def _recent(self, now: float) -> float:
        return self._counted * exp2((self._counted_at - now) / HALF_LIFE)

    def enter(self, state: State, now: float) -> None:
        """Come into a state."""
        self.state = state
        self.since = now
        self.draining = False

    @property
    def queues(self) -> list[Waiting]:
        """Who waits to be served in it: its own, and those of shorter lanes."""
        return [self.waiting, *[lane.waiting for lane in self.shorter if lane.state == "out"]]

    @property
    def wanted_by(self) -> int:
        """How many wait to be served in it."""
        return sum([len(queue) for queue in self.queues])

    def wanted_by_people(self, now: float) -> bool:
        """Whether there are people among them."""
        return any(queue.oldest_person(now) is not None for queue in self.queues)

    @property
    def idle(self) -> bool:
        """In memory, with nothing to do."""
        return self.state == "ready" and not self.running and not any(self.queues)

    @property
    def here(self) -> bool:
        """It takes memory."""
        return self.state != "out"


def mean(known: float | None, newest: float) -> float:
    """A running mean in which the newest counts most."""
    return newest if known is None else known + NEWEST * (newest - known)


def fits(lane: Lane, context: int | None) -> bool:
    """Whether requests of a lane with that context can be served in this one."""
    return lane.context is None or (context is not None and context <= lane.context)


def used(lanes: Mapping[str, Lane], pool: str) -> int:
    """Bytes that lanes take in a pool."""
    return sum([lane.memory for lane in lanes.values() if lane.pool == pool and lane.here])
