"""What the ledger sums: the sums over some requests that agree in everything reports group by, and over some calls.

All of it is integers in the units of the rows (`units`), so that sums are exact in whatever order they are made. Words
and models are numbers; 0 is "none". Each row says by one number how it is counted, its variant, so that summing rows
needs no more of them than that number and the figures. This module runs no query: `dimensions` numbers these, `rows`
sums rows by them, `rollups` keeps the sums.
"""

from bisect import bisect_right
from collections.abc import Iterable
from math import gcd
from operator import add
from typing import Final, NamedTuple, Self

from headgate.core.tokens import ANSWER_ALLOWANCE

SIZES: Final = (11, 21)
"""The least and the largest power of two that prompts are measured by: 2,048 and 2,097,152 tokens."""
QUARTER: Final = 900
"""Seconds of the shortest time that is summed. A day begins on a quarter of an hour in every time zone."""
HOUR: Final = 3_600
NEVER: Final = 2**40
"""A Unix time, in seconds, tens of thousands of years away."""


class Facet(NamedTuple):
    """What a report groups requests by."""

    model: int
    """That answered."""
    task: int
    route: int
    key: int
    team: int
    status: int
    fallback: int
    fallback_limit: int
    """-1 is none."""
    baseline: int
    alternative: int
    prices_as_of: int
    size: int
    """Where there is a limit: that of the prompt (`size_of`)."""


def size_of(tokens: int) -> int:
    """The smallest power of two that holds a prompt of so many tokens and room for an answer, within `SIZES`."""
    least, largest = SIZES
    return min(max((tokens + ANSWER_ALLOWANCE - 1).bit_length(), least), largest)


class Cell(NamedTuple):
    """Sums over requests. "Compared" are those whose cost and baseline are known (`reports.savings`)."""

    requests: int = 0
    cost: int = 0
    cost_unknown: int = 0
    compared: int = 0
    compared_cost: int = 0
    compared_baseline: int = 0
    compared_energy_cost: int = 0
    compared_energy_unknown: int = 0
    compared_alternative: int = 0
    compared_alternative_unknown: int = 0
    energy: int = 0
    seconds: int = 0
    first_token: int = 0
    first_tokens: int = 0
    """Requests whose first token was timed."""
    tried_locally: int = 0
    failed_locally: int = 0
    estimated: int = 0
    imported: int = 0

    def plus(self, other: Self) -> "Cell":
        """Both together."""
        return Cell(*map(add, self, other))


class CallFigures(NamedTuple):
    """Sums over the figures of calls that are counted alike; what is unknown adds nothing."""

    attempts: int
    input: int
    output: int
    cost: int


class Figures(NamedTuple):
    """Sums over the figures of requests that are counted alike, likewise."""

    requests: int
    cost: int
    baseline: int
    energy: int
    energy_cost: int
    alternative: int
    seconds: int
    first_token: int
    call_input: int
    call_output: int

    def of_their_calls(self) -> CallFigures:
        """The same over their calls, where each took one."""
        return CallFigures(self.requests, self.call_input, self.call_output, self.cost)


class Variant(NamedTuple):
    """How a request is counted: its facet, its call, and what is known of it and happened to it, each 0 or 1."""

    facet: int
    """Its number."""
    call: int
    """Where it took one call and cost what that call did, how the call is counted (`CallVariant`), by number: the two are
    counted together. Else 0, and its calls are counted by themselves."""
    cost_unknown: int
    compared: int
    energy_unknown: int
    energy_cost_unknown: int
    alternative_unknown: int
    timed: int
    """Its first token was timed."""
    tried_locally: int
    failed_locally: int
    estimated: int
    imported: int

    def cell(self, sums: Figures) -> Cell:
        """The sums over requests."""
        requests, compared = sums.requests, self.compared
        return Cell(
            requests=requests,
            cost=sums.cost,
            cost_unknown=requests * self.cost_unknown,
            compared=requests * compared,
            compared_cost=sums.cost * compared,
            compared_baseline=sums.baseline * compared,
            compared_energy_cost=sums.energy_cost * compared,
            compared_energy_unknown=requests * compared * self.energy_cost_unknown,
            compared_alternative=sums.alternative * compared,
            compared_alternative_unknown=requests * compared * self.alternative_unknown,
            energy=sums.energy,
            seconds=sums.seconds,
            first_token=sums.first_token,
            first_tokens=requests * self.timed,
            tried_locally=requests * self.tried_locally,
            failed_locally=requests * self.failed_locally,
            estimated=requests * self.estimated,
            imported=requests * self.imported,
        )


