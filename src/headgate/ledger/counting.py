"""What was counted over some time, wherever it is kept: rollups, and the rows that are not in them yet.

    rollups of whole quarters of an hour  +  rows numbered after `rolled.n`  +  older rows of quarters that were cut

All of it is read in one transaction, so that nothing is counted twice or not at all while the gate rolls on. Sums are exact
and percentiles within 0.5 %, and either way the same. What the figures mean for a report is not known here (`facts`).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from headgate.ledger.cells import QUARTER, Days
from headgate.ledger.opening import open_for_reading
from headgate.ledger.rollups import (
    Slot,
    read_bars,
    read_calls,
    read_cells,
    read_sketches,
    stretches,
)
from headgate.ledger.rows import CHUNK, Counted, Part, chunks_of, count_chunks, facets_by_number
from headgate.ledger.rows_apart import count_apart
from headgate.ledger.sketches import Sketch, microseconds, percentile
from headgate.ledger.units import MICRO

HALF: Final = 0.50
MOST: Final = 0.95
MANY: Final = 500_000
"""Rows from which on it pays to sum them in processes of their own."""


class Spread(Struct, frozen=True):
    """How durations are spread, in microseconds."""

    number: int
    p50: float
    p95: float


def spread(sketches: Mapping[int, Sketch], models: Iterable[int]) -> Spread | None:
    """Of all requests that these models answered; None of none."""
    sketch: Sketch = Counter()
    for model in models:
        sketch.update(sketches.get(model, {}))
    number = sketch.total()
    if not number:
        return None
    return Spread(
        number,
        microseconds(percentile(sketch, number, HALF)),
        microseconds(percentile(sketch, number, MOST)),
    )


def count(path: Path, since: int, until: int, days: Days, *, from_rows: bool = False) -> Slot:
    """Count the requests of some time.

    Args:
        path: the ledger file.
        since: the first moment, in microseconds of Unix time.
        until: the first moment after.
        days: the days of that time.
        from_rows: read no rollups; slower, and what has been removed is not there.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    with closing(open_for_reading(path)) as db:
        db.execute("BEGIN")
        counted = Slot()
        (rolled,) = (0,) if from_rows else db.execute("SELECT n FROM rolled").fetchone()
        first, last = -(-since // (QUARTER * MICRO)) * QUARTER, until // (QUARTER * MICRO) * QUARTER
        for part in _live(since, until, rolled, first, last):
            counted.add(_count_rows(path, db, part, days))
        if rolled and first < last:
            _add_rollups(db, first, last, days, counted)
        return counted


def _count_rows(path: Path, db: sqlite3.Connection, part: Part, days: Days) -> Counted:
    chunks = list(chunks_of(db, part))
    if len(chunks) * CHUNK >= MANY:
        return count_apart(path, chunks, part, days)
    counted = Counted()
    count_chunks(db, chunks, part, days, counted)
    return counted


def _live(since: int, until: int, rolled: int, first: int, last: int) -> Iterable[Part]:
    """The rows that no rollup speaks for."""
    yield Part(after=rolled, since=since, until=until)
    if not rolled:
        return
    if first >= last:  # the time is shorter than a quarter, or lies across two
        yield Part(upto=rolled, since=since, until=until)
        return
    if since < first * MICRO:
        yield Part(upto=rolled, since=since, until=first * MICRO)
    if last * MICRO < until:
        yield Part(upto=rolled, since=last * MICRO, until=until)


def _add_rollups(db: sqlite3.Connection, since: int, until: int, days: Days, counted: Slot) -> None:
    time = list(stretches(since, until))
    facets = facets_by_number(db)
    for number, cell in read_cells(db, time):
        counted.sums.add_cell(facets[number], cell)
    for ends, calls in read_calls(db, time):
        counted.sums.add_calls(ends, calls)
    for model, seconds, first_token in read_sketches(db, time):
        counted.seconds[model].update(seconds)
        counted.first_token[model].update(first_token)
    cuts = [since, *(day for day in days.starts if since < day < until), until]
    for begin, end in pairwise(cuts):
        start = days.of(begin)
        for number, bar in read_bars(db, stretches(_whole(begin), _whole(end))):
            facet = facets[number]
            counted.sums.add_bar((start, facet.task, facet.model), bar)


def _whole(moment: int) -> int:
    """The quarter that a moment belongs to. Days of before some year began on odd minutes; their quarters are not cut."""
    return moment // QUARTER * QUARTER
