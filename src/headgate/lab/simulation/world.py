"""An agency whose truth is known: which requests come in a week, and which local answers to them would be good.

    world = make_world(chance);   world.week(3, chance) → {Kind: requests}

A request has a task, a length and a difficulty that nobody sees. Both models at home would answer it; whether each answer is as good as
the paid one depends on the difficulty, and the score of its checks hints at that, well or badly. What is drawn for each agency: its
traffic and where that is going, how hard its work is, how able the models are, and how much the checks can tell.
The paid model's answers are good by definition. No gate and no estimate is known here.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate, pairwise
from math import log2
from random import Random
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.beta import below
from headgate.core.words import Judge, Task

LENGTHS = (3_000, 3_500, 4_000, 4_500, 5_000, 6_000, 7_000, 8_000, 9_000, 12_000)
"""Tokens up to which prompts are alike; longer ones do not come."""
BARS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Scores from which on answers are alike."""
SCORES = (0.3, 0.52, 0.57, 0.62, 0.67, 0.72, 0.77, 0.9)
"""The score of those between two bars."""
LEVELS = 3
"""Of difficulty: easy, medium, hard."""


class Kind(NamedTuple):
    """Requests that are alike, with what both models at home would answer: scores as places in `SCORES`."""

    task: Task
    length: int
    """As a place in `LENGTHS`."""
    small: int
    small_good: bool
    large: int
    large_good: bool


Answers = tuple[int, bool, int, bool]
"""What both models would answer: the last four of a kind."""


class Work(Struct, frozen=True, kw_only=True):
    """One task as it comes to this agency."""

    task: Task
    judge: Judge
    """Who compares two answers to it."""
    share: float
    """Of the traffic."""
    trend: float = 0.0
    """By how much the share changes, week by week."""
    short: int
    """Tokens of its short prompts."""
    output: int
    lengthy: float
    """Share of prompts longer than the first of `LENGTHS`."""
    hard: float
    """Share of hard requests among short ones."""
    harder: float
    """By how much that rises each time that prompts are twice as long."""
    medium: float
    """Share of medium ones among the others."""
    small: tuple[float, ...]
    """How likely the small model's answer is good, by difficulty."""
    large: tuple[float, ...]
    good: tuple[float, float]
    """The beta distribution of the scores of good answers."""
    bad: tuple[float, float]
    """Likewise, of bad ones."""

    def tokens(self, length: int) -> int:
        """Prompt tokens of its requests of one length."""
        return self.short if length == 0 else (LENGTHS[length - 1] + LENGTHS[length]) // 2

    def lengths(self) -> list[float]:
        """How its prompts spread over the lengths: the longer, the fewer."""
        spread = [0.8**place for place in range(1, len(LENGTHS))]
        return [1 - self.lengthy, *[self.lengthy * part / sum(spread) for part in spread]]

    def answers(self, length: int) -> Mapping[Answers, float]:
        """How likely both models answer so to a request of one length."""
        return answers_to(self, length)


@lru_cache(maxsize=256)
def answers_to(work: Work, length: int) -> Mapping[Answers, float]:
    """How likely both models answer so to a request of one length; told once for each."""
    hard = min(0.9, work.hard + work.harder * max(0.0, log2(work.tokens(length) / LENGTHS[0])))
    levels = ((1 - hard) * (1 - work.medium), (1 - hard) * work.medium, hard)
    scores = {True: spread_of(*work.good), False: spread_of(*work.bad)}
    told: defaultdict[Answers, float] = defaultdict(float)
    for level, share in enumerate(levels):
        small, large = (
            [
                (place, good, part * (able[level] if good else 1 - able[level]))
                for good in (True, False)
                for place, part in enumerate(scores[good])
            ]
            for able in (work.small, work.large)
        )
        for one, one_good, p in small:
            for other, other_good, q in large:
                told[one, one_good, other, other_good] += share * p * q
    return told


class World(Struct, frozen=True, kw_only=True):
    """An agency."""

    volume: float
    """Requests in the first week."""
    growth: float
    """Of the volume, week by week."""
    works: tuple[Work, ...]
    digest: str = "first"
    """Of the small model's files, as its engine tells it."""

    def expected(self, week: int) -> dict[Kind, float]:
        """How many requests of each kind are expected in a week."""
        found = {}
        for work, many in self.traffic(week):
            for length, part in enumerate(work.lengths()):
                if part:
                    for answers, chance in work.answers(length).items():
                        found[Kind(work.task, length, *answers)] = many * part * chance
        return found

    def week(self, week: int, chance: Random) -> dict[Kind, int]:
        """The requests of a week, drawn one by one."""
        found: dict[Kind, int] = {}
        for work, many in self.traffic(week):
            lengths = work.lengths()
            drawn = Counter(
                chance.choices(range(len(lengths)), lengths, k=round(many * chance.uniform(0.9, 1.1)))
            )
            for length, requests in drawn.items():
                told = work.answers(length)
                kinds = chance.choices(tuple(told), cum_weights=tuple(accumulate(told.values())), k=requests)
                for answers, number in Counter(kinds).items():
                    found[Kind(work.task, length, *answers)] = number
        return found

    def traffic(self, week: int) -> list[tuple[Work, float]]:
        """The requests of each task."""
        whole = self.volume * (1 + self.growth) ** week
        return [(work, whole * work.share * max(0.2, 1 + work.trend * week)) for work in self.works]

    def works_by_task(self) -> Mapping[Task, Work]:
        """Its tasks by name."""
        return {work.task: work for work in self.works}


