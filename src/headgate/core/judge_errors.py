"""How a judge of audits errs, as labelled pairs tell, and what its verdicts then count for.

A verdict is corrected so that errors cancel out on average (Rogan and Gladen 1978). This module does not know who judges, or what.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from headgate.core.judges.agreement import Agreement
from headgate.core.words import AuditKind

LABELS: Final = 10
"""Labelled pairs of either kind from which on a judge's errors are known well enough to be taken out."""
BETTER_THAN_CHANCE: Final = 0.5
"""What a judge's two rates of being right have to exceed 1 by: below that nothing can be taken out."""


class Confusion(Struct, frozen=True):
    """How often a judge says what labels say of a local answer."""

    good: int
    """Labelled pairs whose local answer is as good."""
    good_said: int
    """Of these, those that the judge called so."""
    bad: int
    """Labelled pairs whose local answer is not."""
    bad_said: int
    """Of these, those that the judge called so."""


def confusions(agreements: Iterable[Agreement]) -> dict[str, Confusion]:
    """What labels say of each judge, whatever model it asked."""
    found: dict[str, Confusion] = {}
    for one in agreements:
        before = found.get(one.judge, Confusion(0, 0, 0, 0))
        bad = one.pairs - one.good
        found[one.judge] = Confusion(
            before.good + one.good,
            before.good_said + one.good - one.false_bad,
            before.bad + bad,
            before.bad_said + bad - one.false_good,
        )
    return found


class Errors(Struct, frozen=True):
    """How a judge errs: Rogan and Gladen 1978."""

    hit: float
    """How often it calls a hit one."""
    miss: float
    """How often it calls none one that is none."""
    hit_variance: float
    miss_variance: float

    @property
    def power(self) -> float:
        """How much of a difference in truth is one in what it says."""
        return self.hit + self.miss - 1.0

    def corrected(self, said: float) -> float:
        """What a verdict, 1 or 0, counts for, so that errors cancel out on average."""
        return (said + self.miss - 1.0) / self.power


def errors_of(confusion: Confusion, kind: AuditKind) -> Errors | None:
    """A judge's errors; None where too few labels tell, or where it is hardly better than chance."""
    good = (confusion.good_said, confusion.good)
    bad = (confusion.bad_said, confusion.bad)
    hits, misses = (good, bad) if kind == "fallback" else (bad, good)
    if min(hits[1], misses[1]) < LABELS:
        return None
    found = Errors(hits[0] / hits[1], misses[0] / misses[1], _variance(*hits), _variance(*misses))
    return found if found.power >= BETTER_THAN_CHANCE else None


def _variance(said: int, labelled: int) -> float:
    """Of a rate of being right; with one more of either kind, so that never having erred is not taken for never erring."""
    rate = (said + 1) / (labelled + 2)
    return rate * (1 - rate) / labelled
