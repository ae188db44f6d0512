"""The day's money for paid models: what is spent, what is reserved, and what is left.

Reserved before a call from its estimate and settled after it, so that parallel requests cannot overrun the day's limit
together by more than their estimates are wrong. It starts from the ledger's own sum, and at midnight (local time) anew.
"""

from collections.abc import Callable
from datetime import date


class Purse:
    """Money for one day.

    Args:
        limit: dollars per day; None is no limit.
        spent: dollars already spent today, by the ledger.
        today: tells the day.
    """

    def __init__(
        self, limit: float | None, spent: float = 0.0, today: Callable[[], date] = date.today
    ) -> None:
        self.limit = limit
        self.reserved = 0.0
        self._spent = spent
        self._today = today
        self._day = today()

    @property
    def spent(self) -> float:
        """Dollars spent today."""
        day = self._today()
        if day != self._day:
            self._day, self._spent = day, 0.0
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
