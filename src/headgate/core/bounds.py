"""One-sided bounds of a share, exact for small numbers: a floor that must hold has no use for an approximation near 0 or 1.

    upper(hits, total, error), lower(hits, total, error)      Clopper and Pearson 1934

`total` may be no whole number: that of unequally weighted observations is how many equal ones would say as much (Kish 1965). This
module does not know what is counted. The incomplete beta function is a continued fraction (Lentz's method; Numerical Recipes 6.4).
"""

from math import exp, lgamma, log

from msgspec import Struct

from headgate.core.past import Found

STEPS = 200
"""Terms of the continued fraction; about sqrt(total) are needed."""

HALVINGS = 40
"""Of the interval in which a quantile lies: it is found to 1e-12."""

TINY = 1e-300
CLOSE = 1e-12


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


def quantile(chance: float, a: float, b: float) -> float:
    """Where the beta distribution reaches a chance."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if beta(middle, a, b) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * fraction(x, a, b) / a
    return 1.0 - front * fraction(1.0 - x, b, a) / b


def fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function."""
    c, d = 1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / away(1.0 + term * d)
            c = away(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < CLOSE:
            break
    return value


def away(value: float) -> float:
    """The value, kept away from zero."""
    return value if abs(value) > TINY else TINY
