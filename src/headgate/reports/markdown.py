"""The weekly report as Markdown, for a chat or an issue."""

import re
from collections.abc import Iterable, Iterator, Sequence

from headgate.core.cards import Card
from headgate.reports import cards
from headgate.reports.audited import for_the_others
from headgate.reports.audited import lines as audit_lines
from headgate.reports.judged import flagged, share, unnecessary
from headgate.reports.shown import (
    count,
    dollars,
    dollars_at_least,
    fallback_reason,
    milliseconds,
    percent,
    task_name,
)
from headgate.reports.weekly import WeeklyReport
from headgate.reports.worth import worth

_MARKS = re.compile(r"[\\|\[`]")
"""What begins a link or code, or ends a cell."""
_BACKTICKS = re.compile("`+")


def markdown(report: WeeklyReport) -> str:
    """The report, lines ending in a newline."""
    parts: list[Iterable[str]] = [_summary(report), _fallbacks(report)]
    if report.facts.requests:
        parts += [_worth(report), _audited(report)]
    if report.changes:
        parts.append(_changes(report))
    if report.tasks:
        parts.append(_tasks(report))
    if report.facts.attempts:
        parts.append(_attempts(report))
    if report.facts.cards:
        parts.append(_local_models(report.facts.cards))
    parts.append(("## Notes", "", *(f"- {_cell(note)}" for note in report.notes)))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(report: WeeklyReport) -> Iterator[str]:
    facts, saved = report.facts, report.savings
    yield "# Weekly routing summary"
    yield ""
    yield f"**{count(facts.requests, 'request')}**, {report.week.period} ({report.week})"
    if not facts.requests:
        return
    yield ""
    rows = []
    for served in facts.served:
        cost = dollars_at_least(served.cost, served.cost_unknown, served.requests - served.cost_unknown)
        latency = served.latency
        times = (milliseconds(latency.mean), milliseconds(latency.p50), milliseconds(latency.p95))
        rows.append((served.shown, f"{served.requests:,}", *times, cost))
    cost = dollars_at_least(facts.cost, facts.cost_unknown, facts.requests - facts.cost_unknown)
    rows.append(("**TOTAL**", f"**{facts.requests:,}**", "", "", "", f"**{cost}**"))
    yield from _table(("Model", "Requests", "Avg latency", "p50", "p95", "Est. cost"), rows)
    yield ""
    known = saved.requests > 0
    yield f"- Baseline (all {_cell(report.baseline)}): {dollars(saved.baseline if known else None)}"
    yield f"- Savings this week: **{dollars(saved.saved if known else None)}** ({percent(saved.share)} of the baseline)"


def _fallbacks(report: WeeklyReport) -> Iterator[str]:
    facts, total = report.facts, report.fallbacks
    yield "## Fallback analysis"
    yield ""
    yield f"- Triggered: {total:,} ({percent(total / facts.requests if facts.requests else 0.0)})"
    yield f"- Unnecessary: {unnecessary(report)}"
    if facts.fallbacks:
        yield "- Top fallback reasons:"
        for fallback in facts.fallbacks:
            yield f"  - {fallback_reason(fallback.reason, fallback.limit)}: {fallback.requests:,}"


def _worth(report: WeeklyReport) -> Iterator[str]:
    yield "## What home was worth"
    yield ""
    for line in worth(report):
        yield f"- {line.label}: {line.figure}{f' ({_cell(line.remark)})' if line.remark else ''}"


def _audited(report: WeeklyReport) -> Iterator[str]:
    yield "## What audits found"
    yield ""
    for line in audit_lines(report.audited):
        indent = "  " if line.label.startswith(" ") else ""
        remark = f" ({_cell(line.remark)})" if line.remark else ""
        yield f"{indent}- {_cell(line.label.strip())}: {_cell(line.figure)}{remark}"
    for curve in report.audited.curves:
        yield ""
        yield f"The check {_cell(curve.check)} alone, at each threshold ({curve.judged:,} judged answers):"
        yield ""
        rows = [
            (
                f"{point.pass_at:.1f}",
                f"{point.at_home:,.0f}",
                f"{point.failures.expected:,.0f}",
                f"{point.failures.low:,.0f} - {point.failures.high:,.0f}",
                for_the_others(point),
            )
            for point in curve.points
        ]
        yield from _table(("Pass at", "At home", "Not good", "95 % interval", "Dollars for the others"), rows)


def _changes(report: WeeklyReport) -> Iterator[str]:
    yield "## What to change"
    yield ""
    for number, change in enumerate(report.changes, 1):
        yield f"{number}. **{_cell(change.do)}.** {_cell(change.because)}."
        yield f"   {_code(change.edit)}"


def _tasks(report: WeeklyReport) -> Iterator[str]:
    yield "## Where local fails"
    yield ""
    rows = []
    for line in report.tasks:
        facts = line.facts
        interval = (
            "" if line.interval is None else f"{percent(line.interval[0])} - {percent(line.interval[1])}"
        )
        rate = "" if line.rate is None else percent(line.rate)
        if flag := flagged(line, report.warn_over, report.at_least):
            rate = f"**{rate}, {flag}**" if line.failing else f"{rate}, {flag}"
        tried = f"{facts.failed_locally:,} / {facts.tried_locally:,}" if facts.tried_locally else ""
        home = share(line.at_home, facts.requests) if line.answered else ""
        rows.append((task_name(facts.task), f"{facts.requests:,}", home, tried, rate, interval))
    header = ("Task", "Requests", "At home", "Failed / tried", "Rate", "95 % interval")
    yield from _table(header, rows)


def _attempts(report: WeeklyReport) -> Iterator[str]:
    yield "## Attempts"
    yield ""
    rows = []
    for tried in report.facts.attempts:
        cost = dollars_at_least(tried.cost, tried.cost_unknown, tried.attempts - tried.cost_unknown)
        figures = (tried.attempts, tried.rejected, sum(tried.failures.values()))
        rows.append((tried.shown, *(f"{figure:,}" for figure in figures), cost))
    yield from _table(("Model", "Attempts", "Rejected", "Failed", "Est. cost"), rows)


def _local_models(measured: Sequence[Card]) -> Iterator[str]:
    yield "## Local models, as measured on this machine"
    yield ""
    rows = cards.table_rows(measured)
    if rows:
        yield from _table(cards.HEADER, rows)
        yield ""
    yield from (f"- {_cell(line)}" for line in cards.exam_lines(measured))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"| --- |{' ---: |' * (len(header) - 1)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    """Text that no Markdown reader takes for markup of its own."""
    return _MARKS.sub(r"\\\g<0>", text).replace("<", "&lt;")


def _code(text: str) -> str:
    """Text as code, between more backticks than it has."""
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"
