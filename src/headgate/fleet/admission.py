"""Who waits for whom: one bounded queue per engine, owned by the gate.

Engines queue without limit and without saying so (Ollama), or drop a running model to load another (LM Studio), so no
engine is ever sent more than its `parallel`. Waiting is first come, first served, and bounded in time; whoever waited too
long gets False and the cascade moves on. A wait that would be too long by the recent pace is refused at once.
"""

import asyncio
from collections import deque

PACE = 0.2
"""Weight of the newest call in the running mean of service times."""


LONGEST_QUEUE = 1000
"""Requests that wait for one engine, whatever the pace."""


class Admission:
    """The slots of one engine.

    Args:
        parallel: calls at once.
        patience: seconds that a wait may take at most.
    """

    def __init__(self, parallel: int, patience: float) -> None:
        self.parallel = parallel
        self.patience = patience
        self.running = 0
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.service: float | None = None
        """Running mean of seconds per call; None until one has ended."""

    def enter(self) -> bool:
        """Take a slot if one is free and nobody waits. The common case, without a turn of the event loop."""
        if self.running < self.parallel and not self.waiting:
            self.running += 1
            return True
        return False

    async def wait(self, within: float) -> bool:
        """Wait for a slot, at most `within` seconds and the engine's patience. False: it took too long."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self.waiting.append(turn)
        alarm = loop.call_later(min(within, self.patience), settle, turn, False)  # a future's result
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave(None)
            raise
        finally:
            alarm.cancel()
            if turn in self.waiting:
                self.waiting.remove(turn)

    def leave(self, seconds: float | None) -> None:
        """Give the slot back, with the time that the call took where that says something about the pace."""
        if seconds is not None:
            self.service = seconds if self.service is None else self.service + PACE * (seconds - self.service)
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self.running -= 1

    @property
    def expected_wait(self) -> float:
        """Seconds that a newcomer would wait by the recent pace; 0 when a slot is free or the pace is unknown."""
        if self.running < self.parallel or self.service is None:
            return 0.0
        return (len(self.waiting) + 1) * self.service / self.parallel

    @property
    def full(self) -> bool:
        """Whether queueing now would be in vain."""
        return len(self.waiting) >= LONGEST_QUEUE or self.expected_wait > self.patience


def settle(turn: asyncio.Future[bool], result: bool) -> None:  # a callback of the event loop
    """End a wait that nobody ended yet."""
    if not turn.done():
        turn.set_result(result)
