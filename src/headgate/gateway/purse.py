"""The day's money for paid models: what is spent, what is reserved, and what is left.

Reserved before a call from its estimate and settled after it, so that parallel requests cannot overrun the day's limit
together. It starts from the ledger's own sum, and at midnight (local time) it starts anew.
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
        self.spent = spent
        self.reserved = 0.0
        self.today = today
        self.day = today()

    @property
    def left(self) -> float | None:
        """Dollars that may still be promised; None is no limit."""
        if self.limit is None:
            return None
        day = self.today()
        if day != self.day:
            self.day, self.spent = day, 0.0
        return max(0.0, self.limit - self.spent - self.reserved)

    def reserve(self, dollars: float) -> None:
        """Set the expected cost of a call aside."""
        self.reserved += dollars

    def release(self, dollars: float) -> None:
        """Give what was set aside back; its true cost comes with `spend`."""
        self.reserved = max(0.0, self.reserved - dollars)

    def spend(self, dollars: float) -> None:
        """Settle the true cost of a call."""
        self.spent += dollars
