"""Places to work at a model: so many at a time, and a line for the others, first come, first served."""

import asyncio
from collections import deque


class Slots:
    """`most` places; None: without end. Who has taken a place, or waited for one, gives it back."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.working = 0
        self._closed: Exception | None = None
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._line)

    @property
    def users(self) -> int:
        """How many work or wait."""
        return self.working + self.queued

    def take(self) -> bool:
        """Take a place if there is one; whoever waits already goes first."""
        free = not self._closed and not self._line and (self.most is None or self.working < self.most)
        self.working += free
        return free

    async def wait(self) -> None:
        """Wait for a place, however long. Raises what `close` was given."""
        if self._closed:
            raise self._closed
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self.give()  # it was our turn when we left
            elif mine in self._line:
                self._line.remove(mine)
            raise

    def give(self) -> None:
        """Give a place back, to the first in the line if there is one."""
        self.working -= 1
        while self._line and (self.most is None or self.working < self.most):
            first = self._line.popleft()
            if not first.cancelled():
                self.working += 1
                first.set_result(None)

    def close(self, error: Exception) -> None:
        """Send everybody away who waits, or comes from now on."""
        self._closed = error
        while self._line:
            first = self._line.popleft()
            if not first.cancelled():
                first.set_exception(error)
