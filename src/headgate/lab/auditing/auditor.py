"""The worker that makes audits while nobody is there, and makes way when somebody comes.

    quiet? ─► take a job ─► the missing answer (`pairs`) ─► the judges (`lab.judges`) ─► written down
                 ▲               somebody comes: given back
                 └────────────── put off, or tried again later

Everything of it lasts in the ledger: a job that a killed gate had in hand is taken up at the next start, what was asked for is kept
before it is judged, and what is paid is written down before it is. One audit is made at a time. How answers are judged is not known
here, nor which requests are chosen.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from contextvars import Context
from time import time
from typing import Final, Literal

from msgspec import Struct

from headgate.core.audits import Opinion, Pair, Said
from headgate.core.chosen_judge import chosen_judge
from headgate.core.errors import HeadgateError
from headgate.core.policy import Policy
from headgate.core.types import Model
from headgate.core.words import AuditKind, AuditVerdict
from headgate.gateway.presence import Presence
from headgate.lab.auditing.aside import Aside
from headgate.lab.auditing.pairs import PutOff, at_home, elsewhere
from headgate.lab.auditing.panel import Judges
from headgate.lab.auditing.purse import Purse
from headgate.lab.judges import Panel, judge
from headgate.ledger.audit_jobs import KINDS, LEASE, TRIES, AuditJobs, Job
from headgate.ledger.audits import Judged

FIRST_LOOK: Final = 0.5
LOOK_EVERY: Final = 30.0
"""Seconds between two looks for an audit that is due: more each time, as long as nobody has been there."""
LEAST: Final = 0.05
"""Seconds that are slept at least between two looks whether anybody is there."""
DRAIN: Final = 8.0
"""Seconds for which a paid answer that is under way is waited for when the gate closes."""

log = logging.getLogger("headgate.audits")


class Made(Struct, frozen=True, kw_only=True):
    """What became of one audit."""

    request: str
    """The id of its request."""
    kind: AuditKind
    state: Literal["judged", "later", "interrupted"]
    """Done; to be tried again; or given back because somebody came."""
    verdict: AuditVerdict | None = None
    judge: str = ""
    model: str = ""
    """The model at home whose answer was compared."""
    why: str = ""
    """The judge's reason, or why there is no verdict."""
    cost: float = 0.0
    """Dollars that it has taken, earlier tries included."""


