"""How it stands with the audits of a ledger: counts for people, read from the queue and from what was found."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.core.words import AuditKind, AuditVerdict
from headgate.ledger.opening import open_for_reading
from headgate.ledger.sealing import PLAIN
from headgate.ledger.units import MICRO, NANO


class Standing(Struct, frozen=True, kw_only=True):
    """How it stands with the requests that were chosen, as far as their rows are there. Times are Unix times."""

    chosen: dict[AuditKind, int]
    waiting: dict[AuditKind, int]
    judged: dict[AuditKind, int]
    failed: dict[AuditKind, int]
    """They will not be made any more."""
    verdicts: dict[AuditVerdict, int]
    """Of those that were judged."""
    imported: dict[AuditVerdict, int]
    """Audits that this ledger never chose: they came with imported requests. What only callers and people have said is not among them."""
    without_chance: int
    """Of these: nobody knows with which probability they were chosen, so they tell of no other request."""
    failures: dict[str, int]
    """Why they failed, the most frequent first."""
    delayed: dict[str, int]
    """Why those that wait could not be made when they were tried last."""
    cost: float | None
    """Dollars that they have cost, those too that came to no verdict or have none yet; None is unknown."""
    due: float | None
    """When the next one may be made; None when none waits."""
    kept: int
    """Of how many requests prompts and answers are kept …"""
    sealed: int
    """… and of how many of these sealed."""
    bytes: int
    until: float | None
    """When the last of them is removed."""


NOTHING: Final = Standing(
    chosen={},
    waiting={},
    judged={},
    failed={},
    verdicts={},
    imported={},
    without_chance=0,
    failures={},
    delayed={},
    cost=0.0,
    due=None,
    kept=0,
    sealed=0,
    bytes=0,
    until=None,
)


def read_standing(path: Path) -> Standing:
    """How it stands; nothing where there is no ledger yet, or one of an older Headgate.

    Raises:
        LedgerError: it cannot be read.
    """
    if not path.exists():
        return NOTHING
    with closing(open_for_reading(path)) as db:
        try:
            there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_jobs'").fetchone()
            return NOTHING if there is None else _standing(db)
        except sqlite3.Error as error:
            raise LedgerError(
                f"the audits of {path} cannot be read: {error}",
                "headgate ledger verify says what is wrong with it",
            ) from error


def _standing(db: sqlite3.Connection) -> Standing:
    def by_kind(state: str) -> dict[AuditKind, int]:
        query = "SELECT kind, count(*) FROM audit_jobs WHERE state LIKE ? GROUP BY kind ORDER BY kind"
        return dict(db.execute(query, (state,)).fetchall())

    def by_error(state: str) -> dict[str, int]:
        query = (
            "SELECT error, count(*) FROM audit_jobs WHERE state = ? AND error IS NOT NULL "
            "GROUP BY error ORDER BY count(*) DESC, error"
        )
        return dict(db.execute(query, (state,)).fetchall())

    verdicts = db.execute(
        "SELECT text, count(*), sum(max(coalesce(cost, 0), coalesce((SELECT sum(p.cost) FROM audit_payments p "
        "WHERE p.request = audits.request), 0))), count(cost) FROM audits JOIN names ON id = verdict "
        "WHERE request IN (SELECT request FROM audit_jobs WHERE state = 'judged') GROUP BY text ORDER BY text"
    ).fetchall()
    imported = db.execute(
        "SELECT text, count(*), count(*) - count(probability) FROM audits JOIN names ON id = verdict "
        "WHERE request NOT IN (SELECT request FROM audit_jobs) AND (probability IS NOT NULL "
        "OR audits.judge NOT IN (SELECT id FROM names WHERE text IN ('person', 'caller')) OR EXISTS (SELECT 1 FROM opinions "
        "WHERE opinions.request = audits.request AND opinions.judge NOT IN (SELECT id FROM names WHERE text IN ('person', 'caller')))) "
        "GROUP BY text ORDER BY text"
    ).fetchall()
    (open_ended,) = db.execute(
        "SELECT coalesce(sum(cost), 0) FROM audit_payments WHERE request IN (SELECT request FROM audit_jobs) "
        "AND request NOT IN (SELECT request FROM audits)"
    ).fetchone()
    known = all(number == priced for _, number, _, priced in verdicts)
    kept, sealed, size, until = db.execute(
        "SELECT count(*), coalesce(sum(substr(material, 1, 1) <> ?), 0), coalesce(sum(length(material)), 0), max(expires) "
        "FROM audit_jobs WHERE material IS NOT NULL",
        (PLAIN,),
    ).fetchone()
    (due,) = db.execute("SELECT min(due) FROM audit_jobs WHERE state = 'waiting'").fetchone()
    return Standing(
        chosen=by_kind("%"),
        waiting=by_kind("waiting"),
        judged=by_kind("judged"),
        failed=by_kind("failed"),
        verdicts={verdict: number for verdict, number, *_ in verdicts},
        imported={verdict: number for verdict, number, _ in imported},
        without_chance=sum(number for *_, number in imported),
        failures=by_error("failed"),
        delayed=by_error("waiting"),
        cost=(open_ended + sum(cost for _, _, cost, _ in verdicts)) / NANO if known else None,
        due=None if due is None else due / MICRO,
        kept=kept,
        sealed=sealed,
        bytes=size,
        until=None if until is None else until / MICRO,
    )
