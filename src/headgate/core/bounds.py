"""One-sided bounds of a share, exact for small numbers: a floor that must hold has no use for an approximation near 0 or 1.

    upper(hits, total, error), lower(hits, total, error)      Clopper and Pearson 1934

`total` may be no whole number: that of unequally weighted observations is how many equal ones would say as much (Kish 1965). This
module does not know what is counted.
"""

from functools import lru_cache
from math import erfc, exp, pi, sqrt
from typing import Final

from msgspec import Struct

from headgate.core.beta import quantile
from headgate.core.past import Found

NEWTON: Final = 30
"""Steps towards a quantile of the normal distribution: enough for an error of one in a million."""


class Share(Struct, frozen=True):
    """A weighted share: of how many equal observations it is worth."""

    share: float
    worth: float
    """Kish's effective number."""

    def upper(self, error: float) -> float:
        """The share is not above this, but with a chance of `error`."""
        return upper(self.share * self.worth, self.worth, error)

    def lower(self, error: float) -> float:
        """The share is not below this, but with a chance of `error`."""
        return lower(self.share * self.worth, self.worth, error)


class Sample:
    """Weighted observations, being added up."""

    __slots__ = ("hits", "squares", "whole")

    def __init__(self) -> None:
        self.hits = self.squares = self.whole = 0.0

    def add(self, found: Found, hit: bool, size: float = 1.0) -> None:
        """Audits that found the same: each stands for itself and for those that were not chosen.

        Args:
            found: the audits.
            hit: whether they are what is counted.
            size: what one of the requests weighs.
        """
        weight = size * (found.audits + found.speaks_for)
        self.whole += weight
        self.squares += size * size * (found.audits + 2 * found.speaks_for + found.squares)
        self.hits += weight * hit

    def take(self, other: "Sample") -> None:
        """All of another one."""
        self.hits += other.hits
        self.squares += other.squares
        self.whole += other.whole

    def share(self, evidence: float = 1.0) -> Share:
        """The share of hits, as if so many times as much had been observed."""
        if not self.squares:
            return Share(0.0, 0.0)
        return Share(self.hits / self.whole, evidence * self.whole * self.whole / self.squares)


def upper(hits: float, total: float, error: float) -> float:
    """The upper bound of a share; 1 of nothing."""
    return 1.0 if hits >= total else quantile(1.0 - error, hits + 1.0, total - hits)


def lower(hits: float, total: float, error: float) -> float:
    """The lower bound of a share; 0 of nothing."""
    return 0.0 if hits <= 0.0 else quantile(error, hits, max(total - hits, 0.0) + 1.0)


@lru_cache(maxsize=64)
def deviations(error: float) -> float:
    """How many standard deviations a normal variable exceeds its mean by with a chance of `error`, at most one half."""
    at = 0.0
    for _ in range(NEWTON):  # from 0 on the tail is convex, so no step leads too far
        at += (erfc(at / sqrt(2)) / 2 - error) / (exp(-at * at / 2) / sqrt(2 * pi))
    return at
