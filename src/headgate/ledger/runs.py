"""The runs of the gate, and what a start finds of the run before it.

Each run has one row: its process, how many requests it wrote and how many it lost. A row without an end is a run that
was killed, or one that is still alive in another process. This module does not know requests.
"""

import os
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.ledger.units import MICRO
from headgate.reports.shown import count

CHECKED_AT_MOST: Final = 64 * 1024 * 1024
"""Bytes of the largest ledger that is checked at a start; above it, the start would be felt."""


class Crash(Struct, frozen=True):
    """A run that ended without closing the ledger."""

    pid: int
    started: float
    """Unix time."""
    last: float
    """Unix time of its last write."""
    written: int
    """Requests that are safe."""
    lost: int
    """Requests that it could not write, as far as it could still say so."""


class Found(Struct, frozen=True):
    """What a start found in the ledger."""

    crashes: tuple[Crash, ...] = ()
    others: tuple[int, ...] = ()
    """Processes that seem to be writing to this ledger too."""
    checked: bool = True
    """The file was small enough to be checked after a crash, or there was no crash."""
    flush_every: float = 0.25
    emptied: Path | None = None
    """The ledger file, where it was there but empty."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """For people; empty when there is nothing to say."""
        said = []
        if self.emptied is not None:
            said.append(
                f"{self.emptied} was empty (0 bytes): a new ledger is begun in it; if there was an older one, restore it from a copy"
            )
        said += [_tell(crash, self.flush_every) for crash in self.crashes]
        if self.crashes:
            said.append(
                "the ledger was checked and is sound"
                if self.checked
                else "the ledger is too large to be checked at a start"
            )
        said += [
            f"process {pid} seems to write to this ledger too; each gate counts its own spending until it is opened anew"
            for pid in self.others
        ]
        return tuple(said)


def find_crashes(db: sqlite3.Connection, path: Path, flush_every: float) -> Found:
    """Look for runs without an end, note them as crashed, and check the file if there are any.

    Raises:
        LedgerError: a run crashed and the file is damaged.
    """
    crashes: list[Crash] = []
    others: list[int] = []
    db.execute("BEGIN IMMEDIATE")
    for number, pid, started, last, written, lost in db.execute(
        "SELECT id, pid, started, last, written, lost FROM runs WHERE clean IS NULL ORDER BY id"
    ).fetchall():
        if pid != os.getpid() and is_alive(pid):
            others.append(pid)
            continue
        db.execute("UPDATE runs SET clean = 0 WHERE id = ?", (number,))
        crashes.append(Crash(pid, started / MICRO, last / MICRO, written, lost))
    db.execute("COMMIT")
    checked = not crashes or path.stat().st_size <= CHECKED_AT_MOST
    if crashes and checked:
        check(db, path)
    return Found(crashes=tuple(crashes), others=tuple(others), checked=checked, flush_every=flush_every)


def check(db: sqlite3.Connection, path: Path) -> None:
    """Read the whole file once.

    Raises:
        LedgerError: it is damaged.
    """
    complaint = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if complaint != "ok":
        raise LedgerError(
            f"the ledger {path} is damaged: {complaint}",
            f"move it aside (mv {path} {path}.damaged) and Headgate starts a new one; sqlite3's .recover may save its rows",
        )


def begin_run(db: sqlite3.Connection, version: str, now: float) -> int:
    """Note that a run begins; its number."""
    at = round(now * MICRO)
    row = (os.getpid(), version, at, at)
    insert = "INSERT INTO runs (pid, version, started, last, written, lost) VALUES (?, ?, ?, ?, 0, 0)"
    return int(db.execute(insert, row).lastrowid or 0)


def end_run(db: sqlite3.Connection, run: int, lost: int, now: float) -> None:
    """Note that a run ended in good order."""
    db.execute("UPDATE runs SET ended = ?, clean = 1, lost = ? WHERE id = ?", (round(now * MICRO), lost, run))


def other_writers(db: sqlite3.Connection) -> list[int]:
    """The processes beside this one that seem to write to the ledger."""
    running = db.execute("SELECT DISTINCT pid FROM runs WHERE clean IS NULL").fetchall()
    return [pid for (pid,) in running if pid != os.getpid() and is_alive(pid)]


def is_alive(pid: int) -> bool | None:
    """Whether a process lives; None where that cannot be asked."""
    if sys.platform == "win32":
        return None  # there, signal 0 is Ctrl-C: asking would stop the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it lives, but belongs to somebody else
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and waits for a parent to notice, as for ever in containers whose first process never does."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].startswith(b"Z")
    except OSError:
        return False  # no such system, or gone by now


def _tell(crash: Crash, flush_every: float) -> str:
    unsaid = f"about {flush_every * 1000:.0f} ms of requests before the end may be missing"
    safe = f"{count(crash.written, 'request')} {'is' if crash.written == 1 else 'are'} safe, the last written at {_clock(crash.last)}"
    if not crash.written:
        safe = "it had written no requests"
    lost = f"; {crash.lost:,} more could not be written" if crash.lost else ""
    return f"the run of process {crash.pid}, started {_clock(crash.started)}, ended without closing the ledger: {safe}{lost}; {unsaid}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
