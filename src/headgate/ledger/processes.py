"""Reading many rows at once, in processes of their own.

    for found in in_turn("headgate.ledger.rows_apart", path, jobs): ...

Threads would not do: SQLite's allocator has one lock for all of a process, so that two threads read hardly faster than one. Each
process reads through a connection of its own. The module that it runs ends in `serve(work)` and imports little, since its start counts
too. Whoever asks has opened the file before, and knows that it is a ledger of today's.
"""

import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from headgate.core.errors import LedgerError

PROCESSES: Final = min(4, os.cpu_count() or 1)
"""More would take more memory than a report should."""
PAGES: Final = 64
"""Of the file that a process keeps: few, since each is read once, so that they lie in the processor's cache."""

Job = tuple[Any, ...]
"""What the function that a process serves is called with, after its connection."""


def in_turn(module: str, path: Path, jobs: Sequence[Job]) -> Iterator[Any]:
    """What processes find, one process for each job: the first that each of them finds, in the order of the jobs, then the second.

    Args:
        module: what they run.
        path: the ledger file.
        jobs: what each is to do.

    Raises:
        LedgerError: a process failed.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(_start(module)) for _ in jobs]
        for process, job in zip(running, jobs, strict=True):
            _send(process, (path, job))
        while running:
            for process in tuple(running):
                found = _receive(process)
                if found:
                    yield found[0]
                else:
                    running.remove(process)
                    _check(process, path)


def serve(work: Callable[..., Iterable[Any]]) -> None:
    """Do the job that comes on stdin, and write what is found to stdout, one after the other.

    Args:
        work: gets a connection and the job.
    """
    path, job = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute(f"PRAGMA cache_size = {PAGES}")
        for found in work(db, *job):
            pickle.dump(found, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _start(module: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _send(process: "subprocess.Popen[bytes]", job: object) -> None:
    assert process.stdin is not None, "it is a pipe"
    try:
        pickle.dump(job, process.stdin)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has ended, and is found to when its answer is waited for


def _receive(process: "subprocess.Popen[bytes]") -> tuple[Any, ...]:
    """The next thing that it found; nothing where it has ended."""
    assert process.stdout is not None, "it is a pipe"
    try:
        return (pickle.load(process.stdout),)  # noqa: S301 - our own process wrote it
    except (EOFError, pickle.UnpicklingError):
        return ()


def _check(process: "subprocess.Popen[bytes]", path: Path) -> None:
    assert process.stderr is not None, "it is a pipe"
    told = process.stderr.read()
    if process.wait():
        said = told.decode(errors="replace").strip().splitlines()
        raise LedgerError(
            f"the rows of {path} cannot be read: {said[-1] if said else 'a process was ended'}",
            "headgate ledger verify looks at the file",
        )
