"""What SQLite finds in the pieces of a ledger; in several processes at once where there are many pieces.

It finds the same in a piece whatever is found in the others. This module is also what such a process runs
(`python -m headgate.lab.pieces`); it imports little, since its start counts too.
"""

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from headgate.ledger.processes import PROCESSES, in_turn, serve
from headgate.ledger.units import FINE

PIECE: Final = 8_192
"""Requests read at a time: as many as SQLite sorts within the processor's cache."""
MANY: Final = 16
"""Pieces from which on it takes longer to read them than to start processes for it."""
LOWEST_OTHER: Final = "lowest_other"
"""The function of SQL that finds the lowest score of an attempt's story but for its confidence."""

Piece = tuple[int, int, int, int]
"""Requests after which number, up to which, since when and before when, in microseconds of Unix time."""
Found = tuple[list[Any], ...]
"""The rows of each query."""


def read_pieces(
    path: Path,
    db: sqlite3.Connection,
    queries: Sequence[str],
    pieces: Sequence[Piece],
    words: Mapping[int, str],
) -> Generator[Found]:
    """What is found in each piece, in their order.

    Args:
        path: the ledger file.
        db: a connection to it, for few pieces.
        queries: what is asked of each piece, whose four figures they take.
        pieces: where to look.
        words: the ledger's words by number, where a query has to look into stories; else none.

    Raises:
        LedgerError: a process failed.
    """
    if len(pieces) < MANY or PROCESSES == 1:
        return _find(db, queries, pieces, words)
    jobs = [(queries, pieces[start::PROCESSES], words) for start in range(PROCESSES)]
    return in_turn(__name__, path, jobs)


def _find(
    db: sqlite3.Connection, queries: Sequence[str], pieces: Sequence[Piece], words: Mapping[int, str]
) -> Generator[Found]:
    if words:
        _teach(db, words)
    for piece in pieces:
        yield tuple([db.execute(query, piece).fetchall() for query in queries])


def _teach(db: sqlite3.Connection, words: Mapping[int, str]) -> None:
    """Give SQLite the function `LOWEST_OTHER`."""
    from headgate.core.checks.confidence import CONFIDENCE  # noqa: PLC0415 - seldom needed, and slow to load
    from headgate.ledger.decode import verdicts_of  # noqa: PLC0415 - as above

    def lowest_other(story: str | None) -> int | None:
        verdicts = () if story is None else verdicts_of(story, words)
        others = [verdict.score for verdict in verdicts if verdict.check != CONFIDENCE]
        lowest = min([score for score in others if score is not None], default=None)
        return None if lowest is None else round(lowest * FINE)

    db.create_function(LOWEST_OTHER, 1, lowest_other, deterministic=True)


if __name__ == "__main__":
    serve(_find)
