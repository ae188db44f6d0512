"""What a batch may pay: set aside before each item, settled after it.

Items are answered side by side, so the money of those under way is reserved. What one costs is not known before: the guess is
the caller's for that item, or the mean of those that were paid for, whichever is more. It does not know prices.
"""

from headgate.reports import shown


class Budget:
    """Money for one batch.

    Args:
        limit: dollars; None is no limit.
        spent: dollars that were spent before, by the results.
    """

    def __init__(self, limit: float | None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self.used_up = False
        """Money was refused at least once: some items may have gone without a paid model."""
        self._reserved = 0.0
        self._paid: tuple[float, int] = (0.0, 0)

    @property
    def words(self) -> str:
        """Why an item went without a paid model."""
        return f"the budget of {shown.dollars(self.limit)} is used up"

    def reserve(self, expected: float | None) -> float | None:
        """Set the probable cost of an item aside; None, and nothing is: that would be more than there is.

        Args:
            expected: dollars that a paid answer to it would cost; None is unknown.
        """
        money, items = self._paid
        likely = max(expected or 0.0, money / items if items else 0.0)
        if self.limit is not None and self.spent + self._reserved + likely > self.limit:
            self.used_up = True
            return None
        self._reserved += likely
        return likely

    def settle(self, reserved: float | None, cost: float | None) -> None:
        """An item is through: what was set aside for it is free again, and its true cost is spent."""
        self._reserved = max(0.0, self._reserved - (reserved or 0.0))
        if cost:
            self.spent += cost
            money, items = self._paid
            self._paid = money + cost, items + 1
