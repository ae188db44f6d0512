"""Does it pay to let the gate own the queue? The tables of docs/scheduling.md, from one command; no GPU is needed.

    python benchmarks/scheduler.py               ten days of each kind, about ten minutes
    python benchmarks/scheduler.py --quick       two of each
    python benchmarks/scheduler.py --write       … and put the tables into docs/scheduling.md
    python benchmarks/scheduler.py --cards FILE  with what was measured: headgate models bench GENERAL CODE SORTING --json

A simulation on a clock that jumps from event to event: twenty people, one card, three models of which two fit. The same asks,
by the same seeds, under Headgate's own scheduler (the code that runs in the gate), under Ollama alone, and under one queue in the
order of arrival with Ollama's eviction; and under Headgate's with routes that name a second model which does some of the work as well. What a model costs,
and what it does how well, comes from capability cards; those that ship (`beside/cards_24gb.json`) are typical for a
24 GB card and were not measured.
"""

import argparse
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from random import Random

from msgspec import Struct

from beside import tables
from beside.agency import BATCH_AT_A_TIME, BATCH_SIZES, DAYS, KINDS, LEVELS, PEOPLE, Crowd, Level, draw
from beside.equals import QUEUE_FOR, EqualQueue, equals
from beside.queues import HeadgateQueue, OllamaQueue, OneQueue
from beside.virtual_gpu import UNLOAD, Costs, Gpu, Job, World, costs_of, read_cards
from headgate.core.ordering import AS_GOOD

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/scheduling.md"
CARDS = ROOT / "benchmarks/beside/cards_24gb.json"
BEGIN, END = "<!-- scheduling: written by benchmarks/scheduler.py -->", "<!-- end of scheduling -->"

MEMORY = 22.0
"""GiB of a 24 GB card that models may take."""

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


STUDENT = {2: 12.7, 3: 4.30, 4: 3.18, 5: 2.78, 10: 2.26}
"""Student's t, two-sided 95 %, by the number of days."""


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
    wait_p95_give: float
    wait_p99: float
    batch_p50: float
    batch_p95: float
    batch_took: float
    loads: float
    loads_give: float
    loading: float


def main() -> None:
    given = options()
    try:
        models = models_of(given.cards)
    except (OSError, ValueError) as error:
        sys.exit(
            f"error: {given.cards} cannot be used: {error}\n"
            "hint: headgate models bench GENERAL CODE SORTING --json > FILE"
        )
    memory = int(given.memory * 2**30) if given.memory else room_for_two(models)
    shown = render(*compare(models, memory, given.days), models, memory, given)
    print(shown)
    if given.write:
        write(shown)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cards", type=Path, default=CARDS, help="JSON of headgate models bench")
    parser.add_argument("--memory", type=float, help="GiB; left out: 22, or what two of the models take")
    parser.add_argument("--days", type=int, default=10, help="of each kind")
    parser.add_argument("--quick", action="store_const", const=2, dest="days", help="two of each kind")
    parser.add_argument("--write", action="store_true", help="write docs/scheduling.md")
    return parser.parse_args()


def models_of(path: Path) -> list[Costs]:
    """The costs of three models, from the first three cards; ValueError when they do not tell."""
    cards = read_cards(path)
    if len(cards) < len(ROLES):
        raise ValueError(f"it has {len(cards)} cards, and three are wanted: general, code, sorting")
    return [costs_of(card) for card in cards[: len(ROLES)]]


def room_for_two(models: Sequence[Costs]) -> int:
    """22 GiB if two of the models fit in them and not three; else what the two largest take."""
    taken = sorted(model.memory for model in models)
    usual = int(MEMORY * 2**30)
    return usual if sum(taken[1:]) <= usual < sum(taken) else sum(taken[1:])


# ── One day ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        loading=gpu.loading_seconds,
        foretold=[(job.expected, waited(job)) for job in persons if job.expected is not None],
    )


def world_end(jobs: Sequence[Job]) -> float:
    """When the last was answered."""
    return max((job.ended for job in jobs), default=0.0)


def waited(job: Job) -> float:
    """Seconds until it was begun."""
    return job.started - job.arrived


# ── Many days ────────────────────────────────────────────────────────────────────────────────────────────────────────


Played = Mapping[tuple[str, str], Sequence[Outcome]]
"""By level and schedule."""


def compare(models: Sequence[Costs], memory: int, days: int) -> tuple[Played, Played]:
    """All levels under all schedules, with loads as fast as the cards say, and slower."""
    slow = [replace_load(model, SLOWER * model.load) for model in models]
    return (
        {
            (level.name, name): [
                play(name, level, models, memory, seed) for seed in range(played(level, days))
            ]
            for level in (*DAYS, *LEVELS)
            for name in SCHEDULES
        },
        {
            (level.name, name): [play(name, level, slow, memory, seed) for seed in range(days)]
            for level in SLOW_LEVELS
            for name in (ALONE, ORDERLY, OURS, EQUAL)
        },
    )


