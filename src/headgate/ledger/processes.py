"""Reading many rows at once, in processes of their own.

    for found in in_turn("headgate.ledger.rows_apart", path, jobs): ...

Threads would not do: SQLite's allocator has one lock for all of a process, so that two threads read hardly faster than one. Each
process reads through a connection of its own. The module that it runs ends in `serve(work)` and imports little, since its start counts
too. Whoever asks has opened the file before, and knows that it is a ledger of today's. Those of a gate give way to its live requests.
"""

import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from headgate.core.errors import LedgerError

PROCESSES: Final = min(4, os.cpu_count() or 1)
"""More would take more memory than a report should."""
NICE: Final = 10
"""How far they give way to others: a gate reads so every hour, while it serves."""
PAGES: Final = 64
"""Of the file that a process keeps: few, since each is read once, so that they lie in the processor's cache."""

Job = tuple[Any, ...]
"""What the function that a process serves is called with, after its connection."""


def in_turn(module: str, path: Path, jobs: Sequence[Job]) -> Generator[Any]:
    """What processes find, one process for each job: the first that each of them finds, in the order of the jobs, then the second.

    Args:
        module: what they run.
        path: the ledger file.
        jobs: what each is to do.

    Raises:
        LedgerError: a process failed.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(_started(module, path)) for _ in jobs]
        for process, job in zip(running, jobs, strict=True):
            process.send((path, job))
        while running:
            for process in tuple(running):
                found = process.receive()
                if found:
                    yield found[0]
                else:
                    running.remove(process)
                    process.check()


def serve(work: Callable[..., Iterable[Any]]) -> None:
    """Do the job that comes on stdin, and write what is found to stdout, one after the other.

    Args:
        work: gets a connection and the job.
    """
    if sys.platform != "win32":
        os.nice(NICE)
    path, job = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever else is printed is none of what is found
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute(f"PRAGMA cache_size = {PAGES}")
        for found in work(db, *job):
            pickle.dump(found, out)
            out.flush()


class Process:
    """A process that reads rows.

    Args:
        running: the process, of which both ends are pipes.
        told: where it says what goes wrong.
        path: the ledger file.
    """

    def __init__(self, running: "subprocess.Popen[bytes]", told: IO[bytes], path: Path) -> None:
        self._running, self._told, self._path = running, told, path

    def send(self, job: object) -> None:
        """Say what it is to do. One that has ended is found to have when its answer is waited for."""
        assert self._running.stdin is not None, "it is a pipe"
        with suppress(OSError):
            pickle.dump(job, self._running.stdin)
        with suppress(OSError):
            self._running.stdin.close()

    def receive(self) -> tuple[Any, ...]:
        """The next thing that it found; nothing where it has ended.

        Raises:
            LedgerError: what it says makes no sense.
        """
        assert self._running.stdout is not None, "it is a pipe"
        try:
            return (pickle.load(self._running.stdout),)  # noqa: S301 - our own process wrote it
        except EOFError:
            return ()
        except Exception as error:  # it was cut off, or something else has written into the pipe
            self._running.kill()
            raise self._failed(str(error)) from error

    def check(self) -> None:
        """It has ended.

        Raises:
            LedgerError: because it failed.
        """
        if self._running.wait():
            self._told.seek(0)
            said = self._told.read().decode(errors="replace").strip().splitlines()
            raise self._failed(said[-1] if said else "a process was ended")

    def _failed(self, why: str) -> LedgerError:
        return LedgerError(
            f"the rows of {self._path} cannot be read: {why}", "headgate ledger verify looks at the file"
        )


@contextmanager
def _started(module: str, path: Path) -> Iterator[Process]:
    """A process that is ended where nobody waits for it any more."""
    with (
        TemporaryFile() as told,
        subprocess.Popen(  # noqa: S603 - a module of ours, and nothing of the folder that we are in
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),  # Windows has no niceness
        ) as running,
    ):
        try:
            yield Process(running, told, path)
        finally:
            running.kill()
