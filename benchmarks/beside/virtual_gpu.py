"""A card that loads models and answers requests, on a clock that jumps from event to event. No time passes in it.

What it takes from a capability card: seconds to load, speed of reading and writing alone, speed of several together, memory.
What it adds:

- requests of one model share it: writing slows down so that several together write as fast as the card says; reading
  prompts gains nothing by company;
- models that answer at the same time share the card evenly;
- unloading takes `UNLOAD` seconds; loading does not slow down what is answered meanwhile.

It does not know who decides what is loaded and who is next.
"""

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from headgate.core.cards import LEAST_SCORED, Card
from headgate.core.words import Task

UNLOAD = 1.0
"""Seconds until memory is given back."""


class Costs(Struct, frozen=True, kw_only=True):
    """What one model costs, from its card."""

    name: str
    load: float
    read: float
    """Prompt tokens per second."""
    write: float
    """Tokens per second, one request alone."""
    crowding: float
    """By so much each further request slows down the others: 0 is not at all, 1 is no gain by company."""
    slots: int
    memory: int
    scores: Mapping[Task, float] = {}
    """How well it did in the exam, 0–1, task by task."""


def costs_of(card: Card) -> Costs:
    """The costs that a card tells; ValueError when it lacks a figure."""
    if card.load_seconds is None or card.prompt_speed is None or card.speed is None or card.memory is None:
        raise ValueError(f"the card of {card.id} lacks load_seconds, prompt_speed, speed or memory")
    slots = card.parallel if card.speed_parallel is not None else 1
    crowding = (
        (slots * card.speed / (card.speed_parallel or card.speed) - 1) / (slots - 1) if slots > 1 else 1
    )
    return Costs(
        name=card.id,
        load=card.load_seconds,
        read=card.prompt_speed,
        write=card.speed,
        crowding=max(crowding, 0.0),
        slots=slots,
        memory=card.memory,
        scores={
            task: share.passed / share.of for task, share in card.tasks.items() if share.of >= LEAST_SCORED
        },
    )


def read_cards(path: Path) -> list[Card]:
    """The cards of a file, a list or what `headgate models bench --json` prints; ValueError when they are none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(found["cards"] if isinstance(found, dict) else found, list[Card])
    except (KeyError, msgspec.ValidationError) as error:
        raise ValueError(f"no cards are in it: {error}") from error


class Job(Struct, kw_only=True, eq=False):
    """One request, from the moment when somebody sends it."""

    caller: str
    kind: str
    task: Task
    model: str
    """That is asked; once begun, that answers."""
    prompt: int
    answer: int
    """Tokens."""
    batch: bool = False
    arrived: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    expected: float | None = None
    """Seconds of waiting that were foretold; None where nobody was asked."""
    reading: float = 0.0
    """Seconds of work left, if it were alone."""
    writing: float = 0.0


class World:
    """The clock, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, moment: float, do: Callable[[], None]) -> None:
        """Do something then."""
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something so much later."""
        self.at(self.now + seconds, do)

    def run(self) -> None:
        """Let time pass until nothing happens any more."""
        while self._events:
            self.now, _, do = heapq.heappop(self._events)
            do()


class Gpu:
    """The card. Whoever decides calls `start`, `load` and `unload`, and is called back."""

    def __init__(self, world: World, models: Sequence[Costs]) -> None:
        self.world = world
        self.models = {model.name: model for model in models}
        self.loads = 0
        self.loading_seconds = 0.0
        """That it spent loading."""
        self._running: dict[str, list[Job]] = {name: [] for name in self.models}
        self._then: dict[int, Callable[[Job], None]] = {}
        self._at = 0.0
        self._turn = 0

    def load(self, name: str, then: Callable[[str], None]) -> None:
        """Load a model."""
        self.loads += 1
        self.loading_seconds += self.models[name].load
        self.world.after(self.models[name].load, lambda: then(name))

    def unload(self, name: str, then: Callable[[str], None]) -> None:
        """Unload a model, in which nothing may run."""
        assert not self._running[name], f"{name} was unloaded while it answered"
        self.loading_seconds += UNLOAD
        self.world.after(UNLOAD, lambda: then(name))

    def start(self, job: Job, then: Callable[[Job], None]) -> None:
        """Answer a request."""
        self._advance()
        costs = self.models[job.model]
        assert len(self._running[job.model]) < costs.slots, f"{job.model} has no slot left"
        job.started = self.world.now
        job.reading, job.writing = job.prompt / costs.read, job.answer / costs.write
        self._running[job.model].append(job)
        self._then[id(job)] = then
        self._await_next()

    def _rates(self) -> list[tuple[Job, float]]:
        """How fast each request goes on, as a share of its speed alone."""
        busy = [name for name, jobs in self._running.items() if jobs]
        found = []
        for name in busy:
            jobs = self._running[name]
            writing = 1 / (1 + (len(jobs) - 1) * self.models[name].crowding)
            for job in jobs:
                rate = 1 / len(jobs) if job.reading > 0 else writing
                found.append((job, rate / len(busy)))
        return found

    def _advance(self) -> None:
        """Bring what runs up to now."""
        passed, self._at = self.world.now - self._at, self.world.now
        if passed <= 0:
            return
        for job, rate in self._rates():
            if job.reading > 0:
                job.reading = max(0.0, job.reading - passed * rate)
                if job.reading < 1e-9:
                    job.reading = 0.0
            else:
                job.writing = max(0.0, job.writing - passed * rate)

    def _await_next(self) -> None:
        """Come back when the next request has read its prompt or has been answered."""
        self._turn += 1
        turn = self._turn
        waits = [(job.reading or job.writing) / rate for job, rate in self._rates()]
        if waits:
            self.world.after(min(waits), lambda: self._come_back(turn))

    def _come_back(self, turn: int) -> None:
        if turn != self._turn:
            return  # others have started since
        self._advance()
        done = []
        for jobs in self._running.values():
            done += [job for job in jobs if job.reading == 0 and job.writing < 1e-9]
            jobs[:] = [job for job in jobs if not (job.reading == 0 and job.writing < 1e-9)]
        for job in done:
            job.ended = self.world.now
        self._await_next()
        for job in done:
            self._then.pop(id(job))(job)
