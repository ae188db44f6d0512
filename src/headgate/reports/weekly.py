"""The weekly report as a value: the ledger's facts, compared and judged.

    WeeklyFacts ── weekly() ──► WeeklyReport ──► text · markdown · plain (JSON) · table (CSV) · page (HTML) · mail

This module does not know how a report looks, nor where the facts come from.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from headgate.core.estimates import Estimate
from headgate.core.intervals import wilson
from headgate.core.policy import Policy
from headgate.core.spans import Span
from headgate.reports.audited import Audited, audited
from headgate.reports.changes import Change, changes
from headgate.reports.facts import DayFacts, TaskFacts, WeeklyFacts
from headgate.reports.notes import notes
from headgate.reports.savings import Savings, savings
from headgate.reports.shown import count, percent, task_name
from headgate.reports.week import Week

WARN_OVER: Final = 0.10
AT_LEAST: Final = 30

Flag = Literal["over", "maybe", "few"]
"""A rate above the limit: surely, as the whole interval is above it; perhaps, as only the rate is; or on too few requests."""


class TaskLine(Struct, frozen=True):
    """How often a task's local answers failed, and who answered in the end."""

    facts: TaskFacts
    rate: float | None
    """Of the requests tried locally; None when there were none."""
    interval: tuple[float, float] | None
    """The rate's 95 % interval."""
    flag: Flag | None
    """None when the rate is not above the limit."""
    answered: tuple[tuple[str, int], ...] = ()
    """The models that answered and how many requests, the busiest first."""
    at_home: int = 0
    """Requests that a local model answered."""

    @property
    def failing(self) -> bool:
        """The task fails locally more often than the limit says, and there is evidence enough to say so."""
        return self.flag == "over"


class Unnecessary(Struct, frozen=True, kw_only=True):
    """How many fallbacks a local model could have spared, as far as audits know."""

    found: int
    """Audited fallbacks that were unnecessary."""
    judged: int
    """Audited fallbacks of which it could be said whether they were."""
    unclear: int
    """Audited fallbacks of which it could not."""
    rate: float
    """`number` of those that could be audited: all but the ones that were asked for by name."""
    interval: tuple[float, float]
    """The rate's 95 % interval."""
    judges: tuple[str, ...]
    whole: bool
    """Every fallback was audited, so that `number` is counted and no estimate."""
    number: int
    """Of all fallbacks."""
    of: int
    """Fallbacks that could be audited."""
    ends: tuple[int, int]
    """The 95 % interval of `number`."""
    dollars: Span | None
    """What they cost, as far as it is known; None is unknown."""
    unpriced: int
    """Of those that could be audited, the ones whose cost is unknown: `dollars` is at least that, without these."""


class WeeklyReport(Struct, frozen=True, kw_only=True):
    """One week, judged."""

    week: Week
    facts: WeeklyFacts
    savings: Savings
    baseline: str
    """The model that most requests were compared with."""
    complete: bool
    """The week was over when the report was made."""
    tasks: tuple[TaskLine, ...]
    unnecessary: Unnecessary | None
    """None while no audit has measured it."""
    audited: Audited
    changes: tuple[Change, ...]
    """What the figures say should be changed, the most requests first."""
    warn_over: float
    at_least: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def fallbacks(self) -> int:
        """Requests that a paid model answered."""
        return sum(fallback.requests for fallback in self.facts.fallbacks)

    @property
    def at_home(self) -> int:
        """Requests that a local model answered."""
        return sum(served.requests for served in self.facts.served if served.local)

    @property
    def unanswered(self) -> int:
        """Requests that no model answered."""
        return self.facts.requests - sum(served.requests for served in self.facts.served)

    @property
    def alternative(self) -> str:
        """The cheap cloud model that most requests are compared with; "" when there is none."""
        named = self.facts.alternatives
        return max(named, key=lambda name: named[name], default="")


