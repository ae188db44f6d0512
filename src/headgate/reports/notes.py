"""What one must know to read a report's figures rightly. A note that does not apply is not made."""

from collections.abc import Iterable, Iterator

from headgate.reports.facts import WeeklyFacts
from headgate.reports.savings import Savings
from headgate.reports.shown import count, dollars


def notes(facts: WeeklyFacts, saved: Savings, baseline: str, *, as_of: float | None) -> tuple[str, ...]:
    """The footnotes of a week, a sentence or two each.

    Args:
        facts: what was counted.
        saved: what it comes to.
        baseline: the model that most requests were compared with.
        as_of: Unix time of the counting; None when the week is over.
    """
    return (
        *_of_time(facts, as_of),
        *_of_requests(facts),
        *_of_money(facts, saved, baseline),
        *_of_names(facts),
        *_of_the_ledger(facts),
    )


def _of_time(facts: WeeklyFacts, as_of: float | None) -> Iterator[str]:
    if as_of is not None and as_of < facts.until:
        yield "The week has not begun." if as_of < facts.since else "The week is not over yet."


def _of_requests(facts: WeeklyFacts) -> Iterator[str]:
    unanswered = facts.requests - sum(served.requests for served in facts.served)
    if unanswered:
        yield (
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
        yield f"Requests that did not end well: {'; '.join(ends)}."
    if facts.imported:
        of = f"{facts.imported:,} of the {count(facts.requests, 'request')}"
        yield f"{of} were read from a file; their figures are those of the file."


def _of_money(facts: WeeklyFacts, saved: Savings, baseline: str) -> Iterator[str]:
    if facts.cost_unknown:
        unpriced = [tried.shown for tried in facts.attempts if tried.cost_unknown]
        whose = f" ({', '.join(unpriced)})" if unpriced else ""
        yield f"The cost of {count(facts.cost_unknown, 'request')} is unknown and in no sum{whose}."
    if saved.unknown:
        compared = (
            f"they compare {dollars(saved.cost)} with the baseline"
            if saved.requests
            else "none is left to compare"
        )
        yield (
            f"Savings leave out {count(saved.unknown, 'request')} whose cost or baseline cost is unknown; {compared}."
        )
    if facts.estimated:
        yield f"The tokens of {count(facts.estimated, 'request')} are estimated; the engine did not report them."
    if saved.energy_cost is not None and facts.money.energy_unknown:
        yield f"Energy leaves out {count(facts.money.energy_unknown, 'request')} for which it was not measured."
    if saved.alternative is not None and facts.money.alternative_unknown:
        left_out = count(facts.money.alternative_unknown, "request")
        yield f"The cheap cloud's cost leaves out {left_out} for which no such model is known."
    if len(facts.baselines) > 1:
        parts = ", ".join(f"{name} ({number:,})" for name, number in facts.baselines.items())
        yield f"The baseline changed; requests were compared with {parts}."
    for name in facts.repriced:
        yield f"The price of {name} changed; each request is counted at the price of its day."
    if facts.prices_as_of:
        first, last = facts.prices_as_of[0], facts.prices_as_of[-1]
        yield f"Prices as of {first if first == last else f'{first} to {last}'}."
    if facts.requests:
        yield (
            f"Savings: what the answering attempts' tokens would have cost on {baseline} without a cache, minus what all "
            f"attempts cost; local models cost no cash.{_imperfect(facts)}"
        )


def _of_names(facts: WeeklyFacts) -> Iterator[str]:
    for label in _labels(served.shown for served in facts.served):
        yield f"{label}: so labelled by the user; its figures are not those of the real model."
    for names in facts.renamed:
        yield f"{' and '.join(names)} are the same model, which was renamed."


def _of_the_ledger(facts: WeeklyFacts) -> Iterator[str]:
    if facts.clock_jumps:
        times = "once" if facts.clock_jumps == 1 else f"{facts.clock_jumps:,} times"
        yield (
            f"In runs of the gate that reach into this week the machine's clock was set back {times}: "
            "some requests may stand under another hour or day."
        )
    yield f"Requests lost by the ledger: {facts.lost:,}.{_unclosed(facts)}"


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


def _labels(shown: Iterable[str]) -> list[str]:
    """The words in brackets behind models' names, "[stand-in]", each once."""
    return sorted({name[name.rindex("[") :] for name in shown if name.endswith("]") and "[" in name})
