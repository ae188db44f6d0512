"""The one thread that writes the ledger.

    event loop ── put() ──► bounded queue ──► writer thread ── one transaction a batch ──► SQLite (WAL)

`put` appends to a queue. The thread gathers what comes for `flush_every` seconds and commits it as one
transaction, so that a `kill -9` loses at most that much. What cannot be written (a full disk, another writer) stays in
the queue and is tried again; only when the queue is full are requests lost, and they are counted.

A commit survives the death of the process. A power cut may take the last commits with it (`synchronous = NORMAL`), but
leaves the file sound. This module does not know what a row of an outcome is (`encode`) or how a batch is stored (`store`).
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.sampled import Sampled
from headgate.core.types import Model, Outcome
from headgate.ledger.retention import FOR_EVER, Keep
from headgate.ledger.runs import Found
from headgate.ledger.store import Store, complaint

log = logging.getLogger(__name__)

BATCH: Final = 1_000
"""Requests in one transaction at most."""
CROWDED: Final = 2_000
"""Requests that wait when the event loop begins to give way."""
STRIDE: Final = 64
"""Requests between two moments of giving way."""
MOMENT: Final = 0.002
"""Seconds of giving way. An event loop that never rests lets go of the interpreter's lock at each of its system calls and
has it back before the writer's thread has woken up: with a core for each, the thread would hardly ever run, and be woken
in vain some twice a request. Only a real sleep of the loop hands the lock over."""
QUIET: Final = 10.0
"""Seconds without a request after which there is time to look after the file."""
SELDOM: Final = 3_600.0
"""Seconds until it is looked at again, once all is done and while nothing comes."""
BEHIND: Final = 50_000
"""Requests in no rollup from which on they are rolled up even while others come, a bite after each batch."""
MOST_HELD: Final = 100_000_000
"""Bytes that wait with requests for their audits. While the disk is full, a request that comes beyond them is kept without."""
PATIENCE: Final = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries while the ledger cannot be written; the last one repeats."""


class _Describe(Struct, frozen=True):
    models: tuple[Model, ...]


class _Mark(Struct, frozen=True):
    reached: threading.Event