def played(level: Level, days: int) -> int:
    """How many days of a kind are played: of office days fewer, each is as long as ten of the others."""
    return max(2, days // 2) if level.hours else days


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
        loading=average(lambda day: day.loading),
    )


def at(values: Sequence[float], percent: int) -> float:
    """A percentile; 0 of nothing."""
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)] if values else 0.0


def mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % interval."""
    if len(values) < 2:
        return statistics.fmean(values), 0.0
    return statistics.fmean(values), STUDENT.get(len(values), 2.26) * statistics.stdev(values) / sqrt(
        len(values)
    )


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def render(
    days: Played, slow: Played, models: Sequence[Costs], memory: int, given: argparse.Namespace
) -> str:
    """All tables and the method, in Markdown."""
    typical = given.cards == CARDS
    said = (
        f"Simulated on {datetime.now(UTC).date().isoformat()}, {given.days} days of each kind; "
        + ("the cards are typical for a 24 GB card and **were not measured**." if typical else f"the cards are those of `{given.cards.name}`.")
    )  # fmt: skip
    parts = [said, models_table(models, memory), "### The agency's day"]
    parts += side_by_side(DAYS, days)
    parts += [targets_table(days, DAYS), "The same, with equal models:", targets_table(days, DAYS, EQUAL)]
    parts += ["### Side by side", *side_by_side(LEVELS, days)]
    parts += [
        "### The targets",
        "Met is: at least 3 × fewer loads and 1.5 × the throughput, and people's p95 no worse.",
        targets_table(days, LEVELS),
        "### The targets, with equal models",
        "The same, where a route names two models that do its work equally well in the exam: "
        + equals_said(models),
        targets_table(days, LEVELS, EQUAL),
        f"### If loading takes {SLOWER:.0f} times as long",
        "A slow disk, or larger models. With less traffic than this it made no difference that could be told from chance.",
        targets_table(slow, SLOW_LEVELS),
        "The same, with equal models:",
        targets_table(slow, SLOW_LEVELS, EQUAL),
        "### What people are told, and what they wait",
        forecast_table(days),
        "### Method",
        METHOD.format(
            people=PEOPLE,
            unload=UNLOAD,
            as_good=AS_GOOD,
            queue_for=QUEUE_FOR,
            batch_from=BATCH_SIZES[0],
            batch_to=BATCH_SIZES[1],
            at_a_time=BATCH_AT_A_TIME,
            kinds="; ".join(
                f"{kind.name} ({kind.share:.0%} of what people ask, {kind.batch_share:.0%} of a batch, "
                f"{kind.prompt:,} tokens in, {kind.answer} out, model: {kind.role})"
                for kind in KINDS
            ),
        ),
    ]
    return "\n\n".join(parts)


def side_by_side(levels: Sequence[Level], days: Played) -> list[str]:
    """Each level with its table."""
    return [
        part
        for level in levels
        for part in (f"**{level.name[0].upper()}{level.name[1:]}**: {level.said}.", level_table(level, days))
    ]


def models_table(models: Sequence[Costs], memory: int) -> str:
    """What the simulation takes from the cards."""
    rows = [
        (
            f"{model.name} ({role})",
            f"{model.memory / 2**30:.1f}",
            f"{model.load:.1f}",
            f"{model.read:,.0f}",
            f"{model.write:,.0f}",
            f"{model.slots * model.write / (1 + (model.slots - 1) * model.crowding):,.0f} ({model.slots})",
        )
        for model, role in zip(models, ROLES, strict=True)
    ]
    columns = ("model", "GiB", "load, s", "reads, tokens/s", "writes alone", "writes together")
    return tables.table(columns, rows) + f"\n\nMemory for models: {memory / 2**30:.1f} GiB."


def level_table(level: Level, days: Played) -> str:
    """One level: a row for each schedule."""
    columns = ["schedule", "all done, min", "answers/min"]
    if level.has_people:
        columns += ["people wait, s: p50", "p95", "p99"]
    if level.has_batches:
        columns += ["batch waits, s: p50", "p95", "batch done, min"]
    columns += ["loads", "loading, s"]
    rows = []
    for name in SCHEDULES:
        found = summary(days[level.name, name])
        row = [name, f"{found.took / 60:.1f}", f"{found.per_minute:.1f}"]
        if level.has_people:
            row += [
                f"{found.wait_p50:.1f}",
                f"{found.wait_p95:.1f} ± {found.wait_p95_give:.1f}",
                f"{found.wait_p99:.0f}",
            ]
        if level.has_batches:
            row += [f"{found.batch_p50:.0f}", f"{found.batch_p95:.0f}", f"{found.batch_took / 60:.1f}"]
        rows.append([*row, f"{found.loads:.0f} ± {found.loads_give:.0f}", f"{found.loading:.0f}"])
    return tables.table(columns, rows)


def equals_said(models: Sequence[Costs]) -> str:
    """Which work has a second model, and who that is, with their scores."""
    said = []
    for kind in KINDS:
        model = models[ROLES.index(kind.role)]
        scores = {other.name: other.scores.get(kind.task, 0.0) for other in models}
        others = [f"{other} {scores[other]:.2f}" for other in equals(models, model.name, kind.task)]
        if others:
            said.append(
                f"{kind.name} ({kind.task}: {model.name} {scores[model.name]:.2f}, {', '.join(others)})"
            )
    return ("; ".join(said) or "by these cards none does") + "."


def targets_table(days: Played, levels: Sequence[Level], schedule: str = OURS) -> str:
    """Headgate against the other two."""
    rows = []
    for level in levels:
        ours = summary(days[level.name, schedule])
        for name in (ORDERLY, ALONE):
            theirs = summary(days[level.name, name])
            fewer, faster = theirs.loads / ours.loads, ours.per_minute / theirs.per_minute
            met = fewer >= 3 and faster >= 1.5 and ours.wait_p95 <= theirs.wait_p95
            rows.append(
                (
                    level.name,
                    name,
                    f"{fewer:.1f} ×",
                    f"{faster:.2f} ×",
                    f"{theirs.batch_took / ours.batch_took:.2f} ×" if level.has_batches else "–",
                    f"{theirs.wait_p95:.1f} → {ours.wait_p95:.1f}" if level.has_people else "–",
                    tables.verdict(met),
                )
            )
    columns = ("level", "against", "fewer loads", "throughput", "batch sooner", "people's p95, s", "")
    return tables.table(columns, rows)


def forecast_table(days: Played) -> str:
    """How wrong the expected wait was, for people who had to wait."""
    rows = []
    for level in LEVELS:
        pairs = [pair for day in days[level.name, OURS] for pair in day.foretold]
        if not pairs:
            continue
        errors = [told - real for told, real in pairs]
        good = sum(abs(told - real) <= max(3.0, real / 2) for told, real in pairs) / len(pairs)
        rows.append(
            (
                level.name,
                f"{statistics.fmean(real for _, real in pairs):.1f}",
                f"{statistics.fmean(told for told, _ in pairs):.1f}",
                f"{at(errors, 5):.0f} … {at(errors, 25):.1f} … {at(errors, 50):.1f} … {at(errors, 75):.1f} … {at(errors, 95):.0f}",
                f"{good:.0%}",
            )
        )
    columns = (
        "level",
        "waited, s",
        "told, s",
        "told − waited, s: p5 … p25 … p50 … p75 … p95",
        "within 3 s or half",
    )
    return tables.table(columns, rows)


METHOD = """\
- **people**: {people}. Each asks, waits for the answer, thinks (exponentially distributed), asks again; in 3 % of the asks he sends ten to \
twenty mails together. The batch is one caller's list in random order.
- **an office day**: of its eight hours two are like a busy day, two quiet (noon, and the last), four like a working day. Each person hands in his \
batches at any time of it: {batch_from} to {batch_to} items of one kind of work, {at_a_time} on the way at a time, as `headgate agents run --batch` \
has them. It lasts until all is done: a slow schedule does not spare anybody his work, it makes the day longer.
- **what is asked**: {kinds}. Lengths vary by half either way. Every schedule gets the same asks and the same thinking.
- **the card**: several requests of one model write together as fast as its card says; models that answer at the same time share \
the card evenly; reading a prompt gains nothing by company; unloading takes {unload:.0f} s; loading does not slow down others.
- **Ollama alone**: `server/sched.go` as we read it, with `OLLAMA_NUM_PARALLEL` as the cards say: a request for a loaded model goes to it and waits \
there for one of its slots, however many wait; others wait in one queue whose head is loaded, one at a time; when memory is full, of the idle models \
the one goes whose file's path comes first in the alphabet (Ollama sorts by `OLLAMA_KEEP_ALIVE`, and that is 5 minutes for all; which order that is, is \
drawn for each day); if none is idle, the head waits for the first of them, and requests for that one go on joining it.
- **order of arrival**: first come, first served, with the same eviction: every request goes through that queue, also those for loaded models, as in \
Ollama's releases of 2024. While its head waits for a model to leave, all behind it wait.
- **Headgate, equal models**: each kind of work has a route; its chain is the model meant for it, then those whose exam score at the task is at most {as_good:.2f} lower. What is asked of a model that would have to be loaded goes to such a one that is loaded; and when the expected wait is longer than {queue_for:.0f} s and the time to load, or no slot came in that time, the next of the chain is asked, as with `when_busy = "next"`. An answer has as many tokens from either, at the speed of the one that gives it.
- **memory for all three**: Headgate's scheduler with more memory, so that nothing is ever unloaded: what no schedule can beat by much.
- **wait**: until the request is begun. **±**: 95 % interval of the mean over the days. **Throughput**: answers a minute, until everybody has everything; by day most of that time is people's thinking.
- **told**: `expected_wait` at the moment of the ask, for people for whom no slot was free. It cannot know who comes later."""


def write(shown: str) -> None:
    """Put the tables between the page's marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n\n{shown}\n\n{END}", page), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
