"""Whether a ledger file is sound, without changing it: its version, how much is in it, and SQLite's own quick check.

It does not repair anything.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter

from msgspec import Struct

from headgate.ledger.opening import open_for_reading, unreadable
from headgate.ledger.schema import VERSION

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock."""


class Soundness(Struct, frozen=True, kw_only=True):
    """What was found in a ledger that can be read."""

    version: int
    requests: int | None
    """None: too old to say."""
    problem: str | None
    """SQLite's first complaint; "" is none, None is not known: there was no time to read all of it."""

    @property
    def older(self) -> bool:
        """Whether an older Headgate wrote it."""
        return self.version < VERSION


def examine_ledger(path: Path, within: float) -> Soundness:
    """Look at a ledger.

    Args:
        path: the file.
        within: seconds for reading it.

    Raises:
        LedgerError: it cannot be read, or is none of ours.
    """
    with closing(open_for_reading(path)) as db:
        by = perf_counter() + within
        db.set_progress_handler(lambda: perf_counter() > by, STEPS)
        try:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            has_requests = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchone()
            newest = db.execute("SELECT max(n) FROM requests").fetchone()[0] if has_requests else None
            said = " ".join(str(db.execute("PRAGMA quick_check(1)").fetchone()[0]).split())
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise unreadable(path, error) from error
            return Soundness(version=version, requests=newest, problem=None)
        except sqlite3.Error as error:
            raise unreadable(path, error) from error
    requests = int(newest or 0) if has_requests else None
    return Soundness(version=version, requests=requests, problem="" if said == "ok" else said)
