"""Days of an agency, played under each schedule, and what came of them: how long all took, who waited how long, how often was loaded."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, starmap
from math import sqrt
from random import Random

from msgspec import Struct

from beside.agency import DAYS, LEVELS, Crowd, Level, draw
from beside.equals import EqualQueue
from beside.queues import HeadgateQueue, OllamaQueue, OneQueue
from beside.virtual_gpu import Costs, Gpu, Job, World

OURS, ALONE, ORDERLY, BOUND = "Headgate", "Ollama alone", "order of arrival", "memory for all three"
EQUAL = "Headgate, equal models"
SCHEDULES = {
    ALONE: OllamaQueue,
    ORDERLY: OneQueue,
    OURS: HeadgateQueue,
    EQUAL: EqualQueue,
    BOUND: HeadgateQueue,
}
ROLES = ("general", "code", "sorting")
SLOWER = 3.0
"""So many times as long a load takes in the table of slow loads …"""
SLOW_LEVELS = tuple(
    [
        level
        for level in LEVELS
        if level.name
        in ("a busy day", "rush hour", "a busy day, and a batch at once", "a night, a batch 16 at a time")
    ]
)
"""… which has these levels only."""


STUDENT = {3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31}
"""Student's t, two-sided 95 %, by the number of days; of more than nine it is 2.26 at most."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One day under one schedule. Seconds."""

    took: float
    """Until everybody had everything."""
    answered: int
    waits: Sequence[float]
    """Of people, until their request was begun."""
    batch_waits: Sequence[float]
    batch_took: float
    """From handing a batch in to its last answer, on average."""
    loads: int
    fewest: int
    """Loads for people's requests one after the other, if it were known what comes."""
    loading: float
    """Seconds of loading and unloading."""
    foretold: Sequence[tuple[float, float]]
    """What people were told that they would wait, and what they waited."""


class Summary(Struct, frozen=True, kw_only=True):
    """Means over all days, and half the width of their 95 % intervals."""

    per_minute: float
    took: float
    wait_p50: float
    wait_p95: float
    wait_p95_give: float | None
    wait_p99: float
    batch_p50: float
    batch_p95: float
    batch_took: float
    loads: float
    loads_give: float | None
    loads_fewest: float
    loads_each: float
    """By answer."""
    loading: float


def play(schedule: str, level: Level, models: Sequence[Costs], memory: int, seed: int) -> Outcome:
    """One day from the first ask to the last answer."""
    world = World()
    gpu = Gpu(world, models)
    roles = dict(zip(ROLES, [model.name for model in models], strict=True))
    people, batches = draw(level, roles, seed)
    crowd = Crowd(world, people, batches)
    room = sum(model.memory for model in models) if schedule == BOUND else memory
    by_path = Random(seed).sample(models, len(models))  # how the files' digests fall is chance
    queue = SCHEDULES[schedule](world, gpu, by_path, room, crowd.answered)
    crowd.send = queue.arrive
    crowd.begin()
    world.run()
    asked = sum(len(batch.jobs) for batch in batches)
    asked += sum(len(jobs) for person in people for _, jobs in person.asks)
    assert len(crowd.done) == asked, f"{schedule} lost {asked - len(crowd.done)} requests"
    persons = [job for job in crowd.done if not job.batch]
    batch_waits = [waited(job) for job in crowd.done if job.batch]
    batch_took = [world_end(batch.jobs) - batch.at for batch in batches]
    return Outcome(
        took=world_end(crowd.done),
        answered=asked,
        waits=[waited(job) for job in persons],
        batch_waits=batch_waits,
        batch_took=statistics.fmean(batch_took) if batches else 0.0,
        loads=gpu.loads,
        fewest=fewest_loads([job.model for job in sorted(persons, key=lambda job: job.arrived)]),
        loading=gpu.loading_seconds,
        foretold=[(job.expected, waited(job)) for job in persons if job.expected is not None],
    )


