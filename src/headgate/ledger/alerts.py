"""Alerts of budgets in the ledger: each level of each period is told once, also after a restart."""

import sqlite3
from contextlib import closing
from pathlib import Path

from headgate.core.budgets import Alert
from headgate.core.errors import LedgerError
from headgate.ledger.beside import change
from headgate.ledger.opening import open_for_reading
from headgate.ledger.units import MICRO


def note_alert(path: Path, alert: Alert) -> bool:
    """Write an alert down. False: it was there already, because another gate was quicker.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    row = (alert.budget, round(alert.begun * MICRO), alert.level, round(alert.reached * MICRO))
    insert = "INSERT OR IGNORE INTO alerts (budget, period, level, reached) VALUES (?, ?, ?, ?)"
    return change(path, insert, row, f"the alert of {alert.budget}") > 0


def highest_level(path: Path, budget: str, begun: float) -> int:
    """The highest level of a budget that was told in the period that began then; 0 is none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return 0
    query = "SELECT coalesce(max(level), 0) FROM alerts WHERE budget = ? AND period = ?"
    try:
        with closing(open_for_reading(path)) as db:
            return int(db.execute(query, (budget, round(begun * MICRO))).fetchone()[0])
    except sqlite3.Error as error:
        if "no such table" in str(error):  # of an older Headgate; the next start of the gate adds the table
            return 0
        raise LedgerError(
            f"the alerts in {path} cannot be read: {error}", "headgate doctor looks at the ledger"
        ) from error
