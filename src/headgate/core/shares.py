"""How sure a share is that was seen in a sample of some effective size, which need not be a whole number.

The ends are quantiles of beta distributions, half-way between those of Jeffreys (right on average, too narrow for some shares) and of
Clopper and Pearson (never too narrow, mostly too wide): see Brown, Cai and DasGupta 2001. With effective sizes, as Korn and Graubard
1998 have them for surveys, they keep 95 % also where few were seen, or none. This module does not know what is counted.
"""

from math import inf
from typing import Final

from headgate.core.beta import quantile

TAIL: Final = 0.025
"""The chance that the truth lies below the lower end, and above the upper one."""
HALFWAY: Final = 0.25
"""Added to the hits for the lower end: 0 would be Clopper and Pearson, 0.5 Jeffreys."""


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
