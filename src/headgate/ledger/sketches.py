"""Latency sketches: how long many requests took, in a few hundred bytes, from which percentiles are read within 1 %.

A sketch counts durations by the bins of DDSketch's logarithmic mapping: whatever is in a bin is within 0.5 % of what the bin
stands for. Sketches add up like sums do, so those of an hour make those of a year. Stored is, for each bin in order, how
far it is from the one before and how many it holds, as bytes of seven bits with a mark on all but the last.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, chain
from math import ceil
from typing import Final

from ddsketch.mapping import LogarithmicMapping

ACCURACY: Final = 0.005
"""Of a bin, relative. Sketches of different accuracies cannot be added: changing it takes a new version of the tables."""

Sketch = Counter[int]
"""Requests by bin."""

_mapping: Final = LogarithmicMapping(ACCURACY)


def sketch_of(durations: Mapping[str, int]) -> Sketch:
    """The sketch of durations in microseconds, each with how many there are; what is below one counts as one."""
    sketch: Sketch = Counter()
    for duration, number in durations.items():
        sketch[_mapping.key(max(1, int(duration)))] += number
    return sketch


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
