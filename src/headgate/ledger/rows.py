"""Summing rows, in SQL, a few thousand at a time.

SQLite groups by sorting, so rows are summed in chunks that are sorted within the processor's cache, by one integer: how the row
is counted (`cells.Variant`), with the time that it belongs to where a chunk is not of one day. The bins of their times come back
as one text for each group. A request that took one call brings its call's figures along, and most do; only the calls of others are
read. Very many rows are summed by several processes at once (`rows_apart`).
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from operator import add
from typing import Final, TypeVar

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.ledger.cells import QUARTER, Bar, CallFigures, CallVariant, Days, Facet, Figures, Sums, Variant
from headgate.ledger.sketches import Characters
from headgate.ledger.units import MICRO

CHUNK: Final = 8_192
"""Rows that are sorted together."""
DENSE: Final = 0.5
"""Of the rows between the first and the last that are meant, the share from which on all are looked at."""
MOST: Final = 0.5
"""Of the time from the first request to the last, the share from which on all rows are looked at."""
Chunk = tuple[int, int]
"""Numbers of rows: "after" and "up to"."""
EVER: Final = 2**62
"""A time, in microseconds, after all others."""

Item = TypeVar("Item")
Added = TypeVar("Added", Figures, CallFigures)

_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1
"""A variant's number fits: there are some thousands at most."""
_NUMBER: Final = 2
"""The place of how many they are, in what is found of requests."""
_TIME_AND_VARIANT: Final = f"(received / ? << {_BITS}) | coalesce(variant, 0)"
_VARIANT: Final = "variant"


def _requests(key: str, variants: Collection[tuple[Facet, Variant]]) -> str:
    """The sums over requests, with the bins of their times.

    Args:
        key: what they are grouped by. Whatever column stands in it is sorted along.
        variants: all there are; a figure that is unknown to each of them is NULL in each row, and need not be read.
    """
    ways = [way for _, way in variants]
    energy = "NULL" if all(way.energy_unknown for way in ways) else "sum(energy)"
    energy_cost = "NULL" if all(way.energy_cost_unknown for way in ways) else "sum(energy_cost)"
    alternative = "NULL" if all(way.alternative_unknown for way in ways) else "sum(alternative_cost)"
    return f"""
SELECT {key}, group_concat(bins, ''),
       count(*), sum(cost), sum(baseline_cost), {energy}, {energy_cost}, {alternative}, sum(seconds), sum(first_token),
       sum(call_input), sum(call_output)
FROM requests
WHERE n > ? AND n <= ? AND +received >= ? AND +received < ?
GROUP BY 1
"""  # noqa: S608 - our own names


_CALL_FIGURES: Final = (
    "count(*), sum(input + cache_read + cache_write_5m + cache_write_1h), sum(output), sum(a.cost)"
)
_CALLS: Final = f"""
SELECT variant, {_CALL_FIGURES} FROM attempts a WHERE request > ? AND request <= ? AND variant IS NOT NULL GROUP BY variant
"""  # noqa: S608 - as above
_CALLS_BY_TIME: Final = f"""
SELECT (received / ? << {_BITS}) | a.variant, {_CALL_FIGURES}
FROM attempts a CROSS JOIN requests r ON r.n = a.request
WHERE a.request > ? AND a.request <= ? AND r.received >= ? AND r.received < ? AND a.variant IS NOT NULL
GROUP BY 1
"""  # noqa: S608 - as above
# CROSS JOIN says which table leads: after one attempt's request the next one's is at hand, but not the other way round.


class Part(Struct, frozen=True, kw_only=True):
    """Which rows are meant: numbered after one and up to another, and received from a time until before another.

    Times are microseconds.
    """

    after: int = 0
    upto: int = EVER
    since: int = 0
    until: int = EVER


class Counted:
    """The sums over rows, and how long they took.

    Attributes:
        sums: over all rows.
        seconds: the bins of the answered requests' whole times, by model.
        first_token: likewise, of their times to the first token.
    """

    def __init__(self) -> None:
        self.sums = Sums()
        self.seconds: defaultdict[int, Characters] = defaultdict(Counter)
        self.first_token: defaultdict[int, Characters] = defaultdict(Counter)

    def merge(self, other: "Counted") -> None:
        """Add all of another's."""
        self.sums.merge(other.sums)
        for own, others in ((self.seconds, other.seconds), (self.first_token, other.first_token)):
            for model, characters in others.items():
                own[model].update(characters)

    def add_bins(self, model: int, bins: str) -> None:
        """Add those of requests that a model answered, or nobody: two characters each (`sketches.bins_of`)."""
        if model:
            self.seconds[model].update(bins[::2])
            self.first_token[model].update(bins[1::2])


