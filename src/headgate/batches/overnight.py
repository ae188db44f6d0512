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

from msgspec.structs import replace

from headgate.batches.budget import Budget
from headgate.batches.hand_over import Envelope, Line, Packing, final
from headgate.batches.jobs import Closed, Jobs, OpenJob, Submitted, take_one
from headgate.batches.night import Night
from headgate.batches.queue import Queue
from headgate.batches.results import Found, Results
from headgate.batches.types import Item, Items, Notice, result_of
from headgate.batches.waiting import after_waiting, together
from headgate.batches.work import Answered, Event, Stop
from headgate.core.batching import BatchAnswer, BatchEngine, Progress
from headgate.core.errors import HeadgateError
from headgate.core.prices import HALF
from headgate.core.runs import Run, Settler
from headgate.core.types import Failure, Model

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
                if take_one(covered, digest):
                    self._reserve(item, digest)
        margin = self._night.margin(many, time())
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
        self._release()
        await self._queue.each(self._ask_live, lambda _n, _digest: True)
        if not self._jobs.open:
            self._jobs.remove()

    async def _recover(self) -> None:
        """Find jobs that were handed over, as it may be, before their names were written down."""
        for open_job in [job for job in self._jobs.open.values() if not job.job]:
            planned = open_job.planned
            await self._sleep(planned.at + ARRIVES - time())
            found = await self._seek(open_job)
            if found is None:
                self._close(open_job, "it never arrived")
            else:
                self._jobs.put(Submitted(mark=planned.mark, job=found))
                self._note(f"{self._engine.name} has the batch {found}, which was handed over before")

    async def _seek(self, open_job: OpenJob) -> str | None:
        """The provider's name for a job that it may have; None where it does not have it.

        Raises:
            HeadgateError: that cannot be found out. To hand it over again could be to pay twice.
        """
        planned, many, detail = open_job.planned, len(open_job.planned.items), ""
        for wait in (*AGAIN, 0.0):
            found = await self._engine.find(planned.mark, since=planned.at, many=many, others=self._jobs.ids)
            if not isinstance(found, Failure):
                return found
            detail = found.detail
            if self._stop.asked.is_set():
                break
            await self._sleep(wait)
        raise HeadgateError(
            f"nobody knows whether {self._engine.name} has a batch of {many:,} requests: {detail}",
            "the same command asks again; nothing is handed over or paid twice",
        )

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
                if take_one(covered, digest):
                    continue
                line = self._packing.line(envelope, item, digest)
                if isinstance(line, Failure):  # a live request says what is wrong with it
                    continue
                if not envelope.takes(line):
                    await self._submit(envelope, cut_off)
                    envelope = self._packing.envelope(self._jobs.batch)
                    line = self._packing.line(envelope, item, digest)
                    assert isinstance(line, Line)
                if not self._reserve(item, digest):
                    left_out = True
                    continue
                envelope.add(line)
        if envelope.lines:
            await self._submit(envelope, cut_off)
        return left_out and bool(self._jobs.open)

    async def _submit(self, envelope: Envelope, cut_off: float) -> None:
        """Hand one job over. One that the provider does not take is asked live later."""
        planned = envelope.planned(time())
        self._jobs.put(planned)
        open_job = self._jobs.open[planned.mark]
        detail = ""
        for wait in (*AGAIN, None):
            said = await self._engine.submit(planned.mark, self._night.models[0], envelope.lines)
            found: str | None
            if isinstance(said, str):
                found = said
            else:
                detail = said.detail
                if final(said):
                    break
                if said.status is None and said.reason != "refused":  # it may be on its way still
                    await self._sleep(ARRIVES)
                if self._stop.asked.is_set():
                    return  # the same command finds out whether it is there
                found = None if said.reason == "refused" else await self._seek(open_job)
            if found is not None:
                self._jobs.put(Submitted(mark=planned.mark, job=found))
                self._note(
                    f"{len(planned.items):,} items wait for the batch {found} of {self._engine.name} ({planned.model}), "
                    "at half price"
                )
                return
            if wait is None or time() + wait >= cut_off:
                break
            await self._sleep(wait)
            if self._stop.asked.is_set():
                break
        self._close(open_job, detail)

    def _close(self, open_job: OpenJob, why: str = "") -> None:
        """A job is through: what of it still waits is in no job."""
        planned = open_job.planned
        self._jobs.put(Closed(mark=planned.mark, why=why))
        self._release()
        if why:
            self._note(f"{self._engine.name} did not do a batch of {len(planned.items):,} items: {why}")

    def _release(self) -> None:
        """Free the money of items that are in no job."""
        covered = self._jobs.covered
        for item in [item for item in self._reserved if not take_one(covered, item[1])]:
            self._budget.settle(self._reserved.pop(item), None)

    async def _wait(self, cut_off: float, margin: float) -> None:
        """Look at the jobs until all are through, or the time is up, or somebody says stop."""
        interval, cancelled = self._night.poll, 0.0
        uncancelled: set[str] = set()
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
                uncancelled = {open_job.job for open_job in self._jobs.open.values()}
                interval = min(self._night.poll, margin / 20)
            for job in sorted(uncancelled):
                if await self._engine.cancel(job) is None:  # else the next look tries again
                    uncancelled.discard(job)
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
                    self._say(f"{self._engine.name} does not give the results: {line.detail}")
                    return  # the next look tries again
                mark, _, digest = line.custom_id.partition("-")
                if mark == planned.mark and line.status == 200:
                    answers[digest.rpartition("-")[2]].append(line)

        claimed: dict[int, BatchAnswer] = {}

        async def take(item: Item, digest: str, found: Found) -> None:
            answer = claimed.pop(item.n)
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

        def claim(n: int, digest: str) -> bool:
            """An answer is any item's of that content: inputs that came in between have moved the others."""
            if not answers[digest]:
                return False
            claimed[n] = answers[digest].pop()
            return True

        await self._queue.each(take, claim)
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
        if money is not None:
            self._reserved[item.n, digest] = money
        return money is not None

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
