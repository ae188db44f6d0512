"""The beta distribution: where it reaches a probability, by its regularised incomplete beta function.

Intervals of shares are its quantiles (`shares`, `bounds`). Plain Python, because a gate need not have numpy.
"""

from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final

STEPS: Final = 100
"""Towards a quantile, at most: Newton's, about six, and halvings where these would leave the interval."""
TERMS: Final = 300
"""Of the continued fraction, at most; about sqrt(a + b) are needed."""
CLOSE: Final = 1e-12
TINY: Final = 1e-300


@lru_cache(maxsize=4096)
def quantile(probability: float, a: float, b: float) -> float:
    """Where a beta distribution, of a > 0 and b > 0, has that probability below it."""
    low, high = 0.0, 1.0
    whole = lgamma(a + b) - lgamma(a) - lgamma(b)
    x = min(a / (a + b), 1.0 - CLOSE)
    for _ in range(STEPS):
        gap = below(x, a, b) - probability
        low, high = (x, high) if gap < 0.0 else (low, x)
        density = exp(whole + (a - 1.0) * log(x) + (b - 1.0) * log1p(-x))
        closer = x - gap / density if density else low
        if not low < closer < high:
            closer = (low + high) / 2
        if abs(closer - x) <= CLOSE * x or not 0.0 < closer < 1.0:
            return closer
        x = closer
    return x


def below(x: float, a: float, b: float) -> float:
    """The probability of all that is below x: the regularised incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction (DLMF 8.17.22), by the method of Lentz."""
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < CLOSE:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
