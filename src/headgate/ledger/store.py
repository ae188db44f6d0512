"""Batches of outcomes into one ledger file, each batch whole or not at all.

Owned by the writer's thread. It opens the file again when it has been moved away or its connection broke, and it never
lets one outcome that cannot be stored take its batch with it: what a row cannot hold of it becomes unknown (`storable`). It does not know queues, waiting or retries (`writer`).
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.types import Model, Outcome
from headgate.ledger.audit_queue import expire, keep_jobs
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.encode import encode
from headgate.ledger.opening import is_damaged, open_for_writing, unreadable
from headgate.ledger.retention import FOR_EVER, Keep, step
from headgate.ledger.runs import Found, begin_run, end_run, find_crashes
from headgate.ledger.schema import attempts, bodies, insert_sql, requests, turns
from headgate.ledger.storable import storable
from headgate.ledger.units import MICRO

log = logging.getLogger(__name__)

BITE: Final = 24
"""Requests encoded and inserted at a stretch."""
BREATH: Final = 0.00005
"""Seconds of sleep after each stretch. Only a real sleep hands the interpreter's lock to the event loop at once; after a
mere release this thread would mostly win it back, and the loop would wait for the switch interval of 5 ms."""
ABREAST: Final = 24
"""Rows in one statement. The driver lets go of the interpreter's lock around each statement, and each time that costs
two futile wake-ups of a busy event loop: more than the row itself."""

BACK: Final = 60 * MICRO
"""Microseconds by which the clock must have been set back to be counted; less than that is a clock kept right."""

_TABLES: Final = (requests, attempts, bodies, turns)
_OF_THE_ROW: Final = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
)
"""The driver's errors that are the row's fault; all its others are the file's or the disk's."""


class Store:
    """One ledger file, open for writing.

    Args:
        path: the file.
        version: of Headgate, noted with the run.
        clock: Unix time.
        keep: how long rows are kept.
    """

    def __init__(self, path: Path, version: str, clock: Callable[[], float], keep: Keep = FOR_EVER) -> None:
        self._path = path
        self._keep = keep
        self._unrolled = 0
        self._version = version
        self._clock = clock
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._run = 0
        self._described: tuple[Model, ...] = ()
        self._inserts = {table: (insert_sql(table), insert_sql(table, ABREAST)) for table in _TABLES}

    def open(self, flush_every: float) -> Found:
        """Open the file, look for crashed runs and begin a run.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        emptied = self._path if self._path.exists() and not self._path.stat().st_size else None
        db = self._connect()
        try:
            found = find_crashes(db, self._path, flush_every)
            self._run = begin_run(db, self._version, self._clock())
        except sqlite3.Error as error:
            self._disconnect()
            if is_damaged(error):
                raise unreadable(self._path, error) from error
            raise LedgerError(
                f"the ledger {self._path} cannot be written: {complaint(error)}",
                "free some space, close the other program, or name another file under [ledger] in headgate.toml",
            ) from error
        except LedgerError:
            self._disconnect()
            raise
        return replace(found, emptied=emptied)

    def describe(self, models: Iterable[Model]) -> None:
        """From now on, rows carry these descriptions and prices."""
        known = {model.name: model for model in self._described} | {model.name: model for model in models}
        self._described = tuple(known.values())
        if self._db is not None:
            self._numbers.describe(self._described)

    def write(self, batch: Sequence[Outcome], lost: int) -> int:
        """Commit a batch; how many of it could not be stored, whatever one does.

        Args:
            batch: the outcomes.
            lost: requests lost so far, noted with the run.

        Raises:
            sqlite3.Error: the file cannot be written now; nothing of the batch was stored.
            LedgerError: the file has become unusable; nothing of the batch was stored.
        """
        db = self._reconnect()
        try:
            try:
                return self._commit(db, batch, lost)
            except sqlite3.Error as error:
                if not isinstance(error, _OF_THE_ROW):
                    raise
            except Exception:  # noqa: BLE001, S110 - whatever a strange value raised, the others are stored below
                pass
            return self._commit_one_by_one(db, batch, lost)
        except sqlite3.Error as error:
            if error_code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                self._disconnect()
            raise

    @property
    def unrolled(self) -> int:
        """About how many requests are in no rollup yet."""
        return self._unrolled

    def tend(self) -> bool:
        """Take the next small step in looking after the file; whether there was one to take.

        What cannot be done now, because of a full disk or another writer, is left for the next time.
        """
        try:
            done = step(self._reconnect(), self._keep, self._clock())
        except (sqlite3.Error, LedgerError):
            return False
        self._unrolled = max(0, self._unrolled - done.rolled)
        return bool(done)

    def close(self, lost: int) -> None:
        """Note a clean end and close. If the file cannot be written, the next start will find no clean end."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                end_run(self._db, self._run, lost, self._clock())
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._disconnect()

    def _commit(self, db: sqlite3.Connection, batch: Sequence[Outcome], lost: int) -> int:
        db.execute("BEGIN IMMEDIATE")
        try:
            n = self._next(db)
            for start in range(0, len(batch), BITE):
                n = self._insert(db, batch[start : start + BITE], n)
                time.sleep(BREATH)
            self._note(db, len(batch), lost)
            db.execute("COMMIT")
            self._unrolled += len(batch)
        except BaseException:
            self._roll_back(db)
            raise
        self._numbers.keep()
        return 0

    def _commit_one_by_one(self, db: sqlite3.Connection, batch: Sequence[Outcome], lost: int) -> int:
        spoiled = 0
        db.execute("BEGIN IMMEDIATE")
        try:
            for outcome in batch:
                if self._insert_alone(db, outcome) is None:
                    continue
                if (why := self._insert_alone(db, storable(outcome))) is not None:
                    log.error("the request %s cannot be written down, and is lost: %s", outcome.id, why)
                    spoiled += 1
            self._note(db, len(batch) - spoiled, lost + spoiled)
            db.execute("COMMIT")
        except BaseException:
            self._roll_back(db)
            raise
        self._numbers.keep()
        return spoiled

    def _insert_alone(self, db: sqlite3.Connection, outcome: Outcome) -> Exception | None:
        """Insert the rows of one outcome; what is wrong, and nothing of it, where a value in it cannot be stored."""
        db.execute("SAVEPOINT one")
        try:
            self._insert(db, (outcome,), self._next(db))
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_THE_ROW):
                raise
            db.execute("ROLLBACK TO one")
            self._numbers.forget()
            wrong: Exception | None = error
        else:
            wrong = None
        db.execute("RELEASE one")
        return wrong

    def _insert(self, db: sqlite3.Connection, outcomes: Sequence[Outcome], n: int) -> int:
        """Insert the rows of outcomes from number `n` on; the next number."""
        for table, rows in zip(_TABLES, encode(outcomes, n, self._numbers), strict=True):
            one, abreast = self._inserts[table]
            whole = len(rows) - len(rows) % ABREAST
            for start in range(0, whole, ABREAST):
                db.execute(abreast, tuple(chain.from_iterable(rows[start : start + ABREAST])))
            if whole < len(rows):
                db.executemany(one, rows[whole:])
        chosen = [
            (number, o.received, o.audit) for number, o in enumerate(outcomes, n) if o.audit is not UNSET
        ]
        if chosen:
            keep_jobs(db, chosen)
            expire(db, round(self._clock() * MICRO))  # a gate that is never at rest is never tended
        return n + len(outcomes)

    def _next(self, db: sqlite3.Connection) -> int:
        # the newest rows may have been removed; their numbers are in the rollups and never given again
        query = "SELECT max((SELECT coalesce(max(n), 0) FROM requests), n) + 1 FROM rolled"
        return int(db.execute(query).fetchone()[0])

    def _note(self, db: sqlite3.Connection, written: int, lost: int) -> None:
        now = round(self._clock() * MICRO)
        db.execute(
            "UPDATE runs SET written = written + ?, lost = ?, last = ?,"
            " jumps = CASE WHEN last > ? THEN coalesce(jumps, 0) + 1 ELSE jumps END WHERE id = ?",
            (written, lost, now, now + BACK, self._run),
        )

    def _roll_back(self, db: sqlite3.Connection) -> None:
        self._numbers.forget()
        if db.in_transaction:
            with suppress(sqlite3.Error):  # the error that brought us here is the one to tell
                db.execute("ROLLBACK")

    def _reconnect(self) -> sqlite3.Connection:
        """The connection; a new one when the old one broke or the file was moved away beneath it."""
        if self._db is not None and self._file == _identity(self._path):
            return self._db
        before = self._file
        self._disconnect()
        db = self._connect()
        if self._file != before:
            self._run = begin_run(db, self._version, self._clock())
        return db

    def _connect(self) -> sqlite3.Connection:
        db = open_for_writing(self._path)
        self._db = db
        self._file = _identity(self._path)
        self._numbers = Dimensions(db)
        self._numbers.describe(self._described)
        (rolled,) = db.execute("SELECT n FROM rolled").fetchone()
        self._unrolled = max(0, self._next(db) - 1 - rolled)
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None


def complaint(error: Exception) -> str:
    """What is wrong with the file or its disk, for people."""
    if isinstance(error, sqlite3.Error):
        code = error_code(error)
        if code == sqlite3.SQLITE_FULL:
            return "the disk is full"
        if code == sqlite3.SQLITE_BUSY:
            return "another process is writing to it"
        if code == sqlite3.SQLITE_READONLY:
            return "the file or its folder is read-only"
    return str(error)


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when the driver itself complained."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
