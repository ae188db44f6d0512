"""Figures that are only partly known, added up: what each one depends on is kept, so that the ends of the sum are right.

A figure has an expected value, the chance of each request (which evens out), rates that were only estimated (which do not: all
requests of a kind go up and down together), and what cannot be excluded. Independent parts are put together by the squares of their
distances (MOVER, Zou and Donner 2008); what cannot be excluded is added in full. This module does not know what is counted.
"""

from collections.abc import Mapping
from math import sqrt

from msgspec import Struct

from headgate.core.goods import Goods, Quality
from headgate.core.past import Asked
from headgate.core.spans import SURE, Reach, Span, widen


class Tally(Struct, frozen=True, kw_only=True):
    """Some recorded requests, and what would have become of them."""

    requests: int
    home_before: int
    """Answered by a model of the user's own."""
    paid_before: float
    """Dollars, as far as they are known."""
    home: Span
    """More (or, below zero, fewer) requests answered at home."""
    to_home: Span
    """Requests that would move from a paid model, or from nobody, to one at home."""
    to_cloud: Span
    """Requests that would move from home, or from nobody, to a paid model."""
    dollars: Span
    """More (or, below zero, fewer) dollars than were paid."""
    good: Span
    """More (or, below zero, fewer) requests answered as well as the paid model would."""
    quality: Quality
    """Of all of them."""
    unchanged: int
    """The new settings touch nothing of these."""
    exact: int
    """Something changes, and what comes of it was recorded."""
    estimated: int
    """A model would be asked that was not."""
    unknown: int
    """Nobody can tell what becomes of these: they move nothing that is expected, and only the ends of `good` and `quality`."""
    unpriced: int
    """What these would cost, or did cost, is unknown; they are not in `dollars`."""
    unsure: int
    """Their prompts were guessed to be on one side of a limit, and may be on the other."""
    now_passing: int
    """An answer of theirs that was rejected would pass."""
    now_rejected: int
    """An answer of theirs that passed would be rejected."""


class Figures(Struct, frozen=True):
    """What is added up for each kind of requests."""

    home: float = 0.0
    to_home: float = 0.0
    to_cloud: float = 0.0
    dollars: float = 0.0
    good: float = 0.0


NAMES = Figures.__struct_fields__


class Part(Struct, frozen=True, kw_only=True):
    """What one kind of requests adds."""

    expected: Figures
    variance: Figures
    by_rate: Mapping[Asked, tuple[Figures, ...]]
    """With each rate at its lower and its upper end."""
    ways: tuple[Figures, ...]
    """Every way in which all of them could end: no figure lies beyond these."""
    bounds: tuple[tuple[Figures, ...], ...]
    """What cannot be excluded: with a rate at an end that is only a bound, or with prompts as short, or as long, as they may be."""


class Sum:
    """A tally that is being added up."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.paid = 0.0
        self.goods = Goods()
        self._expected = dict.fromkeys(NAMES, 0.0)
        self._variance = dict.fromkeys(NAMES, 0.0)
        self._reach: dict[Asked, dict[str, list[float]]] = {}
        self._swing = {name: [0.0, 0.0] for name in NAMES}
        self._limits = {name: [0.0, 0.0] for name in NAMES}

    def count(self, what: str, requests: int) -> None:
        """So many more requests of that kind, named as in `Tally`."""
        self.counts[what] = self.counts.get(what, 0) + requests

    def add(self, part: Part) -> None:
        """One kind of requests."""
        for name in NAMES:
            value: float = getattr(part.expected, name)
            self._expected[name] += value
            self._variance[name] += getattr(part.variance, name)
            ways = [getattr(way, name) for way in part.ways]
            self._limits[name][0] += min(ways)
            self._limits[name][1] += max(ways)
            for others in part.bounds:
                widen(self._swing[name], value, [getattr(other, name) for other in others])
            for asked, ends in part.by_rate.items():
                reach = self._reach.setdefault(asked, {figure: [0.0, 0.0] for figure in NAMES})
                widen(reach[name], value, [getattr(end, name) for end in ends])

    def reach(self, name: str) -> Reach:
        """How far a figure may be from what is expected."""
        chance = SURE * SURE * self._variance[name]
        down = chance + sum([reach[name][0] ** 2 for reach in self._reach.values()])
        up = chance + sum([reach[name][1] ** 2 for reach in self._reach.values()])
        return Reach(down, up, *self._swing[name])

    def span(self, name: str) -> Span:
        """A figure with its ends."""
        reach, expected, (least, most) = self.reach(name), self._expected[name], self._limits[name]
        low = max(least, expected - sqrt(reach.down) - reach.fall)
        return Span(low, expected, min(most, expected + sqrt(reach.up) + reach.rise))

    def tally(self) -> Tally:
        """All that was added."""
        counts = self.counts
        return Tally(
            requests=counts.get("requests", 0),
            home_before=counts.get("home_before", 0),
            paid_before=self.paid,
            home=self.span("home"),
            to_home=self.span("to_home"),
            to_cloud=self.span("to_cloud"),
            dollars=self.span("dollars"),
            good=self.goods.change(self.reach("good")),
            quality=self.goods.quality(self.reach("good")),
            unchanged=counts.get("unchanged", 0),
            exact=counts.get("exact", 0),
            estimated=counts.get("estimated", 0),
            unknown=counts.get("unknown", 0),
            unpriced=counts.get("unpriced", 0),
            unsure=counts.get("unsure", 0),
            now_passing=counts.get("now_passing", 0),
            now_rejected=counts.get("now_rejected", 0),
        )
