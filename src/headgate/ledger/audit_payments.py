"""What audits have paid, call by call, so that their money limit holds over restarts, kills and tries that came to nothing.

A call is written down before it is made, with the most that it can cost (`promise`), and again once its cost is known (`settle`): of a
gate that was killed meanwhile the promise counts. What has been paid belongs to the moment of the promise.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from headgate.core.errors import LedgerError
from headgate.core.words import Task
from headgate.ledger.dimensions import NANO
from headgate.ledger.opening import open_for_reading, open_for_writing
from headgate.ledger.schema import MICRO
from headgate.ledger.store import complaint

KEPT: Final = 40 * 86_400.0
"""Seconds for which payments are kept, longer than any budget's period; and as long as their request's row is there."""
SLACK: Final = 1
"""Nano-dollars that rounding may add."""


def promise(path: Path, request: int, most: float, now: float, *, since: float, limit: float) -> int:
    """Write down that a call is about to be made; the number of the payment.

    Args:
        path: the ledger file.
        request: the number of the request that is audited.
        most: dollars that the call can cost.
        now: Unix time.
        since: when the time began for which there is a limit.
        limit: dollars that may go out in that time, this call included.

    Raises:
        LedgerError: the ledger cannot be written, or another process has promised the money that was left.
    """
    with _writing(path) as db:
        (paid,) = db.execute(
            "SELECT coalesce(sum(cost), 0) FROM audit_payments WHERE paid >= ?", (round(since * MICRO),)
        ).fetchone()
        if paid + round(most * NANO) > round(limit * NANO) + SLACK:
            raise LedgerError(
                "the money that audits had left for this week was paid by another process",
                "audits go on next week; paid_per_week in [audit] says how much they may cost",
            )
        db.execute(
            "DELETE FROM audit_payments WHERE paid < ? AND request NOT IN (SELECT n FROM requests)",
            (round((now - KEPT) * MICRO),),
        )
        row = (request, round(now * MICRO), round(most * NANO))
        made = db.execute("INSERT INTO audit_payments (request, paid, cost) VALUES (?, ?, ?)", row)
        assert made.lastrowid is not None, "a row has a number"
        return made.lastrowid


def settle(path: Path, n: int, dollars: float) -> None:
    """Write down what a call has cost.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with _writing(path) as db:
        db.execute("UPDATE audit_payments SET cost = ? WHERE n = ?", (round(dollars * NANO), n))


def paid_for(path: Path, request: int) -> float:
    """Dollars that the audit of one request has taken so far.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return _sum(path, "SELECT sum(cost) FROM audit_payments WHERE request = ?", (request,))


def paid_since(path: Path, begun: float, task: Task | None = None) -> float:
    """Dollars that audits have taken since a moment, those of one task or all; 0 where there is no ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return 0.0
    query = "SELECT sum(cost) FROM audit_payments WHERE paid >= ?"
    if task is None:
        return _sum(path, query, (round(begun * MICRO),))
    query += (
        " AND request IN (SELECT n FROM requests WHERE task = (SELECT id FROM names WHERE text = ?)"
        " AND n IN (SELECT request FROM audit_payments))"
    )
    return _sum(path, query, (round(begun * MICRO), task))


def _sum(path: Path, query: str, values: tuple[object, ...]) -> float:
    with closing(open_for_reading(path)) as db:
        try:
            return float(db.execute(query, values).fetchone()[0] or 0) / NANO
        except sqlite3.OperationalError as error:
            if "no such table" in str(
                error
            ):  # of an older Headgate; the next start of the gate adds the table
                return 0.0
            raise LedgerError(
                f"what audits have paid cannot be read: {error}", "headgate doctor looks at the ledger"
            ) from error


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(path)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(
                f"what audits pay cannot be noted: {complaint(error)}",
                "free some space, close the other program, or name another file under [ledger] in headgate.toml",
            ) from error
