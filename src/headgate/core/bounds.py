"""One-sided bounds of a share, exact for small numbers: a floor that must hold has no use for an approximation near 0 or 1.

    sample.add(found, hit) …;   sample.share().upper(error)

Of observations that weigh the same they are those of Clopper and Pearson (1934); of others, those of as many equal ones as would vary as
much. This module does not know what is counted.
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
    """A weighted share, and how surely it is known.

    Where those that are counted weigh less than others, or more, than they would by chance, their own weights say how sure the sum of them
    is (Fay and Feuer 1997). The one more that may have been missed weighs as much as what was chosen to stand for a request does on average.
    """

    share: float
    hits: float
    """The weights of the hits, together."""
    squares: float
    """Their squares."""
    whole: float
    """All weights."""
    one: float
    """The weight of one more."""

    def upper(self, error: float) -> float:
        """The share is not above this, but with a chance of `error`."""
        hits, squares = self.hits + self.one, self.squares + self.one * self.one
        return self._quantile(1.0 - error, hits, squares) if self.whole > self.hits else 1.0

    def lower(self, error: float) -> float:
        """The share is not below this, but with a chance of `error`."""
        return self._quantile(error, self.hits, self.squares) if self.hits else 0.0

    def _quantile(self, probability: float, hits: float, squares: float) -> float:
        """Of the share that so many hits come of: as many equal ones as vary as much, of as many that weigh so."""
        each = squares / hits
        many, total = hits / each, self.whole / each
        return quantile(probability, many, max(total - many, 0.0) + 1.0)


NOTHING: Final = Share(0.0, 0.0, 0.0, 0.0, 0.0)


class Sample:
    """Weighted observations, being added up."""

    __slots__ = ("hit_squares", "hits", "squares", "whole")

    def __init__(self) -> None:
        self.hits = self.hit_squares = self.squares = self.whole = 0.0

    def add(self, found: Found, hit: bool, size: float = 1.0) -> None:
        """Audits that found the same: each stands for itself and for those that were not chosen.

        Args:
            found: the audits.
            hit: whether they are what is counted.
            size: what one of the requests weighs.
        """
        weight = size * (found.audits + found.speaks_for)
        square = size * size * (found.audits + 2 * found.speaks_for + found.squares)
        self.whole += weight
        self.squares += square
        if hit:
            self.hits += weight
            self.hit_squares += square

    def take(self, other: "Sample") -> None:
        """All of another one."""
        self.hits += other.hits
        self.hit_squares += other.hit_squares
        self.squares += other.squares
        self.whole += other.whole

    def share(self, evidence: float = 1.0) -> Share:
        """The share of hits, as if so many times as much had been observed."""
        if not self.whole:
            return NOTHING
        return Share(
            self.hits / self.whole,
            evidence * self.hits,
            evidence * self.hit_squares,
            evidence * self.whole,
            self.squares / self.whole,
        )


@lru_cache(maxsize=64)
def deviations(error: float) -> float:
    """How many standard deviations a normal variable exceeds its mean by with a chance of `error`, at most one half."""
    at = 0.0
    for _ in range(NEWTON):  # from 0 on the tail is convex, so no step leads too far
        at += (erfc(at / sqrt(2)) / 2 - error) / (exp(-at * at / 2) / sqrt(2 * pi))
    return at
