"""Requests as they pass, for everybody who watches: server-sent events.

    event: request    a row of the list; its id is the request's, so that a browser that comes back says what it saw last
    event: dropped    {"dropped": n}: so many rows went by while this watcher read too slowly; the ledger has them

While nobody watches, a request costs one look at an empty set. A watcher has a queue of its own with a bound; what does not fit
is counted, and told. It does not know who may watch (`service`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.core.types import Model, Outcome
from headgate.dash.requests import Row, row_of
from headgate.gateway.caller import Call
from headgate.ledger.queries import LedgerReader

QUEUE = 500
"""Rows that wait for one watcher."""
MISSED = 500
"""Rows that a watcher who comes back is told of, at most."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a sign of life is sent."""
WATCHERS = 50
"""Watchers at a time."""


class Passed(Struct, frozen=True):
    """A request that has just ended, ready to be sent."""

    id: str
    event: bytes


class Watcher:
    """One who watches: rows that wait for him, and how many did not fit."""

    def __init__(self) -> None:
        self.waiting: deque[Passed] = deque()
        self.dropped = 0
        self.woken = asyncio.Event()

    def put(self, passed: Passed) -> None:
        """Let a row wait, or count it as dropped."""
        if len(self.waiting) >= QUEUE:
            self.dropped += 1
        else:
            self.waiting.append(passed)
        self.woken.set()


class Feed:
    """Everybody who watches one gate. Belongs to the event loop's thread.

    Args:
        models: of the config, which give a row its names.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self.models = models
        self.watchers: set[Watcher] = set()

    def note(self, outcome: Outcome) -> None:
        """A request has ended."""
        if self.watchers:
            passed = Passed(outcome.id, _event(row_of(outcome, self.models)))
            for watcher in self.watchers:
                watcher.put(passed)

    @property
    def full(self) -> bool:
        """Whether there is no room for another watcher."""
        return len(self.watchers) >= WATCHERS

    async def watch(self, call: Call, missed: Callable[[], Awaitable[list[Row]]] | None = None) -> None:
        """Send events until the watcher hangs up.

        Args:
            call: his call; nothing has been answered yet.
            missed: reads what he missed; what passes meanwhile waits.
        """
        watcher = Watcher()
        self.watchers.add(watcher)
        try:
            call.stream(
                200,
                b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n",
            )
            await call.write(b"retry: 2000\n\n")
            seen: set[str] = set()
            for row in await missed() if missed is not None else ():
                seen.add(row.line.id)
                await call.write(_event(row))
            while True:
                await self._send(call, watcher, seen)
        finally:
            self.watchers.discard(watcher)

    async def _send(self, call: Call, watcher: Watcher, seen: set[str]) -> None:
        """Send what waits; or wait for it, and send a sign of life."""
        watcher.woken.clear()
        if not watcher.waiting and not watcher.dropped:
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await watcher.woken.wait()
            except TimeoutError:
                await call.write(b": still here\n\n")
                return
        events = [passed.event for passed in watcher.waiting if passed.id not in seen]
        dropped, watcher.dropped = watcher.dropped, 0
        watcher.waiting.clear()
        if dropped:
            events.append(b'event: dropped\ndata: {"dropped":%d}\n\n' % dropped)
        if events:
            await call.write(b"".join(events))


def missed_since(path: Path, last: str) -> list[Row]:
    """What was written after the request that a watcher saw last, oldest first. Blocks.

    Of more than `MISSED` only the newest are told. An id that the ledger does not know tells of nothing.
    """
    try:
        with LedgerReader(path) as ledger:
            seen = ledger.one(last)
            if seen.outcome.id != last:
                return []
            newer = ledger.after(max(seen.n, ledger.last_number() - MISSED), limit=MISSED)
    except LedgerError:
        return []
    return [row_of(entry.outcome, entry.models) for entry in newer]


def _event(row: Row) -> bytes:
    return b"id: %b\nevent: request\ndata: %b\n\n" % (row.line.id.encode(), msgspec.json.encode(row))
