"""How a judge of audits errs, as labelled pairs tell, and what its verdicts then count for.

A verdict is corrected so that errors cancel out on average (Rogan and Gladen 1978). This module does not know who judges, or what.
"""

from typing import Final

from msgspec import Struct

from headgate.core.words import AuditKind

LABELS: Final = 10
"""Labelled pairs of either kind from which on a judge's errors are known well enough to be taken out."""
BETTER_THAN_CHANCE: Final = 0.5
"""What a judge's two rates of being right have to exceed 1 by: below that nothing can be taken out."""


class Agreement(Struct, frozen=True):
    """How often a judge says what labels say of a local answer."""

    good: int
    """Labelled pairs whose local answer is as good."""
    good_said: int
    """Of these, those that the judge called so."""
    bad: int
    """Labelled pairs whose local answer is not."""
    bad_said: int
    """Of these, those that the judge called so."""


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


def errors_of(agreement: Agreement, kind: AuditKind) -> Errors | None:
    """A judge's errors; None where too few labels tell, or where it is hardly better than chance."""
    good = (agreement.good_said, agreement.good)
    bad = (agreement.bad_said, agreement.bad)
    hits, misses = (good, bad) if kind == "fallback" else (bad, good)
    if min(hits[1], misses[1]) < LABELS:
        return None
    found = Errors(hits[0] / hits[1], misses[0] / misses[1], _variance(*hits), _variance(*misses))
    return found if found.power >= BETTER_THAN_CHANCE else None


def _variance(said: int, labelled: int) -> float:
    """Of a rate of being right; with one more of either kind, so that never having erred is not taken for never erring."""
    rate = (said + 1) / (labelled + 2)
    return rate * (1 - rate) / labelled
