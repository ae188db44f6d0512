"""Twenty people of an agency and what they ask, drawn once by a seed, so that every schedule gets the same work.

Somebody who works asks, waits for the answer, thinks, and asks again; so whoever is slow is asked less. Now and then somebody has
a pile: ten to twenty mails to sort, sent together. A batch is one caller's list, sent so many at a time.

An office day has a morning, a lunch break and an afternoon. Each hour is like one of the levels; in its course people hand in
batches, each of one kind of work. It lasts until all is done: whoever has to wait for his answers goes home later.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from msgspec import Struct

from beside.virtual_gpu import Job, World
from headgate.core.words import Task

PEOPLE = 20

QUIET, WORKING, BUSY, RUSH = 400.0, 90.0, 30.0, 5.0
"""Seconds between an answer and the next ask, on average."""

OFFICE_HOURS = (WORKING, BUSY, WORKING, QUIET, WORKING, BUSY, WORKING, QUIET)
"""Nine to five: a peak in the morning and one in the afternoon, a lunch break, and people who leave."""

ANSWER = 5.0
"""Seconds that an answer takes, when asks are spread over the hours."""

BATCH_SIZES = (100, 900)
"""Items of a batch that somebody hands in; 500 in the middle."""

BATCH_AT_A_TIME = 8
"""As `headgate agents run --batch` sends them: twice as many as the model takes at a time."""


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
    hours: Sequence[float] = ()
    """The same, hour by hour of an office day; people ask as often as it takes to fill it."""
    piles: float = 0.0
    """How often an ask of a person is a pile of mails."""
    batch: int = 0
    batch_at_a_time: int = 500
    handed_in: int = 0
    """Batches of each person, at any time of the office day."""
    said: str = ""
    """In words."""

    @property
    def has_people(self) -> bool:
        """Whether anybody sits and waits."""
        return bool(self.asks or self.hours)

    @property
    def has_batches(self) -> bool:
        """Whether there is work that may wait."""
        return bool(self.batch or self.handed_in)


LEVELS = (
    Level(name="quiet", asks=15, think=QUIET, said="each asks every seven minutes"),
    Level(name="a working day", asks=40, think=WORKING, piles=0.03, said="each asks every minute and a half"),
    Level(name="a busy day", asks=60, think=BUSY, piles=0.03, said="each asks every half minute"),
    Level(name="rush hour", asks=60, think=RUSH, piles=0.03, said="all ask all the time"),
    Level(
        name="a working day, and a batch 16 at a time",
        asks=40,
        think=WORKING,
        piles=0.03,
        batch=500,
        batch_at_a_time=16,
        said="somebody's program works through 500 items",
    ),
    Level(
        name="a busy day, and a batch at once",
        asks=60,
        think=BUSY,
        piles=0.03,
        batch=500,
        said="somebody sends 500 requests in one go",
    ),
    Level(
        name="a night, a batch 16 at a time", batch=500, batch_at_a_time=16, said="a program, and no people"
    ),
    Level(name="a night, a batch at once", batch=500, said="500 requests in one go, and no people"),
)


DAYS = tuple(
    Level(name=name, hours=OFFICE_HOURS, piles=0.03, handed_in=batches, said=said)
    for batches, name, said in (
        (0, "an office day without batches", "eight office hours with two peaks and a lunch break"),
        (1, "the agency's day", "the same, and each person hands in a batch of some hundred items"),
        (2, "a heavy day of the agency", "the same with two batches each"),
        (3, "a day with three batches each", "the same with three batches each"),
        (4, "a day with four batches each", "the same with four batches each"),
    )
)
"""The second is the one that counts; the others show what changes with the work."""


class Person(Struct):
    """What one caller asks: (seconds of thinking, the requests that he then sends together)."""

    asks: list[tuple[float, list[Job]]]


class Batch(Struct):
    """What somebody's program works through."""

    at: float
    """Seconds from the beginning of the day, when it is handed in."""
    at_a_time: int
    jobs: list[Job]


def draw(level: Level, roles: dict[str, str], seed: int) -> tuple[list[Person], list[Batch]]:
    """The people's asks and the batches."""
    dice = Random(seed)
    people = [
        Person([ask(think, level, roles, f"person {n}", dice) for think in thinking(level, dice)])
        for n in range(PEOPLE)
    ]
    batches = []
    if level.batch:
        kinds = dice.choices(KINDS, [kind.batch_share for kind in KINDS], k=level.batch)
        jobs = [job(kind, roles, "the batch", dice, batch=True) for kind in kinds]
        batches.append(Batch(0.0, level.batch_at_a_time, jobs))
    for n in range(PEOPLE):
        batches += [hand_in(level, roles, f"person {n}", dice) for _ in range(level.handed_in)]
    return people, batches


def thinking(level: Level, dice: Random) -> Iterator[float]:
    """How long somebody thinks before each of his asks."""
    for _ in range(level.asks):
        yield dice.expovariate(1 / level.think)
    now = 0.0
    while level.hours:
        hour = int(now // 3600)
        if hour >= len(level.hours):
            return
        think = dice.expovariate(1 / level.hours[hour])
        now += think + ANSWER
        yield think


def ask(
    think: float, level: Level, roles: dict[str, str], caller: str, dice: Random
) -> tuple[float, list[Job]]:
    """One ask: mostly one request, sometimes a pile of mails."""
    if dice.random() < level.piles:
        return think, [job(KINDS[0], roles, caller, dice) for _ in range(dice.randint(10, 20))]
    kind = dice.choices(KINDS, [kind.share for kind in KINDS])[0]
    return think, [job(kind, roles, caller, dice)]


def hand_in(level: Level, roles: dict[str, str], caller: str, dice: Random) -> Batch:
    """A batch of one kind of work, as an agent has it."""
    kind = dice.choices(KINDS, [kind.batch_share for kind in KINDS])[0]
    at = dice.uniform(0, 3600 * len(level.hours))
    size = dice.randint(*BATCH_SIZES)
    return Batch(at, BATCH_AT_A_TIME, [job(kind, roles, caller, dice, batch=True) for _ in range(size)])


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
    """People and batches at work on a clock."""

    def __init__(self, world: World, people: Sequence[Person], batches: Sequence[Batch]) -> None:
        self.world = world
        self.send: Callable[[Job], None] = lambda _: None
        self.done: list[Job] = []
        self._asks = {f"person {n}": iter(person.asks) for n, person in enumerate(people)}
        self._open = dict.fromkeys(self._asks, 0)
        self._batches = batches
        self._rest: dict[int, Iterator[Job]] = {}
        """What follows in the batch of a job that is on its way."""

    def begin(self) -> None:
        """Everybody starts to think, and the batches are handed in when it is time."""
        for caller in self._asks:
            self._think(caller)
        for batch in self._batches:
            self.world.at(batch.at, lambda batch=batch: self._hand_in(batch))

    def answered(self, job: Job) -> None:
        """Somebody has his answer."""
        self.done.append(job)
        if job.batch:
            self._next_of(self._rest.pop(id(job)))
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

    def _hand_in(self, batch: Batch) -> None:
        rest = iter(batch.jobs)
        for _ in range(batch.at_a_time):
            self._next_of(rest)

    def _next_of(self, rest: Iterator[Job]) -> None:
        following = next(rest, None)
        if following is not None:
            self._rest[id(following)] = rest
            self._send(following)

    def _send(self, job: Job) -> None:
        job.arrived = self.world.now
        self.send(job)
