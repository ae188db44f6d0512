"""What the machines at home drew, hour by hour: the table `power`, written beside the gate's own writer."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from headgate.core.errors import LedgerError
from headgate.core.power import PowerRow
from headgate.ledger.opening import open_for_writing
from headgate.ledger.store import complaint
from headgate.ledger.units import MICRO

ADD = """
INSERT INTO power (hour, source, seconds, energy, requests_energy) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (hour, source) DO UPDATE SET
    seconds = seconds + excluded.seconds,
    energy = energy + excluded.energy,
    requests_energy = requests_energy + excluded.requests_energy
"""


def keep_power(path: Path, rows: Sequence[PowerRow]) -> None:
    """Add what was drawn to its hours, all of it or nothing.

    Raises:
        LedgerError: the ledger cannot be opened or written.
    """
    values = [(row.hour * MICRO, row.source, row.seconds, row.energy, row.requests_energy) for row in rows]
    with closing(open_for_writing(path)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(ADD, values)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(
                f"what the machine drew cannot be kept: {complaint(error)}",
                "free some space, close the other program, or name another file under [ledger] in headgate.toml",
            ) from error
