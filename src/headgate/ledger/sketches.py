"""Latency sketches: how long many requests took, in a few hundred bytes, from which percentiles are read within 0.5 %.

A sketch counts durations by the bins of DDSketch's logarithmic mapping: whatever is in a bin is within 0.5 % of what the bin
stands for. Sketches add up like sums do, so those of an hour make those of a year. Stored is, for each bin in order, how
far it is from the one before and how many it holds, as bytes of seven bits with a mark on all but the last.

A row of `requests` says its two bins itself, a character each (`bins_of`), so that very many of them are counted as the
characters of one text. So percentiles are the same whether they are read from rows or from rollups.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, chain
from math import ceil, log, log1p, log2
from typing import Final

from ddsketch.mapping import LogarithmicMapping

ACCURACY: Final = 0.005
"""Of a bin, relative. Sketches of different accuracies cannot be added: changing it takes a new version of the tables."""

Sketch = Counter[int]
"""Requests by bin."""
Characters = Counter[str]
"""The same, each bin as its character."""
UNTIMED: Final = " "
"""Stands for the bin of what was not timed."""

_FIRST: Final = 0x100
"""The character of bin 0. Neither it nor that of a later bin, up to 0x120F for the longest time that a row can hold, is a space, NUL or
a surrogate."""
_SHORTEST: Final = chr(_FIRST)
_mapping: Final = LogarithmicMapping(ACCURACY)
_BINS_AN_OCTAVE: Final = 1 / log1p(2 * ACCURACY / (1 - ACCURACY)) * log(2)


def bins_of(seconds: int, first_token: int | None) -> str:
    """The bins of a request's whole time and of its time to the first token, both in microseconds: two characters.

    What is below one microsecond counts as one. Every request comes by here, so the mapping's formula stands here: its calls cost
    more than what they compute.
    """
    whole = chr(_FIRST + ceil(log2(seconds) * _BINS_AN_OCTAVE)) if seconds > 1 else _SHORTEST
    if first_token is None:
        return whole + UNTIMED
    return whole + (chr(_FIRST + ceil(log2(first_token) * _BINS_AN_OCTAVE)) if first_token > 1 else _SHORTEST)


def sketch_of(characters: Characters) -> Sketch:
    """The sketch of what was counted as characters, without what was not timed."""
    return Counter(
        {ord(character) - _FIRST: number for character, number in characters.items() if character != UNTIMED}
    )


def percentile(counted: Mapping[int, int], total: int, share: float) -> int:
    """The smallest duration or bin that at least this share of all keeps within."""
    below, wanted = 0, ceil(share * total)
    for key in sorted(counted):
        below += counted[key]
        if below >= wanted:
            return key
    raise AssertionError("what is counted adds up to its total")


def microseconds(key: int) -> float:
    """What a bin stands for."""
    return float(_mapping.value(key))


def to_bytes(sketch: Sketch) -> bytes:
    """A sketch as it is stored."""
    keys = sorted(sketch)
    steps = (key - before for before, key in zip([0, *keys], keys, strict=False))
    return bytes(
        chain.from_iterable(
            chain(_seven_bits(step), _seven_bits(sketch[key])) for step, key in zip(steps, keys, strict=True)
        )
    )


def from_bytes(data: bytes) -> Sketch:
    """A sketch as it was stored."""
    numbers = list(_numbers(data))
    return Counter(dict(zip(accumulate(numbers[::2]), numbers[1::2], strict=True)))


def _seven_bits(number: int) -> Iterator[int]:
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


def _numbers(data: bytes) -> Iterable[int]:
    if not data or max(data) < 0x80:
        return data  # as most are
    return _decoded(data)


def _decoded(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            yield number
            number = shift = 0
