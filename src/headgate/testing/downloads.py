"""Downloads that take their time, go on where they stopped, and fail on demand.

`Store` is the disk of a double: what is there, what is half there, how much room is left. How a download is asked for and reported
is each provider's own business.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class PullTrouble(StrEnum):
    """What ends a download before its end."""

    STALL = "stall"  # no more bytes come, and nobody says why
    CUT = "cut"  # the way to the registry breaks
    DISK_FULL = "disk_full"  # also what happens by itself when a double's `disk` is too small
    DIGEST = "digest"  # all bytes came, and they are the wrong ones
    UNAUTHORIZED = "unauthorized"  # the registry wants to know who asks


class Store:
    """How many bytes of each file are there. `free` is the room that is left; None: without end."""

    def __init__(self, free: int | None = None) -> None:
        self.free = free
        self.partial: dict[str, int] = {}

    def has(self, file: str) -> int:
        """Bytes of an unfinished file."""
        return self.partial.get(file, 0)

    def write(self, file: str, upto: int) -> bool:
        """Keep the file's first `upto` bytes; False, and nothing more is written, when the disk is full."""
        more = max(upto - self.has(file), 0)
        if self.free is not None:
            if more > self.free:
                self.partial[file] = self.has(file) + self.free
                self.free = 0
                return False
            self.free -= more
        self.partial[file] = self.has(file) + more
        return True

    def finish(self, files: Iterable[str]) -> None:
        """These files are whole: they are no downloads any more."""
        for file in files:
            self.partial.pop(file, None)

    def throw_away(self, files: Iterable[str]) -> None:
        """Forget unfinished files."""
        for file in files:
            self.give_back(self.partial.pop(file, 0))

    def give_back(self, size: int) -> None:
        """So much room is free again."""
        if self.free is not None:
            self.free += size


@dataclass(frozen=True, slots=True)
class Planned:
    """Trouble that waits for a download: after how much of the model, a share of 1, and how often."""

    trouble: PullTrouble
    after: float = 0.5
    times: int | None = 1


def marks(start: int, end: int, parts: int) -> list[tuple[int, int]]:
    """The way from `start` to `end` in so many steps, or in fewer if it is short: pairs of from and to."""
    stops = {start + (end - start) * part // parts for part in range(parts + 1)}
    return list(pairwise(sorted(stops)))
