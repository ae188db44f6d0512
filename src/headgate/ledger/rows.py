"""Summing rows, in SQL, a few thousand at a time.

SQLite groups by sorting, so rows are summed in chunks that are sorted within the processor's cache, by keys that are packed
into few integers: that is three times as fast as one query over all of them. What is unknown in a row is a part of the key,
so that all sums are plain ones; durations come back as one text for each group. The groups of many chunks are put together as
they are before any is taken apart. Very many rows are summed by several processes at once (`rows_apart`).
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import add
from typing import Any, Final

from msgspec import Struct

from headgate.core.policy import ANSWER_ALLOWANCE
from headgate.ledger.cells import HOUR, QUARTER, Bar, Calls, Cell, Days, Ends, Facet, Sums, Times, merge_times
from headgate.ledger.schema import MICRO

CHUNK: Final = 4_096
"""Rows that are sorted together."""
TOGETHER: Final = 64
"""Chunks whose groups are put together before they are taken apart."""
DENSE: Final = 0.5
"""Of the rows between the first and the last that are meant, the share from which on all are looked at."""
Chunk = tuple[int, int]
"""Numbers of rows: "after" and "up to"."""
EVER: Final = 2**62
"""A time, in microseconds, after all others."""

_BITS: Final = 20
_MASK: Final = (1 << _BITS) - 1
_WHO: Final = (1 << 2 * _BITS) - 1
"""A word's or a model's number fits: `dimensions` numbers some ten thousands at most."""
_STATES: Final = (
    "(cost IS NULL) | ((baseline_cost IS NULL) << 1) | ((energy_cost IS NULL) << 2) | ((alternative_cost IS NULL) << 3)"
    " | ((first_token IS NULL) << 4) | (tried_locally << 5) | (failed_locally << 6) | (estimated << 7)"
    " | ((imported IS NOT NULL) << 8)"
)
_STATES_BITS: Final = 9
_LIMIT_BITS: Final = 33
_SIZE_BITS: Final = 5
_SIZES: Final = range(11, 22)
"""Powers of two that prompts with room for an answer are measured by: 2,048 to 2,097,152 tokens."""
_SIZE: Final = (
    "CASE WHEN fallback_limit IS NULL THEN 0 "
    + " ".join(f"WHEN tokens + {ANSWER_ALLOWANCE} <= {1 << power} THEN {power}" for power in _SIZES[:-1])
    + f" ELSE {_SIZES[-1]} END"
)


def _packed(*columns: str) -> str:
    parts = [f"(coalesce({column}, 0) << {_BITS * i})" for i, column in enumerate(reversed(columns))]
    return " | ".join(reversed(parts))


def _rounded(column: str) -> str:
    """Durations to a thousandth or better, so that few are different: 0.1 ms from 0.1 s on, 1 ms from 1 s on."""
    return (
        f"CASE WHEN {column} < 100000 THEN {column} WHEN {column} < 1000000 THEN ({column} + 50) / 100 * 100 "
        f"ELSE ({column} + 500) / 1000 * 1000 END"
    )


_REQUESTS: Final = f"""
SELECT {_packed("received / {step}", "model", "task")},
       {_packed("route", "status", "baseline")},
       (coalesce(prices_as_of, 0) << {_STATES_BITS}) | {_STATES},
       CASE WHEN fallback IS NULL AND fallback_limit IS NULL THEN 0
       ELSE (coalesce(fallback, 0) << {_LIMIT_BITS + _SIZE_BITS})
           | ((coalesce(fallback_limit, -1) + 1) << {_SIZE_BITS}) | {_SIZE} END,
       CASE WHEN key IS NULL AND team IS NULL AND alternative IS NULL THEN 0
       ELSE {_packed("key", "team", "alternative")} END,
       count(*), sum(cost), sum(baseline_cost), sum(energy), sum(energy_cost), sum(alternative_cost),
       sum(seconds), sum(first_token),
       CASE WHEN model IS NULL THEN NULL ELSE group_concat({_rounded("seconds")}) END,
       CASE WHEN model IS NULL THEN NULL ELSE group_concat({_rounded("first_token")}) END
FROM requests
WHERE n > ? AND n <= ? AND +received >= ? AND +received < ?
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - our own names

