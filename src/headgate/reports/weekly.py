"""The weekly report as a value: the ledger's facts, compared and judged.

    WeeklyFacts ── weekly() ──► WeeklyReport ──► text · markdown · plain (JSON)

This module does not know how a report looks, nor where the facts come from.
"""

from typing import Final

from msgspec import Struct

from headgate.reports.facts import TaskFacts, WeeklyFacts
from headgate.reports.intervals import wilson
from headgate.reports.savings import Savings, savings
from headgate.reports.shown import count, dollars, percent
from headgate.reports.week import Week

WARN_OVER: Final = 0.10
AT_LEAST: Final = 30


class TaskLine(Struct, frozen=True):
    """How often a task's local answers failed."""

    facts: TaskFacts
    rate: float | None
    """Of the requests tried locally; None when there were none."""
    interval: tuple[float, float] | None
    """The rate's 95 % interval."""
    failing: bool
    """The rate is over the limit, and there were enough requests to say so."""


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
    warn_over: float
    at_least: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def fallbacks(self) -> int:
        """Requests that a paid model answered."""
        return sum(fallback.requests for fallback in self.facts.fallbacks)

    @property
    def unanswered(self) -> int:
        """Requests that no model answered."""
        return self.facts.requests - sum(served.requests for served in self.facts.served)


def weekly(
    week: Week,
    facts: WeeklyFacts,
    *,
    as_of: float | None = None,
    warn_over: float = WARN_OVER,
    at_least: int = AT_LEAST,
    baseline: str = "",
) -> WeeklyReport:
    """Judge a week's facts.

    Args:
        week: which week the facts are of.
        facts: what the ledger counted.
        as_of: Unix time of the counting; None when the week is over.
        warn_over: the share of failed local answers from which a task is flagged, 0-1.
        at_least: requests of a task below which nothing is flagged.
        baseline: the baseline's name when the week has no request to tell it.
    """
    tasks = tuple(_judge(task, warn_over, at_least) for task in facts.tasks)
    saved = savings(facts.money)
    main = max(facts.baselines, key=lambda name: facts.baselines[name], default=baseline)
    complete = as_of is None or as_of >= facts.until
    return WeeklyReport(
        week=week,
        facts=facts,
        savings=saved,
        baseline=main,
        complete=complete,
        tasks=tasks,
        warn_over=warn_over,
        at_least=at_least,
        warnings=tuple(_warn(line, warn_over) for line in tasks if line.failing),
        notes=(*_time_notes(facts, as_of), *_notes(facts, saved, main)),
    )


def _judge(task: TaskFacts, warn_over: float, at_least: int) -> TaskLine:
    tried = task.tried_locally
    rate = task.failed_locally / tried if tried else None
    failing = rate is not None and rate > warn_over and tried >= at_least
    return TaskLine(task, rate, wilson(task.failed_locally, tried), failing)


def _warn(line: TaskLine, warn_over: float) -> str:
    low, high = line.interval or (0.0, 1.0)
    return (
        f"{line.facts.task or 'unrecognised'}: {percent(line.rate)} of local answers failed "
        f"({line.facts.failed_locally:,} of {count(line.facts.tried_locally, 'request')}, "
        f"95% interval {percent(low)} to {percent(high)}), more than {warn_over:.0%}"
    )


def _time_notes(facts: WeeklyFacts, as_of: float | None) -> list[str]:
    if as_of is None or as_of >= facts.until:
        return []
    return ["The week has not begun." if as_of < facts.since else "The week is not over yet."]


def _notes(facts: WeeklyFacts, saved: Savings, baseline: str) -> list[str]:
    """What one must know to read the figures rightly; a note that does not apply is not made."""
    notes = []
    unanswered = facts.requests - sum(served.requests for served in facts.served)
    if unanswered:
        notes.append(
            f"TOTAL includes {count(unanswered, 'request')} without an answer and what "
            f"{'it' if unanswered == 1 else 'they'} cost; no model's row does."
        )
    ends = [
        f"{facts.statuses[status]:,} {said}"
        for status, said in (
            ("imperfect", "imperfect (no answer passed its checks; the best one was delivered)"),
            ("failed", "failed"),
            ("broken", "broken (the stream ended after its first byte)"),
            ("cancelled", "cancelled by the caller"),
        )
        if facts.statuses.get(status)
    ]
    if ends:
        notes.append(f"Requests that did not end well: {'; '.join(ends)}.")
    if facts.cost_unknown:
        notes.append(f"The cost of {count(facts.cost_unknown, 'request')} is unknown and in no sum.")
    if saved.unknown:
        notes.append(
            f"Savings leave out {count(saved.unknown, 'request')} whose cost or baseline cost is unknown; "
            f"they compare {dollars(saved.cost)} with the baseline."
        )
    if facts.estimated:
        notes.append(
            f"The tokens of {count(facts.estimated, 'request')} are estimated; the engine did not report them."
        )
    if len(facts.baselines) > 1:
        parts = ", ".join(f"{name} ({number:,})" for name, number in facts.baselines.items())
        notes.append(f"The baseline changed; requests were compared with {parts}.")
    labels = sorted({word for served in facts.served for word in [_label(served.shown)] if word})
    if labels:
        notes.append(
            f"{', '.join(labels)}: so labelled by the user; its figures are not those of the real model."
        )
    if facts.prices_as_of:
        first, last = facts.prices_as_of[0], facts.prices_as_of[-1]
        notes.append(f"Prices as of {first if first == last else f'{first} to {last}'}.")
    if facts.requests:
        notes.append(
            f"Savings: what the answering attempts' tokens would have cost on {baseline} without a cache, minus what all "
            f"attempts cost; local models count as free of charge.{_imperfect(facts)}"
        )
    notes.append(f"Requests lost by the ledger: {facts.lost:,}.{_unclosed(facts)}")
    return notes


def _imperfect(facts: WeeklyFacts) -> str:
    imperfect = facts.statuses.get("imperfect", 0)
    if not imperfect:
        return ""
    answers = count(imperfect + facts.statuses.get("ok", 0), "answer")
    were, they_count = ("was", "it counts") if imperfect == 1 else ("were", "they count")
    return (
        f" {imperfect:,} of the {answers} failed a check and {were} delivered as the best there was; "
        f"{they_count} as served."
    )


def _unclosed(facts: WeeklyFacts) -> str:
    if not facts.unclosed:
        return ""
    end = "its end" if facts.unclosed == 1 else "each end"
    return (
        f" {count(facts.unclosed, 'run')} ended without closing: about a quarter of a second of requests "
        f"before {end} may be missing."
    )


def _label(shown: str) -> str:
    return shown[shown.rindex("[") :] if shown.endswith("]") and "[" in shown else ""
