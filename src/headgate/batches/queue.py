"""The items that wait for a provider's batch, gone through a few at a time.

It does not know what is done with them (`overnight`).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from headgate.batches.results import Found, Results
from headgate.batches.types import Item, Items, Notice
from headgate.batches.waiting import waits
from headgate.batches.work import Stop, read_ahead

Act = Callable[[Item, str, Found], Awaitable[None]]
"""Does something with an item: the item, its digest, and the result that says that it waits."""


class Queue:
    """The items that wait.

    Args:
        items: all inputs.
        results: say which of them wait.
        at_once: items under way at a time.
        stop: asks for the end.
    """

    def __init__(self, items: Items, results: Results, at_once: int, stop: Stop) -> None:
        self._items = items
        self._results = results
        self._at_once = at_once
        self._stop = stop

    async def waiting(self) -> AsyncGenerator[tuple[Item, str, Found]]:
        """All of them, in order."""
        reading = iter(self._items)
        while ahead := await asyncio.to_thread(read_ahead, reading):
            for item, digest in ahead:
                if isinstance(item, Notice) or item.fault:
                    continue
                found = self._results.find(item.n, digest)
                if found is not None and found.here and waits(found.mark):
                    yield item, digest, found

    async def each(self, act: Act, wanted: Callable[[int, str], bool]) -> None:
        """Do something with each that is wanted, by its place and digest.

        Raises:
            Exception: the first that came up; what was under way has ended.
        """
        room = asyncio.Semaphore(self._at_once)
        under_way: set[asyncio.Task[None]] = set()
        troubles: list[Exception] = []

        async def one(item: Item, digest: str, found: Found) -> None:
            try:
                await act(item, digest, found)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is raised when what is under way has ended
                troubles.append(error)
            finally:
                room.release()

        try:
            async with aclosing(self.waiting()) as waiting:
                async for item, digest, found in waiting:
                    if not wanted(item.n, digest):
                        continue
                    await room.acquire()
                    if self._stop.asked.is_set() or troubles:
                        break
                    task = asyncio.create_task(one(item, digest, found))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            if under_way:
                await asyncio.wait(under_way)
        finally:
            for task in under_way:
                task.cancel()
        if troubles:
            raise troubles[0]
