"""Reading and writing a ledger beside the gate's own writer, as commands and slow workers do it: the file is opened for each occasion.

    with transaction(path, "the opinion") as db: …      whole or not at all
    change(path, statement, values, "the key")          one statement
    read_rows(path, query, values)                      none where there is no ledger yet, or one of an older Headgate

This module does not know what the rows mean.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from headgate.core.errors import LedgerError
from headgate.ledger.opening import open_for_reading, open_for_writing, unreadable
from headgate.ledger.store import complaint


@contextmanager
def transaction(path: Path, what: str) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction, which is written at the end of the context; the ledger is made where there is none.

    Args:
        path: the ledger file.
        what: what is kept, for the error.

    Raises:
        LedgerError: the ledger cannot be opened or written; nothing was.
    """
    with closing(open_for_writing(path)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(
                f"{what} cannot be kept: {complaint(error)}",
                "free some space, close the other program, or name another file under [ledger] in headgate.toml",
            ) from error


def change(path: Path, statement: str, values: Sequence[str | int | None], what: str) -> int:
    """Run one statement; how many rows it has written. The rest is as with `transaction`."""
    with transaction(path, what) as db:
        return db.execute(statement, values).rowcount


def keep_row(path: Path, table: str, row: Mapping[str, str | int], what: str) -> None:
    """Write one row. The rest is as with `transaction`.

    Args:
        path: the ledger file.
        table: its name, one of ours.
        row: the values, by column.
        what: what is kept, for the error.
    """
    insert = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608 - our own names
    change(path, insert, tuple(row.values()), what)


def read_rows(path: Path, query: str, values: Sequence[object] = ()) -> list[Any]:
    """All rows of a query; none where there is no ledger yet, or one of an older Headgate that lacks the table.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return []
    with closing(open_for_reading(path)) as db:
        try:
            return db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):  # the next start of a gate adds it
                return []
            raise unreadable(path, error) from error
