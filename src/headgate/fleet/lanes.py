"""A lane: one model with one context size, as the scheduler sees it. Several lanes of a model share its weights.

    out → loading → ready → (draining) → leaving → out

An engine that loads its models by itself, or a paid one, has lanes that are always ready. Here stand the facts and the small
sums over them; what to do next is decided in `scheduler` and `residency`.
"""

from collections.abc import Mapping
from math import exp, log
from typing import Literal

from msgspec import Struct

from headgate.fleet.turns import Waiting

State = Literal["out", "loading", "ready", "leaving"]

NEWEST = 0.2
"""Weight of the newest call in the running mean of service times."""

HALF_LIFE = 300.0
"""Seconds after which traffic counts half in a lane's demand."""


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


class Lane:
    """A lane as it is now."""

    __slots__ = (
        "_demand",
        "_demand_at",
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
        "since",
        "slots",
        "state",
        "used_at",
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
        self.service = facts.service
        self.state: State = "ready" if facts.pool is None else "out"
        self.running = 0
        self.waiting = Waiting()
        self.draining = False
        """Nothing more is started, because another lane needs its memory."""
        self.since = 0.0
        """When it came into its state."""
        self.used_at = 0.0
        """When a request last ended."""
        self.failures = 0
        """Loads that failed in a row."""
        self.retry_at = 0.0
        """When it may be loaded again after one that failed."""
        self.why_not = ""
        """Why the last load failed."""
        self._demand = 0.0
        self._demand_at = 0.0

    def served(self, seconds: float | None, now: float) -> None:
        """One request has ended, after so many seconds where these say something about the pace."""
        self.used_at = now
        if seconds is None:
            return
        self.service = seconds if self.service is None else self.service + NEWEST * (seconds - self.service)
        self.add_demand(seconds, now)

    def add_demand(self, seconds: float, now: float) -> None:
        """So many seconds of service were wanted."""
        faded = self._demand * exp(-log(2) * (now - self._demand_at) / HALF_LIFE)
        self._demand = faded + seconds
        self._demand_at = now

    def use(self, now: float) -> float:
        """The share of its slots' time that recent traffic took: 0 is unused, 1 is all of it."""
        faded = self._demand * exp(-log(2) * (now - self._demand_at) / HALF_LIFE)
        return min(1.0, faded * log(2) / HALF_LIFE / self.slots)

    def enter(self, state: State, now: float) -> None:
        """Come into a state."""
        self.state = state
        self.since = now
        self.draining = False

    @property
    def idle(self) -> bool:
        """In memory, with nothing to do."""
        return self.state == "ready" and not self.running and not self.waiting

    @property
    def here(self) -> bool:
        """It takes memory."""
        return self.state != "out"


def fits(lane: Lane, context: int | None) -> bool:
    """Whether requests of a lane with that context can be served in this one."""
    return lane.context is None or (context is not None and context <= lane.context)


def used(lanes: Mapping[str, Lane], pool: str) -> int:
    """Bytes that lanes take in a pool."""
    return sum([lane.memory for lane in lanes.values() if lane.pool == pool and lane.here])