_CALLS: Final = f"""
SELECT key, slot, count(*), sum(prompt), sum(output), sum(cost), sum(energy)
FROM (
    SELECT (({_packed("r.task", "a.model", "a.failure")}) << 2) | (a.rejected << 1) | (a.cost IS NULL) AS key, {{slot}} AS slot,
           a.input + a.cache_read + a.cache_write_5m + a.cache_write_1h AS prompt, a.output, a.cost, a.energy
    FROM attempts a CROSS JOIN requests r ON r.n = a.request
    WHERE a.request > ? AND a.request <= ? AND r.received >= ? AND r.received < ?
    LIMIT -1
)
GROUP BY {{by}}
"""  # noqa: S608 - as above
# LIMIT keeps SQLite from taking the inner query apart: then only what is summed is sorted, and not each column of the key.
# CROSS JOIN says which table leads: after one attempt's request the next one's is at hand, but not the other way round.
_CALLS_IN_ALL: Final = _CALLS.format(slot="0", by="key")
_CALLS_BY_QUARTER: Final = _CALLS.format(slot=f"r.received / {QUARTER * MICRO} * {QUARTER}", by="key, slot")
_REQUESTS_BY_QUARTER: Final = _REQUESTS.replace("{step}", str(QUARTER * MICRO))
_REQUESTS_BY_HOUR: Final = _REQUESTS.replace("{step}", str(HOUR * MICRO))


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
    """
    step, requests = (HOUR, _REQUESTS_BY_HOUR) if days.on_hours else (QUARTER, _REQUESTS_BY_QUARTER)
    left = iter(chunks)
    while some := tuple(islice(left, TOGETHER)):
        groups = _Groups()
        for after, upto in some:
            given = (after, upto, part.since, part.until)
            groups.take_requests(db.execute(requests, given), days, step)
            groups.take_calls(db.execute(_CALLS_IN_ALL, given))
        groups.pour(counted)


def count_by_quarter(db: sqlite3.Connection, part: Part) -> dict[int, Counted]:
    """Sum a part of the rows by the quarter of an hour in which they were received, in Unix time."""
    quarters: defaultdict[int, Counted] = defaultdict(Counted)
    for after, upto in chunks_of(db, part):
        given = (after, upto, part.since, part.until)
        for who, how, rest, why, whose, *sums, seconds, first_token in db.execute(
            _REQUESTS_BY_QUARTER, given
        ):
            counted = quarters[(who >> 2 * _BITS) * QUARTER]
            facet, cell = _requests_of((who, how, rest, why, whose), _plus(None, sums))
            counted.sums.add_cell(facet, cell)
            if seconds:
                counted.seconds[facet.model].update(seconds.split(","))
            if first_token:
                counted.first_token[facet.model].update(first_token.split(","))
        for of_calls, slot, *sums in db.execute(_CALLS_BY_QUARTER, given):
            quarters[slot].sums.add_calls(*_calls_of(of_calls, _plus(None, sums)))
    return dict(quarters)


def chunks_of(db: sqlite3.Connection, part: Part) -> Iterator[Chunk]:
    """Pieces of the numbers among which the rows are: "after" and "up to"."""
    given = (part.after, part.upto, part.since, part.until)
    # a plus hides a column from SQLite's planner: the rows after one are found by their number, others by their time
    by_number = "n > ? AND n <= ? AND +received >= ? AND +received < ?"
    by_time = "+n > ? AND +n <= ? AND received >= ? AND received < ?"
    where = f"FROM requests WHERE {by_number if part.after else by_time}"
    first, last, number = db.execute(f"SELECT min(n), max(n), count(*) {where}", given).fetchone()
    if not number:
        return
    pages: Iterable[int] = range((first - 1) // CHUNK, (last - 1) // CHUNK + 1)
    if number < DENSE * (last - first + 1):
        distinct = f"SELECT DISTINCT (n - 1) / {CHUNK} {where} ORDER BY 1"
        pages = [page for (page,) in db.execute(distinct, given)]
    for page in pages:
        yield max(page * CHUNK, first - 1), min((page + 1) * CHUNK, last)


class _Groups:
    """The groups of several chunks: sums by their keys as they are packed, durations by model."""

    def __init__(self) -> None:
        self._requests: dict[tuple[int, ...], list[int]] = {}
        self._calls: dict[int, list[int]] = {}
        self._seconds: defaultdict[int, list[str]] = defaultdict(list)
        self._first_token: defaultdict[int, list[str]] = defaultdict(list)

    def take_requests(self, rows: Iterable[tuple[Any, ...]], days: Days, step: int) -> None:
        """Add groups of requests that were received in the same `step`, in seconds."""
        for who, how, rest, why, whose, *sums, seconds, first_token in rows:
            key = (days.of((who >> 2 * _BITS) * step), who & _WHO, how, rest, why, whose)
            self._requests[key] = _plus(self._requests.get(key), sums)
            if seconds:
                self._seconds[who >> _BITS & _MASK].append(seconds)
            if first_token:
                self._first_token[who >> _BITS & _MASK].append(first_token)

    def take_calls(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add groups of calls."""
        for key, _, *sums in rows:
            self._calls[key] = _plus(self._calls.get(key), sums)

    def pour(self, counted: Counted) -> None:
        """Take them apart, and add them to what was counted."""
        for (day, *key), sums in self._requests.items():
            facet, cell = _requests_of(key, sums)
            counted.sums.add_cell(facet, cell)
            bar = Bar(cell.requests, cell.cost, cell.compared_baseline)
            counted.sums.add_bar((day, facet.task, facet.model), bar)
        for of_calls, sums in self._calls.items():
            counted.sums.add_calls(*_calls_of(of_calls, sums))
        for model, texts in self._seconds.items():
            counted.seconds[model].update(",".join(texts).split(","))
        for model, texts in self._first_token.items():
            counted.first_token[model].update(",".join(texts).split(","))


