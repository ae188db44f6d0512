"""The paid part of a batch, through the providers' batch APIs at half price, until a moment; then live.

    items that wait ── hand over ──► jobs ── look, look … ──► collect ──► results
                          │                     │ the time is up: cancel, collect what is done
                          └── not taken         └──────────────────────► ask live

Each answer is judged by the gate as a live one is; one that is not good enough goes to the next paid model, live. A job is
on disk before it is handed over (`jobs`), so a process that dies goes on with the same job. It does not know a provider's
protocol (`core.batching.BatchEngine`), nor how an answer is judged (`core.runs.Settler`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from time import time

from msgspec import Struct
from msgspec.structs import replace

from headgate.batches.budget import Budget
from headgate.batches.hand_over import Envelope, Line, Packing, final
from headgate.batches.jobs import Closed, Jobs, OpenJob, Submitted
from headgate.batches.queue import Queue
from headgate.batches.results import Found, Results
from headgate.batches.types import Item, Items, Notice, result_of
from headgate.batches.waiting import after_waiting, together
from headgate.batches.work import Answered, Event, Stop
from headgate.core.batching import HALF, BatchAnswer, BatchEngine, Progress
from headgate.core.errors import HeadgateError
from headgate.core.runs import Run, Settler
from headgate.core.types import Failure, Model

LIVE = 2.0
"""Seconds that a live answer takes, as a guess for the time to keep for those."""
LEAST_MARGIN = 60.0
SLOWER = 1.5
"""By how much a look comes later than the one before."""
MOST_WAIT = 60.0
"""Seconds between two looks at most."""
AGAIN = (1.0, 3.0, 10.0, 30.0)
"""Seconds between tries to hand a job over."""
ARRIVES = 5.0
"""Seconds within which a job that was handed over is in the provider's list."""
ROUNDS = 4
"""Jobs one after the other, where there was no money for all at once."""
AT_HOME = "it stays on the user's machines, so no paid model is asked"
GOOD = ("ok", "escalated")


class Night(Struct, frozen=True, kw_only=True):
    """What there is time for, and who is asked."""

    agent: str
    models: tuple[Model, ...]
    """The one that is asked in batches, and the paid ones after it, which are asked live."""
    until: float
    """Unix time at which all has to be there."""
    poll: float
    """Seconds between the first looks at a job."""
    at_once: int


