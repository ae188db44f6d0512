"""How sure a share is that was seen in a sample of some effective size, which need not be a whole number.

The ends are quantiles of beta distributions, half-way between those of Jeffreys (right on average, too narrow for some shares) and of
Clopper and Pearson (never too narrow, mostly too wide): see Brown, Cai and DasGupta 2001. With effective sizes, as Korn and Graubard
1998 have them for surveys, they keep 95 % also where few were seen, or none. This module does not know what is counted.
"""

from functools import lru_cache
from math import exp, inf, lgamma, log, log1p
from typing import Final

TAIL: Final = 0.025
"""The chance that the truth lies below the lower end, and above the upper one."""
HALFWAY: Final = 0.25
"""Added to the hits for the lower end: 0 would be Clopper and Pearson, 0.5 Jeffreys."""
_STEPS: Final = 32
"""Halvings of the unit interval: ends are right to a billionth."""
_TERMS: Final = 300
_TINY: Final = 1e-30


def share_ends(share: float, size: float) -> tuple[float, float]:
    """The 95 % interval of a share.

    Args:
        share: what was seen, 0-1.
        size: how many were seen, in effect: infinite where all are known, 0 where none is.
    """
    if size == inf:
        return share, share
    if size <= 0:
        return 0.0, 1.0
    hits, misses = share * size, (1.0 - share) * size
    low = 0.0 if hits <= 0 else quantile(TAIL, hits + HALFWAY, misses + 1.0 - HALFWAY)
    high = 1.0 if misses <= 0 else quantile(1.0 - TAIL, hits + 1.0 - HALFWAY, misses + HALFWAY)
    return min(low, share), max(high, share)


@lru_cache(maxsize=4096)
def quantile(chance: float, a: float, b: float) -> float:
    """Where a beta distribution has that chance below it."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if below(middle, a, b) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def below(x: float, a: float, b: float) -> float:
    """The chance that a beta distribution gives to all that is below x: the regularised incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, by the method of Lentz (DLMF 8.17.22)."""
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-10:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