def count_chunks(
    db: sqlite3.Connection,
    chunks: Iterable[Chunk],
    part: Part,
    days: Days,
    counted: Counted,
) -> None:
    """Sum the rows of some chunks.

    Args:
        db: an open connection.
        chunks: the numbers among which they are.
        part: which of these are meant.
        days: to whose bars the requests are added.
        counted: what they are added to.

    Raises:
        LedgerError: a request does not say how it is counted.
    """
    variants, call_variants = variants_by_number(db), call_variants_by_number(db)
    queries = _requests(_VARIANT, variants.values()), _requests(_TIME_AND_VARIANT, variants.values())
    requests: dict[tuple[int, int], Figures] = {}
    calls: dict[int, CallFigures] = {}
    for chunk in chunks:
        meant = 0
        for day, variant, bins, figures in _by_day_and_variant(db, queries, chunk, part, days):
            requests[day, variant] = _plus(requests.get((day, variant)), figures)
            counted.add_bins(variants[variant][0].model, _all(bins, figures.requests))
            meant += figures.requests
        for number, of_calls in _other_calls(db, chunk, part, whole=meant == chunk[1] - chunk[0]):
            calls[number] = _plus(calls.get(number), of_calls)
    for (day, variant), figures in requests.items():
        facet, way = variants[variant]
        cell = way.cell(figures)
        counted.sums.add_cell(facet, cell)
        counted.sums.add_bar(
            (day, facet.task, facet.model), Bar(cell.requests, cell.cost, cell.compared_baseline)
        )
        if way.call:
            calls[way.call] = _plus(calls.get(way.call), figures.of_their_calls())
    for number, of_calls in calls.items():
        counted.sums.add_calls(call_variants[number].ends, call_variants[number].calls(of_calls))