class Overnight:
    """One night's work.

    Args:
        night: who is asked, and until when.
        runner: judges what batches answer, and asks live.
        engine: the provider.
        packing: makes lines of items.
        items: the inputs.
        results: the record; what waits is there already.
        jobs: what was handed over.
        budget: what may be paid.
        expected: dollars that a live answer to an item would cost.
        stop: asks for the end.
        tell: is told what happens.
    """

    def __init__(
        self,
        night: Night,
        runner: Settler,
        engine: BatchEngine,
        *,
        packing: Packing,
        items: Items,
        results: Results,
        jobs: Jobs,
        budget: Budget,
        expected: Callable[[Item], float | None],
        stop: Stop,
        tell: Callable[[Event], None],
    ) -> None:
        self._night = night
        self._runner = runner
        self._engine = engine
        self._packing = packing
        self._results = results
        self._queue = Queue(items, results, night.at_once, stop)
        self._jobs = jobs
        self._budget = budget
        self._expected = expected
        self._stop = stop
        self._tell = tell
        self._note: Callable[[str], None] = lambda text: tell(Notice(text))
        self._reserved: dict[tuple[int, str], float] = {}
        self._said = ""

    async def run(self) -> None:
        """See the items that wait through; asked to stop, leave the jobs with the provider.

        Raises:
            HeadgateError: the gate does not answer, or a result cannot be written. What was answered is safe.
        """
        work = asyncio.ensure_future(self._go())
        ending = asyncio.ensure_future(self._stop.at_once.wait())
        try:
            await asyncio.wait([work, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, ending):
                if not task.done():
                    task.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await asyncio.to_thread(self._results.sync)

    async def _go(self) -> None:
        many = 0
        covered = self._jobs.covered
        async with aclosing(self._queue.waiting()) as waiting:
            async for item, digest, _ in waiting:
                many += 1
                if (item.n, digest) in covered:
                    self._reserve(item, digest)
        left = self._night.until - time()
        margin = min(max(LEAST_MARGIN, many * LIVE / self._night.at_once), max(left, 0.0) / 2)
        cut_off = self._night.until - margin
        await self._recover()
        for _ in range(ROUNDS):
            left_out = await self._hand_over(cut_off)
            await self._wait(cut_off, margin)
            if not left_out:
                break
        if self._stop.asked.is_set():
            self._say_what_goes_on()
            return
        await self._queue.each(self._ask_live, lambda _n, _digest: True)
        if not self._jobs.open:
            self._jobs.remove()

    async def _recover(self) -> None:
        """Find jobs that were handed over, as it may be, before their names were written down."""
        for open_job in [job for job in self._jobs.open.values() if not job.job]:
            planned = open_job.planned
            await self._sleep(planned.at + ARRIVES - time())
            found: str | Failure | None = None
            for wait in (*AGAIN, 0.0):
                found = await self._find(open_job)
                if not isinstance(found, Failure) or self._stop.asked.is_set():
                    break
                await self._sleep(wait)
            if isinstance(found, str):
                self._jobs.put(Submitted(mark=planned.mark, job=found))
                self._note(f"{self._engine.name} has the batch {found}, which was handed over before")
            elif isinstance(found, Failure):
                raise HeadgateError(
                    f"nobody knows whether {self._engine.name} has a batch of {len(planned.items):,} requests: {found.detail}",
                    "the same command asks again; nothing is handed over or paid twice",
                )
            else:
                self._close(open_job, "it never arrived")

    async def _find(self, open_job: OpenJob) -> str | Failure | None:
        at, many = open_job.planned.at, len(open_job.planned.items)
        return await self._engine.find(open_job.planned.mark, since=at, many=many, others=self._jobs.ids)

    async def _hand_over(self, cut_off: float) -> bool:
        """Put the items that wait, and are in no job, into jobs; whether any was left out for want of money.

        Money is set aside by what an answer may cost at most, so that there may be some left when the answers are there.
        """
        covered = self._jobs.covered
        left_out = False
        envelope = self._packing.envelope(self._jobs.batch)
        async with aclosing(self._queue.waiting()) as waiting:
            async for item, digest, _ in waiting:
                if self._stop.asked.is_set() or time() >= cut_off:
                    return False
                if (item.n, digest) in covered:
                    continue
                line = self._packing.line(envelope, item, digest)
                if isinstance(line, Failure):  # a live request says what is wrong with it
                    continue
                if not self._reserve(item, digest):
                    left_out = True
                    continue
                if not envelope.takes(line):
                    await self._submit(envelope, cut_off)
                    envelope = self._packing.envelope(self._jobs.batch)
                    line = self._packing.line(envelope, item, digest)
                    assert isinstance(line, Line)
                envelope.add(line)
        if envelope.lines:
            await self._submit(envelope, cut_off)
        return left_out and bool(envelope.lines)

    async def _submit(self, envelope: Envelope, cut_off: float) -> None:
        """Hand one job over. One that the provider does not take is asked live later."""
        planned = envelope.planned(time())
        self._jobs.put(planned)
        open_job = self._jobs.open[planned.mark]
        detail = ""
        for wait in (*AGAIN, None):
            said = await self._engine.submit(planned.mark, self._night.models[0], envelope.lines)
            if isinstance(said, Failure):
                detail = said.detail
                if final(said):
                    break
                found = await self._find(open_job)
                if isinstance(found, Failure) and wait is not None:
                    await self._sleep(wait)
                    continue
                said = found if isinstance(found, str) else said
            if isinstance(said, str):
                self._jobs.put(Submitted(mark=planned.mark, job=said))
                self._note(
                    f"{len(planned.items):,} items wait for the batch {said} of {self._engine.name} ({planned.model}), "
                    "at half price"
                )
                return
            if wait is None or self._stop.asked.is_set() or time() + wait >= cut_off:
                break
            await self._sleep(wait)
        self._close(open_job, detail)

    def _close(self, open_job: OpenJob, why: str = "") -> None:
        """A job is through: what of it still waits is in no job."""
        planned = open_job.planned
        self._jobs.put(Closed(mark=planned.mark, why=why))
        for item in planned.items:
            self._budget.settle(self._reserved.pop(item, None), None)
        if why:
            self._note(f"{self._engine.name} did not do a batch of {len(planned.items):,} items: {why}")

    async def _wait(self, cut_off: float, margin: float) -> None:
        """Look at the jobs until all are through, or the time is up, or somebody says stop."""
        interval, cancelled = self._night.poll, 0.0
        while self._jobs.open and not self._stop.asked.is_set():
            found = {open_job.job: await self._look(open_job) for open_job in [*self._jobs.open.values()]}
            self._say_how_far([progress for progress in found.values() if progress is not None])
            if not self._jobs.open:
                return
            now = time()
            if cancelled and now >= cancelled + margin / 2:
                for open_job in [*self._jobs.open.values()]:
                    self._close(open_job, "it did not end when it was cancelled")
                return
            if not cancelled and now >= cut_off:
                self._note("the time is nearly up: what is not done by now is asked live")
                cancelled = now
                for open_job in self._jobs.open.values():
                    await self._engine.cancel(open_job.job)
                interval = min(self._night.poll, margin / 20)
                continue
            await self._sleep(interval if cancelled else min(interval, max(cut_off - now, 0.0)))
            interval = min(interval * (1.0 if cancelled else SLOWER), max(MOST_WAIT, self._night.poll))

    async def _look(self, open_job: OpenJob) -> Progress | None:
        """How far a job is; one that has ended is collected."""
        found = await self._engine.look(open_job.job)
        if isinstance(found, Failure):
            if found.status == 404:
                self._close(open_job, found.detail)
            else:
                self._say(f"{self._engine.name} cannot be asked how far it is: {found.detail}")
            return None
        if found.state == "refused":
            self._close(open_job, found.detail or f"it is {found.word}")
        elif found.state == "ended":
            await self._collect(open_job)
        return found

    async def _collect(self, open_job: OpenJob) -> None:
        """Have the answers of a job judged, and write them down. What it has no answer to goes on waiting, in no job."""
        planned = open_job.planned
        answers: defaultdict[str, list[BatchAnswer]] = defaultdict(list)
        async with aclosing(self._engine.results(open_job.job)) as lines:
            async for line in lines:
                if isinstance(line, Failure):
                    return  # the next look tries again
                mark, _, digest = line.custom_id.partition("-")
                if mark == planned.mark and line.status == 200:
                    answers[digest.rpartition("-")[2]].append(line)

        async def take(item: Item, digest: str, found: Found) -> None:
            answer = answers[digest].pop()
            run = await self._runner.settle(
                self._night.agent,
                item.given,
                model=planned.model,
                answer=answer,
                job=open_job.job,
                submitted=planned.at,
                caller=self._results.batch,
            )
            self._budget.settle(self._reserved.pop((item.n, digest), None), run.cost)
            if run.status not in GOOD:
                run = await self._go_on(item, digest, found, self._night.models[1:], run)
            self._put(item, digest, run, found)

        members = set(planned.items)
        await self._queue.each(take, lambda n, digest: (n, digest) in members and bool(answers[digest]))
        if not self._stop.asked.is_set():
            self._close(open_job)

    async def _ask_live(self, item: Item, digest: str, found: Found) -> None:
        if self._packing.stays_home(item):
            _, _, before = found.mark.reason.partition("; ")
            run = Run(agent=self._night.agent, status="incomplete", reason=f"{AT_HOME}; {before}")
        else:
            run = await self._go_on(item, digest, found, self._night.models, None)
        self._put(item, digest, run, found)

    async def _go_on(
        self, item: Item, digest: str, found: Found, models: Sequence[Model], run: Run | None
    ) -> Run:
        """Ask one paid model after the other, until one is good enough, or the money or the time is used up."""
        name = self._results.name_of(item.n, digest, found.mark.tries + 1)
        for model in models:
            if run is not None and (run.status in GOOD or time() >= self._night.until):
                break
            money = self._budget.reserve(self._expected(item))
            if money is None:
                return self._too_dear() if run is None else together(run, self._too_dear())
            cost: float | None = None
            try:
                then = await self._runner.run(
                    self._night.agent,
                    item.given,
                    batch=True,
                    key=f"{name}:{model.name}",
                    caller=self._results.batch,
                    model=model.name,
                )
                cost = then.cost
            finally:
                self._budget.settle(money, cost)
            run = then if run is None else together(run, then)
        assert run is not None, "there is at least one paid model"
        return run

    def _too_dear(self) -> Run:
        return Run(agent=self._night.agent, status="incomplete", reason=self._budget.words)

    def _put(self, item: Item, digest: str, run: Run, found: Found) -> None:
        result = result_of(item, digest, after_waiting(run, found.mark), found.mark)
        if (
            run.output is None and run.status == "incomplete"
        ):  # what the model at home said is better than nothing
            home = self._results.whole(found)
            facts = {name: getattr(home, name) for name in ("model", "output", "label", "probability")}
            result = replace(result, **facts)
        self._results.put(result)
        self._tell(Answered(result))

    def _reserve(self, item: Item, digest: str) -> bool:
        """Set the half of an item's price aside."""
        expected = self._expected(item)
        money = self._budget.reserve(None if expected is None else HALF * expected)
        if money is None:
            return False
        self._reserved[item.n, digest] = money
        return True

    def _say_how_far(self, progress: Sequence[Progress]) -> None:
        done, total = sum(one.done for one in progress), sum(one.total for one in progress)
        if total:
            self._say(f"{self._engine.name} has done {done:,} of {total:,}")

    def _say(self, text: str) -> None:
        """Tell it once, though it is so at each look."""
        if text != self._said:
            self._said = text
            self._note(text)

    def _say_what_goes_on(self) -> None:
        for open_job in self._jobs.open.values():
            if open_job.job:
                many = len(open_job.planned.items)
                self._note(
                    f"the batch {open_job.job} of {many:,} items goes on at {self._engine.name}; the same command collects it"
                )

    async def _sleep(self, seconds: float) -> None:
        """Wait, or until somebody says stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.asked.wait(), max(seconds, 0.001))
