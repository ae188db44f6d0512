"""Audits that wait to be made: a queue in the ledger that survives whatever happens to the process.

    waiting ── take ──► (made) ── finish ──► judged
                          └────── fail, too often ──► failed

Whoever makes an audit takes it first, which moves its next try into the future: a process that dies at it leaves a job that is taken
again then. How jobs come into the queue, and what is removed from it, is said in `audit_queue`. This module does not know how an
audit is made.
"""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Final, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.audits import Material, Said
from headgate.core.errors import LedgerError
from headgate.core.material import material_bytes, material_from
from headgate.core.words import AuditKind
from headgate.ledger.audit_queue import give_up
from headgate.ledger.audits import MILLION, Judged, keep_findings, without_reasons
from headgate.ledger.beside import transaction
from headgate.ledger.opening import open_for_reading
from headgate.ledger.runs import other_writers
from headgate.ledger.sealing import Seal, opened
from headgate.ledger.units import MICRO

KINDS: Final[tuple[AuditKind, ...]] = get_args(AuditKind)

LEASE: Final = 900.0
"""Seconds for which a job belongs to whoever took it."""
TRIES: Final = 6
"""How often an audit is begun before it is given up."""
FIRST_PAUSE: Final = 60.0
"""Seconds until the second try; each later pause is four times the one before it."""

LOCKED: Final = 3_600.0
"""Seconds until it is looked again whether the key of a sealed job is there."""

TOO_OFTEN: Final = "it was begun too often and never ended"

_LATER: Final = "UPDATE audit_jobs SET due = ?, error = ? WHERE n = ? AND state = 'waiting'"


class Job(Struct, frozen=True, kw_only=True):
    """An audit to be made."""

    n: int
    request: int
    """The number of its request in the ledger."""
    kind: AuditKind
    probability: float
    """With which the request was chosen."""
    tries: int
    """How often it was begun, this time included."""
    expires: float
    """Unix time."""
    material: Material


