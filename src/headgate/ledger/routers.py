"""Learned routers in the ledger: one row each time that `headgate learn` has made one; at most one is in use.

Like a capability card, a router is written by a command, beside the gate's thread (`beside`). Its number is its
version. What it holds is the router itself and the report of how it was made, as JSON; it holds no word of anybody's prompt. This
module does not know how a router is learned, nor whether it may be used.
"""

from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from headgate.core.router import Router
from headgate.ledger.beside import read_rows, transaction
from headgate.ledger.units import MICRO

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
    row = (round(made * MICRO), report.decode(), _encode(router))
    with transaction(path, "the router") as db:
        n = db.execute("INSERT INTO routers (made, report, router) VALUES (?, ?, ?)", row).lastrowid
    assert n is not None, "a row has a number"
    return n


def use_router(path: Path, n: int | None, now: float) -> bool:
    """Turn one router on and all others off; whether there is one of that number. None turns all off.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with transaction(path, "the router") as db:
        known = n is None or db.execute("SELECT 1 FROM routers WHERE n = ?", (n,)).fetchone() is not None
        if known:
            db.execute("UPDATE routers SET used = NULL WHERE used IS NOT NULL AND n IS NOT ?", (n,))
        if n is not None:
            db.execute("UPDATE routers SET used = ? WHERE n = ? AND used IS NULL", (round(now * MICRO), n))
    return known


def list_routers(path: Path) -> list[Kept]:
    """Every router that was made, the newest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = read_rows(path, "SELECT n, made, used, report FROM routers ORDER BY n DESC")
    return [
        Kept(n=n, made=made / MICRO, used=None if used is None else used / MICRO, report=Raw(report.encode()))
        for n, made, used, report in rows
    ]


def number_in_use(path: Path) -> int | None:
    """The number of the router in use; None where none is.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = read_rows(path, "SELECT n FROM routers WHERE used IS NOT NULL ORDER BY used DESC LIMIT 1")
    return found[0][0] if found else None


def read_router(path: Path, n: int) -> Router | None:
    """One router; None where there is none of that number, or this version cannot read it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = read_rows(path, "SELECT router FROM routers WHERE n = ?", (n,))
    try:
        return _decode(found[0][0]) if found else None
    except msgspec.DecodeError:
        return None
