"""What a check costs and what it lets through, at each threshold that it could have.

Every audited local answer has the check's score, a verdict and a price: at a threshold it goes out, well or badly, or it is paid for.
So the curve says of the answers that were judged by this check, as if it alone had decided: failures against dollars. Each finding
stands for as many requests as it does in estimates. This module does not know which threshold is right.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.counted import HITS
from headgate.core.estimates import effective_size
from headgate.core.judges.found import says_as_good
from headgate.core.shares import share_ends
from headgate.core.spans import Span
from headgate.core.strata import Population, Weighed, weigh

THRESHOLDS: Final = tuple(step / 10 for step in range(11))
ENOUGH: Final = 20
"""Judged answers that a check needs for a curve."""


class Point(Struct, frozen=True):
    """What one threshold comes to, over the time that was audited."""

    pass_at: float
    at_home: float
    """Answers that would go out."""
    failures: Span
    """Of these, those that are not as good as a paid one."""
    dollars: float | None
    """What the others would cost, as far as it is known; None where there are some and it is known of none."""
    unpriced: float = 0.0
    """Of the others, those whose cost is unknown: the dollars are at least what is said."""


class Curve(Struct, frozen=True):
    """One check at all thresholds."""

    check: str
    judged: int
    """Audited answers that it rests on."""
    points: tuple[Point, ...]

    @property
    def priced(self) -> bool:
        """Whether the dollars of all its points are known."""
        return not any(point.unpriced for point in self.points)


def curves(findings: Sequence[Finding], populations: Sequence[Population]) -> tuple[Curve, ...]:
    """The curve of each check that has told enough audited answers apart, those of most answers first."""
    by_check: defaultdict[str, list[Weighed]] = defaultdict(list)
    for kind in HITS:
        for one in weigh(findings, populations, kind):
            for check in one.finding.scores:
                by_check[check].append(one)
    enough = [
        (check, scored)
        for check, scored in by_check.items()
        if len(scored) >= ENOUGH and tells(check, scored)
    ]
    return tuple(
        Curve(check, len(scored), tuple(_point(check, at, scored) for at in THRESHOLDS))
        for check, scored in sorted(enough, key=lambda item: (-len(item[1]), item[0]))
    )


def tells(check: str, scored: Iterable[Weighed]) -> bool:
    """Whether the check has ever told two answers apart."""
    return len({one.finding.scores[check] for one in scored}) > 1


def _point(check: str, pass_at: float, scored: Iterable[Weighed]) -> Point:
    out = [(one.weight, is_bad(one.finding)) for one in scored if one.finding.scores[check] >= pass_at]
    at_home = sum(weight for weight, _ in out)
    share = sum(weight for weight, bad in out if bad) / at_home if at_home else 0.0
    size = effective_size([(weight, 1.0, float(bad)) for weight, bad in out], share) if out else 0.0
    low, high = share_ends(share, size)
    others = [(one.weight, one.finding.cost) for one in scored if one.finding.scores[check] < pass_at]
    priced = [weight * cost for weight, cost in others if cost is not None]
    return Point(
        pass_at,
        at_home,
        Span(low * at_home, share * at_home, high * at_home),
        sum(priced) if priced or not others else None,
        sum(weight for weight, cost in others if cost is None),
    )


def is_bad(finding: Finding) -> bool:
    """Whether the local answer is not as good as a paid one."""
    return says_as_good(finding.verdict) is False
