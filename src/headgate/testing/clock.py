"""The time that a double lives by: the wall's, or one that a test moves by hand; and how long things take in it.

By default everything happens at once, so that tests are quick. A double with a `Timing` and a `VirtualClock` plays loads of
minutes and keep-alives of hours without anybody waiting. Nothing here knows what is being waited for.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")

GIB = 1 << 30
_TURNS = 20
"""Turns of the event loop that those who were woken get before time goes on."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that the made-up machine takes for things; 0 is at once."""

    load: float = 0.0
    """For every load …"""
    load_gib: float = 0.0
    """… and for each GiB of weights on top."""
    release: float = 0.0
    """Until the memory of an unloaded model is given back, when another one waits for it. Ollama takes up to five."""
    prompt_token: float = 0.0
    token: float = 0.0
    """For each token that is written."""
    download_gib: float = 0.0


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        ...


class WallClock:
    """The real time."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that stands still until `advance` moves it. All who use it live on one event loop."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()

    def time(self) -> float:
        """Seconds since the epoch, of this clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when the clock was moved so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self._now + seconds, next(self._order), woken))
        self._changed.set()
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on, waking everybody in order. Who sleeps again on waking is woken again if it is due."""
        end = self._now + seconds
        while self._sleepers() and self._asleep[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._asleep)
            woken.set_result(None)
            await _let_others_run()
        self._now = end

    async def drive(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let time fly until the work is done: whenever somebody waits for this clock, it is moved to where the first one wakes."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._changed.set())
        while not task.done():
            self._changed.clear()
            if self._sleepers():
                await self.advance(self._asleep[0][0] - self._now)
            else:
                await self._changed.wait()
        return task.result()

    async def asleep(self, count: int = 1) -> None:
        """Wait, in real time, until so many wait for this clock: the way to know that a double has come so far."""
        while self._sleepers() < count:
            self._changed.clear()
            await self._changed.wait()

    def _sleepers(self) -> int:
        """How many wait; those who gave up are forgotten."""
        if any(woken.done() for _, _, woken in self._asleep):
            self._asleep = [entry for entry in self._asleep if not entry[2].done()]
            heapq.heapify(self._asleep)
        return len(self._asleep)


async def _let_others_run() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