class AuditJobs:
    """The audits that wait in a ledger. Every method opens the file, and blocks.

    Args:
        path: the ledger file.
        seal: opens what is sealed, and seals what is added.
    """

    def __init__(self, path: Path, seal: Seal | None = None) -> None:
        self.path = path
        self._seal = seal

    def take(self, now: float, kinds: Collection[AuditKind] = KINDS) -> Job | None:
        """The job that is due for the longest time, for `LEASE` seconds; None when none is.

        A job that was begun too often is given up. One that is sealed with a key that is not here waits until it may be.

        Args:
            now: Unix time.
            kinds: which audits can be made now.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        if not self._is_any_due(now, kinds):
            return None
        marks = ", ".join("?" * len(kinds))
        query = (
            "SELECT n, request, kind, probability, tries, expires, material FROM audit_jobs "  # noqa: S608 - question marks
            f"WHERE state = 'waiting' AND due <= ? AND expires > ? AND kind IN ({marks}) ORDER BY due, n LIMIT 1"
        )
        moment = round(now * MICRO)
        with self._writing() as db:
            while row := db.execute(query, (moment, moment, *kinds)).fetchone():
                n, request, kind, probability, tries, expires, material = row
                if tries >= TRIES:
                    give_up(db, n, TOO_OFTEN)
                    continue
                try:
                    needed = material_from(opened(material, self._seal))
                except LedgerError as error:
                    db.execute(_LATER, (moment + round(LOCKED * MICRO), error.message, n))
                    continue
                except msgspec.MsgspecError as error:
                    give_up(db, n, str(error))
                    continue
                db.execute(
                    "UPDATE audit_jobs SET tries = tries + 1, due = ?, error = NULL WHERE n = ?",
                    (moment + round(LEASE * MICRO), n),
                )
                return Job(
                    n=n,
                    request=request,
                    kind=kind,
                    probability=probability / MILLION,
                    tries=tries + 1,
                    expires=expires / MICRO,
                    material=needed,
                )
        return None

    def finish(self, job: Job, judged: Judged, said: Iterable[Said] = ()) -> None:
        """Write down what was found, and that the job is done, in one transaction.

        What it needed stays until it expires, with the answers that were asked for anew, so that a person may look at both; so do the
        reasons of its judges, which may quote them, and stand nowhere else.

        Args:
            job: as it was taken.
            judged: what was found of its request.
            said: the answers that were asked for anew, in order.

        Raises:
            LedgerError: the ledger cannot be written; nothing was.
        """
        reasons = {one.judge: one.reason for one in judged.opinions if one.reason}
        kept = replace(job.material, said=(*job.material.said, *said), reasons=reasons)
        material = self._closed(kept)
        with self._writing() as db:
            keep_findings(db, [without_reasons(judged)])
            db.execute(
                "UPDATE audit_jobs SET state = 'judged', error = NULL, material = iif(material IS NULL, NULL, ?) WHERE n = ?",
                (material, job.n),
            )

    def keep(self, job: Job, said: Iterable[Said]) -> Job:
        """Keep answers that were asked for anew before anything else happens, so that nobody has to ask for them again.

        Args:
            job: as it was taken.
            said: the answers, in order.

        Returns:
            The job with them.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        job = replace(job, material=replace(job.material, said=(*job.material.said, *said)))
        material = self._closed(job.material)
        with self._writing() as db:
            db.execute(
                "UPDATE audit_jobs SET material = ? WHERE n = ? AND material IS NOT NULL", (material, job.n)
            )
        return job

    def put_off(self, job: Job, why: str, until: float) -> None:
        """The audit cannot be made before some time, through no fault of its own; the try does not count.

        Args:
            job: as it was taken.
            why: one sentence.
            until: Unix time.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        with self._writing() as db:
            db.execute(
                "UPDATE audit_jobs SET due = ?, error = ?, tries = max(0, tries - 1) WHERE n = ? AND state = 'waiting'",
                (round(until * MICRO), why, job.n),
            )

    def fail(self, job: Job, error: str, now: float) -> None:
        """A try has failed; the next one is later each time, and after `TRIES` of them the job is given up.

        Args:
            job: as it was taken.
            error: why, one sentence.
            now: Unix time.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        with self._writing() as db:
            if job.tries >= TRIES:
                give_up(db, job.n, error)
                return
            due = now + FIRST_PAUSE * 4 ** (job.tries - 1)
            db.execute(_LATER, (round(due * MICRO), error, job.n))

    def put_back(self, job: Job, now: float) -> None:
        """The audit was not made, through no fault of its own; it is due again at once, and the try does not count.

        Where its time was over and somebody else has taken it, it stays with him.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        with self._writing() as db:
            db.execute(
                "UPDATE audit_jobs SET due = ?, tries = tries - 1 WHERE n = ? AND state = 'waiting' AND tries = ?",
                (round(now * MICRO), job.n, job.tries),
            )

    def resume(self, now: float) -> int:
        """Make due at once what a process had in hand that is gone; how many. While another one writes to the ledger, it may be his.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        with self._writing() as db:
            if other_writers(db):
                return 0
            found = db.execute(
                "UPDATE audit_jobs SET due = ? WHERE state = 'waiting' AND error IS NULL AND due > ?",
                (round(now * MICRO), round(now * MICRO)),
            )
            return found.rowcount

    def material(self, request: int) -> Material | None:
        """What is kept for the audit of a request, waiting or judged; None when there is nothing, or no more.

        Args:
            request: its number in the ledger.

        Raises:
            LedgerError: the ledger cannot be read, or this is sealed with a key that is not here.
        """
        query = "SELECT material FROM audit_jobs WHERE request = ?"
        with closing(open_for_reading(self.path)) as db:
            row = db.execute(query, (request,)).fetchone()
        return None if row is None or row[0] is None else material_from(opened(row[0], self._seal))

    def waiting(self) -> dict[AuditKind, int]:
        """How many jobs wait, by kind.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        query = "SELECT kind, count(*) FROM audit_jobs WHERE state = 'waiting' GROUP BY kind"
        with closing(open_for_reading(self.path)) as db:
            return dict.fromkeys(KINDS, 0) | dict(db.execute(query).fetchall())

    def due(self, now: float) -> dict[AuditKind, int]:
        """How many jobs could be taken now, by kind.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        query = "SELECT kind, count(*) FROM audit_jobs WHERE state = 'waiting' AND due <= ? AND expires > ? GROUP BY kind"
        moment = round(now * MICRO)
        with closing(open_for_reading(self.path)) as db:
            return dict.fromkeys(KINDS, 0) | dict(db.execute(query, (moment, moment)).fetchall())

    def look(self, kind: AuditKind, now: float, limit: int) -> list[Material]:
        """What the jobs need that would be taken next, without taking them; those that cannot be read are left out.

        Args:
            kind: of jobs.
            now: Unix time.
            limit: so many at most.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        query = (
            "SELECT material FROM audit_jobs WHERE state = 'waiting' AND kind = ? AND due <= ? AND expires > ? "
            "ORDER BY due, n LIMIT ?"
        )
        moment = round(now * MICRO)
        with closing(open_for_reading(self.path)) as db:
            rows = db.execute(query, (kind, moment, moment, limit)).fetchall()
        found = []
        for (kept,) in rows:
            with suppress(LedgerError, msgspec.MsgspecError):
                found.append(material_from(opened(kept, self._seal)))
        return found

    def _is_any_due(self, now: float, kinds: Collection[AuditKind]) -> bool:
        due = self.due(now)
        return any(due[kind] for kind in kinds)

    def _closed(self, material: Material) -> bytes:
        plain = material_bytes(material)
        return plain if self._seal is None else self._seal.close(plain)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, "the audit")
