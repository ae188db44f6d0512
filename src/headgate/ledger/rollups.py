"""Rollups: the sums over all rows, kept by time, so that a report over a year reads a few thousand of them.

Rows are rolled up by their number: `rolled.n` is the last one that is in the rollups, and it moves on in the transaction that
adds the rows after it. So each row is in them once, whatever its time: a clock that jumped, a late row and an imported one are
right without more ado, and two processes that roll at once do no harm. What a report counts is the rollups of the quarters of
an hour within its time, and the rows after `rolled.n` (`counting`).

The same sums are kept for four spans: quarters of an hour, since every time zone's days begin on one, hours, days and months
of thirty days (`SPANS`). This module does not know when rolling is due (`retention`).
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from headgate.ledger.cells import HOUR, QUARTER, Bar, Calls, Cell, Ends, Facet, Sums
from headgate.ledger.rows import Counted, Part, count_by_quarter, facets_by_number
from headgate.ledger.schema import call_rollups, insert_sql, latency_rollups, rollups
from headgate.ledger.sketches import Sketch, from_bytes, sketch_of, to_bytes

DAY: Final = 24 * HOUR
MONTH: Final = 30 * DAY
SPANS: Final = (QUARTER, HOUR, DAY, MONTH)
"""Seconds of the times that are summed; each is a multiple of the one before, counted from 1970 in UTC."""

BITE: Final = 4_096
"""Rows that are rolled up in one transaction."""


class Stretch(Struct, frozen=True):
    """Rollups of one span, from a start until before another, in Unix time."""

    span: int
    since: int
    until: int


class Slot:
    """The sums over some time, and how long its requests took.

    Attributes:
        sums: over its requests and calls.
        seconds: the sketches of whole times, by the model that answered.
        first_token: likewise, of times to the first token.
    """

    def __init__(self) -> None:
        self.sums = Sums()
        self.seconds: defaultdict[int, Sketch] = defaultdict(Counter)
        self.first_token: defaultdict[int, Sketch] = defaultdict(Counter)

    def add(self, counted: Counted) -> None:
        """Add what was counted from rows."""
        self.sums.merge(counted.sums)
        for sketches, times in (
            (self.seconds, counted.seconds),
            (self.first_token, counted.first_token),
        ):
            for model, characters in times.items():
                sketches[model].update(sketch_of(characters))


def roll(db: sqlite3.Connection, bite: int = BITE) -> int:
    """Add the next rows to the rollups; how many there were.

    Args:
        db: a connection that may write and is in no transaction.
        bite: rows at most.

    Raises:
        sqlite3.Error: the file cannot be written now; nothing was added.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        (before,) = db.execute("SELECT n FROM rolled").fetchone()
        after = db.execute(
            "SELECT n FROM requests WHERE n > ? ORDER BY n LIMIT 1 OFFSET ?", (before, bite - 1)
        )
        last = after.fetchone() or db.execute("SELECT max(n) FROM requests WHERE n > ?", (before,)).fetchone()
        number = 0
        if last[0] is not None:
            number = _add_rows(db, before, last[0])
            db.execute("UPDATE rolled SET n = ?", last)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return number


def stretches(since: int, until: int) -> Iterator[Stretch]:
    """The fewest rollups that make up a time: short ones at its ends, long ones between.

    Args:
        since: Unix time, on a quarter of an hour.
        until: likewise.
    """
    return _stretches(since, until, SPANS)


def read_cells(db: sqlite3.Connection, time: Iterable[Stretch]) -> Iterator[tuple[int, Cell]]:
    """The sums over requests by the number of their facet, once or more for each."""
    query = f"SELECT facet, {_summed(Cell._fields)} FROM rollups WHERE {_WITHIN} GROUP BY facet"  # noqa: S608 - our own names
    for part in time:
        for facet, *sums in db.execute(query, (part.span, part.since, part.until)):
            yield facet, Cell(*sums)


