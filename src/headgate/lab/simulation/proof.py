"""Whether the loop is right: many agencies, and of each the truth beside what the loop has said and done.

    prove(runs=200) → Proof → as_markdown(proof)

Three questions are asked of agencies that stay as they are: do estimates cover the truth, does any applied proposal break the floor, and
how far is the cost after tuning from that of the best thresholds in hindsight. Of agencies to which something happens a fourth: does the
loop notice, and is it on the safe side in the end. Each run has its own random numbers, so that any of them can be looked at alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import resources
from itertools import repeat
from random import Random
from statistics import mean, median
from typing import TypeVar

from msgspec import Struct

from headgate.config.load import parse_config
from headgate.core.intervals import wilson
from headgate.core.policy import Policy
from headgate.core.spans import Span
from headgate.lab.simulation.auditing import ERRING, INFALLIBLE, Auditing, Right
from headgate.lab.simulation.loop import Run, run
from headgate.lab.simulation.playing import Player
from headgate.lab.simulation.truth import Hindsight, crowd_of, truth_of
from headgate.lab.simulation.world import (
    USUAL,
    World,
    make_world,
    with_new_client,
    with_new_task,
    with_untold_worse_model,
    with_worse_model,
)

WEEKS = 12
FLOOR = 0.98
BEFORE, AFTER = 8, 8
"""Weeks before something happens, and after it."""

JUDGES: Mapping[str, Right] = {"judges that never err": INFALLIBLE, "judges that err": ERRING}

SHIFTS: Mapping[str, Callable[[World], World]] = {
    "a new client": with_new_client,
    "a worse digest of the small model": with_worse_model,
    "the same, and no engine tells its digest": with_untold_worse_model,
    "a task never seen": with_new_task,
}

Progress = Callable[[str], None]
Found = TypeVar("Found")


class One(Struct, frozen=True, kw_only=True):
    """What came of one agency that stays as it is."""

    seed: int
    unnecessary: bool
    """Whether the interval of unnecessary fallbacks covers the truth."""
    missed: bool
    """Likewise, of missed escalations."""
    applied: int
    """Proposals."""
    broke: float | None
    """The lowest true quality of an applied proposal that promised the floor, where that is below it."""
    rolled_back: int
    quality: float
    """In truth, at the end."""
    before: float
    """Dollars a week with the page it began with."""
    dollars: float
    """At the end."""
    best: float | None
    """Of the best thresholds in hindsight; None where none keep the floor."""


class Shifted(Struct, frozen=True, kw_only=True):
    """What came of one agency to which something happens."""

    seed: int
    calm: float
    """True quality in the week before."""
    hit: float
    """In the week when it happens."""
    final: float
    """With the settings at the end."""
    back_after: int | None
    """Weeks until the settings kept the floor again; 0 where they never broke it, None where they do not in time."""
    noticed_after: int | None
    """Weeks until a proposal was applied, or none was made because the floor was not sure."""
    reachable: bool
    """Whether any thresholds keep the floor now."""


class Proof(Struct, frozen=True, kw_only=True):
    """All that was found."""

    steady: Mapping[str, tuple[One, ...]]
    """By the judges."""
    shifted: Mapping[str, tuple[Shifted, ...]]
    """By what happens; the judges never err."""


def page() -> Policy:
    """The page of all agencies, with list prices."""
    text = resources.files("headgate.lab.simulation").joinpath("agency.toml").read_text(encoding="utf-8")
    return parse_config(text, None).policy


def prove(
    runs: int, shifts: int, workers: int = 1, progress: Progress = lambda _said: None, first: int = 0
) -> Proof:
    """Simulate.

    Args:
        runs: agencies that stay as they are, for each kind of judges.
        shifts: agencies for each thing that may happen.
        workers: processes that share them.
        progress: told what was done.
        first: the seed of the first of the runs.
    """
    seeds = range(first, first + runs)
    steady: dict[str, tuple[One, ...]] = {}
    shifted: dict[str, tuple[Shifted, ...]] = {}
    with ProcessPoolExecutor(workers) as pool:
        for name in JUDGES:
            steady[name] = tuple(told(pool.map(one_run, seeds, repeat(name)), runs, name, progress))
        for name in SHIFTS:
            shifted[name] = tuple(
                told(pool.map(one_shift, range(shifts), repeat(name)), shifts, name, progress)
            )
    return Proof(steady=steady, shifted=shifted)


def told(found: Iterable[Found], of: int, name: str, progress: Progress) -> Iterator[Found]:
    """The results as they come, told one by one."""
    for many, one in enumerate(found, start=1):
        progress(f"{name}: {many} of {of}")
        yield one


@cache
def known_page() -> tuple[Policy, Hindsight]:
    """The page and the best of its thresholds: made once in each process."""
    policy = page()
    return policy, Hindsight(policy, {work.task: work for work in USUAL})


def one_run(seed: int, judges: str) -> One:
    """One agency that stays as it is, with judges of `JUDGES`."""
    policy, hindsight = known_page()
    chance = Random(seed)
    world = make_world(chance)
    found = run([world] * WEEKS, policy, chance, Auditing(right=JUDGES[judges]), FLOOR)
    crowd = crowd_of(world, WEEKS)
    end = truth_of(Player(found.policy, world.works_by_task()), crowd)
    best = hindsight.best(crowd, FLOOR)
    broken = [change.quality for change in found.changes if change.promised >= FLOOR > change.quality]
    return One(
        seed=seed,
        unnecessary=covers(found.fallbacks.number, found.unnecessary),
        missed=covers(found.local.number, found.missed),
        applied=len(found.changes),
        broke=min(broken, default=None),
        rolled_back=len([change for change in found.changes if change.state == "rolled back"]),
        quality=end.quality,
        before=truth_of(Player(policy, world.works_by_task()), crowd).dollars,
        dollars=end.dollars,
        best=None if best is None else best.dollars,
    )


def one_shift(seed: int, name: str) -> Shifted:
    """One agency to which something of `SHIFTS` happens; its judges never err."""
    policy, _ = known_page()
    chance = Random(seed)
    world = make_world(chance)
    other = SHIFTS[name](world)
    found = run([world] * BEFORE + [other] * AFTER, policy, chance, Auditing(right=INFALLIBLE), FLOOR)
    crowd = crowd_of(other, BEFORE)
    works = other.works_by_task()
    settings = [*found.policies[BEFORE:], found.policy]
    told = {id(one): truth_of(Player(one, works), crowd).quality for one in settings}
    after = [told[id(one)] for one in settings]
    calm = truth_of(Player(settings[0], world.works_by_task()), crowd_of(world, BEFORE))
    best = Hindsight(policy, works).best(crowd, FLOOR)
    return Shifted(
        seed=seed,
        calm=calm.quality,
        hit=after[0],
        final=after[-1],
        back_after=back(after),
        noticed_after=noticed(found),
        reachable=best is not None,
    )


def covers(span: Span | None, truth: int) -> bool:
    """Whether an interval covers the truth; what is not estimated covers nothing."""
    return span is not None and span.low <= truth <= span.high


def back(qualities: list[float]) -> int | None:
    """From which week on the floor is kept to the end."""
    below = [week for week, quality in enumerate(qualities) if quality < FLOOR]
    if not below:
        return 0
    return below[-1] + 1 if below[-1] + 1 < len(qualities) else None


def noticed(found: Run) -> int | None:
    """Weeks after which the loop did something, or said that the floor is not sure."""
    weeks = [change.week for change in found.changes if change.aim == "safer"]
    weeks += [week for week, refusal in found.refusals if refusal.reason == "floor not sure"]
    return min([week - BEFORE for week in weeks if week > BEFORE], default=None)


# ── As a page ────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_markdown(proof: Proof) -> str:
    """The figures as tables."""
    names = tuple(proof.steady)
    rows = [
        ("runs", [str(len(proof.steady[name])) for name in names]),
        (
            "the interval of unnecessary fallbacks covers the truth",
            [rate(proof.steady[name], lambda one: one.unnecessary) for name in names],
        ),
        ("that of missed escalations", [rate(proof.steady[name], lambda one: one.missed) for name in names]),
        (
            "no applied proposal breaks the floor",
            [rate(proof.steady[name], lambda one: one.broke is None) for name in names],
        ),
        (
            "the floor is kept at the end",
            [rate(proof.steady[name], lambda one: one.quality >= FLOOR) for name in names],
        ),
        (
            "proposals applied, a run",
            [f"{mean([one.applied for one in proof.steady[name]]):.1f}" for name in names],
        ),
        (
            "rolled back, in all",
            [str(sum([one.rolled_back for one in proof.steady[name]])) for name in names],
        ),
        (
            "cost at the end, of that at the beginning",
            [
                f"{sum([one.dollars for one in proof.steady[name]]) / sum([one.before for one in proof.steady[name]]):.0%}"
                for name in names
            ],
        ),
        (
            "cost above the best in hindsight, all runs together",
            [over(proof.steady[name], whole=True) for name in names],
        ),
        ("the same, in the median", [over(proof.steady[name], whole=False) for name in names]),
        (
            "true quality at the end, in the median",
            [f"{median([one.quality for one in proof.steady[name]]):.2%}" for name in names],
        ),
    ]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    lines += [f"| {what} | {' | '.join(said)} |" for what, said in rows]
    lines += [
        "",
        "| what happens in week 9 | runs | quality before | when it happens | at the end | noticed within 2 weeks | floor kept again | weeks until then |",
    ]
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, runs in proof.shifted.items():
        again = [one.back_after for one in runs if one.back_after is not None]
        lines.append(
            f"| {name} | {len(runs)} | {median([one.calm for one in runs]):.2%} | {median([one.hit for one in runs]):.2%} | "
            f"{median([one.final for one in runs]):.2%} | {part(len([one for one in runs if one.hit >= FLOOR or (one.noticed_after or 99) <= 2]), len(runs))} | "
            f"{part(len(again), len(runs))} | {median(again) if again else '-'} |"
        )
    return "\n".join(lines)


def rate(runs: tuple[One, ...], hit: Callable[[One], bool]) -> str:
    """The share of runs, with a 95 % interval."""
    hits = len([one for one in runs if hit(one)])
    ends = wilson(hits, len(runs))
    return part(hits, len(runs)) + (f" ({ends[0]:.1%} to {ends[1]:.1%})" if ends is not None else "")


def part(hits: int, of: int) -> str:
    """A share in percent."""
    return f"{hits / of:.1%}"


def over(runs: tuple[One, ...], *, whole: bool) -> str:
    """How much dearer than the best thresholds in hindsight."""
    known = [(one.dollars, one.best) for one in runs if one.best is not None]
    if whole:
        return f"{sum([one for one, _ in known]) / sum([best for _, best in known]) - 1:+.0%}"
    return f"{median([one / best for one, best in known]) - 1:+.0%}"
