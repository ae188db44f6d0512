"""Learned routers in the ledger: one row each time that `headgate learn` has made one; at most one is in use.

Like a capability card, a router is written by a command, beside the gate's thread (`ledger.store.keep_row`). Its number is its
version. What it holds is the router itself and the report of how it was made, as JSON; it holds no word of anybody's prompt. This
module does not know how a router is learned, nor whether it may be used.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.errors import LedgerError
from headgate.core.router import Router
from headgate.ledger.opening import open_for_reading, open_for_writing
from headgate.ledger.schema import MICRO
from headgate.ledger.store import complaint

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Router).decode


class Kept(Struct, frozen=True, kw_only=True):
    """A router that was made."""

    n: int
    made: float
    """Unix time."""
    used: float | None
    """Unix time since which it is in use; None is not."""
    report: Raw
    """JSON: how it was made."""


def save_router(path: Path, router: Router, report: bytes, made: float) -> int:
    """Keep a router, not in use; its number.

    Args:
        path: the ledger.
        router: what was learned.
        report: how it was made, as JSON.
        made: Unix time.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with closing(open_for_writing(path)) as db:
        try:
            row = (round(made * MICRO), report.decode(), _encode(router))
            added = db.execute("INSERT INTO routers (made, report, router) VALUES (?, ?, ?)", row)
        except sqlite3.Error as error:
            raise cannot_keep(error) from error
        assert added.lastrowid is not None
        return added.lastrowid


def use_router(path: Path, n: int | None, now: float) -> bool:
    """Turn one router on and all others off; whether there is one of that number. None turns all off.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with closing(open_for_writing(path)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            known = n is None or db.execute("SELECT 1 FROM routers WHERE n = ?", (n,)).fetchone() is not None
            if known:
                db.execute("UPDATE routers SET used = NULL WHERE used IS NOT NULL AND n IS NOT ?", (n,))
                if n is not None:
                    moment = round(now * MICRO)
                    db.execute("UPDATE routers SET used = ? WHERE n = ? AND used IS NULL", (moment, n))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise cannot_keep(error) from error
        return known


def list_routers(path: Path) -> list[Kept]:
    """Every router that was made, the newest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = _read(path, "SELECT n, made, used, report FROM routers ORDER BY n DESC")
    return [
        Kept(n=n, made=made / MICRO, used=None if used is None else used / MICRO, report=Raw(report.encode()))
        for n, made, used, report in rows
    ]


def number_in_use(path: Path) -> int | None:
    """The number of the router in use; None where none is.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = _read(path, "SELECT n FROM routers WHERE used IS NOT NULL ORDER BY used DESC LIMIT 1")
    return found[0][0] if found else None


def read_router(path: Path, n: int) -> Router | None:
    """One router; None where there is none of that number, or this version cannot read it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = _read(path, "SELECT router FROM routers WHERE n = ?", (n,))
    try:
        return _decode(found[0][0]) if found else None
    except msgspec.DecodeError:
        return None


def cannot_keep(error: sqlite3.Error) -> LedgerError:
    """What to tell a person whose ledger takes no router."""
    return LedgerError(
        f"the router cannot be kept: {complaint(error)}",
        "free some space, close the other program, or name another file under [ledger] in headgate.toml",
    )


def _read(path: Path, query: str, values: Sequence[int] = ()) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    try:
        with closing(open_for_reading(path)) as db:
            return db.execute(query, values).fetchall()
    except sqlite3.Error as error:
        if "no such table" in str(error):  # of an older Headgate; the next start of the gate adds the table
            return []
        raise LedgerError(
            f"the routers in {path} cannot be read: {error}", "headgate doctor looks at the ledger"
        ) from error
