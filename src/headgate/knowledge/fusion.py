"""Two orders of passages made one, by their scores.

    score = (1 - w) * BM25 / the best BM25 + w * (cosine - the last cosine) / (the first cosine - the last cosine)

BM25 and cosines have no common scale, and cosines of one model lie in 0.1-0.4, of another in 0.7-0.9; so each order is stretched to
0-1 first. Compared with reciprocal ranks in docs/knowledge.md: with a weak model these cost more than they give. The weight is the base's
own (`weighing`).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

Scored = tuple[int, float]
"""A chunk's id, and what it scored."""

UNWEIGHED: Final = 0.3
"""The weight of vectors where it was not measured: less than even, since words never are quite wrong."""


class Fused(Struct, frozen=True, gc=False):
    """One passage of both orders."""

    id: int
    score: float
    by_words: int | None = None
    """Its place, from 1."""
    by_vectors: int | None = None


def fuse(by_words: Sequence[Scored], by_vectors: Sequence[Scored], weight: float) -> list[Fused]:
    """Both orders as one, best first.

    Args:
        by_words: best first, with BM25 (higher is better).
        by_vectors: best first, with cosines.
        weight: of the vectors, 0-1.
    """
    words = stretched(by_words, 0.0)
    likes = stretched(by_vectors, by_vectors[-1][1] if by_vectors else 0.0)
    fused = [
        Fused(
            one,
            (1 - weight) * words.get(one, (0.0, None))[0] + weight * likes.get(one, (0.0, None))[0],
            words.get(one, (0.0, None))[1],
            likes.get(one, (0.0, None))[1],
        )
        for one in dict.fromkeys((*words, *likes))
    ]
    return sorted(fused, key=lambda one: -one.score)


def stretched(order: Sequence[Scored], low: float) -> dict[int, tuple[float, int]]:
    """Each id with its score between `low` and the best as 0-1, and its place."""
    width = order[0][1] - low if order else 0.0
    return {
        one: ((score - low) / width if width > 0 else 1.0, place)
        for place, (one, score) in enumerate(order, start=1)
    }
