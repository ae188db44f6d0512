"""Whether a ledger is what it should be: the file sound, every number pointing to something, and the rollups those of its rows.

The rollups are made again from the rows, a day at a time, and compared with what is stored; where rows have been removed,
only the longer spans can be compared with the shorter ones. Nothing is changed.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from headgate.ledger.cells import Calls, Cell, Ends, Facet
from headgate.ledger.numbering import misnumbered
from headgate.ledger.opening import bring_up_to_date, open_for_reading, unreadable
from headgate.ledger.rollups import DAY, SPANS, Slot
from headgate.ledger.rows import Part, count_by_quarter, facets_by_number
from headgate.ledger.sketches import from_bytes
from headgate.ledger.units import MICRO

SHOWN = 5
"""Complaints of one sort that are told; one is enough to know."""


class Verified(Struct, frozen=True, kw_only=True):
    """What was found in a ledger."""

    requests: int
    attempts: int
    audits: int
    rolled: int
    """The number of the last request in the rollups."""
    waiting: int
    """Requests that are in no rollup yet; they are counted all the same."""
    pruned: str | None
    """The day before which rows have been removed, in UTC."""
    days: int
    """Whose rollups were made again."""
    problems: tuple[str, ...]


def verify(path: Path) -> Verified:
    """Look at all of a ledger.

    Raises:
        LedgerError: it cannot be read at all.
    """
    bring_up_to_date(path)
    with closing(open_for_reading(path)) as db:
        try:
            db.execute("BEGIN")
            return _verify(db)
        except sqlite3.Error as error:
            raise unreadable(path, error) from error


def _verify(db: sqlite3.Connection) -> Verified:
    (rolled, pruned) = db.execute("SELECT n, pruned FROM rolled").fetchone()
    problems = [*_of_the_file(db), *_of_the_numbers(db)]
    days = _days(db, rolled, pruned)
    if not problems:  # else the figures would say nothing
        problems += _of_the_rollups(db, rolled, days)
        problems += _of_the_spans(db)

    def number(query: str) -> int:
        return int(db.execute(query).fetchone()[0])

    return Verified(
        requests=number("SELECT count(*) FROM requests"),
        attempts=number("SELECT count(*) FROM attempts"),
        audits=number("SELECT count(*) FROM audits"),
        rolled=rolled,
        waiting=number(f"SELECT count(*) FROM requests WHERE n > {rolled}"),  # noqa: S608 - a number of ours
        pruned=_day(pruned // MICRO) if pruned else None,
        days=len(days),
        problems=tuple(problems),
    )


def _of_the_file(db: sqlite3.Connection) -> Iterator[str]:
    for (said,) in db.execute(f"PRAGMA integrity_check({SHOWN})"):
        if said != "ok":
            yield f"the file is damaged: {' '.join(said.split())}"


def _of_the_numbers(db: sqlite3.Connection) -> Iterator[str]:
    for found, (table, row, other, _) in enumerate(db.execute("PRAGMA foreign_key_check")):
        if found == SHOWN:
            return
        yield f"row {row} of {table} points to a row of {other} that is not there"
    for table, what in (("audit_jobs", "audits that wait or are made"), ("opinions", "what judges said")):
        query = f"SELECT count(*) FROM {table} WHERE request NOT IN (SELECT n FROM requests)"  # noqa: S608 - our own names
        (lost,) = db.execute(query).fetchone()
        if lost:
            yield f"{what}: {lost:,} rows are of requests that are not there"
    for table, wrong in misnumbered(db).items():
        if wrong:
            yield f"rows of {table} that are counted as something else than they say: {wrong:,}"


def _days(db: sqlite3.Connection, rolled: int, pruned: int) -> list[int]:
    """The days, by their first moments, of which all rows are there."""
    query = (
        f"SELECT DISTINCT received / {DAY * MICRO} FROM requests WHERE n <= ? AND received >= ? ORDER BY 1"  # noqa: S608 - a number of ours
    )
    of_rows = {day * DAY for (day,) in db.execute(query, (rolled, pruned))}
    of_rollups = {
        start for (start,) in db.execute("SELECT DISTINCT start FROM rollups WHERE span = ?", (DAY,))
    }
    return sorted(of_rows | {start for start in of_rollups if start * MICRO >= pruned})


def _of_the_rollups(db: sqlite3.Connection, rolled: int, days: list[int]) -> Iterator[str]:
    facets = facets_by_number(db)
    found = 0
    for day in days:
        part = Part(upto=rolled, since=day * MICRO, until=(day + DAY) * MICRO)
        wanted = {}
        for start, counted in count_by_quarter(db, part).items():
            wanted[start] = Slot()
            wanted[start].add(counted)
        stored = _stored(db, day, facets)
        for start in sorted({*wanted, *stored}):
            if _shape(wanted.get(start)) != _shape(stored.get(start)):
                found += 1
                if found > SHOWN:
                    return
                yield f"the rollup of {_moment(start)} is not the sum of its rows"


def _stored(db: sqlite3.Connection, day: int, facets: Mapping[int, Facet]) -> dict[int, Slot]:
    slots: dict[int, Slot] = {}
    within = (SPANS[0], day, day + DAY)
    where = "WHERE span = ? AND start >= ? AND start < ?"
    cells = f"SELECT start, facet, {', '.join(Cell._fields)} FROM rollups {where}"  # noqa: S608 - our own names
    for start, facet, *sums in db.execute(cells, within):
        slots.setdefault(start, Slot()).sums.add_cell(facets[facet], Cell(*sums))
    calls = f"SELECT start, {', '.join(Ends._fields + Calls._fields)} FROM call_rollups {where}"  # noqa: S608 - as above
    for start, *row in db.execute(calls, within):
        slots.setdefault(start, Slot()).sums.add_calls(Ends(*row[:3]), Calls(*row[3:]))
    sketches = f"SELECT start, model, seconds, first_token FROM latency_rollups {where}"  # noqa: S608 - as above
    for start, model, seconds, first_token in db.execute(sketches, within):
        slot = slots.setdefault(start, Slot())
        slot.seconds[model] = from_bytes(seconds)
        slot.first_token[model] = from_bytes(first_token)
    return slots


def _shape(slot: Slot | None) -> object:
    if slot is None:
        return None
    sketches = [
        {model: sketch for model, sketch in own.items() if sketch} for own in (slot.seconds, slot.first_token)
    ]
    return slot.sums.cells, slot.sums.calls, sketches


def _of_the_spans(db: sqlite3.Connection) -> Iterator[str]:
    """Each span's rollups are the sums of those of the next shorter one."""
    for table, key, sums in (
        ("rollups", ("facet",), Cell._fields),
        ("call_rollups", Ends._fields, Calls._fields),
    ):
        columns = ", ".join((*key, *(f"sum({column})" for column in sums)))
        grouped = ", ".join(str(place) for place in range(1, len(key) + 2))
        for short, long in pairwise(SPANS):
            made = f"SELECT start / {long} * {long}, {columns} FROM {table} WHERE span = {short} GROUP BY {grouped}"  # noqa: S608 - as above
            kept = f"SELECT start, {', '.join(key + sums)} FROM {table} WHERE span = {long}"  # noqa: S608 - as above
            for query in (f"{made} EXCEPT {kept}", f"{kept} EXCEPT {made}"):
                row = db.execute(f"{query} LIMIT 1").fetchone()
                if row is not None:
                    yield f"the rollup of {long // 3600:,} hours from {_moment(row[0])} is not the sum of shorter ones ({table})"
                    break


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _moment(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
