"""The money of audits: so many dollars a week, counted call by call in the ledger.

One audit is made at a time, so nothing has to be set aside for others. Budgets of the gate hold besides (`gateway.budgets`).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import tzinfo
from pathlib import Path
from time import time

from headgate.core.budgets import Period, period_of
from headgate.ledger.audit_payments import paid_for, paid_since, promise, settle


class Bill:
    """One call, on its way to be paid."""

    def __init__(self, most: float) -> None:
        self.cost = most
        """Dollars; the most that it can cost, until it is known."""


class Purse:
    """What audits may pay in a week.

    Args:
        path: the ledger file.
        dollars: a week's money.
        zone: where weeks begin.
        week_starts: the weekday on which they do, 0 is Monday.
        clock: Unix time.
    """

    def __init__(
        self,
        path: Path,
        dollars: float,
        zone: tzinfo,
        week_starts: int = 0,
        *,
        clock: Callable[[], float] = time,
    ) -> None:
        self.path = path
        self.dollars = dollars
        self.clock = clock
        self._zone = zone
        self._week_starts = week_starts

    @property
    def week(self) -> Period:
        """The week that it is."""
        return period_of(self.clock(), "week", self._zone, self._week_starts)

    async def spent(self) -> float:
        """Dollars that went out in this week.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        return await asyncio.to_thread(paid_since, self.path, self.week.begun)

    async def left(self) -> float:
        """Dollars that may still be paid in this week.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        return max(0.0, self.dollars - await self.spent()) if self.dollars else 0.0

    async def paid_for(self, request: int) -> float:
        """Dollars that the audit of one request has taken, tries that came to nothing included."""
        return await asyncio.to_thread(paid_for, self.path, request)

    @asynccontextmanager
    async def pay(self, request: int, most: float) -> AsyncGenerator[Bill]:
        """A paid call inside of it is counted, whatever becomes of it: set the bill's cost once it is known.

        Args:
            request: the number of the request that is audited.
            most: dollars that the call can cost.

        Raises:
            LedgerError: the ledger cannot be written, or the money is gone; then the call is not made.
        """
        now = self.clock()
        begun = period_of(now, "week", self._zone, self._week_starts).begun
        n = await asyncio.to_thread(promise, self.path, request, most, now, since=begun, limit=self.dollars)
        bill = Bill(most)
        try:
            yield bill
        finally:
            await asyncio.to_thread(settle, self.path, n, bill.cost)
