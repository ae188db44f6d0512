"""Going through the items of a batch: a few at a time, each answer written down at once, until all are through or it is stopped.

    items ── has a result? ── kept
              │ no
              └─ answer(item, name, pay) ── run ── results.put

Items are read on a thread, a handful ahead. Nothing lies between an answer and its line but the writing. An item that fails is
a result like any other; only what concerns all of them ends the work: the disk is full, nobody answers any more. It does not know
who answers, nor where items come from.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from headgate.batches.budget import Budget
from headgate.batches.results import Found, Results
from headgate.batches.types import Answer, Item, Items, Notice, Result, Tally, digest_of, result_of
from headgate.core.errors import EngineError, HeadgateError
from headgate.core.runs import Run
from headgate.core.words import RunStatus

AHEAD = 64
"""Items that are read at a time …"""
PATIENCE = 0.05
"""… or as many as are read in so many seconds."""
SYNC_EVERY = 0.25
"""Seconds of answers that a loss of power may take."""
IN_A_ROW = 25
"""Items without any answer, one after the other, after which nobody is there to answer; each of them has its line."""
MOST_NOTICES = 3
"""Changed items that are named; the summary counts them all."""


class Began(Struct, frozen=True, tag_field="event", tag="began"):
    """The work begins."""

    total: int | None
    """Items; None is not known yet."""
    there: int
    """Items that had a result."""


class Answered(Struct, frozen=True, tag_field="event", tag="answered"):
    """An item has a new result."""

    result: Result


class Kept(Struct, frozen=True, tag_field="event", tag="kept"):
    """Items in a row keep the results that they have."""

    items: int


Event = Began | Answered | Kept | Notice


class Summary(Struct, frozen=True, kw_only=True):
    """How the work ended. Seconds, US dollars."""

    items: int
    """That were looked at: all of them, unless it was stopped."""
    kept: int
    """Items that kept the result that they had."""
    answered: int
    """Items that were given a new one."""
    skipped: int
    """Items without a result that were not asked, because only others were to be asked again."""
    changed: int
    """Items whose content had changed since they were answered, and were asked again."""
    moved: int
    """Items whose result was found at another place."""
    gone: int
    """Results that no item had any more."""
    stopped: bool
    """It was asked to stop before all items were through."""
    over_budget: bool
    seconds: float
    tally: Tally
    """Of all results, earlier ones among them."""

    @property
    def complete(self) -> bool:
        """Every item has a result."""
        return not self.stopped and not self.skipped


class Stop:
    """How the work is asked to end: once, and what is under way is still answered; twice, and it ends at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        """Ask for the end."""
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


