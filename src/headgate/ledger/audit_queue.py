"""What the ledger's own writer does for audits: jobs are put in with their requests, and what they need is removed in time.

Requests that were chosen but cannot wait, because there are too many already or because one is too large, are kept as failed, so that
the shares of those that are audited can be known. All of this happens in a transaction of the caller's. How a job is made is said
in `audit_jobs`.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

from headgate.core.sampled import Sampled
from headgate.ledger.audits import MILLION
from headgate.ledger.units import MICRO

MOST_WAITING: Final = 5_000
"""Jobs that may wait."""
MOST_BYTES: Final = 200_000_000
"""Bytes that they may need together."""
REMOVED: Final = 64
"""Jobs whose material is removed at a time."""

TOO_LARGE: Final = "too large to be kept"
FULL: Final = "too many others were waiting"
TOO_LATE: Final = "nobody made it in time"


def keep_jobs(db: sqlite3.Connection, chosen: Iterable[tuple[int, float, Sampled]]) -> None:
    """Put jobs into the queue.

    Args:
        db: a connection in a transaction.
        chosen: the number of each request, when it was received (Unix time), and what its audit needs.

    Raises:
        sqlite3.Error: they cannot be written; the caller rolls back.
    """
    waiting, size = db.execute(
        "SELECT count(*), coalesce(sum(length(material)), 0) FROM audit_jobs WHERE state = 'waiting'"
    ).fetchone()
    for request, received, sampled in chosen:
        size += len(sampled.material)
        full = waiting >= MOST_WAITING or size > MOST_BYTES
        error = TOO_LARGE if not sampled.material else FULL if full else None
        waiting += error is None
        db.execute(
            "INSERT INTO audit_jobs (request, kind, probability, state, due, expires, tries, error, material) "
            "VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (
                request,
                sampled.kind,
                round(sampled.probability * MILLION),
                "waiting" if error is None else "failed",
                round(received * MICRO),
                round(sampled.expires * MICRO),
                error,
                sampled.material if error is None else None,
            ),
        )


def give_up(db: sqlite3.Connection, n: int, error: str) -> None:
    """A job that nobody will make any more, and why; what it needs is removed."""
    db.execute(
        "UPDATE audit_jobs SET state = 'failed', error = ?, material = NULL WHERE n = ? AND state = 'waiting'",
        (error, n),
    )


def expire(db: sqlite3.Connection, now: int) -> int:
    """Remove what some jobs need whose time is over, judged or not; how many.

    Args:
        db: a connection in a transaction.
        now: Unix time, in microseconds.
    """
    query = "SELECT n FROM audit_jobs WHERE material IS NOT NULL AND expires <= ? LIMIT ?"
    over = db.execute(query, (now, REMOVED)).fetchall()
    db.executemany(
        "UPDATE audit_jobs SET material = NULL, error = iif(state = 'waiting', ?, error), "
        "state = iif(state = 'waiting', 'failed', state) WHERE n = ?",
        [(TOO_LATE, n) for (n,) in over],
    )
    return len(over)
