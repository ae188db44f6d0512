"""What the tests of knowledge bases share: documents, and embedders that are watched, that fail, or that know too much."""

import random
import re
import struct
from hashlib import blake2b

from headgate.core.errors import EngineError

TOPIC = re.compile(r"[a-z]+q(\d+)q")

PAGE = """
[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[ledger]
path = "{folder}/ledger.db"

[embeddings]
cache_mb = 0

[[routes]]
name = "all"
try = ["nano"]
"""

REFUNDS = """# Refunds

We give money back within 30 days.

## How long they take

A refund takes five working days from the day on which the parcel is back in Bremen. Card payments are booked back to
the card, invoices are credited.

## What is excluded

Gift vouchers and opened software are not taken back.
"""
TRAVEL = """# Travel

## Trains

Book second class. First class is for journeys of more than four hours, and the office manager books it.

## Cars

Kilometres are paid with 0.30 EUR. Use os.path.join in the expense script, never plain strings; the well-known
trap is `wait_for`. Der Zuschuss für Fahrräder beträgt 20 EUR, ein Café gibt es in Zürich.
"""


def write(folder, refunds=REFUNDS, travel=TRAVEL):
    """The handbook: two files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "refunds.md").write_text(refunds, encoding="utf-8")
    (folder / "travel.md").write_text(travel, encoding="utf-8")


def many(folder, count):
    """So many files, each with a text of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        words = random.Random(number)
        text = " ".join("".join(words.choices("abdegiklmnoprstu", k=words.randint(2, 9))) for _ in range(60))
        (folder / f"{number:04}.md").write_text(f"# Note {number}\n\n{text}\n", encoding="utf-8")


class Counting:
    """An embedder that remembers what it was given."""

    def __init__(self, inner, model=None):
        self.inner = inner
        self.model = model or inner.model
        self.texts = []
        self.questions = []

    async def embed(self, texts, *, query=False, batch=False):
        (self.questions if query else self.texts).extend(texts)
        return await self.inner.embed(texts, query=query, batch=batch)


class Failing:
    """An embedder that stops answering after so many calls."""

    def __init__(self, inner, calls):
        self.inner = inner
        self.model = inner.model
        self.left = calls

    async def embed(self, texts, *, query=False, batch=False):
        if not self.left:
            raise EngineError("embed does not answer", "headgate doctor")
        self.left -= 1
        return await self.inner.embed(texts, query=query, batch=batch)


class Noise:
    """An embedder that understands nothing: every text has a direction of its own."""

    model = "noise"

    async def embed(self, texts, *, query=False, batch=False):
        return [direction(text) for text in texts]


class Oracle:
    """An embedder that knows what every text is about: by the number that stands in it in words that no other text has."""

    model = "oracle"

    async def embed(self, texts, *, query=False, batch=False):
        return [direction(TOPIC.search(text)[1]) for text in texts]


def direction(text, dimensions=48):
    """A vector that only depends on a text."""
    chance = random.Random(blake2b(text.encode()).digest())
    return struct.pack(f"<{dimensions}f", *(chance.gauss(0, 1) for _ in range(dimensions)))
