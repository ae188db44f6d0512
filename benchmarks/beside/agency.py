"""Twenty people of an agency and what they ask, drawn once by a seed, so that every schedule gets the same work.

Somebody who works asks, waits for the answer, thinks, and asks again; so whoever is slow is asked less. Now and then somebody has
a pile: ten to twenty mails to sort, sent together. A batch is one caller's list, sent so many at a time.
"""

from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from beside.virtual_gpu import Job, World
from headgate.core.words import Task

PEOPLE = 20


class Kind(Struct, frozen=True):
    """One kind of work."""

    name: str
    role: str
    """Which of the models does it: `general`, `code` or `sorting`."""
    share: float
    """Of all that people ask one at a time."""
    batch_share: float
    task: Task
    """As the router and the exam call it."""
    prompt: int
    answer: int
    """Tokens, in the middle; they vary by half either way."""


KINDS = (
    Kind("support mail sorted", "sorting", 0.30, 0.40, "classification", 450, 12),
    Kind("meeting notes summed up", "general", 0.25, 0.30, "summarization", 1500, 220),
    Kind("question to the knowledge base", "general", 0.20, 0.10, "qa", 2200, 180),
    Kind("report drafted", "general", 0.10, 0.05, "writing", 900, 650),
    Kind("code written", "code", 0.15, 0.15, "code", 1100, 350),
)


class Level(Struct, frozen=True, kw_only=True):
    """How much is asked."""

    name: str
    asks: int = 0
    """Of each person."""
    think: float = 60.0
    """Seconds between an answer and the next ask, on average."""
    piles: float = 0.0
    """How often an ask of a person is a pile of mails."""
    batch: int = 0
    batch_at_a_time: int = 500
    said: str = ""
    """In words."""


LEVELS = (
    Level(name="quiet", asks=15, think=400, said="each asks every seven minutes"),
    Level(name="a working day", asks=40, think=90, piles=0.03, said="each asks every minute and a half"),
    Level(name="a busy day", asks=60, think=30, piles=0.03, said="each asks every half minute"),
    Level(name="rush hour", asks=60, think=5, piles=0.03, said="all ask all the time"),
    Level(
        name="a working day, and a batch 16 at a time",
        asks=40,
        think=90,
        piles=0.03,
        batch=500,
        batch_at_a_time=16,
        said="somebody's program works through 500 items",
    ),
    Level(
        name="a busy day, and a batch at once",
        asks=60,
        think=30,
        piles=0.03,
        batch=500,
        said="somebody sends 500 requests in one go",
    ),
    Level(
        name="a night, a batch 16 at a time", batch=500, batch_at_a_time=16, said="a program, and no people"
    ),
    Level(name="a night, a batch at once", batch=500, said="500 requests in one go, and no people"),
)


class Person(Struct):
    """What one caller asks: (seconds of thinking, the requests that he then sends together)."""

    asks: list[tuple[float, list[Job]]]


def draw(level: Level, roles: dict[str, str], seed: int) -> tuple[list[Person], list[Job]]:
    """The people's asks and the batch."""
    dice = Random(seed)
    people = [
        Person([ask(level, roles, f"person {n}", dice) for _ in range(level.asks)]) for n in range(PEOPLE)
    ]
    drawn = dice.choices(KINDS, [kind.batch_share for kind in KINDS], k=level.batch)
    return people, [job(kind, roles, "the batch", dice, batch=True) for kind in drawn]


def ask(level: Level, roles: dict[str, str], caller: str, dice: Random) -> tuple[float, list[Job]]:
    """One ask: mostly one request, sometimes a pile of mails."""
    think = dice.expovariate(1 / level.think)
    if dice.random() < level.piles:
        return think, [job(KINDS[0], roles, caller, dice) for _ in range(dice.randint(10, 20))]
    kind = dice.choices(KINDS, [kind.share for kind in KINDS])[0]
    return think, [job(kind, roles, caller, dice)]


def job(kind: Kind, roles: dict[str, str], caller: str, dice: Random, *, batch: bool = False) -> Job:
    """One request."""
    return Job(
        caller=caller,
        kind=kind.name,
        task=kind.task,
        model=roles[kind.role],
        prompt=round(kind.prompt * dice.uniform(0.5, 1.5)),
        answer=round(kind.answer * dice.uniform(0.5, 1.5)),
        batch=batch,
    )


class Crowd:
    """People and batch at work on a clock."""

    def __init__(self, world: World, level: Level, people: Sequence[Person], batch: Sequence[Job]) -> None:
        self.world = world
        self.send: Callable[[Job], None] = lambda _: None
        self.done: list[Job] = []
        self._asks = {f"person {n}": iter(person.asks) for n, person in enumerate(people)}
        self._open = dict.fromkeys(self._asks, 0)
        self._batch = iter(batch)
        self._at_a_time = level.batch_at_a_time

    def begin(self) -> None:
        """Everybody starts to think, and the batch is sent."""
        for caller in self._asks:
            self._think(caller)
        for _ in range(self._at_a_time):
            self._next_of_batch()

    def answered(self, job: Job) -> None:
        """Somebody has his answer."""
        self.done.append(job)
        if job.batch:
            self._next_of_batch()
            return
        self._open[job.caller] -= 1
        if not self._open[job.caller]:
            self._think(job.caller)

    def _think(self, caller: str) -> None:
        asked = next(self._asks[caller], None)
        if asked is not None:
            think, jobs = asked
            self.world.after(think, lambda: self._ask(caller, jobs))

    def _ask(self, caller: str, jobs: Sequence[Job]) -> None:
        self._open[caller] = len(jobs)
        for each in jobs:
            self._send(each)

    def _next_of_batch(self) -> None:
        following = next(self._batch, None)
        if following is not None:
            self._send(following)

    def _send(self, job: Job) -> None:
        job.arrived = self.world.now
        self.send(job)
