"""The beta distribution: where it reaches a probability, by its regularised incomplete beta function.

Intervals of shares are its quantiles (`shares`, `bounds`). Plain Python, because a gate need not have numpy.
"""

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from typing import Final

STEPS: Final = 100
"""Towards a quantile, at most: Newton's, about six, and halvings where these would leave the interval."""
TERMS: Final = 300
"""Of the continued fraction, at most; about sqrt(a + b) are needed."""
CLOSE: Final = 1e-12
NEAR: Final = 1e-7
"""The last step, as a share of where it leads: Newton's next would be its square."""
TINY: Final = 1e-300


@lru_cache(maxsize=4096)
def quantile(probability: float, a: float, b: float) -> float:
    """Where a beta distribution, of a > 0 and b > 0, has that probability below it."""
    low, high = 0.0, 1.0
    whole = lgamma(a + b) - lgamma(a) - lgamma(b)
    x = _start(probability, a, b)
    for _ in range(STEPS):
        gap = below(x, a, b) - probability
        low, high = (x, high) if gap < 0.0 else (low, x)
        density = exp(whole + (a - 1.0) * log(x) + (b - 1.0) * log1p(-x))
        closer = x - gap / density if density else low
        if not low < closer < high:
            closer = (low + high) / 2
        if abs(closer - x) <= NEAR * x or not 0.0 < closer < 1.0:
            return closer
        x = closer
    return x


def _start(probability: float, a: float, b: float) -> float:
    """Near a quantile: where the normal distribution has its own, moved by how skew this one is (Cornish and Fisher 1938)."""
    whole = a + b
    spread = sqrt(a * b / (whole + 1.0)) / whole
    skew = 2.0 * (b - a) * sqrt(whole + 1.0) / ((whole + 2.0) * sqrt(a * b))
    tail = sqrt(-2.0 * log(max(min(probability, 1.0 - probability), TINY)))
    sure = tail - (2.30753 + 0.27061 * tail) / (1.0 + tail * (0.99229 + 0.04481 * tail))
    sure = sure if probability > 0.5 else -sure
    at = a / whole + spread * (sure + (sure * sure - 1.0) * skew / 6.0)
    return at if CLOSE < at < 1.0 - CLOSE else min(a / whole, 1.0 - CLOSE)


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
