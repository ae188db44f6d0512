"""How much vectors should count beside words, measured on a base itself.

A heading is a question that the text under it answers. So for a sample of chunks the heading is taken out of the chunk and asked
for: by words, by vectors, and by both with several weights. What finds the chunks best is the weight. A model that
understands little gets little, and hybrid search is not worse than words for it. The sample is the same for the same documents.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.chunking import Chunk
from headgate.core.runs import Embedder
from headgate.knowledge.embedding import embed
from headgate.knowledge.fusion import Scored, fuse
from headgate.knowledge.schema import WORDS
from headgate.knowledge.store import Base, Kept, as_indexed
from headgate.knowledge.vectors import of_length_one
from headgate.knowledge.words import match, query_of

if TYPE_CHECKING:
    from headgate.knowledge.vectors import Array

SAMPLE: Final = 150
"""Headings that are asked for, at most."""
ENOUGH: Final = 40
"""With fewer nothing is measured."""
AMONG: Final = 2000
"""Chunks among which they are looked for, at most."""
DRAWN: Final = 6000
"""Chunks that headings and others are taken from."""
LONG: Final = 200
"""Characters that a chunk has to have without its heading."""
WEIGHT_STEPS: Final = tuple(step / 20 for step in range(17))
"""0 to 0.8."""
SLACK: Final = 0.01
"""Of the mean reciprocal rank, within which a weight is as good as the best: the sample tells no more."""
DEEP: Final = 100


class Asked(Struct, frozen=True):
    """A heading, and the chunk that it stood in, without it."""

    id: int
    question: str
    chunk: Chunk


def sample(rows: Sequence[Kept]) -> list[Asked]:
    """Chunks with a heading of their own that none of the others has."""
    own = [(row, heading) for row in rows if (heading := own_heading(row.chunk))]
    times = Counter(heading for _, heading in own)
    found = []
    for row, heading in own:
        body = "\n".join(line for line in row.chunk.text.split("\n") if line.strip() != heading).strip()
        if times[heading] == 1 and len(heading.split()) > 1 and len(body) >= LONG:
            found.append(
                Asked(row.id, heading, replace(row.chunk, text=body, headings=row.chunk.headings[:-1]))
            )
    return found[:SAMPLE]


def own_heading(chunk: Chunk) -> str:
    """The innermost heading that all of a chunk stands under, if the chunk begins with it; else ""."""
    heading = chunk.headings[-1] if chunk.headings else ""
    return heading if heading and chunk.text.split("\n", 1)[0].strip() == heading else ""


async def weigh(base: Base, embedder: Embedder) -> float | None:
    """The weight for the vectors of a base; None if it has too few headings to tell.

    Args:
        base: with a vector for every chunk.
        embedder: of its vectors.

    Raises:
        EngineError: the embedder failed.
    """
    rows = await asyncio.to_thread(base.chunks, DRAWN)
    asked = sample(rows)
    if len(asked) < ENOUGH:
        return None
    targets = {one.id: one.chunk for one in asked}
    others = [row for row in rows if row.id not in targets]
    pool = {**targets, **{row.id: row.chunk for row in others[: AMONG - len(targets)]}}
    fresh = await embed(embedder, [one.chunk.content for one in asked])
    questions = await embedder.embed([one.question for one in asked], query=True, batch=True)
    return await asyncio.to_thread(
        lambda: best(asked, by_words(pool, asked), by_vectors(base, list(pool), fresh, questions))
    )


def best(asked: Sequence[Asked], words: Sequence[list[Scored]], likes: Sequence[list[Scored]]) -> float:
    """The middle of the weights with which the chunks are found as well as with any."""
    means = {}
    for weight in WEIGHT_STEPS:
        ranks = [
            next((place for place, one in enumerate(fuse(w, v, weight), start=1) if one.id == target.id), 0)
            for target, w, v in zip(asked, words, likes, strict=True)
        ]
        means[weight] = sum(1 / rank for rank in ranks if rank) / len(ranks)
    good = [weight for weight, mean in means.items() if mean >= max(means.values()) - SLACK]
    return round((good[0] + good[-1]) / 2, 3)


def by_words(pool: dict[int, Chunk], asked: Sequence[Asked]) -> list[list[Scored]]:
    """For each question the chunks by their words."""
    db = sqlite3.connect(":memory:")
    try:
        db.execute(WORDS)
        db.executemany(
            "INSERT INTO words (rowid, name, heading, text) VALUES (?, ?, ?, ?)",
            [(one, *as_indexed("", chunk)) for one, chunk in pool.items()],
        )
        found = []
        for one in asked:
            query = query_of(one.question)
            found.append(match(db, query, DEEP) if query else [])
    finally:
        db.close()
    return found


def by_vectors(
    base: Base, ids: list[int], fresh: Sequence[bytes], questions: Sequence[bytes]
) -> list[list[Scored]]:
    """For each question the chunks by their vectors; the first of `ids` have new ones."""
    import numpy as np  # noqa: PLC0415  # of the extra

    kept = dict(base.vectors_of(ids[len(fresh) :]))
    rows = [of_length_one(np.frombuffer(vector, dtype="<f4")) for vector in fresh]
    rows += [np.frombuffer(kept[one], dtype="<f2").astype("f4") for one in ids[len(fresh) :]]
    matrix: Array = np.stack(rows)
    found = []
    for question in questions:
        likeness = matrix @ of_length_one(np.frombuffer(question, dtype="<f4"))
        order = np.argsort(-likeness)[:DEEP]
        found.append([(ids[int(at)], float(likeness[at])) for at in order])
    return found
