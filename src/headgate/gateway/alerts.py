"""Alerts of budgets on their way to people: written down, logged, counted, and handed to whoever delivers them.

A budget must not wait for the disk, so alerts queue here. Each is written to the ledger first, which knows whether it was told
before; so it is told once, after a restart and beside another gate too. It does not know how people are reached.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from headgate.core.budgets import Alert
from headgate.core.errors import LedgerError
from headgate.ledger.alerts import note_alert

Hear = Callable[[Alert], object]
"""Is told of an alert, on a thread where it may wait for the disk."""

log = logging.getLogger("headgate.budgets")


class Alerts:
    """The alerts of a gate.

    Args:
        path: the ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue()
        self._hearers: list[Hear] = []
        self._telling: asyncio.Task[None] | None = None

    def hear(self, hear: Hear) -> None:
        """From now on, tell this one too."""
        self._hearers.append(hear)

    def put(self, alert: Alert) -> None:
        """Take an alert. Waits for nobody."""
        self._waiting.put_nowait(alert)

    def open(self) -> None:
        """Begin to tell, what has come already first."""
        self._telling = asyncio.create_task(self._tell(), name="headgate-alerts")

    async def close(self) -> None:
        """Tell what waits, and end."""
        if self._telling is not None:
            await self._waiting.join()
            self._telling.cancel()

    async def _tell(self) -> None:
        while True:
            alert = await self._waiting.get()
            try:
                await asyncio.to_thread(self._tell_one, alert)
            except Exception:
                log.exception("an alert of the budget %s was not told", alert.budget)
            finally:
                self._waiting.task_done()

    def _tell_one(self, alert: Alert) -> None:
        if self._is_new(alert):
            log.warning("%s; %s", alert.title, alert.notice)
            for hear in self._hearers:
                hear(alert)

    def _is_new(self, alert: Alert) -> bool:
        """Write it down. Where that fails, it is rather told twice than never."""
        try:
            return note_alert(self._path, alert)
        except LedgerError as error:
            log.warning("%s", error.message)
            return True
