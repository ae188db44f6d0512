"""What a chain of models is expected to cost, and which order and length of it costs least.

    expected(links) → Expected        Σ P(reach) × cost, and how many models are asked
    cheapest(links) → links           the links worth asking, in the order in which to ask them

A link is asked only if every one before it gave no good answer; the last one answers, well or not. The chances are taken to be
independent, which flatters long chains of weak models: what one could not do, the next one often cannot do either. So a link has to
earn its place: it stays only where it makes the chain cheaper by `WORTH` of what its last link costs. This module does not know where a
chance comes from (`core.router` and the ledger's rates tell it).
"""

from collections.abc import Sequence
from itertools import permutations

from msgspec import Struct

WORTH = 0.01
"""Of two chains whose expected costs differ by less than this share of the last link's cost, the one that asks fewer models is taken."""

MOST = 5
"""Links before the last one that are put in order; of more, the most likely ones."""


class Link(Struct, frozen=True, gc=False):
    """A model of a chain."""

    model: str
    cost: float
    """Dollars of one attempt."""
    chance: float
    """That its answer is good, 0-1."""


class Expected(Struct, frozen=True, gc=False):
    """What a chain comes to."""

    cost: float
    """Dollars of one request."""
    asked: float
    """Models that are asked for one request."""


def expected(links: Sequence[Link]) -> Expected:
    """Σ P(reach) × cost, and Σ P(reach)."""
    reach, cost, asked = 1.0, 0.0, 0.0
    for link in links:
        cost += reach * link.cost
        asked += reach
        reach *= 1.0 - link.chance
    return Expected(cost, asked)


def cheapest(links: Sequence[Link]) -> tuple[Link, ...]:
    """The chain that is expected to cost least, ending with the same link; of those as cheap, the one that asks fewest models.

    Args:
        links: a chain; the last link is its ablest, and stays there.
    """
    if len(links) < 2:
        return tuple(links)
    *before, last = links
    if len(before) > MOST:
        likeliest = sorted(before, key=lambda link: -link.chance)[:MOST]
        before = [link for link in before if link in likeliest]
    weighed = [
        (chain, expected(chain))
        for length in range(len(before) + 1)
        for some in permutations(before, length)
        for chain in ((*some, last),)
    ]
    least = min(found.cost for _, found in weighed)
    bound = least + WORTH * last.cost
    near = [(chain, found) for chain, found in weighed if found.cost <= bound]
    return min(near, key=lambda one: (round(one[1].asked, 9), one[1].cost))[0]
