"""A figure and its ends, and how far what is unknown may move it.

Independent parts are put together by the squares of their distances (MOVER, Zou and Donner 2008); what cannot be excluded is added in
full. This module does not know what is counted.
"""

from collections.abc import Iterable

from msgspec import Struct

SURE = 1.959964
"""Standard deviations of a 95 % interval."""

ONE_SIDED = 1.644854
"""Of one whose error is all on one side."""


class Span(Struct, frozen=True):
    """A figure and how sure it is: with 95 % between `low` and `high`."""

    low: float
    expected: float
    high: float


class Reach(Struct, frozen=True):
    """How far a figure may be from what is expected."""

    down: float = 0.0
    """By chance, squared: below."""
    up: float = 0.0
    """Likewise, above."""
    fall: float = 0.0
    """By what cannot be excluded: below."""
    rise: float = 0.0
    """Likewise, above."""


def widen(ends: list[float], value: float, others: Iterable[float]) -> None:
    """Move both ends by how far these lie below and above the value."""
    gaps = [0.0, *(other - value for other in others)]
    ends[0] -= min(gaps)
    ends[1] += max(gaps)
