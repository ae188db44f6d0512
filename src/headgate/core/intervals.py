"""How sure a rate is.

A rate of 3 in 20 may be luck; its interval says how much. This module does not know what is counted.
"""

from math import sqrt

from headgate.core.spans import SURE


def wilson(hits: float, total: float, z: float = SURE) -> tuple[float, float] | None:
    """Wilson's score interval of a rate, both ends in 0-1; None of nothing.

    Args:
        hits: how often it was so; no whole number where observations are weighed.
        total: of how many.
        z: standard deviations: 95 % on both sides, unless said otherwise.
    """
    if not total:
        return None
    rate = hits / total
    scale = 1 + z * z / total
    middle = rate + z * z / (2 * total)
    reach = z * sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)
