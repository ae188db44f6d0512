"""Looking after a ledger: rolling up what is new, and removing rows that are older than they are to be kept.

    step() ── one small transaction ──► rolled up · audits forgotten · bodies removed · rows removed · nothing left to do

Rows are removed only once they are in the rollups, whole days at a time; the figures of a report stay what they were, since
rollups are kept for ever, and audits are summed as their rows go. What is removed for good is the story of each request. This
module does not know when there is time for a step (`writer`).
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from headgate.ledger.audit_queue import expire
from headgate.ledger.cells import QUARTER
from headgate.ledger.findings import sum_findings
from headgate.ledger.rollups import BITE, DAY, roll
from headgate.ledger.units import MICRO

PRUNED: Final = 1_000
"""Requests whose rows are removed in one transaction."""


class Keep(Struct, frozen=True):
    """How long rows are kept, in seconds; None is for ever."""

    rows: float | None = None
    bodies: float | None = None
    """Prompts and answers, and what a conversation goes on from."""


FOR_EVER: Final = Keep()


class Done(Struct, frozen=True):
    """What one step, or some of them, did; requests."""

    rolled: int = 0
    pruned: int = 0
    bodies: int = 0
    audits: int = 0
    """Whose prompts and answers, kept for an audit, were removed."""

    def __bool__(self) -> bool:
        return bool(self.rolled or self.pruned or self.bodies or self.audits)

    def plus(self, other: "Done") -> "Done":
        """Both together."""
        return Done(
            self.rolled + other.rolled,
            self.pruned + other.pruned,
            self.bodies + other.bodies,
            self.audits + other.audits,
        )


def step(db: sqlite3.Connection, keep: Keep, now: float, bite: int = BITE) -> Done:
    """Do the next thing that is due, in one transaction.

    Args:
        db: a connection that may write and is in no transaction.
        keep: how long rows are kept.
        now: Unix time.
        bite: rows that are rolled up at most.

    Returns:
        What was done; false when nothing is left to do.

    Raises:
        sqlite3.Error: the file cannot be written now; nothing was changed.
    """
    if rolled := roll(db, bite):
        return Done(rolled=rolled)
    if audits := _in_one(db, expire, round(now * MICRO)):
        return Done(audits=audits)
    if keep.bodies is not None and (bodies := _in_one(db, _forget_bodies, _day(now - keep.bodies))):
        return Done(bodies=bodies)
    if keep.rows is not None and (pruned := _in_one(db, _prune, _day(now - keep.rows))):
        return Done(pruned=pruned)
    return Done()


def _day(moment: float) -> int:
    """The first moment of its day, in microseconds."""
    return int(moment // DAY * DAY) * MICRO


def _in_one(db: sqlite3.Connection, remove: Callable[[sqlite3.Connection, int], int], before: int) -> int:
    db.execute("BEGIN IMMEDIATE")
    try:
        number = remove(db, before)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return number


def _prune(db: sqlite3.Connection, before: int) -> int:
    query = (
        "SELECT n FROM requests WHERE received < ? AND +n <= (SELECT n FROM rolled) ORDER BY received LIMIT ?"
    )
    found = db.execute(query, (before, PRUNED)).fetchall()
    if not found:
        return 0
    db.execute("UPDATE rolled SET pruned = max(pruned, ?)", (before,))
    db.execute("CREATE TEMP TABLE IF NOT EXISTS leaving (n INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM leaving")
    db.executemany("INSERT INTO leaving VALUES (?)", found)
    db.execute(  # what was paid for one whose verdict is a person's, for instance
        "UPDATE audits SET cost = max(coalesce(cost, 0), (SELECT sum(cost) FROM audit_payments p WHERE p.request = audits.request)) "
        "WHERE request IN (SELECT n FROM leaving) AND request IN (SELECT request FROM audit_payments)"
    )
    db.execute(
        "INSERT INTO audit_rollups (start, verdict, judge, requests, cost) "
        "SELECT received / ? * ?, verdict, judge, count(*), coalesce(sum(audits.cost), 0) "
        "FROM audits JOIN requests ON n = request WHERE request IN (SELECT n FROM leaving) GROUP BY 1, 2, 3 "
        "ON CONFLICT (start, verdict, judge) DO UPDATE SET requests = requests + excluded.requests, "
        "cost = cost + excluded.cost",
        (QUARTER * MICRO, QUARTER),
    )
    sum_findings(db, "leaving")
    for table in ("audits", "audit_jobs", "opinions", "bodies", "turns", "attempts"):
        db.execute(f"DELETE FROM {table} WHERE request IN (SELECT n FROM leaving)")  # noqa: S608 - our own names
    db.execute("DELETE FROM requests WHERE n IN (SELECT n FROM leaving)")
    return len(found)


def _forget_bodies(db: sqlite3.Connection, before: int) -> int:
    forgotten = set()
    for table in ("bodies", "turns"):
        query = f"SELECT request FROM {table} JOIN requests ON n = request WHERE received < ? LIMIT ?"  # noqa: S608 - our own names
        found = db.execute(query, (before, PRUNED)).fetchall()
        db.executemany(f"DELETE FROM {table} WHERE request = ?", found)  # noqa: S608 - as above
        forgotten.update(found)
    return len(forgotten)
