"""The weekly report as Markdown, for a chat or an issue."""

from collections.abc import Iterable, Iterator, Sequence

from headgate.core.cards import Card
from headgate.reports import cards
from headgate.reports.shown import count, dollars, dollars_at_least, fallback_reason, milliseconds, percent
from headgate.reports.weekly import WeeklyReport


def markdown(report: WeeklyReport) -> str:
    """The report, lines ending in a newline."""
    parts: list[Iterable[str]] = [_summary(report), _fallbacks(report)]
    if report.tasks:
        parts.append(_tasks(report))
    if report.facts.attempts:
        parts.append(_attempts(report))
    if report.facts.cards:
        parts.append(_local_models(report.facts.cards))
    parts.append(("## Notes", "", *(f"- {note}" for note in report.notes)))
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
    if facts.unnecessary is None:
        yield "- Unnecessary: not measured yet"
    else:
        share = percent(facts.unnecessary / total if total else 0.0)
        yield f"- Unnecessary: {facts.unnecessary:,} ({share} of fallbacks)"
    if facts.fallbacks:
        yield "- Top fallback reasons:"
        for fallback in facts.fallbacks:
            yield f"  - {fallback_reason(fallback.reason, fallback.limit)}: {fallback.requests:,}"


def _tasks(report: WeeklyReport) -> Iterator[str]:
    yield "## Tasks"
    yield ""
    rows = []
    for line in report.tasks:
        facts = line.facts
        interval = (
            "" if line.interval is None else f"{percent(line.interval[0])} - {percent(line.interval[1])}"
        )
        rate = "" if line.rate is None else percent(line.rate)
        if line.failing:
            rate = f"**{rate}, over {report.warn_over:.0%}**"
        figures = (facts.requests, facts.tried_locally, facts.failed_locally)
        rows.append((facts.task or "(unrecognised)", *(f"{figure:,}" for figure in figures), rate, interval))
    yield from _table(("Task", "Requests", "Tried locally", "Failed locally", "Rate", "95 % interval"), rows)


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
    return text.replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")