def weekly(
    week: Week,
    facts: WeeklyFacts,
    *,
    as_of: float | None = None,
    warn_over: float = WARN_OVER,
    at_least: int = AT_LEAST,
    baseline: str = "",
    policy: Policy | None = None,
) -> WeeklyReport:
    """Judge a week's facts.

    Args:
        week: which week the facts are of.
        facts: what the ledger counted.
        as_of: Unix time of the counting; None when the week is over.
        warn_over: the share of failed local answers from which a task is flagged, 0-1.
        at_least: requests of a task below which nothing is flagged.
        baseline: the baseline's name when the week has no request to tell it.
        policy: the routes and models as they are now, so that what to change can name their lines.
    """
    tasks = tuple(_judge(task, facts.days, warn_over, at_least) for task in facts.tasks)
    saved = savings(facts.money, facts.home)
    found = audited(facts)
    unnecessary = _unnecessary(facts, found.fallbacks.all)
    main = max(facts.baselines, key=lambda name: facts.baselines[name], default=baseline)
    return WeeklyReport(
        week=week,
        facts=facts,
        savings=saved,
        baseline=main,
        complete=as_of is None or as_of >= facts.until,
        tasks=tasks,
        unnecessary=unnecessary,
        audited=found,
        changes=changes(
            facts,
            failing=[line.facts for line in tasks if line.failing],
            spared=found.fallbacks.by_cause,
            lost_to_cloud=saved.against_alternative,
            at_least=at_least,
            policy=policy,
        ),
        warn_over=warn_over,
        at_least=at_least,
        warnings=tuple(_warn(line, warn_over) for line in tasks if line.failing),
        notes=(*_evidence(unnecessary), *notes(facts, saved, main, as_of=as_of)),
    )


def _judge(task: TaskFacts, days: Sequence[DayFacts], warn_over: float, at_least: int) -> TaskLine:
    tried = task.tried_locally
    rate = task.failed_locally / tried if tried else None
    interval = wilson(task.failed_locally, tried)
    flag: Flag | None = None
    if rate is not None and interval is not None and rate > warn_over:
        flag = "few" if tried < at_least else "over" if interval[0] > warn_over else "maybe"
    answered: Counter[str] = Counter()
    at_home = 0
    for day in days:
        if day.task == task.task and day.shown is not None:
            answered[day.shown] += day.requests
            at_home += day.requests if day.local else 0
    return TaskLine(task, rate, interval, flag, tuple(answered.most_common()), at_home)


def _unnecessary(facts: WeeklyFacts, made: Estimate) -> Unnecessary | None:
    """What audits of some fallbacks say of all of them; None where they say nothing."""
    if made.number is None or not made.judged:
        return None
    low, high = made.number.low, made.number.high
    return Unnecessary(
        found=made.found,
        judged=made.judged,
        unclear=made.unclear,
        rate=made.number.expected / made.requests,
        interval=(low / made.requests, high / made.requests),
        judges=tuple(sorted({finding.judge for finding in facts.findings if finding.kind == "fallback"})),
        whole=made.whole,
        number=round(made.number.expected),
        of=made.requests,
        ends=(round(low), round(high)),
        dollars=made.dollars,
        unpriced=made.unpriced,
    )


def _evidence(audited: Unnecessary | None) -> Iterator[str]:
    """Where the figure of unnecessary fallbacks comes from."""
    if audited is None:
        return
    judges = ", ".join(audited.judges)
    if audited.whole:
        yield f"Unnecessary fallbacks: {audited.found:,} of {audited.of:,}, each of them audited, by {judges}."
        return
    low, high = (percent(end) for end in audited.interval)
    unclear = f", {audited.unclear:,} of them unclear" if audited.unclear else ""
    yield (
        f"Unnecessary fallbacks: {audited.found:,} of {audited.judged:,} judged, 95% interval {low} to {high}; "
        f"{audited.judged + audited.unclear:,} of {audited.of:,} audited{unclear}, by {judges}."
    )


def _warn(line: TaskLine, warn_over: float) -> str:
    low, high = line.interval or (0.0, 1.0)
    return (
        f"{task_name(line.facts.task)}: {percent(line.rate)} of local answers failed "
        f"({line.facts.failed_locally:,} of {count(line.facts.tried_locally, 'request')}, "
        f"95% interval {percent(low)} to {percent(high)}), more than {warn_over:.0%}"
    )
