"""Two orders of passages made one, by reciprocal ranks.

    score = (1 - w) / (60 + place by words) + w / (60 + place by vectors)

Places, not scores, because BM25 and cosines have no common scale. The 60 is that of Cormack, Clarke and Büttcher (SIGIR 2009).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

STEADY: Final = 60
"""How little the first places weigh more than the next."""
EVEN: Final = 0.5
"""The weight of vectors of which nothing is known."""


class Fused(Struct, frozen=True, gc=False):
    """One passage of both orders."""

    id: int
    score: float
    by_words: int | None
    """From 1."""
    by_vectors: int | None


def fuse(by_words: Sequence[int], by_vectors: Sequence[int], weight: float = EVEN) -> list[Fused]:
    """Both orders as one, best first.

    Args:
        by_words: ids, best first.
        by_vectors: ids, best first.
        weight: of the vectors, 0-1.
    """
    words = {one: place for place, one in enumerate(by_words, start=1)}
    likes = {one: place for place, one in enumerate(by_vectors, start=1)}
    fused = [
        Fused(
            one,
            share(words.get(one), 1 - weight) + share(likes.get(one), weight),
            words.get(one),
            likes.get(one),
        )
        for one in dict.fromkeys((*by_words, *by_vectors))
    ]
    return sorted(fused, key=lambda one: -one.score)


def share(place: int | None, weight: float) -> float:
    """What a place in one of the orders adds."""
    return 0.0 if place is None else weight / (STEADY + place)