def _plus(before: list[int] | None, sums: Iterable[int | None]) -> list[int]:
    known = [figure or 0 for figure in sums]
    return known if before is None else list(map(add, before, known))


def _requests_of(key: Sequence[int], sums: Iterable[int]) -> tuple[Facet, Cell]:
    who, how, rest, why, whose = key
    requests, cost, baseline, energy, energy_cost, alternative, seconds, first_token = sums
    facet = Facet(
        model=who >> _BITS & _MASK,
        task=who & _MASK,
        route=how >> 2 * _BITS,
        key=whose >> 2 * _BITS,
        team=whose >> _BITS & _MASK,
        status=how >> _BITS & _MASK,
        fallback=why >> _LIMIT_BITS + _SIZE_BITS,
        fallback_limit=(why >> _SIZE_BITS & (1 << _LIMIT_BITS) - 1) - 1,
        baseline=how & _MASK,
        alternative=whose & _MASK,
        prices_as_of=rest >> _STATES_BITS,
        size=why & (1 << _SIZE_BITS) - 1,
    )
    # the rule of reports.savings: a request without an answer has a baseline of zero, not an unknown one
    compared = not rest & 1 and (not rest & 2 or not facet.model)
    cell = Cell(
        requests=requests,
        cost=cost,
        cost_unknown=requests if rest & 1 else 0,
        compared=requests if compared else 0,
        compared_cost=cost if compared else 0,
        compared_baseline=baseline if compared else 0,
        compared_energy_cost=energy_cost if compared else 0,
        compared_energy_unknown=requests if compared and rest & 4 else 0,
        compared_alternative=alternative if compared else 0,
        compared_alternative_unknown=requests if compared and rest & 8 else 0,
        energy=energy,
        seconds=seconds,
        first_token=first_token,
        first_tokens=0 if rest & 16 else requests,
        tried_locally=requests if rest & 32 else 0,
        failed_locally=requests if rest & 64 else 0,
        estimated=requests if rest & 128 else 0,
        imported=requests if rest & 256 else 0,
    )
    return facet, cell


def _calls_of(key: int, sums: Iterable[int]) -> tuple[Ends, Calls]:
    attempts, prompt, output, cost, energy = sums
    calls = Calls(
        attempts=attempts,
        rejected=attempts if key & 2 else 0,
        input=prompt,
        output=output,
        cost=cost,
        cost_unknown=attempts if key & 1 else 0,
        energy=energy,
    )
    return Ends(key >> 2 + 2 * _BITS, key >> 2 + _BITS & _MASK, key >> 2 & _MASK), calls