class LedgerWriter:
    """Writes outcomes to a ledger file from a thread of its own.

    `put` and `describe` belong to one thread (the event loop's); `flush` and `close` block and may be called from any.

    Args:
        path: the ledger file; it and its folder are made where missing, readable by the user alone.
        flush_every: seconds that a request waits for its commit, at most, while the disk keeps up.
        queue_size: requests that may wait.
        version: of Headgate, noted with the run.
        clock: Unix time.
        keep: how long rows are kept.
        quiet: seconds without a request after which the file is looked after.
    """

    def __init__(
        self,
        path: Path,
        *,
        flush_every: float = 0.25,
        queue_size: int = 10_000,
        version: str = "",
        clock: Callable[[], float] = time.time,
        keep: Keep = FOR_EVER,
        quiet: float = QUIET,
    ) -> None:
        self.path = path
        self._flush_every = flush_every
        self._size = queue_size
        self._quiet = quiet
        self._store = Store(path, version, clock, keep)
        self._queue: deque[Outcome | _Describe | _Mark] = deque()
        self._in_hand: list[Outcome] = []
        self._refused = 0  # counted by the thread that calls put
        self._spoiled = 0  # counted by the writer's thread
        self._material = 0  # bytes for audits that were put: counted by the thread that calls put
        self._material_written = 0  # … and written: counted by the writer's thread
        self._written = 0
        self._trouble: str | None = None
        self._wake = threading.Event()
        self._asleep = False
        self._hurry = False
        self._starved = False
        self._closing = False
        self._give_up_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> Found:
        """Open the ledger and start the thread; what was found of earlier runs.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        found = self._store.open(self._flush_every)
        self._thread = threading.Thread(target=self._run, name="headgate-ledger", daemon=True)
        self._thread.start()
        return found

    @property
    def lost(self) -> int:
        """Requests of this run that are not in the ledger and never will be."""
        return self._refused + self._spoiled

    @property
    def written(self) -> int:
        """Requests of this run that are in the ledger."""
        return self._written

    @property
    def waiting(self) -> int:
        """Requests that wait to be written."""
        return len(self._queue) + len(self._in_hand)

    @property
    def problem(self) -> str | None:
        """Why the ledger cannot be written right now, for people; None when all is well."""
        if self._trouble is None:
            return None
        return f"the ledger cannot be written: {self._trouble}; {self.waiting:,} requests wait, {self.lost:,} are lost"

    def put(self, outcome: Outcome) -> bool:
        """Hand over an outcome. False: the queue is full and the outcome is lost.

        Never waits for the disk. Where a loop without rest starves the writer's thread, it gives way for a moment.
        """
        waiting = len(self._queue) + len(self._in_hand)
        if waiting >= self._size or self._closing:
            self._refused += 1
            return False
        self._queue.append(outcome if outcome.audit is UNSET else self._bounded(outcome, outcome.audit))
        if self._asleep:
            self._wake.set()
        elif waiting == BATCH:
            self._hurry = True
            self._wake.set()
        elif waiting >= CROWDED:
            self._starved = True
        if self._starved and not waiting % STRIDE and self._trouble is None:
            time.sleep(MOMENT)
        return True

    def _bounded(self, outcome: Outcome, audit: Sampled) -> Outcome:
        """The outcome, without what its audit needs where too much of that waits already."""
        if self._material - self._material_written + len(audit.material) > MOST_HELD:
            return replace(outcome, audit=replace(audit, material=b""))
        self._material += len(audit.material)
        return outcome

    def describe(self, models: Iterable[Model]) -> None:
        """Freeze these names, labels and prices into the rows of the outcomes put from now on."""
        self._queue.append(_Describe(tuple(models)))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was put is in the ledger; False when it is not after `timeout` seconds."""
        mark = _Mark(threading.Event())
        self._queue.append(mark)
        self._hurry = True
        self._wake.set()
        return mark.reached.wait(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, note a clean end, and close; what is not written after `timeout` seconds is lost."""
        if self._thread is None:
            return
        self._give_up_at = time.monotonic() + timeout
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        tries = 0
        while self._queue or self._in_hand or not self._closing:
            try:
                self._gather()
                self._write_all()
            except Exception as error:  # a fault of ours must not end the thread unseen
                if not tries:
                    log.exception("the ledger cannot be written")
                self._trouble = f"the gate failed at it: {type(error).__name__}: {error}"
                if not self._wait(tries):
                    break
                tries += 1
            else:
                if tries:
                    self._trouble, tries = None, 0
        self._store.close(self.lost)

    def _write_all(self) -> None:
        due = len(self._queue)  # what comes while we write belongs to the next flush
        while due > 0 or self._in_hand:
            waiting = len(self._queue)
            marks = self._take()
            due -= max(1, waiting - len(self._queue))
            if self._in_hand:
                self._write()
                if self._store.unrolled > BEHIND:
                    self._store.tend()
            for mark in marks:
                mark.reached.set()

    def _gather(self) -> None:
        """Sleep until there is something, then let a batch come together."""
        self._asleep = True
        self._starved = False
        if not (self._queue or self._in_hand or self._closing):
            self._rest()
        self._asleep = False
        self._wake.clear()
        if not (self._hurry or self._closing or len(self._queue) > BATCH):
            self._wake.wait(self._flush_every)
            self._wake.clear()
        self._hurry = False

    def _rest(self) -> None:
        """Sleep until there is something; when it is quiet for long, look after the file, a small step at a time."""
        pause = self._quiet
        while not self._wake.wait(pause):
            pause = 0.0 if self._store.tend() else SELDOM

    def _take(self) -> list[_Mark]:
        """Take a batch in hand; the marks that are reached once it is written."""
        marks: list[_Mark] = []
        while self._queue and len(self._in_hand) < BATCH:
            item = self._queue[0]
            if isinstance(item, Outcome):
                self._in_hand.append(item)
            elif isinstance(item, _Mark):
                marks.append(item)
            elif self._in_hand:
                break  # what was put before a description is written under the old one
            else:
                self._store.describe(item.models)
            self._queue.popleft()
        return marks

    def _write(self) -> None:
        """Write what is in hand, however long the disk takes to be able to."""
        tries = 0
        while True:
            try:
                spoiled = self._store.write(self._in_hand, self.lost)
            except (sqlite3.Error, LedgerError, OSError) as error:
                trouble = error.message if isinstance(error, LedgerError) else complaint(error)
                if self._trouble is None:
                    log.warning("the ledger cannot be written: %s; what comes waits", trouble)
                self._trouble = trouble
            else:
                if self._trouble is not None:
                    log.warning("the ledger can be written again")
                self._spoiled += spoiled
                self._written += len(self._in_hand) - spoiled
                audits = [outcome.audit for outcome in self._in_hand]
                self._material_written += sum([len(one.material) for one in audits if one is not UNSET])
                self._in_hand = []
                self._trouble = None
                return
            if not self._wait(tries):
                return
            tries += 1

    def _wait(self, tries: int) -> bool:
        """Give what is wrong some time. False: the gate closes, and there is none left; what was not written is lost."""
        pause = PATIENCE[min(tries, len(PATIENCE) - 1)]
        if self._closing:
            pause = min(pause, self._give_up_at - time.monotonic())
            if pause <= 0:
                self._spoiled += len(self._in_hand) + sum(isinstance(item, Outcome) for item in self._queue)
                self._in_hand = []
                self._queue.clear()
                return False
        self._wake.wait(pause)
        self._wake.clear()
        return True