def fewest_loads(models: Sequence[str]) -> int:
    """Loads of somebody who serves these in this order and knows what comes, with room for two: that one goes which is wanted last."""
    never = len(models)
    wanted_next, coming = [never] * never, dict[str, int]()
    for number in range(never - 1, -1, -1):
        wanted_next[number] = coming.get(models[number], never)
        coming[models[number]] = number
    loads, here = 0, dict[str, int]()
    for name, following in zip(models, wanted_next, strict=True):
        if name not in here:
            loads += 1
            if len(here) == 2:
                del here[max(here, key=lambda other: here[other])]
        here[name] = following
    return loads


def world_end(jobs: Sequence[Job]) -> float:
    """When the last was answered."""
    return max((job.ended for job in jobs), default=0.0)


def waited(job: Job) -> float:
    """Seconds until it was begun."""
    return job.started - job.arrived


# ── Many days ────────────────────────────────────────────────────────────────────────────────────────────────────────


Played = Mapping[tuple[str, str], Sequence[Outcome]]
"""By level and schedule."""


def compare(models: Sequence[Costs], memory: int, days: int, workers: int = 1) -> tuple[Played, Played]:
    """All levels under all schedules, with loads as fast as the cards say, and slower."""
    slow = [replace_load(model, SLOWER * model.load) for model in models]
    usual = [(name, level, models) for level in (*DAYS, *LEVELS) for name in SCHEDULES]
    slower = [(name, level, slow) for level in SLOW_LEVELS for name in (ALONE, ORDERLY, OURS, EQUAL)]
    plays = [
        (name, level, costs, memory, seed)
        for name, level, costs in (*usual, *slower)
        for seed in range(played(level, days))
    ]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            outcomes: Iterator[Outcome] = iter(list(pool.map(play, *zip(*plays, strict=True))))
    else:
        outcomes = starmap(play, plays)

    def gathered(kinds: Sequence[tuple[str, Level, Sequence[Costs]]]) -> Played:
        return {(level.name, name): list(islice(outcomes, played(level, days))) for name, level, _ in kinds}

    return gathered(usual), gathered(slower)


def played(level: Level, days: int) -> int:
    """How many days of a kind are played: of office days fewer, each is as long as ten of the others."""
    return max(1, days // 2) if level.hours else days


def replace_load(model: Costs, seconds: float) -> Costs:
    """The same model on a slower disk."""
    return Costs(**{**{name: getattr(model, name) for name in model.__struct_fields__}, "load": seconds})


def summary(days: Sequence[Outcome]) -> Summary:
    """The means."""
    p95, p95_give = mean([at(day.waits, 95) for day in days])
    loads, loads_give = mean([day.loads for day in days])

    def average(of: Callable[[Outcome], float]) -> float:
        return statistics.fmean([of(day) for day in days])

    return Summary(
        per_minute=average(lambda day: day.answered / day.took * 60),
        took=average(lambda day: day.took),
        wait_p50=average(lambda day: at(day.waits, 50)),
        wait_p95=p95,
        wait_p95_give=p95_give,
        wait_p99=average(lambda day: at(day.waits, 99)),
        batch_p50=average(lambda day: at(day.batch_waits, 50)),
        batch_p95=average(lambda day: at(day.batch_waits, 95)),
        batch_took=average(lambda day: day.batch_took),
        loads=loads,
        loads_give=loads_give,
        loads_fewest=average(lambda day: day.fewest),
        loads_each=loads / average(lambda day: day.answered),
        loading=average(lambda day: day.loading),
    )


def at(values: Sequence[float], percent: int) -> float:
    """A percentile; 0 of nothing."""
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)] if values else 0.0


def mean(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and half the width of its 95 % interval; None of fewer than three, which say nothing about it."""
    if len(values) < 3:
        return statistics.fmean(values), None
    give = STUDENT.get(len(values), 2.26) * statistics.stdev(values) / sqrt(len(values))
    return statistics.fmean(values), give