def spread_of(a: float, b: float) -> list[float]:
    """How a beta distribution spreads over `SCORES`."""
    ends = [0.0, *[below(bar, a, b) for bar in BARS], 1.0]
    return [high - low for low, high in pairwise(ends)]


# ── Agencies ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ABLE = (0.997, 0.97, 0.3), (0.999, 0.985, 0.5)
"""How likely the small model's answers are good, and the large one's: easy, medium, hard."""

GOOD, BAD = (7.0, 1.5), (2.2, 3.4)
"""Scores of good answers, and of bad ones."""


def usual(
    task: Task,
    judge: Judge,
    share: float,
    *,
    short: int,
    output: int,
    lengthy: float,
    hard: tuple[float, ...],
) -> Work:
    """A task as it is at most agencies; `hard` is of short ones, what each doubling of the length adds, and of medium ones."""
    return Work(
        task=task,
        judge=judge,
        share=share,
        short=short,
        output=output,
        lengthy=lengthy,
        hard=hard[0],
        harder=hard[1],
        medium=hard[2],
        small=ABLE[0],
        large=ABLE[1],
        good=GOOD,
        bad=BAD,
    )


USUAL = (
    usual("classification", "label", 0.3, short=250, output=12, lengthy=0.0, hard=(0.02, 0.0, 0.2)),
    usual("extraction", "fields", 0.2, short=900, output=180, lengthy=0.25, hard=(0.03, 0.3, 0.25)),
    usual("summarization", "local model", 0.2, short=1_600, output=260, lengthy=0.4, hard=(0.03, 0.3, 0.3)),
    usual("code", "local model", 0.14, short=1_300, output=700, lengthy=0.15, hard=(0.3, 0.2, 0.5)),
    usual("qa", "facts", 0.16, short=700, output=240, lengthy=0.1, hard=(0.12, 0.2, 0.3)),
)


def make_world(chance: Random) -> World:
    """An agency like no other."""
    works = []
    for work in USUAL:
        small, large = work.small, work.large
        works.append(
            replace(
                work,
                share=work.share * chance.uniform(0.6, 1.5),
                trend=chance.uniform(-0.02, 0.03),
                lengthy=work.lengthy * chance.uniform(0.6, 1.3),
                hard=work.hard * chance.uniform(0.5, 1.6),
                harder=work.harder * chance.uniform(0.5, 1.5),
                medium=work.medium * chance.uniform(0.7, 1.3),
                small=(small[0], small[1] - chance.uniform(0, 0.04), small[2] * chance.uniform(0.7, 1.3)),
                large=(large[0], large[1] - chance.uniform(0, 0.02), large[2] * chance.uniform(0.8, 1.1)),
                good=(GOOD[0] * chance.uniform(0.8, 1.3), GOOD[1]),
                bad=(BAD[0], BAD[1] * chance.uniform(0.8, 1.3)),
            )
        )
    whole = sum([work.share for work in works])
    return World(
        volume=chance.uniform(12_000, 30_000),
        growth=chance.uniform(-0.01, 0.03),
        works=tuple([replace(work, share=work.share / whole) for work in works]),
    )


# ── What may happen to one ───────────────────────────────────────────────────────────────────────────────────────────


def with_new_client(world: World) -> World:
    """A client comes whose summaries and questions are long and hard: a quarter more traffic."""
    more = tuple(
        [
            replace(work, share=work.share * 2.2, hard=work.hard + 0.25, lengthy=min(0.9, work.lengthy * 1.3))
            if work.task in ("summarization", "qa")
            else work
            for work in world.works
        ]
    )
    return replace(world, works=more)


def with_worse_model(world: World) -> World:
    """Another digest of the small model lies under its name: half as often good at what is not easy, and its scores hardly tell."""
    worse = tuple(
        [
            replace(
                work,
                small=(0.97, work.small[1] * 0.75, work.small[2] * 0.5),
                bad=(work.bad[0] * 1.6, work.bad[1]),
            )
            for work in world.works
        ]
    )
    return replace(world, works=worse, digest="second")


def with_untold_worse_model(world: World) -> World:
    """The same, behind an engine that tells no digests: nobody can see that it is another model."""
    return replace(with_worse_model(world), digest=world.digest)


def with_new_task(world: World) -> World:
    """Translations come, of which the models at home know little: an eighth of the traffic."""
    new = usual("translation", "local model", 0.14, short=500, output=300, lengthy=0.1, hard=(0.3, 0.05, 0.5))
    new = replace(new, small=(0.95, 0.7, 0.3), large=(0.97, 0.8, 0.5), bad=(3.5, 2.5))
    return replace(world, works=(*world.works, new))
