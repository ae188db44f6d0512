"""The weekly report as plain text, to be read with `cat`.

The upper half is the layout that the report was ordered in; what we have to add stands below it, set apart. Columns are
as wide as their contents need. This module does not judge; it prints what `weekly` found.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from headgate.core.cards import Card
from headgate.reports import cards
from headgate.reports.shown import (
    columns,
    dollars,
    dollars_at_least,
    fallback_reason,
    milliseconds,
    percent,
)
from headgate.reports.weekly import TaskLine, WeeklyReport

TITLE: Final = "WEEKLY ROUTING SUMMARY"
NARROWEST: Final = 55
"""Characters of the shortest rule."""
WIDEST: Final = 96
"""Characters of the longest line of prose."""


def text(report: WeeklyReport) -> str:
    """The report, lines ending in a newline."""
    lines = [*_summary(report), "", *_fallbacks(report)]
    if report.facts.requests:
        lines += ["", *_more(report)]
    if report.facts.cards:
        lines += _local_models(report.facts.cards)
    lines += ["", "NOTES", *_notes(report)]
    return "\n".join(lines) + "\n"


def _summary(report: WeeklyReport) -> Iterator[str]:
    facts = report.facts
    yield TITLE
    yield "=" * len(TITLE)
    yield f"Total requests:  {facts.requests:,}"
    yield f"Period:          {report.week.period}"
    yield ""
    if not facts.requests:
        yield 'No requests this week. headgate ask "..." makes one.'
        return
    rows = [["Model", "Requests", "Avg Latency", "Est. Cost"]]
    for served in facts.served:
        cost = dollars_at_least(served.cost, served.cost_unknown, served.requests - served.cost_unknown)
        rows.append([served.shown, f"{served.requests:,}", milliseconds(served.latency.mean), cost])
    cost = dollars_at_least(facts.cost, facts.cost_unknown, facts.requests - facts.cost_unknown)
    rows.append(["TOTAL", f"{facts.requests:,}", "", cost])
    header, *body, total = columns(rows, "<>>>")
    width = max(NARROWEST, len(header), *(len(line) for line in (*body, total)))
    yield header
    yield "-" * width
    if body:
        yield from body
        yield "-" * width
    yield total
    yield ""
    saved = report.savings
    for label, amount in (
        (f"Baseline (all {report.baseline}):", saved.baseline),
        ("Savings this week:", saved.saved),
    ):
        figure = dollars(amount) if saved.requests else "unknown"
        yield f"{label}{figure:>{width - len(label)}}"


def _fallbacks(report: WeeklyReport) -> Iterator[str]:
    facts, total = report.facts, report.fallbacks
    yield "FALLBACK ANALYSIS"
    yield f"  {'Triggered:':<18}{total:,} ({percent(total / facts.requests if facts.requests else 0.0)})"
    if facts.unnecessary is None:
        yield f"  {'Unnecessary:':<18}not measured yet"
    else:
        share = percent(facts.unnecessary / total if total else 0.0)
        yield f"  {'Unnecessary:':<18}{facts.unnecessary:,} ({share} of fallbacks)"
    if facts.fallbacks:
        yield "  Top fallback reasons:"
        for fallback in facts.fallbacks:
            yield f"    - {fallback_reason(fallback.reason, fallback.limit)}: {fallback.requests:,}"


def _more(report: WeeklyReport) -> Iterator[str]:
    yield "-" * NARROWEST
    yield ""
    yield f"Share of the baseline saved:  {percent(report.savings.share)}"
    yield from _section("LATENCY (answered requests)", _latencies(report), "<>>>")
    yield from _section(
        "TASKS (requests, and how often a local answer failed or was rejected)", _tasks(report), "<>>>>><"
    )
    yield from _section("ATTEMPTS (calls to models, not requests)", _attempts(report), "<>>>>>>")


def _section(title: str, rows: list[list[str]], sides: str) -> Iterator[str]:
    """A titled table; nothing when there is no row below the header."""
    if len(rows) > 1:
        yield ""
        yield title
        yield from (f"  {line}" for line in columns(rows, sides))


def _latencies(report: WeeklyReport) -> list[list[str]]:
    facts = report.facts
    rows = [["", "Mean", "p50", "p95"]]
    for label, latency in (("whole answer", facts.latency), ("first token", facts.first_token)):
        if latency.requests:
            rows.append(
                [label, *(milliseconds(seconds) for seconds in (latency.mean, latency.p50, latency.p95))]
            )
    for served in facts.served:
        if served.latency.requests:
            latency = served.latency
            rows.append(
                [
                    served.shown,
                    *(milliseconds(seconds) for seconds in (latency.mean, latency.p50, latency.p95)),
                ]
            )
    return rows


def _tasks(report: WeeklyReport) -> list[list[str]]:
    header = ["Task", "Requests", "Tried locally", "Failed", "Rate", "95% interval", ""]
    return [header, *(_task(line, report.warn_over) for line in report.tasks)]


def _attempts(report: WeeklyReport) -> list[list[str]]:
    rows = [["Model", "Attempts", "Rejected", "Failed", "Tokens in", "Tokens out", "Est. Cost"]]
    for tried in report.facts.attempts:
        cost = dollars_at_least(tried.cost, tried.cost_unknown, tried.attempts - tried.cost_unknown)
        figures = (tried.attempts, tried.rejected, sum(tried.failures.values()), tried.input, tried.output)
        rows.append([tried.shown, *(f"{figure:,}" for figure in figures), cost])
    return rows


def _local_models(measured: Sequence[Card]) -> Iterator[str]:
    """What was measured of local models: whatever the week, it is the newest."""
    title = "LOCAL MODELS, AS MEASURED ON THIS MACHINE (tokens per second)"
    rows = cards.table_rows(measured)
    if rows:
        yield from _section(title, [list(row) for row in (cards.HEADER, *rows)], cards.SIDES)
    else:
        yield from ("", title)
    for line in cards.exam_lines(measured):
        yield from _wrapped(line)


def _notes(report: WeeklyReport) -> Iterator[str]:
    for note in report.notes:
        yield from _wrapped(note)


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDEST, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)


def _task(line: TaskLine, warn_over: float) -> list[str]:
    facts = line.facts
    interval = "" if line.interval is None else f"{percent(line.interval[0])} - {percent(line.interval[1])}"
    return [
        facts.task or "(unrecognised)",
        f"{facts.requests:,}",
        f"{facts.tried_locally:,}",
        f"{facts.failed_locally:,}",
        "" if line.rate is None else percent(line.rate),
        interval,
        f"over {warn_over:.0%}" if line.failing else "",
    ]
