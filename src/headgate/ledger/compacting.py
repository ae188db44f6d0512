"""A ledger made as small as it can be, at once: rolled up, rid of old rows, and written anew without gaps.

Rows that an older Headgate wrote after a newer one had opened the ledger are numbered first (`numbering`).
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.ledger.numbering import all_numbered, number_rows
from headgate.ledger.opening import bring_up_to_date, open_for_writing
from headgate.ledger.retention import Done, Keep, step
from headgate.ledger.store import complaint

BITE: Final = 20_000
"""Rows rolled up at a time: more than a gate would, since nobody waits but other writers, and not for long."""


class Compacted(Struct, frozen=True, kw_only=True):
    """What was done; requests, and bytes."""

    rolled: int
    pruned: int
    bodies: int
    before: int
    after: int
    problem: str
    """Why its space could not be given back; "" when it was."""


def compact(path: Path, keep: Keep, show: Callable[[float, str], None]) -> Compacted:
    """Roll up, remove old rows and give the space back.

    Args:
        path: the ledger file.
        keep: how long rows are kept.
        show: called with how far it is, 0-1, and with what is being done.

    Raises:
        LedgerError: it cannot be read or written. What was done so far is kept, and does no harm.
    """
    bring_up_to_date(path)
    before = _bytes(path)
    done = Done()
    with closing(open_for_writing(path)) as db:
        try:
            if not all_numbered(db):
                db.execute("BEGIN IMMEDIATE")
                number_rows(db)
                db.execute("COMMIT")
            (all_of_it,) = db.execute(
                "SELECT coalesce(max(n), 0) - (SELECT n FROM rolled) FROM requests"
            ).fetchone()
            while now := step(db, keep, time.time(), BITE):
                done = done.plus(now)
                share = done.rolled / all_of_it if all_of_it > 0 else 1.0
                show(0.9 * min(1.0, share), f"{done.rolled:,} rolled up, {done.pruned:,} removed")
        except sqlite3.Error as error:
            raise LedgerError(
                f"the ledger {path} cannot be written: {complaint(error)}",
                "free some space or close the other program, and run this again",
            ) from error
        show(0.9, "writing it anew")
        problem = ""
        try:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            problem = complaint(error)
    return Compacted(
        rolled=done.rolled,
        pruned=done.pruned,
        bodies=done.bodies,
        before=before,
        after=_bytes(path),
        problem=problem,
    )


def _bytes(path: Path) -> int:
    """Of the file, and of what waits beside it."""
    beside = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in beside if file.exists())
