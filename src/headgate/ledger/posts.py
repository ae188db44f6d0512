"""Posts in the ledger: what is on its way to whom, so that a report is sent once and nothing is lost on a restart.

A post is planned once for each subject and target. Whoever sends it claims it first, by moving its next try into the
future: a process that dies while it sends leaves a post that is tried again then, and two gates never send the same one.
This module does not know what a post says or how it is sent.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from headgate.ledger.beside import read_rows, transaction
from headgate.ledger.units import MICRO


class Post(Struct, frozen=True, kw_only=True):
    """A report or an alert on its way to one target. Times are Unix times."""

    n: int
    subject: str
    """ "report 2026-W47", or what an alert is about."""
    target: str
    """Its name, without secrets (`notify.targets`)."""
    due: float
    """When it is tried, for the first time or again."""
    sent: float | None
    text: str | None
    """What it says; None of a report, which is made when it is sent."""
    tries: int
    error: str | None
    """Why the last try failed."""


class Planned(Struct, frozen=True, kw_only=True):
    """A post that is wanted."""

    subject: str
    target: str
    due: float
    text: str | None = None


def plan_posts(path: Path, wanted: Iterable[Planned]) -> int:
    """Plan posts; one that was planned before stays as it is. How many are new.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with transaction(path, "what is sent to whom") as db:
        before = db.total_changes
        db.executemany(
            "INSERT OR IGNORE INTO posts (subject, target, due, text, tries) VALUES (?, ?, ?, ?, 0)",
            [(post.subject, post.target, round(post.due * MICRO), post.text) for post in wanted],
        )
        return db.total_changes - before


def claim_post(path: Path, post: Post, again: float) -> bool:
    """Take a post in hand, to be tried again at `again` unless it is noted as sent. False: another gate has it."""
    with transaction(path, "what is sent to whom") as db:
        claimed = db.execute(
            "UPDATE posts SET due = ?, tries = tries + 1 WHERE n = ? AND sent IS NULL AND due = ?",
            (round(again * MICRO), post.n, round(post.due * MICRO)),
        )
        return claimed.rowcount == 1


def note_sent(path: Path, n: int, at: float) -> None:
    """The post has been taken by its target."""
    with transaction(path, "what is sent to whom") as db:
        db.execute("UPDATE posts SET sent = ?, error = NULL WHERE n = ?", (round(at * MICRO), n))


def note_failed(path: Path, n: int, why: str) -> None:
    """A try has failed; the post waits for the next one."""
    with transaction(path, "what is sent to whom") as db:
        db.execute("UPDATE posts SET error = ? WHERE n = ?", (why, n))


def all_posts(path: Path) -> list[Post]:
    """All posts, oldest first; none where there is no ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = read_rows(path, "SELECT n, subject, target, due, sent, text, tries, error FROM posts ORDER BY n")
    return [
        Post(
            n=n,
            subject=subject,
            target=target,
            due=due / MICRO,
            sent=None if sent is None else sent / MICRO,
            text=text,
            tries=tries,
            error=error,
        )
        for n, subject, target, due, sent, text, tries, error in rows
    ]
