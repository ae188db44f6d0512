"""Summing many rows at once, in processes of their own (`processes`).

Each process sums a stretch of the chunks and hands the sums back. This module is also what such a process runs
(`python -m headgate.ledger.rows_apart`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from headgate.ledger.cells import Days
from headgate.ledger.processes import PROCESSES, in_turn, serve
from headgate.ledger.rows import Chunk, Counted, Part, count_chunks


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
    for one in in_turn(__name__, path, [(piece, part, days) for piece in pieces]):
        counted.merge(one)
    return counted


def _count(db: sqlite3.Connection, chunks: Sequence[Chunk], part: Part, days: Days) -> Iterator[Counted]:
    counted = Counted()
    count_chunks(db, chunks, part, days, counted)
    yield counted


if __name__ == "__main__":
    serve(_count)