class Ends(NamedTuple):
    """What a report groups calls by."""

    task: int
    """Of the request that they were made for."""
    model: int
    failure: int


class Calls(NamedTuple):
    """Sums over calls."""

    attempts: int = 0
    rejected: int = 0
    input: int = 0
    output: int = 0
    cost: int = 0
    cost_unknown: int = 0

    def plus(self, other: Self) -> "Calls":
        """Both together."""
        return Calls(*map(add, self, other))


class CallVariant(NamedTuple):
    """How a call is counted: what it came to, and whether its answer was rejected and its cost is unknown, 0 or 1."""

    task: int
    model: int
    failure: int
    rejected: int
    cost_unknown: int

    @property
    def ends(self) -> Ends:
        """What a report groups it by."""
        return Ends(self.task, self.model, self.failure)

    def calls(self, sums: CallFigures) -> Calls:
        """The sums over calls."""
        return Calls(
            attempts=sums.attempts,
            rejected=sums.attempts * self.rejected,
            input=sums.input,
            output=sums.output,
            cost=sums.cost,
            cost_unknown=sums.attempts * self.cost_unknown,
        )


class Bar(NamedTuple):
    """A day's requests of one task that one model answered, or nobody."""

    requests: int = 0
    cost: int = 0
    baseline: int = 0
    """Of the requests that are compared."""

    def plus(self, other: Self) -> "Bar":
        """Both together."""
        return Bar(*map(add, self, other))


class Sums:
    """Everything that is summed, over some time; it grows.

    Attributes:
        cells: by facet.
        calls: by what they came to.
        bars: by the first moment of a day, the task, and the model that answered.
    """

    def __init__(self) -> None:
        self.cells: dict[Facet, Cell] = {}
        self.calls: dict[Ends, Calls] = {}
        self.bars: dict[tuple[int, int, int], Bar] = {}

    def add_cell(self, facet: Facet, cell: Cell) -> None:
        """Add sums over requests."""
        before = self.cells.get(facet)
        self.cells[facet] = cell if before is None else before.plus(cell)

    def add_calls(self, ends: Ends, calls: Calls) -> None:
        """Add sums over calls."""
        before = self.calls.get(ends)
        self.calls[ends] = calls if before is None else before.plus(calls)

    def add_bar(self, key: tuple[int, int, int], bar: Bar) -> None:
        """Add to a bar."""
        before = self.bars.get(key)
        self.bars[key] = bar if before is None else before.plus(bar)

    def merge(self, other: "Sums") -> None:
        """Add all of another's."""
        for facet, cell in other.cells.items():
            self.add_cell(facet, cell)
        for ends, calls in other.calls.items():
            self.add_calls(ends, calls)
        for place, bar in other.bars.items():
            self.add_bar(place, bar)


class Days:
    """The days of some time.

    Args:
        starts: their first moments in Unix time, in order; what comes before the first belongs to it.

    Attributes:
        step: seconds of a time that no day but the first begins within, when counted from 1970 in UTC.
    """

    def __init__(self, starts: Iterable[int]) -> None:
        self.starts = tuple(starts)
        self.step = max(QUARTER, gcd(*self.starts[1:]))  # days of before some year began on odd minutes
        self._known: dict[int, int] = {}

    def of(self, moment: int) -> int:
        """The first moment of the day that a moment belongs to."""
        day = self._known.get(moment)
        if day is None:
            day = self._known[moment] = self.starts[max(0, bisect_right(self.starts, moment) - 1)]
        return day

    def end(self, day: int) -> int:
        """The first moment of the next one; after the last, one that never comes."""
        place = bisect_right(self.starts, day)
        return self.starts[place] if place < len(self.starts) else NEVER
