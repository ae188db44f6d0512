"""Opening a ledger file without harming it, and bringing an older one up to date.

A file is read before anything is written to it: what is damaged, another program's or a newer Headgate's is refused and
left as it was. An older one is given the tables and columns that it lacks, and loses what is not kept any more, in one
transaction. What the tables are is said in `schema`.
"""

import os
import sqlite3
from contextlib import closing, suppress
from errno import EACCES, EISDIR
from pathlib import Path
from typing import Final

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from headgate.core.errors import LedgerError
from headgate.ledger.schema import VERSION, call_rollups, metadata

APPLICATION_ID: Final = 0x48474C31
"""Marks the file as ours ("HGL1"), so that another program's database is never taken for a ledger."""

REASONS_APART: Final = 10
"""The version since which the reasons of judges are kept with the answers that they may quote (`audit_jobs`)."""

COUNTED: Final = 12
"""The version since which a row says how it is counted, with its times and its only call (`numbering`)."""

BUSY_SECONDS: Final = 5.0
"""How long one writer waits for another on the same file."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open a ledger, or make one where there is none; usable from any one thread at a time.

    Raises:
        LedgerError: the file cannot be opened or made, is damaged, is no ledger, or is from a newer Headgate. It has
            not been changed in any of these cases.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be opened: {error.strerror}",
            "look at its permissions, or name another file under [ledger] in headgate.toml",
        ) from error
    with closing(open_for_reading(path)):
        pass  # it is ours, readable, and not newer than we are
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        raise unreadable(path, error) from error
    except BaseException:
        db.close()
        raise
    return db


def _make(path: Path) -> None:
    """Make an empty file that the user alone may read, if there is none yet; one that is there is not opened.

    On POSIX, closing a file gives up all locks that this process has on it, SQLite's among them. Another process would then believe that
    nobody has the ledger open, and remove the log into which this one goes on writing.

    Raises:
        OSError: it cannot be made, or one that is there may not be read and written.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing ledger read-only, usable from any one thread at a time.

    Raises:
        LedgerError: there is none, it is damaged, it is another program's, or it is from a newer Headgate.
    """
    if not path.exists():
        raise LedgerError(
            f"there is no ledger at {path} yet",
            "headgate up opens the gate; its first request starts the ledger",
        )
    db: sqlite3.Connection | None = None
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        used = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        raise unreadable(path, error) from error
    try:
        _refuse_strangers(path, owner, version, used)
    except LedgerError:
        db.close()
        raise
    return db


def bring_up_to_date(path: Path) -> None:
    """Give a ledger of an older Headgate the tables and columns that it lacks, so that it can be read as one of today's.

    Raises:
        LedgerError: there is none, it is empty, it cannot be read, or it is older and cannot be written.
    """
    with closing(open_for_reading(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version == 0:
        raise LedgerError(
            f"the ledger {path} is empty: nothing was ever written to it, or it was cut off",
            "restore it if you have a copy; else headgate up begins a new one in it",
        )
    try:
        open_for_writing(path).close()
    except LedgerError as error:
        raise LedgerError(
            f"the ledger {path} was written by an older Headgate and cannot be brought up to date: {error.message}",
            error.hint,
        ) from error


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file's content is not what it should be."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def unreadable(path: Path, error: sqlite3.Error) -> LedgerError:
    """The error for people behind a driver's error."""
    if is_damaged(error):
        return LedgerError(
            f"the ledger {path} is damaged or is no ledger: {error}",
            f"move it aside (mv {path} {path}.damaged) and Headgate starts a new one; sqlite3's .recover may save its rows",
        )
    return LedgerError(
        f"the ledger {path} cannot be used: {error}",
        "look at its permissions and the free space of its disk; it must lie on a local disk",
    )


def _refuse_strangers(path: Path, owner: int, version: int, used: int) -> None:
    if used and owner != APPLICATION_ID:
        raise LedgerError(
            f"{path} is a database of another program",
            "name another file under [ledger] in headgate.toml",
        )
    if version > VERSION:
        raise LedgerError(
            f"the ledger {path} was written by a newer Headgate (its version is {version}, we know {VERSION})",
            "upgrade Headgate, or name another file under [ledger] in headgate.toml",
        )


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            f"the ledger {path} cannot be written safely: its file system has no shared memory",
            "put it on a local disk: name another file under [ledger] in headgate.toml",
        )
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA secure_delete = ON")  # prompts that are removed leave no trace in the file
    if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        (before,) = db.execute("PRAGMA user_version").fetchone()
        if 0 < before < COUNTED:
            _make_way(db)
        if before != VERSION:  # another gate may have been faster
            make_tables(db)
        if 0 < before < COUNTED:
            from headgate.ledger.numbering import number_rows  # noqa: PLC0415  # only an older ledger

            number_rows(db)
        if before < REASONS_APART:
            from headgate.ledger.audits import forget_reasons  # noqa: PLC0415  # only an older ledger

            forget_reasons(db)
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _make_way(db: sqlite3.Connection) -> None:
    """Remove what version 12 has in another form: an index of one column less, and in `call_rollups` energy that nobody read."""
    db.execute("DROP INDEX IF EXISTS variants_by_all")
    if db.execute("SELECT 1 FROM pragma_table_info('call_rollups') WHERE name = 'energy'").fetchone():
        # neither by DROP COLUMN, which SQLite has since 3.35 alone, nor by RENAME, which changes people's views along
        kept = ", ".join(column.name for column in call_rollups.columns)
        db.execute(f"CREATE TEMP TABLE before AS SELECT {kept} FROM call_rollups")  # noqa: S608 - our own names
        db.execute("DROP TABLE call_rollups")
        db.execute(str(CreateTable(call_rollups).compile(dialect=sqlite.dialect())))
        db.execute(f"INSERT INTO call_rollups ({kept}) SELECT {kept} FROM temp.before")  # noqa: S608 - as above
        db.execute("DROP TABLE temp.before")


def make_tables(db: sqlite3.Connection) -> None:
    """Make the tables and columns that a database lacks, and mark it as a ledger."""
    dialect = sqlite.dialect()
    for table in metadata.sorted_tables:
        db.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        known = {row[1] for row in db.execute(f"PRAGMA table_info({table.name})")}
        for column in table.columns:
            if column.name not in known:
                told = str(CreateColumn(column).compile(dialect=dialect))
                db.execute(f"ALTER TABLE {table.name} ADD COLUMN {told}")
        for index in table.indexes:
            db.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))
    db.execute("INSERT OR IGNORE INTO rolled (id, n, pruned) VALUES (1, 0, 0)")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
