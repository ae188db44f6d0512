"""How long an engine is waited for, wait after wait, with one timer for all of them.

    with Patience() as patience:
        chunk = await patience.wait(anext(chunks), seconds)      or TimeoutError

Setting a timer anew for each chunk of a stream costs more than reading the chunk. This one is left running, and looks when
it fires how far the limit has moved. It does not know what is waited for, nor what a timeout means.
"""

import asyncio
from collections.abc import Awaitable
from typing import Self, TypeVar

Awaited = TypeVar("Awaited")


class Patience:
    """The limit of one wait at a time, all in the same task. What the task does between two waits takes no patience."""

    __slots__ = ("_at", "_cancelling", "_due", "_expired", "_loop", "_task", "_timer", "_waiting")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._at = self._due = 0.0
        self._waiting = self._expired = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def wait(self, awaitable: Awaitable[Awaited], seconds: float) -> Awaited:
        """What is awaited, if it comes in time.

        Raises:
            TimeoutError: it did not, and was cancelled.
        """
        self._due = due = self._loop.time() + seconds
        if self._timer is None or self._at > due:
            self._watch(due)
        self._cancelling = self._task.cancelling()
        self._waiting = True
        try:
            return await awaitable
        except asyncio.CancelledError:
            # Somebody else's cancellation goes on its way, as in `asyncio.timeout`.
            if self._expired and self._task.uncancel() <= self._cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = False

    def _watch(self, due: float) -> None:
        # The timer may run too early, never too late: an earlier one finds the new limit when it fires.
        if self._timer is not None:
            self._timer.cancel()
        self._at = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if self._loop.time() < self._due:
            self._watch(self._due)
        else:
            self._expired = True
            self._task.cancel()
