"""The first passages once more in order, by somebody who reads them together with the question.

A vector is made without knowing the question; a model that reads both sees more, and takes longer. It does not know who reads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec.structs import replace

from headgate.core.citing import Passage
from headgate.knowledge.types import Hit

READ: Final = 20
"""Passages that are read."""
AT_ONCE: Final = 4
"""Read at a time; the engine has a queue of its own."""
UNREAD: Final = 0.5
"""What a passage counts for that could not be read: neither here nor there."""

Judge = Callable[[str, Passage], Awaitable[float | None]]
"""How probable it is that a passage helps to answer a question, 0-1; None if that cannot be told."""


async def rerank(question: str, hits: Sequence[Hit], judge: Judge) -> tuple[Hit, ...]:
    """The same hits, those that help first; equally helpful ones stay in their order."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(hit: Hit) -> Hit:
        async with slots:
            return replace(hit, relevance=await judge(question, hit.passage))

    read_hits = await asyncio.gather(*(read(hit) for hit in hits[:READ]))
    best = sorted(read_hits, key=lambda hit: -(UNREAD if hit.relevance is None else hit.relevance))
    return (*best, *hits[READ:])
