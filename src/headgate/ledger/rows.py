"""Summing rows, in SQL, a few thousand at a time.

SQLite groups by sorting, so rows are summed in chunks that are sorted within the processor's cache, by one integer: how the row
is counted (`cells.Variant`), with the time that it belongs to. Durations come back as one text for each group. Very many rows
are summed by several processes at once (`rows_apart`).
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from operator import add
from typing import Final, TypeVar

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.ledger.cells import QUARTER, Bar, CallVariant, Days, Facet, Sums, Times, Variant, merge_times
from headgate.ledger.units import MICRO

CHUNK: Final = 4_096
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

_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1
"""A variant's number fits: there are some thousands at most."""


Rounding = tuple[tuple[int, int], ...]
"""From how many microseconds on durations are rounded, and to a multiple of what; the longest first."""
FOR_SKETCHES: Final[Rounding] = ((1_000_000, 1_000), (100_000, 100))
"""By half a thousandth at most. Changing it takes a new version of the tables."""
FOR_PERCENTILES: Final[Rounding] = ((1_000_000, 5_000), (100_000, 500), (10_000, 50))
"""By a quarter of a percent at most: so few are different that they are counted within the processor's cache."""


def _requests(rounding: Rounding, variants: Collection[tuple[Facet, Variant]]) -> str:
    """The sums over requests.

    Args:
        rounding: of their durations.
        variants: all there are; a figure that is unknown to each of them is NULL in each row, and need not be read.
    """

    def rounded(column: str) -> str:
        steps = (
            f"WHEN {column} >= {least} THEN ({column} + {step // 2}) / {step} * {step}"
            for least, step in rounding
        )
        return f"CASE {' '.join(steps)} ELSE {column} END"

    energy_cost = "NULL" if all(way.energy_cost_unknown for _, way in variants) else "sum(energy_cost)"
    alternative = "NULL" if all(way.alternative_unknown for _, way in variants) else "sum(alternative_cost)"
    return f"""
SELECT (received / ? << {_BITS}) | coalesce(variant, 0), group_concat({rounded("seconds")}), group_concat({rounded("first_token")}),
       count(*), sum(cost), sum(baseline_cost), sum(energy), {energy_cost}, {alternative}, sum(seconds), sum(first_token)
FROM requests
WHERE n > ? AND n <= ? AND +received >= ? AND +received < ?
GROUP BY 1
"""  # noqa: S608 - our own names


_FIGURES: Final = "count(*), sum(input + cache_read + cache_write_5m + cache_write_1h), sum(output), sum(a.cost), sum(a.energy)"
_CALLS: Final = f"""
SELECT coalesce(variant, 0), {_FIGURES} FROM attempts a WHERE request > ? AND request <= ? GROUP BY variant
"""  # noqa: S608 - as above
_CALLS_BY_TIME: Final = f"""
SELECT (received / ? << {_BITS}) | coalesce(a.variant, 0), {_FIGURES}
FROM attempts a CROSS JOIN requests r ON r.n = a.request
WHERE a.request > ? AND a.request <= ? AND r.received >= ? AND r.received < ?
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
        seconds: of the answered requests, in microseconds, by model.
        first_token: likewise, where it was timed.
    """

    def __init__(self) -> None:
        self.sums = Sums()
        self.seconds: Times = defaultdict(Counter)
        self.first_token: Times = defaultdict(Counter)

    def merge(self, other: "Counted") -> None:
        """Add all of another's."""
        self.sums.merge(other.sums)
        merge_times(self.seconds, other.seconds)
        merge_times(self.first_token, other.first_token)

    def add_durations(self, model: int, seconds: str | None, first_token: str | None) -> None:
        """Add those of requests that a model answered, or nobody; a comma between two."""
        if model and seconds:
            self.seconds[model].update(seconds.split(","))
        if model and first_token:
            self.first_token[model].update(first_token.split(","))


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
        LedgerError: a row does not say how it is counted.
    """
    variants, call_variants = variants_by_number(db), call_variants_by_number(db)
    summed = _requests(FOR_PERCENTILES, variants.values())
    step = days.step * MICRO
    requests: dict[int, list[int]] = {}
    calls: dict[int, list[int]] = {}
    for after, upto in chunks:
        meant = 0
        given = (step, after, upto, part.since, part.until)
        for key, seconds, first_token, *sums in db.execute(summed, given):
            facet, _ = variants[key & _MASK]
            counted.add_durations(facet.model, seconds, first_token)
            requests[key] = _plus(requests.get(key), sums)
            meant += sums[0]
        whole = meant == upto - after
        for key, *sums in db.execute(_CALLS, (after, upto)) if whole else db.execute(_CALLS_BY_TIME, given):
            calls[key & _MASK] = _plus(calls.get(key & _MASK), sums)
    for key, sums in requests.items():
        facet, variant = variants[key & _MASK]
        cell = variant.cell(sums)
        day = days.of((key >> _BITS) * days.step)
        counted.sums.add_cell(facet, cell)
        counted.sums.add_bar(
            (day, facet.task, facet.model), Bar(cell.requests, cell.cost, cell.compared_baseline)
        )
    for number, sums in calls.items():
        counted.sums.add_calls(call_variants[number].ends, call_variants[number].calls(sums))


def count_by_quarter(db: sqlite3.Connection, part: Part) -> dict[int, Counted]:
    """Sum a part of the rows by the quarter of an hour in which they were received, in Unix time.

    Raises:
        LedgerError: a row does not say how it is counted.
    """
    variants, call_variants = variants_by_number(db), call_variants_by_number(db)
    summed = _requests(FOR_SKETCHES, variants.values())
    quarters: defaultdict[int, Counted] = defaultdict(Counted)
    for after, upto in chunks_of(db, part):
        given = (QUARTER * MICRO, after, upto, part.since, part.until)
        for key, seconds, first_token, *sums in db.execute(summed, given):
            counted = quarters[(key >> _BITS) * QUARTER]
            facet, variant = variants[key & _MASK]
            counted.add_durations(facet.model, seconds, first_token)
            counted.sums.add_cell(facet, variant.cell(_plus(None, sums)))
        for key, *sums in db.execute(_CALLS_BY_TIME, given):
            call = call_variants[key & _MASK]
            quarters[(key >> _BITS) * QUARTER].sums.add_calls(call.ends, call.calls(_plus(None, sums)))
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
        raise LedgerError(
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


def _plus(before: list[int] | None, sums: Iterable[int | None]) -> list[int]:
    known = [figure or 0 for figure in sums]
    return known if before is None else list(map(add, before, known))
