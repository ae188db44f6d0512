"""What audits have paid, call by call, so that their money limit holds over restarts, kills and tries that came to nothing.

A call is written down before it is made, with the most that it can cost (`promise`), and again once its cost is known (`settle`): of a
gate that was killed meanwhile the promise counts. What has been paid belongs to the moment of the promise.
"""

from pathlib import Path
from typing import Final

from headgate.core.errors import LedgerError
from headgate.core.words import Task
from headgate.ledger.beside import read_rows, transaction
from headgate.ledger.units import MICRO, NANO

KEPT: Final = 40 * 86_400.0
"""Seconds for which payments are kept, longer than any budget's period; and as long as their request's row is there."""
SLACK: Final = 1
"""Nano-dollars that rounding may add."""
WHAT: Final = "what an audit pays"
"""For errors."""


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
    with transaction(path, WHAT) as db:
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
    with transaction(path, WHAT) as db:
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
    query = "SELECT sum(cost) FROM audit_payments WHERE paid >= ?"
    if task is None:
        return _sum(path, query, (round(begun * MICRO),))
    query += (
        " AND request IN (SELECT n FROM requests WHERE task = (SELECT id FROM names WHERE text = ?)"
        " AND n IN (SELECT request FROM audit_payments))"
    )
    return _sum(path, query, (round(begun * MICRO), task))


def _sum(path: Path, query: str, values: tuple[object, ...]) -> float:
    return sum([cost or 0 for (cost,) in read_rows(path, query, values)]) / NANO
