"""Summing many rows at once, in processes of their own.

Threads would not do: SQLite's allocator has one lock for all of a process, so that two threads sum hardly faster than one. Each
process sums a stretch of the chunks through a connection of its own and hands the sums back. This module is also what such a
process runs (`python -m headgate.ledger.rows_apart`); it imports little, since its start counts too. Whoever asks has opened the
file before, and knows that it is a ledger of today's.
"""

import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

from headgate.core.errors import LedgerError
from headgate.ledger.cells import Days
from headgate.ledger.rows import Chunk, Counted, Part, count_chunks

PROCESSES: Final = min(4, os.cpu_count() or 1)
"""More would take more memory than a report should."""
PAGES: Final = 64
"""Of the file that a process keeps: few, since each is read once, so that they lie in the processor's cache."""


def count_apart(path: Path, chunks: Sequence[Chunk], part: Part, days: Days) -> Counted:
    """Sum the rows of some chunks.

    Args:
        path: the ledger file.
        chunks: the numbers among which they are.
        part: which of these are meant.
        days: to whose bars the requests are added.

    Raises:
        LedgerError: a process failed.
    """
    size = -(-len(chunks) // PROCESSES)
    pieces = [chunks[start : start + size] for start in range(0, len(chunks), size)]
    counted = Counted()
    with ThreadPoolExecutor(PROCESSES, thread_name_prefix="headgate-count") as pool:
        for one in pool.map(lambda own: _in_a_process(path, own, part, days), pieces):
            counted.merge(one)
    return counted


def _in_a_process(path: Path, chunks: Sequence[Chunk], part: Part, days: Days) -> Counted:
    ended = subprocess.run(  # noqa: S603 - this very module
        [sys.executable, "-m", __name__],
        input=pickle.dumps((path, chunks, part, days)),
        capture_output=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise LedgerError(
            f"the rows of {path} cannot be counted: {said[-1] if said else 'a process was ended'}",
            "headgate ledger verify looks at the file",
        )
    counted: Counted = pickle.loads(ended.stdout)  # noqa: S301 - our own process wrote it
    return counted


def main() -> None:
    """Sum what is asked for on stdin, and write the sums to stdout."""
    path, chunks, part, days = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    counted = Counted()
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute(f"PRAGMA cache_size = {PAGES}")
        count_chunks(db, chunks, part, days, counted)
    pickle.dump(counted, sys.stdout.buffer)


if __name__ == "__main__":
    main()