def _by_day_and_variant(
    db: sqlite3.Connection, queries: tuple[str, str], chunk: Chunk, part: Part, days: Days
) -> Iterator[tuple[int, int, str | None, Figures]]:
    """The sums over the requests of a chunk, and their bins, once or more for each day and variant.

    Most chunks are of one day. That is seen by the ends, tried, and proven by their number; it spares the sorting of times.
    """
    of_a_day, by_time = queries
    after, upto = chunk
    ends = db.execute("SELECT received FROM requests WHERE n = ? OR n = ?", (after + 1, upto)).fetchall()
    at_ends = {days.of(received // MICRO) for (received,) in ends}
    if len(at_ends) == 1:
        (day,) = at_ends
        since, until = max(part.since, day * MICRO), min(part.until, days.end(day) * MICRO)
        found = db.execute(of_a_day, (after, upto, since, until)).fetchall()
        if sum(row[_NUMBER] for row in found) == upto - after:
            for variant, bins, *sums in found:
                yield day, variant, bins, Figures(*map(_known, sums))
            return
    for key, bins, *sums in db.execute(by_time, (days.step * MICRO, after, upto, part.since, part.until)):
        yield days.of((key >> _BITS) * days.step), key & _MASK, bins, Figures(*map(_known, sums))


def _other_calls(
    db: sqlite3.Connection, chunk: Chunk, part: Part, *, whole: bool
) -> Iterator[tuple[int, CallFigures]]:
    """The sums over the calls of a chunk that are not counted with their requests, once or more for each variant."""
    given = (EVER, *chunk, part.since, part.until)
    for key, *sums in db.execute(_CALLS, chunk) if whole else db.execute(_CALLS_BY_TIME, given):
        yield key & _MASK, CallFigures(*map(_known, sums))


def count_by_quarter(db: sqlite3.Connection, part: Part) -> dict[int, Counted]:
    """Sum a part of the rows by the quarter of an hour in which they were received, in Unix time.

    Raises:
        LedgerError: a request does not say how it is counted.
    """
    variants, call_variants = variants_by_number(db), call_variants_by_number(db)
    summed = _requests(_TIME_AND_VARIANT, variants.values())
    quarters: defaultdict[int, Counted] = defaultdict(Counted)
    for after, upto in chunks_of(db, part):
        given = (QUARTER * MICRO, after, upto, part.since, part.until)
        for key, bins, *sums in db.execute(summed, given):
            counted = quarters[(key >> _BITS) * QUARTER]
            facet, way = variants[key & _MASK]
            figures = Figures(*map(_known, sums))
            counted.add_bins(facet.model, _all(bins, figures.requests))
            counted.sums.add_cell(facet, way.cell(figures))
            if way.call:
                call = call_variants[way.call]
                counted.sums.add_calls(call.ends, call.calls(figures.of_their_calls()))
        for key, *sums in db.execute(_CALLS_BY_TIME, given):
            call = call_variants[key & _MASK]
            of_calls = CallFigures(*map(_known, sums))
            quarters[(key >> _BITS) * QUARTER].sums.add_calls(call.ends, call.calls(of_calls))
    return dict(quarters)


def chunks_of(db: sqlite3.Connection, part: Part) -> Iterator[Chunk]:
    """Pieces of the numbers among which the rows are: "after" and "up to"."""
    given = (part.after, part.upto, part.since, part.until)
    pages: Iterable[int] | None = None
    if part.after or _is_most(db, part):
        numbered = "FROM requests WHERE n > ?1 AND n <= ?2"
        first, last = db.execute(
            f"SELECT (SELECT min(n) {numbered}), (SELECT max(n) {numbered})", given[:2]
        ).fetchone()
    else:
        # a plus hides a column from SQLite's planner: the rows are found by their time
        where = "FROM requests WHERE +n > ? AND +n <= ? AND received >= ? AND received < ?"
        first, last, number = db.execute(f"SELECT min(n), max(n), count(*) {where}", given).fetchone()
        if number and number < DENSE * (last - first + 1):
            distinct = f"SELECT DISTINCT (n - 1) / {CHUNK} {where} ORDER BY 1"
            pages = [page for (page,) in db.execute(distinct, given)]
    if first is None:
        return
    for page in pages or range((first - 1) // CHUNK, (last - 1) // CHUNK + 1):
        yield max(page * CHUNK, first - 1), min((page + 1) * CHUNK, last)


class _ByNumber(dict[int, Item]):
    """What a ledger knows by number."""

    def __missing__(self, number: int) -> Item:
        raise _unnumbered()


def _unnumbered() -> LedgerError:
    return LedgerError(
        "the ledger has rows that do not say how they are counted, as an older Headgate writes them",
        "end that one if it still runs; then: headgate ledger compact",
    )


def facets_by_number(db: sqlite3.Connection) -> dict[int, Facet]:
    """All facets."""
    found = db.execute(f"SELECT id, {', '.join(Facet._fields)} FROM facets")  # noqa: S608 - our own names
    return {number: Facet(*row) for number, *row in found}


def variants_by_number(db: sqlite3.Connection) -> dict[int, tuple[Facet, Variant]]:
    """How requests are counted, by number; without those whose facet is not there."""
    facets = facets_by_number(db)
    found = db.execute(f"SELECT id, {', '.join(Variant._fields)} FROM variants")  # noqa: S608 - as above
    return _ByNumber({number: (facets[row[0]], Variant(*row)) for number, *row in found if row[0] in facets})


def call_variants_by_number(db: sqlite3.Connection) -> dict[int, CallVariant]:
    """How calls are counted, by number."""
    found = db.execute(f"SELECT id, {', '.join(CallVariant._fields)} FROM call_variants")  # noqa: S608 - as above
    return _ByNumber({number: CallVariant(*row) for number, *row in found})


def _is_most(db: sqlite3.Connection, part: Part) -> bool:
    """Whether a part spans most of the time from the first request to the last."""
    first, last = db.execute(
        "SELECT (SELECT min(received) FROM requests), (SELECT max(received) FROM requests)"
    ).fetchone()
    return first is not None and min(last, part.until) - max(first, part.since) >= MOST * (last - first)


def _known(figure: int | None) -> int:
    return figure or 0


def _plus(before: Added | None, more: Added) -> Added:
    return more if before is None else type(more)(*map(add, before, more))


def _all(bins: str | None, requests: int) -> str:
    """The bins of so many requests, if each of them says its own."""
    if bins is None or len(bins) != 2 * requests:
        raise _unnumbered()
    return bins
