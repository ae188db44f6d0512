"""What audits say of a week, as a value and in words: fallbacks that were not needed, local answers that should not have gone out.

The figures are those of `core.estimates`; every face shows these lines. Where nothing is audited, they say what to do first.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from msgspec import Struct

from headgate.core.counted import HITS
from headgate.core.curves import Curve, Point, curves
from headgate.core.estimates import Estimates, estimate
from headgate.core.judge_errors import Confusion, errors_by_judge
from headgate.core.judges.agreement import Agreement
from headgate.core.judges.standing import LABELS
from headgate.core.spans import Span
from headgate.reports.facts import WeeklyFacts
from headgate.reports.shown import UNKNOWN, count, dollars, percent

NEEDED: Final = 100
"""Judged requests that tell a share to about ten points up and down."""
LINES: Final = 5
"""Causes that a report names."""


class Audited(Struct, frozen=True, kw_only=True):
    """What audits say of some time."""

    fallbacks: Estimates
    local: Estimates
    curves: tuple[Curve, ...]
    agreement: tuple[Agreement, ...]
    confusions: Mapping[str, Confusion]
    """What labels say of each judge's errors."""
    judges: tuple[str, ...]
    """Whose verdicts are in force, the busiest first."""
    cost: float
    """Dollars for repeating and judging."""


class Cause(Struct, frozen=True):
    """Hits of one cause."""

    cause: str
    """The check that rejected the local answer, or the reason of the fallback."""
    number: Span | None
    dollars: Span | None
    unpriced: int
    judged: int
    found: int


class Line(Struct, frozen=True):
    """One line in words."""

    label: str
    figure: str
    remark: str = ""


def audited(facts: WeeklyFacts) -> Audited:
    """What a week's findings come to."""
    fallbacks, local = (estimate(facts.findings, facts.populations, kind, facts.confusions) for kind in HITS)
    judges: dict[str, int] = {}
    for finding in facts.findings:
        judges[finding.judge] = judges.get(finding.judge, 0) + 1
    return Audited(
        fallbacks=fallbacks,
        local=local,
        curves=curves(facts.findings, facts.populations),
        agreement=facts.agreement,
        confusions=facts.confusions,
        judges=tuple(sorted(judges, key=lambda judge: (-judges[judge], judge))),
        cost=facts.judging,
    )


def causes(found: Estimates) -> tuple[Cause, ...]:
    """By cause, those of most hits first."""
    return tuple(
        Cause(cause, one.number, one.dollars, one.unpriced, one.judged, one.found)
        for cause, one in found.by_cause.items()
    )


def lines(found: Audited) -> Iterator[Line]:
    """What was found, what it rests on and what it cost; or what to do first."""
    if not found.judges:
        yield from _first_steps(found)
        return
    yield _line("Unnecessary fallbacks", found.fallbacks)
    yield from _unclear(found.fallbacks)
    yield from _by_cause(found.fallbacks)
    yield _line("Missed escalations", found.local)
    yield from _unclear(found.local)
    yield from _judges(found)
    yield Line("Audits cost", dollars(found.cost))


def _line(label: str, estimates: Estimates) -> Line:
    kind, made = estimates.kind, estimates.all
    of = "fallbacks" if kind == "fallback" else "local answers"
    if made.number is None:
        if not made.judged:
            missing = "sample" if kind == "fallback" else "local_sample and paid_per_week"
            return Line(label, f"not measured; set [audit] {missing}")
        return Line(
            label,
            f"{made.found:,} of {made.judged:,} audited, not chosen by chance: they tell nothing of the others",
        )
    share = percent(made.number.expected / made.requests) if made.requests else "0%"
    return Line(
        label,
        f"{in_requests(made.number, whole=made.whole)} of {made.requests:,} {of}, "
        f"{in_dollars(made.dollars, made.unpriced, whole=made.whole)}",
        f"{share}; {made.judged:,} judged",
    )


def _unclear(estimates: Estimates) -> Iterator[Line]:
    """What the verdicts that say nothing would come to."""
    made = estimates.all
    if made.number is not None and made.unclear and made.if_unclear is not None:
        low, high = made.if_unclear
        yield Line(f"  with {made.unclear:,} unclear", f"{low:,.0f} to {high:,.0f}")


def _by_cause(made: Estimates) -> Iterator[Line]:
    told = [one for one in causes(made) if one.found and one.number is not None]
    for one in told[:LINES]:
        assert one.number is not None, "only those with a number"
        number = in_requests(one.number, whole=made.all.whole)
        money = in_dollars(one.dollars, one.unpriced, whole=made.all.whole)
        yield Line(f"  by {one.cause}", f"{number}, {money}", f"{one.found:,} of {one.judged:,} judged")


def _judges(found: Audited) -> Iterator[Line]:
    said = []
    for judge in found.judges:
        one = found.confusions.get(judge, Confusion())
        if judge in LABELS:
            said.append(f"{judge} (labels)")
        elif not one.labelled:
            said.append(f"{judge} (no labels yet)")
        else:
            said.append(f"{judge} ({percent(one.right / one.labelled)} of {one.labelled:,} labels)")
    corrected = [judge for judge in errors_by_judge(found.confusions, "fallback") if judge in found.judges]
    yield Line("Judged by", ", ".join(said))
    if corrected:
        yield Line("  corrected", f"known errors of {', '.join(corrected)} are taken out")


def _first_steps(found: Audited) -> Iterator[Line]:
    """What makes the figures known."""
    fallbacks, local = found.fallbacks.all.requests, found.local.all.requests
    share = max(0.01, min(1.0, ceil(100 * NEEDED / fallbacks) / 100)) if fallbacks else 0.1
    yield Line(
        "Nothing is audited yet",
        f"[audit] sample = {share:g}",
        f"judges about {min(NEEDED, fallbacks):,} of {count(fallbacks, 'fallback')}; {NEEDED} tell a share to 10 points",
    )
    if local:
        yield Line(
            "Local answers",
            "[audit] local_sample, paid_per_week",
            f"compare some of {count(local, 'answer')} with a paid one, within that money",
        )


def in_requests(number: Span, *, whole: bool) -> str:
    """A number of requests with its ends; counted ones have none."""
    if whole:
        return f"{number.expected:,.0f}"
    return f"about {number.expected:,.0f} ({number.low:,.0f} to {number.high:,.0f})"


def in_dollars(number: Span | None, unpriced: int, *, whole: bool) -> str:
    """Dollars likewise; where the cost of some is unknown, there is no upper end."""
    if number is None:
        return f"cost {UNKNOWN}"
    least = ">= " if unpriced else ""
    if whole:
        return f"{least}{dollars(number.expected)}"
    above = "or more" if unpriced else f"to {dollars(number.high)}"
    return f"{least}{dollars(number.expected)} ({dollars(number.low)} {above})"


def for_the_others(point: Point) -> str:
    """The dollars of a curve's point."""
    least = ">= " if point.unpriced and point.dollars is not None else ""
    return f"{least}{dollars(point.dollars)}"
