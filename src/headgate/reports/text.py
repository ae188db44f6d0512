"""The weekly report as plain text, to be read with `cat`.

The upper half is the layout that the report was ordered in; what we have to add stands below it, set apart. Columns are
as wide as their contents need. This module does not judge; it prints what `weekly` found.
"""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from headgate.core.cards import Card
from headgate.reports import cards
from headgate.reports.audited import for_the_others
from headgate.reports.audited import lines as audit_lines
from headgate.reports.judged import flagged, share, unnecessary
from headgate.reports.shown import (
    columns,
    dollars,
    dollars_at_least,
    fallback_reason,
    milliseconds,
    percent,
    task_name,
)
from headgate.reports.weekly import WeeklyReport
from headgate.reports.worth import worth

TITLE: Final = "WEEKLY ROUTING SUMMARY"
NARROWEST: Final = 55
"""Characters of the shortest rule."""
CURVES: Final = 2
"""Checks whose curves are shown; all are in the JSON."""
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
    yield f"  {'Unnecessary:':<18}{unnecessary(report)}"
    if facts.fallbacks:
        yield "  Top fallback reasons:"
        for fallback in facts.fallbacks:
            yield f"    - {fallback_reason(fallback.reason, fallback.limit)}: {fallback.requests:,}"


def _more(report: WeeklyReport) -> Iterator[str]:
    yield "-" * NARROWEST
    yield from _titled("WHAT HOME WAS WORTH", _worth(report))
    yield from _titled("WHAT AUDITS FOUND", _audited(report))
    yield from _titled("WHAT TO CHANGE", _changes(report))
    yield from _section(
        "WHERE LOCAL FAILS (requests that a local model was called for)", _failing(report), "<>>><"
    )
    yield from _titled("WHERE TASKS GO", _places(report))
    yield from _section("LATENCY (answered requests)", _latencies(report), "<>>>>>>")
    yield from _section("ATTEMPTS (calls to models, not requests)", _attempts(report), "<>>>>>>")


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A titled list; nothing when it is empty."""
    for number, line in enumerate(lines):
        if not number:
            yield from ("", title)
        yield line


def _section(title: str, rows: list[list[str]], sides: str) -> Iterator[str]:
    """A titled table; nothing when there is no row below the header."""
    if len(rows) > 1:
        yield from _titled(title, (f"  {line}" for line in columns(rows, sides)))


def _worth(report: WeeklyReport) -> Iterator[str]:
    rows = [(f"{line.label}:", line.figure, line.remark) for line in worth(report)]
    yield from (f"  {line}" for line in columns(rows, "<><", gap="  "))


def _audited(report: WeeklyReport) -> Iterator[str]:
    found = list(audit_lines(report.audited))
    label = max((len(line.label) for line in found), default=0)
    figure = max((len(line.figure) for line in found if line.remark), default=0)
    for line in found:
        begin = f"  {line.label:<{label}}  "
        if line.remark:
            yield f"{begin}{line.figure:<{figure}}  {line.remark}"
        else:
            yield from wrap(line.figure, WIDEST, initial_indent=begin, subsequent_indent=" " * len(begin))
    for curve in report.audited.curves[:CURVES]:
        yield ""
        yield f"  The check {curve.check} alone, at each threshold ({curve.judged:,} judged answers)"
        table = [("Pass at", "Answers at home", "Of these not good", "Dollars for the others")]
        table += [
            (
                f"{point.pass_at:.1f}",
                f"{point.at_home:,.0f}",
                f"{point.failures.expected:,.0f} ({point.failures.low:,.0f} to {point.failures.high:,.0f})",
                for_the_others(point),
            )
            for point in curve.points[::2]
        ]
        yield from (f"    {line}" for line in columns(table, ">>>>", gap="  "))


def _changes(report: WeeklyReport) -> Iterator[str]:
    for number, change in enumerate(report.changes, 1):
        yield from _wrapped(f"{change.do}.", f"  {number}. ")
        yield from _wrapped(f"{change.because}.", "     ")
        yield from _wrapped(change.edit, "     > ")


def _failing(report: WeeklyReport) -> list[list[str]]:
    rows = [["Task", "Failed / tried", "Rate", "95% interval", ""]]
    for line in report.tasks:
        if line.rate is not None and line.interval is not None:
            low, high = line.interval
            rows.append(
                [
                    task_name(line.facts.task),
                    f"{line.facts.failed_locally:,} / {line.facts.tried_locally:,}",
                    percent(line.rate),
                    f"{percent(low)} - {percent(high)}",
                    flagged(line, report.warn_over, report.at_least),
                ]
            )
    return rows


def _places(report: WeeklyReport) -> Iterator[str]:
    rows = [
        (
            task_name(line.facts.task),
            f"{line.facts.requests:,}",
            f"{share(line.at_home, line.facts.requests)} at home:",
            ", ".join(f"{name} {share(number, line.facts.requests)}" for name, number in line.answered[:3])
            + (", ..." if len(line.answered) > 3 else ""),
        )
        for line in report.tasks
        if line.answered
    ]
    if rows:
        yield from (f"  {line}" for line in columns(rows, "<>><", gap="  "))


def _latencies(report: WeeklyReport) -> list[list[str]]:
    facts = report.facts
    rows = [["", "Mean", "p50", "p95", "First token", "p50", "p95"]]
    measured = [("all", facts.latency, facts.first_token)] if facts.latency.requests else []
    measured += [
        (served.shown, served.latency, served.first_token)
        for served in facts.served
        if served.latency.requests
    ]
    for label, whole, first in measured:
        figures = [whole.mean, whole.p50, whole.p95]
        begun = [first.mean, first.p50, first.p95]
        rows.append(
            [
                label,
                *(milliseconds(seconds) for seconds in figures),
                *(milliseconds(seconds) if first.requests else "" for seconds in begun),
            ]
        )
    return rows


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


def _wrapped(text: str, bullet: str = "  - ") -> list[str]:
    indent = " " * len(bullet)
    return wrap(
        text,
        WIDEST,
        initial_indent=bullet,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
