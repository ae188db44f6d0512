"""What was seen before, of any number of things, at eight bytes each."""

from array import array
from bisect import bisect_left
from collections.abc import Hashable
from heapq import merge
from typing import Final

FRESH: Final = 1 << 16
"""Of the last ones, how many are held as a set: quick, and ten times as large."""


class Seen:
    """Remembers things by their hashes. Two that share one are taken for the same: of ten million, once in 300,000 times.

    The older ones stand in sorted runs. Two runs of about the same length become one, so that there are never many of them.
    """

    def __init__(self) -> None:
        self._fresh: set[int] = set()
        self._runs: list[array[int]] = []

    def add(self, thing: Hashable) -> bool:
        """Remember it; whether it was new."""
        key = hash(thing)
        if key in self._fresh or any(_holds(run, key) for run in self._runs):
            return False
        self._fresh.add(key)
        if len(self._fresh) >= FRESH:
            self._settle()
        return True

    def _settle(self) -> None:
        run = array("q", sorted(self._fresh))
        while self._runs and len(self._runs[-1]) <= len(run):
            run = array("q", merge(self._runs.pop(), run))
        self._runs.append(run)
        self._fresh = set()


def _holds(run: "array[int]", key: int) -> bool:
    at = bisect_left(run, key)
    return at < len(run) and run[at] == key