def read_calls(db: sqlite3.Connection, time: Iterable[Stretch]) -> Iterator[tuple[Ends, Calls]]:
    """The sums over calls, once or more for each end that they came to."""
    query = (
        f"SELECT {', '.join(Ends._fields)}, {_summed(Calls._fields)} FROM call_rollups "  # noqa: S608 - as above
        f"WHERE {_WITHIN} GROUP BY 1, 2, 3"
    )
    for part in time:
        for task, model, failure, *sums in db.execute(query, (part.span, part.since, part.until)):
            yield Ends(task, model, failure), Calls(*sums)


def read_bars(db: sqlite3.Connection, time: Iterable[Stretch]) -> Iterator[tuple[int, Bar]]:
    """What was answered by the number of the facet, once or more for each."""
    query = (
        "SELECT facet, sum(requests), sum(cost), sum(compared_baseline) FROM rollups "  # noqa: S608 - our own names
        f"WHERE {_WITHIN} GROUP BY facet"
    )
    for part in time:
        for facet, *sums in db.execute(query, (part.span, part.since, part.until)):
            yield facet, Bar(*sums)


def read_sketches(db: sqlite3.Connection, time: Iterable[Stretch]) -> Iterator[tuple[int, Sketch, Sketch]]:
    """The sketches of whole times and of times to the first token, by model, once or more for each."""
    query = f"SELECT model, seconds, first_token FROM latency_rollups WHERE {_WITHIN}"  # noqa: S608 - as above
    for part in time:
        for model, seconds, first_token in db.execute(query, (part.span, part.since, part.until)):
            yield model, from_bytes(seconds), from_bytes(first_token)


_WITHIN: Final = "span = ? AND start >= ? AND start < ?"


def _summed(columns: Iterable[str]) -> str:
    return ", ".join(f"sum({column})" for column in columns)


def _stretches(since: int, until: int, spans: tuple[int, ...]) -> Iterator[Stretch]:
    if since >= until:
        return
    *shorter, span = spans
    first, last = -(-since // span) * span, until // span * span
    if first >= last:
        yield from _stretches(since, until, tuple(shorter))
        return
    yield from _stretches(since, first, tuple(shorter))
    yield Stretch(span, first, last)
    yield from _stretches(last, until, tuple(shorter))


def _add_rows(db: sqlite3.Connection, after: int, upto: int) -> int:
    quarters = count_by_quarter(db, Part(after=after, upto=upto))
    numbers = {facet: number for number, facet in facets_by_number(db).items()}
    for span in SPANS:
        slots: defaultdict[int, Slot] = defaultdict(Slot)
        for quarter, counted in quarters.items():
            slots[quarter // span * span].add(counted)
        for start, slot in sorted(slots.items()):
            _store(db, span, start, slot, numbers)
    return sum(cell.requests for counted in quarters.values() for cell in counted.sums.cells.values())


def _store(db: sqlite3.Connection, span: int, start: int, slot: Slot, numbers: Mapping[Facet, int]) -> None:
    """Add to what is stored of one time."""
    db.executemany(
        _ADD_CELL, [(span, start, numbers[facet], *cell) for facet, cell in slot.sums.cells.items()]
    )
    db.executemany(_ADD_CALLS, [(span, start, *key, *calls) for key, calls in slot.sums.calls.items()])
    find = "SELECT seconds, first_token FROM latency_rollups WHERE span = ? AND start = ? AND model = ?"
    for model in slot.seconds:
        seconds, first_token = slot.seconds[model], slot.first_token[model]
        stored = db.execute(find, (span, start, model)).fetchone()
        if stored is not None:
            seconds, first_token = (
                seconds + from_bytes(stored[0]),
                first_token + from_bytes(stored[1]),
            )
        db.execute(_PUT_SKETCHES, (span, start, model, to_bytes(seconds), to_bytes(first_token)))


def _upsert(table: str, key: tuple[str, ...], summed: tuple[str, ...]) -> str:
    columns = (*key, *summed)
    sets = [f"{column} = {column} + excluded.{column}" for column in summed]
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(sets)}"
    )


_ADD_CELL: Final = _upsert(rollups.name, ("span", "start", "facet"), Cell._fields)
_ADD_CALLS: Final = _upsert(call_rollups.name, ("span", "start", *Ends._fields), Calls._fields)
_PUT_SKETCHES: Final = insert_sql(latency_rollups).replace("INSERT", "INSERT OR REPLACE", 1)
