"""A fair sample of the calls that would have gone home, however many there are."""

import random

from msgspec import Struct

from headgate.lab.placing import Placed


class Sampled(Struct, frozen=True):
    """One of them."""

    placed: Placed
    cost: float | None
    """Dollars that it has cost; None is unknown."""


class Sample:
    """Keeps so many of the calls that it is offered, each with the same chance (reservoir sampling).

    Args:
        size: how many.
        seed: two runs over the same export sample the same calls.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.kept: list[Sampled] = []
        self._offered = 0
        self._chance = random.Random(seed)

    def offer(self, placed: Placed, cost: float | None) -> None:
        """A call that may be kept, if it would have gone home and its prompt is known."""
        if not self.size or placed.request is None:
            return
        self._offered += 1
        if len(self.kept) < self.size:
            self.kept.append(Sampled(placed, cost))
            return
        at = self._chance.randrange(self._offered)
        if at < self.size:
            self.kept[at] = Sampled(placed, cost)