class Work:
    """One going through.

    Args:
        items: the inputs.
        results: where the answers go, and which of them are there.
        answer: asks somebody. An `EngineError` that it raises ends the work; any other error is the item's own.
        at_once: items under way at a time.
        retry: the statuses whose items are asked again. Then the others are left alone, also those without a result.
        budget: what may be paid; the caller's, who knows what was spent before.
        expected: dollars that a paid answer to an item would cost; None is unknown.
        stop: asks for the end.
        tell: is told what happens.
    """

    def __init__(
        self,
        items: Items,
        results: Results,
        answer: Answer,
        *,
        at_once: int,
        retry: Collection[RunStatus] = (),
        budget: Budget | None = None,
        expected: Callable[[Item], float | None] = lambda _: None,
        stop: Stop | None = None,
        tell: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._items = items
        self._results = results
        self._answer = answer
        self._room = asyncio.Semaphore(at_once)
        self._retry = frozenset(retry)
        self._budget = budget or Budget(None)
        self._expected = expected
        self._stop = stop or Stop()
        self._tell = tell
        self._over = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._trouble: BaseException | None = None
        self._unanswered = 0
        self._seen = self._kept = self._answered = self._skipped = self._changed = self._moved = 0

    async def run(self) -> Summary:
        """Go through all items.

        Raises:
            HeadgateError: what keeps all items from being answered or written. What was answered is safe.
        """
        begun = perf_counter()
        self._tell(Began(await asyncio.to_thread(self._items.total), self._results.tally.items))
        syncing = asyncio.create_task(self._keep_synced())
        ending = asyncio.create_task(self._end_at_once())
        try:
            whole = await self._go_through()
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            ending.cancel()
            await self._abandon()
            self._over.set()
            await syncing
        if self._trouble is not None:
            raise self._trouble
        stopped = not whole or self._stop.at_once.is_set()
        through = self._seen and not stopped and not self._skipped
        gone = await asyncio.to_thread(self._finish) if through else 0
        return Summary(
            items=self._seen,
            kept=self._kept,
            answered=self._answered,
            skipped=self._skipped,
            changed=self._changed,
            moved=self._moved,
            gone=gone,
            stopped=stopped,
            over_budget=self._budget.used_up,
            seconds=perf_counter() - begun,
            tally=self._results.tally,
        )

    async def _go_through(self) -> bool:
        """Take up one item after the other; False when it ended before the last."""
        reading = iter(self._items)
        try:
            while ahead := await asyncio.to_thread(read_ahead, reading):
                kept = self._kept
                for found, digest in ahead:
                    if isinstance(found, Notice):
                        self._tell(found)
                    elif not await self._take(found, digest):
                        return False
                if self._kept > kept:
                    self._tell(Kept(self._kept - kept))
        except HeadgateError as error:
            self._trouble = error
            return False
        except OSError as error:
            self._trouble = HeadgateError(
                f"{error.filename or 'an input'} cannot be read any more: {error.strerror}",
                "the same command goes on where this one ended",
            )
            return False
        return True

    async def _take(self, item: Item, digest: str) -> bool:
        """Keep the result of an item, or see that it gets one; False when no more are taken up."""
        if self._ends:
            return False
        found = self._results.find(item.n, digest)
        if found is not None and not found.here:
            self._results.adopt(found, item)
            self._moved += 1
        if found is not None and found.mark.status not in self._retry:
            self._kept += 1
        elif found is None and self._retry:
            self._skipped += 1
        elif item.fault:
            self._notice_change(item, found)
            self._put(item, digest, self._failed(item.fault), found)
        else:
            await self._room.acquire()
            if self._ends:
                self._room.release()
                return False
            self._notice_change(item, found)
            task = asyncio.create_task(self._ask(item, digest, found))
            self._under_way.add(task)
            task.add_done_callback(self._let_go)
        self._seen += 1
        return True

    async def _ask(self, item: Item, digest: str, found: Found | None) -> None:
        """Have an item answered, and write the answer down."""
        name = self._results.name_of(item.n, digest, 1 if found is None else found.mark.tries + 1)
        reserved = self._budget.reserve(self._expected(item))
        cost = None
        try:
            run = await self._run_of(item, name, pay=reserved is not None)
            cost = run.cost
            self._put(item, digest, run, found)
            self._watch(run)
        except HeadgateError as error:
            self._trouble = self._trouble or error
        finally:
            self._budget.settle(reserved, cost)
            self._room.release()

    def _let_go(self, task: asyncio.Task[None]) -> None:
        """A task is over; an error that it did not expect is the work's."""
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._trouble = self._trouble or task.exception()

    async def _run_of(self, item: Item, name: str, *, pay: bool) -> Run:
        """What became of one try. What is wrong with this item alone is its failure.

        Raises:
            EngineError: nobody answers any more.
        """
        try:
            run = await self._answer(item, name, pay)
        except EngineError:
            raise
        except HeadgateError as error:
            return self._failed(error.message)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one item, the others have their turn
            return replace(self._failed(f"{type(error).__name__}: {error}"), cost=None)
        if pay or run.status not in ("incomplete", "failed"):
            return run
        said = f"{self._budget.words}; {run.reason}" if run.reason else self._budget.words
        return replace(run, status="incomplete", reason=said)

    def _watch(self, run: Run) -> None:
        """Let an engine that is gone cost the first few items their answers, and not all of them.

        Raises:
            EngineError: many in a row were put to models and none answered.
        """
        nobody = run.status == "failed" and run.model is None and run.requests
        self._unanswered = self._unanswered + 1 if nobody else 0
        if self._unanswered >= IN_A_ROW:
            raise EngineError(
                f"{IN_A_ROW} items in a row got no answer: {run.reason}",
                "headgate doctor says what is missing; then the same command goes on, and --retry failed asks these again",
            )

    def _failed(self, reason: str) -> Run:
        return Run(agent=self._results.agent, status="failed", reason=reason)

    def _put(self, item: Item, digest: str, run: Run, found: Found | None) -> None:
        result = result_of(item, digest, run, found.mark if found is not None else None)
        self._results.put(result)
        self._answered += 1
        self._tell(Answered(result))

    def _notice_change(self, item: Item, found: Found | None) -> None:
        """An item that is asked although its place has a result was changed since."""
        if found is not None or not self._results.holds(item.n):
            return
        self._changed += 1
        if self._changed <= MOST_NOTICES:
            self._tell(Notice(f"{item.source} has changed since it was answered; it is asked again"))

    def _finish(self) -> int:
        try:
            return self._results.finish(self._seen)
        except OSError as error:
            raise HeadgateError(
                f"all items have a result, but {self._results.path} could not be put into their order: {error.strerror}",
                "make room; the same command does it, and asks nobody",
            ) from error

    async def _keep_synced(self) -> None:
        """Let no answer be in danger for longer than a moment, should the power fail."""
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), SYNC_EVERY)
            if self._results.unsynced:
                try:
                    await asyncio.to_thread(self._results.sync)
                except HeadgateError as error:
                    self._trouble = self._trouble or error
                    return

    async def _end_at_once(self) -> None:
        await self._stop.at_once.wait()
        for task in self._under_way:
            task.cancel()

    async def _abandon(self) -> None:
        """Leave nothing under way when the work ends by an error."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    @property
    def _ends(self) -> bool:
        return self._stop.asked.is_set() or self._trouble is not None


def read_ahead(reading: Iterator[Item | Notice]) -> list[tuple[Item | Notice, str]]:
    """The next few items with their digests, and notices between them; none at the end."""
    until = perf_counter() + PATIENCE
    ahead = []
    for found in reading:
        ahead.append((found, digest_of(found.given) if isinstance(found, Item) else ""))
        if len(ahead) == AHEAD or perf_counter() > until:
            break
    return ahead
