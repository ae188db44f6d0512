"""A base of 100,000 chunks with vectors of 768 dimensions: how long it takes to make, what it takes of memory, how fast it answers.

The vectors are made up, in two kinds. "Clustered" stand around 1,000 topics, a topic's members near each other, as those of texts do; a
question is a chunk's vector moved a little. "Uniform" have no order at all: in 768 dimensions everything is then as far away as
everything else, which is the worst case for any index, and no real text is like it. The texts are lines of Python's documentation.
"""

import asyncio
import statistics
import time
from pathlib import Path

import numpy as np

from headgate.core.chunking import Chunk
from headgate.knowledge import places, vectors
from headgate.knowledge.search import Shelf
from headgate.knowledge.store import Base
from headgate.knowledge.types import File, Piece

DIMENSIONS = 768
TOPICS = 1000
SPREAD = 0.7
"""Of a topic's members around it, where topics are 1 apart in each dimension."""
MOVED = 0.3
"""Of a question from its chunk, in the same measure."""
QUESTIONS = 200
BEST = 10


class Ready:
    """An embedder whose vectors are there already, so that only the search is measured."""

    model = "made-up"

    def __init__(self, made):
        self.made = made

    async def embed(self, texts, **_):
        return [self.made[text] for text in texts]


def make_vectors(kind, count, chance):
    """Vectors of length 1 as float32, and questions."""
    if kind == "uniform":
        made = chance.standard_normal((count, DIMENSIONS), dtype="f4")
        asked = chance.standard_normal((QUESTIONS, DIMENSIONS), dtype="f4")
    else:
        topics = chance.standard_normal((TOPICS, DIMENSIONS), dtype="f4")
        made = topics[chance.integers(0, TOPICS, count)]
        made += SPREAD * chance.standard_normal((count, DIMENSIONS), dtype="f4")
        asked = made[chance.integers(0, count, QUESTIONS)]
        asked = asked + MOVED * chance.standard_normal((QUESTIONS, DIMENSIONS), dtype="f4")
    return unit(made), unit(asked)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def texts_of(folder, count):
    """So many short texts, of the files in a folder."""
    words = [
        word
        for path in sorted(Path(folder).rglob("*.md"))
        for word in path.read_text(encoding="utf-8").split()
    ]
    long = max(8, len(words) // count)
    return [f"{' '.join(words[at * long : at * long + long])} chunk{at}" for at in range(count)]


def fill(name, texts, made):
    """A base of these texts with these vectors; the seconds that its file took."""
    began = time.perf_counter()
    with Base(places.place_of(name), create=True) as base:
        base.begin_model(Ready.model)
        base.note(dimensions=DIMENSIONS)
        for at in range(0, len(texts), 1000):
            pieces = [Piece(f"file{at}.md", Chunk(text=text, line=1)) for text in texts[at : at + 1000]]
            base.put(File(path=f"file{at}.md", size=1, mtime=1, digest=b""), pieces, [])
        digests = [row.digest for row in sorted(base.chunks(), key=lambda row: row.id)]
        for at in range(0, len(texts), 1000):
            rows = [row.tobytes() for row in made[at : at + 1000]]
            base.put_vectors(zip(digests[at : at + 1000], vectors.stored(rows, DIMENSIONS), strict=True))
    return time.perf_counter() - began


def measure(kind, count, folder, seed=7):
    """One kind of vectors; the figures by name."""
    chance = np.random.default_rng(seed)
    made, asked = make_vectors(kind, count, chance)
    texts = texts_of(folder, count)
    name = f"many-{kind}"
    filled = fill(name, texts, made)
    with Base(places.find(name)) as base, base.snapshot():
        began = time.perf_counter()
        loaded = vectors.load(base)
        built = time.perf_counter() - began
        began = time.perf_counter()
        loaded = vectors.load(base)
        again = time.perf_counter() - began
        times, hits, at_all, spent = [], 0, 0, 0.0
        for question in asked:
            likeness = made @ question
            exact = set((np.argpartition(likeness, -BEST)[-BEST:] + 1).tolist())
            began, before = time.perf_counter(), time.process_time()
            found = loaded.like(base, question.tobytes(), BEST)
            times.append(time.perf_counter() - began)
            spent += time.process_time() - before
            hits += len(exact & {one for one, _ in found})
            at_all += BEST
        held = loaded.size
        on_disk = base.stats().bytes
    questions = {
        " ".join(texts[int(at)].split()[2:8]): row.tobytes()
        for at, row in zip(chance.integers(0, count, QUESTIONS), asked, strict=True)
    }
    whole = {how: asyncio.run(ask_all(name, questions, how)) for how in ("words", "hybrid")}
    places.remove(places.find(name))
    return {
        "kind": kind,
        "filled": filled,
        "built": built,
        "read": again,
        "memory": held,
        "disk": on_disk,
        "p50": percentile(times, 50),
        "p95": percentile(times, 95),
        "cpu": spent / len(asked),
        "recall": hits / at_all,
        "words": whole["words"],
        "hybrid": whole["hybrid"],
    }


async def ask_all(name, questions, how):
    """p50 and p95 of whole searches, without the model."""
    shelf, embedder, times = Shelf(), Ready(questions), []
    await shelf.search(name, next(iter(questions)), embedder=embedder, how=how)
    for question in questions:
        began = time.perf_counter()
        await shelf.search(name, question, k=BEST, embedder=embedder, how=how)
        times.append(time.perf_counter() - began)
    return percentile(times, 50), percentile(times, 95)


def percentile(times, share):
    return statistics.quantiles(times, n=100, method="inclusive")[share - 1]