class Auditor:
    """Who makes a gate's audits.

    Args:
        jobs: the audits that wait.
        ask: asks models, on the gate's road.
        purse: pays.
        judge: the page's word for the model that judges.
        idle_for: seconds for which nobody must have been there before an audit begins.
    """

    def __init__(self, jobs: AuditJobs, ask: Aside, purse: Purse, *, judge: str, idle_for: float) -> None:
        self.jobs = jobs
        self.purse = purse
        self.idle_for = idle_for
        self.under_way: AuditKind | None = None
        """What is being made just now."""
        self._ask = ask
        self._judges = Judges(ask, judge)
        self._presence: Presence = ask.road.presence
        self._one_at_a_time = asyncio.Lock()
        self._work: asyncio.Task[Made] | None = None
        self._loop: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._held: Job | None = None
        """The job in hand, also while it makes way …"""
        self._mine_until = 0.0
        """… and until when it is nobody else's."""

    def start(self) -> None:
        """Begin to make audits whenever nobody is there; belongs to a running event loop."""
        self._loop = asyncio.create_task(self._run(), name="headgate-audits")

    async def close(self) -> None:
        """Take no more, and let the one under way end if it is being paid for, or give it back."""
        if self._work is not None and self._ask.pays:
            await asyncio.wait([self._work], timeout=DRAIN)
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        with suppress(HeadgateError):  # then it is due again when its time is over
            await self._give_back()

    async def make_next(
        self, kinds: Collection[AuditKind] = KINDS, *, displaces: bool = False
    ) -> Made | None:
        """Make the audit that has been due for the longest time; None when none is, or none of these can be made now.

        Args:
            kinds: which ones.
            displaces: models may be loaded for it in the place of others.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        async with self._one_at_a_time:
            able = [kind for kind in kinds if kind in await self.able()]
            job = await self._next(able) if able else None
            if job is None:
                return None
            self._ask.displaces = displaces
            return await self._see_through(job)

    @property
    def policy(self) -> Policy:
        """The gate's, with prices as they are now."""
        return self._ask.road.policy

    @property
    def judge(self) -> Model | None:
        """The model that compares answers where nothing cheaper can."""
        return chosen_judge(self.policy, self._judges.word)

    async def able(self) -> Collection[AuditKind]:
        """The kinds that can be made now: a local answer is only checked with money for a paid one."""
        return KINDS if await self.purse.left() > 0 else ("fallback",)

    # ── One audit ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _next(self, kinds: Collection[AuditKind]) -> Job | None:
        """The one that has made way before, else the next of the queue."""
        if self._held is not None and (self._held.kind not in kinds or time() > self._mine_until):
            await self._give_back()
        if self._held is None:
            now = time()
            self._held, self._mine_until = (
                await asyncio.to_thread(self.jobs.take, now, kinds),
                now + LEASE / 2,
            )
        return self._held

    async def _give_back(self) -> None:
        """Let others have the job that is held. After its time they may have taken it already."""
        job, self._held = self._held, None
        if job is not None:
            await asyncio.to_thread(self.jobs.put_back, job, time())

    async def _see_through(self, job: Job) -> Made:
        """Make an audit. One that makes way is held: whoever has come is not to wait for the ledger, either.

        It is made in a context of its own, since it is nobody's, whoever's key has asked for it.
        """
        self.under_way = job.kind
        self._work = work = asyncio.create_task(self._make(job), name="headgate-audit", context=Context())
        self._presence.arrives = self._make_way
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            raise
        finally:
            self._presence.arrives = self._work = self.under_way = None
        if work.cancelled():
            return _made(job, "interrupted", why="somebody came, and it made way")
        self._held = None
        error = work.exception()
        return work.result() if error is None else await self._failed(job, error)

    async def _make(self, job: Job) -> Made:
        """The missing answer, then the judges, then the ledger."""

        async def keep(said: Iterable[Said]) -> None:
            nonlocal job
            self._held = job = await asyncio.to_thread(self.jobs.keep, job, said)

        if job.kind == "fallback":
            found = await at_home(job.request, job.material, self._ask, keep)
        else:
            found = await elsewhere(job.request, job.material, self._ask, keep, self.purse)
        if isinstance(found, PutOff):
            return await self._put_off(job, found)
        if isinstance(found, Opinion):
            return await self._judged(job, (found,), None)

        async def whom() -> Panel:
            return await self._judges.panel(job.request, job.material, await self.purse.left())

        judgement = await judge(found, job.kind, whom)
        if judgement.settled or (judgement.opinions and job.tries >= TRIES):
            return await self._judged(job, judgement.opinions, found)
        troubles = [f"{trouble.by or trouble.judge}: {trouble.reason}" for trouble in judgement.troubles]
        return await self._put_off(job, PutOff(f"no judge could say: {'; '.join(troubles)}"))

    async def _judged(self, job: Job, opinions: tuple[Opinion, ...], pair: Pair | None) -> Made:
        opinion = opinions[-1]
        paid = await self.purse.paid_for(job.request)
        asked = sum([one.cost or 0.0 for one in opinions])
        judged = Judged(
            request=job.request,
            opinions=opinions,
            in_force=opinion,
            at=time(),
            cost=max(0.0, paid - asked),
            probability=job.probability,
            model="" if pair is None else pair.local.model,
            score=None if pair is None else pair.local.score,
            rejected=() if pair is None else pair.rejected,
        )
        await asyncio.to_thread(self.jobs.finish, job, judged)
        return _made(
            job,
            "judged",
            verdict=opinion.verdict,
            judge=opinion.judge,
            model=judged.model,
            why=opinion.reason,
            cost=paid,
        )

    async def _put_off(self, job: Job, reason: PutOff) -> Made:
        if reason.until is None:
            await asyncio.to_thread(self.jobs.fail, job, reason.why, time())
        else:
            await asyncio.to_thread(self.jobs.put_off, job, reason.why, reason.until)
        return _made(job, "later", why=reason.why, cost=await self.purse.paid_for(job.request))

    async def _failed(self, job: Job, error: BaseException) -> Made:
        if isinstance(error, HeadgateError):
            why = error.message
        else:
            log.error("an audit failed inside the gate", exc_info=error)
            why = f"the gate failed: {type(error).__name__}"  # its text may hold what was asked
        await asyncio.to_thread(self.jobs.fail, job, why, time())
        return _made(job, "later", why=why)

    def _make_way(self) -> None:
        """Somebody has come."""
        if self._work is not None and self._ask.make_way():
            self._work.cancel()

    # ── While the gate is open ───────────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        await self._resume()
        pause = FIRST_LOOK
        while True:
            made = None
            if (wait := self._quiet_in()) > 0:
                pause = FIRST_LOOK
                await asyncio.sleep(wait)
                continue
            before = self._presence.arrivals
            try:
                made = await self.make_next()
            except HeadgateError as error:
                log.warning("no audit can be made: %s", error.message)
            except Exception:
                log.exception("no audit can be made")
            if made is None:
                await self._look_away(FIRST_LOOK if self._presence.arrivals != before else pause)
                pause = FIRST_LOOK if self._presence.arrivals != before else min(2 * pause, LOOK_EVERY)

    async def _resume(self) -> None:
        """Take up what a gate had in hand that was killed."""
        try:
            await asyncio.to_thread(self.jobs.resume, time())
        except HeadgateError as error:
            log.warning("audits that were begun before wait for a while: %s", error.message)

    def _quiet_in(self) -> float:
        """Seconds until nobody has been there for long enough, as far as is known now; 0 or less is now."""
        if self._presence.under_way:
            return max(LEAST, self.idle_for)
        return self.idle_for - self._presence.quiet()

    async def _look_away(self, seconds: float) -> None:
        """Wait for so long, or until somebody comes."""
        self._came.clear()
        self._presence.arrives = self._come
        with suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), seconds)
        if (
            self._presence.arrives == self._come
        ):  # an audit that somebody wants now may be waiting to make way
            self._presence.arrives = None

    def _come(self) -> None:
        self._came.set()
        self._presence.arrives = None


def _made(job: Job, state: Literal["judged", "later", "interrupted"], **more: object) -> Made:
    return Made(request=job.material.id, kind=job.kind, state=state, **more)  # type: ignore[arg-type]  # checked by its callers
