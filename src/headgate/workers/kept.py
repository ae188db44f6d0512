"""Runs that have a key: each is done once, and who asks again gets the run that there is.

A second asker joins a run that is under way. A caller who hangs up does not end it, because whoever gave it a key means to ask again.
A run that failed is forgotten, so that asking again tries again. What is kept has a bound in bytes and in time; the oldest go first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic

import msgspec
from msgspec import Struct

from headgate.core.runs import Run

KEEP_FOR = 3600.0
"""Seconds for which a finished run is repeated."""
MOST_BYTES = 64 * 1024 * 1024
"""Of memory for all finished runs together, by the length of their JSON."""


class Kept(Struct, frozen=True, gc=False):
    """A finished run."""

    run: Run
    until: float
    size: int


class KeptRuns:
    """The runs with keys of one gate.

    Args:
        keep_for: seconds.
        most_bytes: of memory.
        clock: a steady clock.
    """

    def __init__(
        self,
        keep_for: float = KEEP_FOR,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._keep_for = keep_for
        self._most_bytes = most_bytes
        self._clock = clock
        self._under_way: dict[Hashable, asyncio.Task[Run]] = {}
        self._finished: OrderedDict[Hashable, Kept] = OrderedDict()
        self._size = 0

    async def once(self, key: Hashable, work: Callable[[], Awaitable[Run]]) -> Run:
        """The run of that key: the one that there is, or what the work comes to."""
        self._forget()
        kept = self._finished.get(key)
        if kept is not None:
            return kept.run
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._do(key, work))
            self._under_way[key] = task
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, key: Hashable, work: Callable[[], Awaitable[Run]]) -> Run:
        try:
            run = await work()
        finally:
            del self._under_way[key]
        if run.status != "failed":
            size = len(msgspec.json.encode(run))
            self._finished[key] = Kept(run, self._clock() + self._keep_for, size)
            self._size += size
            self._forget()
        return run

    def _forget(self) -> None:
        now = self._clock()
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if self._size <= self._most_bytes and oldest.until >= now:
                return
            self._size -= self._finished.popitem(last=False)[1].size
