"""The day's money for paid models: what is spent, what is reserved, and what is left.

Reserved before a call from its estimate and settled after it, so that parallel requests cannot overrun the day's limit
together by more than their estimates are wrong. It starts from the ledger's own sum, and at midnight (local time) anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import time


class Purse:
    """Money for one day.

    Args:
        limit: dollars per day; None is no limit.
        spent: dollars already spent today, by the ledger.
        clock: Unix time.
    """

    def __init__(self, limit: float | None, spent: float = 0.0, clock: Callable[[], float] = time) -> None:
        self.limit = limit
        self.reserved = 0.0
        self._spent = spent
        self._clock = clock
        self._midnight = next_midnight(clock())

    @property
    def spent(self) -> float:
        """Dollars spent today."""
        now = self._clock()
        if now >= self._midnight:
            self._midnight, self._spent = next_midnight(now), 0.0
        return self._spent

    @property
    def left(self) -> float | None:
        """Dollars that may still be promised; None is no limit."""
        if self.limit is None:
            return None
        return max(0.0, self.limit - self.spent - self.reserved)

    def reserve(self, dollars: float) -> bool:
        """Set the expected cost of a call aside. False, and nothing is set aside: there is not enough left."""
        left = self.left
        if left is not None and dollars > left:
            return False
        self.reserved += dollars
        return True

    def release(self, dollars: float) -> None:
        """Give what was set aside back; its true cost comes with `spend`."""
        self.reserved = max(0.0, self.reserved - dollars)

    def spend(self, dollars: float) -> None:
        """Settle the true cost of a call."""
        self._spent = self.spent + dollars


def next_midnight(now: float) -> float:
    """Unix time of the next midnight, local time."""
    today = (
        datetime.fromtimestamp(now)
        .astimezone()
        .replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    )
    return (today + timedelta(days=1)).timestamp()
