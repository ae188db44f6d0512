"""What the first view shows: a period's figures beside those of the period before, and what they are made of.

All is counted by `ledger.facts` and judged by the rules of the weekly report, so that both say the same of the same days.
"""

from datetime import datetime, tzinfo

import msgspec
from msgspec import Struct

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.dash.periods import Period, PeriodQuery, days_of, edges_of, period_of
from headgate.ledger.facts import count_facts
from headgate.ledger.home import with_home
from headgate.ledger.queries import LedgerReader
from headgate.ledger.series import Line, count_lines
from headgate.reports.facts import FallbackFacts, Latency, ServedFacts
from headgate.reports.savings import Savings
from headgate.reports.shown import fallback_reason
from headgate.reports.week import week_of
from headgate.reports.weekly import TaskLine, WeeklyReport, weekly


class Figures(Struct, frozen=True, kw_only=True):
    """One period in figures. Money is dollars, durations are seconds, None is unknown."""

    requests: int
    at_home: int
    """Requests that a model at home answered."""
    paid: int
    """Requests that a paid model answered."""
    unanswered: int
    spent: float
    """As far as it is known."""
    spent_unknown: int
    """Requests whose cost is unknown."""
    savings: Savings
    latency: Latency
    first_token: Latency


class Series(Struct, frozen=True):
    """Requests over time."""

    edges: tuple[float, ...]
    """Unix times at which the stretches begin, and the end of the last one."""
    labels: tuple[str, ...]
    """The stretches as people call them, in the report's time zone: "23 Nov" or "14:00"."""
    lines: tuple[Line, ...]


class Fallback(Struct, frozen=True):
    """Requests that a paid model answered for one reason."""

    reason: str
    said: str
    """The reason as a line of the report."""
    requests: int


class TaskFailures(Struct, frozen=True):
    """How often local answers to a task failed."""

    task: str | None
    requests: int
    tried: int
    failed: int
    rate: float | None
    interval: tuple[float, float] | None
    failing: bool


class Overview(Struct, frozen=True, kw_only=True):
    """All that the view shows."""

    period: Period
    days: str
    """The period as people write it, in the report's time zone: "23 Nov – 29 Nov 2026, UTC"."""
    now: Figures
    before: Figures
    baseline: str
    alternative: str
    """The cheap cloud model that most requests are compared with; "" when there is none."""
    break_even: str | None
    """The day on which the hardware has paid for itself, "2027-03-14"."""
    series: Series
    models: tuple[ServedFacts, ...]
    fallbacks: tuple[Fallback, ...]
    tasks: tuple[TaskFailures, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    first: float | None
    """Unix time of the ledger's first request; None in an empty one."""


def overview(config: Config, query: PeriodQuery, now: float) -> bytes:
    """The view as JSON. Blocks.

    Raises:
        UsageError: it is no period that can be shown.
        LedgerError: the ledger cannot be read.
    """
    zone = zone_of(config.timezone)
    period = period_of(query, now, zone, config.week_starts)
    edges = edges_of(period, zone)
    with LedgerReader(config.ledger.path) as ledger:
        report = _judged(config, ledger, (period.since, period.until), now)
        before = _judged(config, ledger, period.before, now)
        lines = count_lines(ledger, edges)
        first = ledger.first_received()
    return msgspec.json.encode(
        Overview(
            period=period,
            days=days_of(period, zone),
            now=_figures(report),
            before=_figures(before),
            baseline=report.baseline,
            alternative=report.alternative,
            break_even=report.facts.break_even,
            series=Series(edges, _labels(period, edges, zone), lines),
            models=report.facts.served,
            fallbacks=tuple(map(_fallback, report.facts.fallbacks)),
            tasks=tuple(map(_task, report.tasks)),
            warnings=report.warnings,
            notes=report.notes,
            first=first,
        )
    )


def _labels(period: Period, edges: tuple[float, ...], zone: tzinfo) -> tuple[str, ...]:
    begins = [datetime.fromtimestamp(edge, zone) for edge in edges[:-1]]
    if not period.hourly:
        return tuple(f"{begin.day} {begin:%b}" for begin in begins)
    several = begins[0].date() != begins[-1].date()
    return tuple(f"{begin.day} {begin:%b %H:%M}" if several else f"{begin:%H:%M}" for begin in begins)


def _judged(config: Config, ledger: LedgerReader, time: tuple[float, float], now: float) -> WeeklyReport:
    zone = zone_of(config.timezone)
    facts = with_home(ledger, config.energy, count_facts(ledger, *time, zone), now)
    return weekly(
        week_of(datetime.fromtimestamp(facts.since, zone).date(), config.week_starts),
        facts,
        warn_over=config.warn_share,
        at_least=config.warn_count,
        baseline=config.policy.baseline,
    )


def _figures(report: WeeklyReport) -> Figures:
    facts = report.facts
    return Figures(
        requests=facts.requests,
        at_home=report.at_home,
        paid=sum(served.requests for served in facts.served) - report.at_home,
        unanswered=report.unanswered,
        spent=facts.cost,
        spent_unknown=facts.cost_unknown,
        savings=report.savings,
        latency=facts.latency,
        first_token=facts.first_token,
    )


def _fallback(facts: FallbackFacts) -> Fallback:
    return Fallback(facts.reason, fallback_reason(facts.reason, facts.limit), facts.requests)


def _task(line: TaskLine) -> TaskFailures:
    facts = line.facts
    return TaskFailures(
        facts.task,
        facts.requests,
        facts.tried_locally,
        facts.failed_locally,
        line.rate,
        line.interval,
        line.failing,
    )
