"""Whether an agent's output is what its test says: labels and texts as people read them, numbers as numbers.

Of an object only the fields that the test names are looked at. This module does not know how a test is run (`core.trials` is what
comes of it).
"""

from collections.abc import Mapping
from math import isclose
from typing import Any

TOLERANCE = 1e-6
"""Relative, of numbers."""


def is_right(expected: Any, output: Any) -> bool:
    """Whether an output is the expected one.

    Case and spaces do not matter in texts, nor a full stop at the end. The order of a list does.
    """
    if isinstance(expected, Mapping):
        return isinstance(output, Mapping) and all(
            is_right(value, output.get(name)) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(output, list) and len(output) == len(expected) and all(map(is_right, expected, output))
        )
    if isinstance(expected, bool) or isinstance(output, bool) or expected is None:
        return expected is output
    if isinstance(expected, int | float):
        return isinstance(output, int | float) and isclose(expected, output, rel_tol=TOLERANCE)
    return isinstance(output, str) and isinstance(expected, str) and plain(expected) == plain(output)


def plain(text: str) -> str:
    """A text without what does not change its meaning."""
    return " ".join(text.casefold().split()).rstrip(". ")


def wrong_fields(expected: Any, output: Any) -> tuple[str, ...]:
    """The fields of an expected object that are wrong; ("",) of what is no object and wrong; () where all is right."""
    if not isinstance(expected, Mapping):
        return () if is_right(expected, output) else ("",)
    there = output if isinstance(output, Mapping) else {}
    return tuple(name for name, value in expected.items() if not is_right(value, there.get(name)))
