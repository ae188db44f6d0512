"""What came of the days, as tables for a page, and how they were played."""

import statistics
from collections.abc import Sequence
from itertools import product

from beside import tables
from beside.agency import BATCH_AT_A_TIME, BATCH_SIZES, DAYS, KINDS, LEVELS, PEOPLE, Level
from beside.days import (
    ALONE,
    BOUND,
    EQUAL,
    ORDERLY,
    OURS,
    ROLES,
    SCHEDULES,
    SLOW_LEVELS,
    SLOWER,
    Played,
    at,
    summary,
)
from beside.equals import QUEUE_FOR, equals
from beside.virtual_gpu import UNLOAD, Costs
from headgate.core.ordering import AS_GOOD


def render(days: Played, slow: Played, models: Sequence[Costs], memory: int, said: str) -> str:
    """All tables and the method, in Markdown, below a sentence that says what they are of."""
    parts = [said, models_table(models, memory), "### The agency's day"]
    parts += [
        *side_by_side(DAYS, days),
        (
            "**The same work, sooner.** Met is: at least 3 × fewer loads and 1.5 × the throughput, and people's p95 no worse. The last column is the "
            "throughput if the memory had room for all three models, and nothing ever had to be unloaded. Of the loads, people need "
            f"{fewest_loads(days):,.0f} in each of these days if they are served one after the other, even by somebody who knows what they will "
            "ask next."
        ),
        targets_table(days, DAYS, bound=True),
        "With equal models:",
        targets_table(days, DAYS, EQUAL, bound=True),
        (
            "**The same wait, more work.** The most work, of that tried, that Headgate does in such a day while people's p95 is no longer than it is "
            "under the other schedule."
        ),
        carried_table(days),
    ]
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
        "A slow disk, or larger models; the levels at which the card is busy.",
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
                around(found.wait_p95, found.wait_p95_give, 1),
                f"{found.wait_p99:.0f}",
            ]
        if level.has_batches:
            row += [f"{found.batch_p50:.0f}", f"{found.batch_p95:.0f}", f"{found.batch_took / 60:.1f}"]
        rows.append([*row, around(found.loads, found.loads_give, 0), f"{found.loading:.0f}"])
    return tables.table(columns, rows)


def around(value: float, give: float | None, digits: int) -> str:
    """A mean, with half the width of its interval where that is known."""
    return f"{value:.{digits}f}" + ("" if give is None else f" ± {give:.{digits}f}")


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


def targets_table(days: Played, levels: Sequence[Level], schedule: str = OURS, *, bound: bool = False) -> str:
    """Headgate against the other two; with what no schedule can surpass, if wanted."""
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
                    *(
                        [f"{summary(days[level.name, BOUND]).per_minute / theirs.per_minute:.2f} ×"]
                        if bound
                        else []
                    ),
                )
            )
    columns = ["level", "against", "fewer loads", "throughput", "batch sooner", "people's p95, s", ""]
    return tables.table([*columns, *(["with room for all"] if bound else [])], rows)


def fewest_loads(days: Played) -> float:
    """The fewest loads for people without batches, on average."""
    return summary(days[DAYS[0].name, OURS]).loads_fewest


def carried_table(days: Played) -> str:
    """For some amounts of work under another schedule, the most that Headgate does with people's p95 no longer."""
    rows = []
    for name, level in product((ORDERLY, ALONE), DAYS[:3]):
        theirs = summary(days[level.name, name])
        for schedule in (OURS, EQUAL):
            played = [(other.handed_in, summary(days[other.name, schedule])) for other in DAYS]
            fitting = [(batches, ours) for batches, ours in played if ours.wait_p95 <= theirs.wait_p95]
            if not fitting:
                continue
            batches, ours = fitting[-1]
            faster, fewer = ours.per_minute / theirs.per_minute, theirs.loads_each / ours.loads_each
            rows.append(
                (
                    f"{name}, {level.handed_in}",
                    f"{theirs.per_minute:.1f}",
                    f"{theirs.wait_p95:.1f}",
                    f"{schedule}, {batches}",
                    f"{ours.per_minute:.1f}",
                    f"{ours.wait_p95:.1f}",
                    f"{faster:.2f} ×",
                    f"{fewer:.1f} ×",
                    tables.verdict(faster >= 1.5 and fewer >= 3),
                )
            )
    columns = (
        "schedule, batches each",
        "answers/min",
        "people's p95, s",
        "schedule, batches each",
        "answers/min",
        "people's p95, s",
        "throughput",
        "fewer loads per answer",
        "",
    )
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
- **memory for all three**: Headgate's scheduler with more memory, so that nothing is ever unloaded: what a schedule can hardly surpass.
- **wait**: until the request is begun. **±**: 95 % interval of the mean over the days. **Throughput**: answers a minute, until everybody has everything; by day most of that time is people's thinking.
- **told**: `expected_wait` at the moment of the ask, for people for whom no slot was free. It cannot know who comes later."""
