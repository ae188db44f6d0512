"""Sends what is due: each week's report to everybody who is to have it, and alerts; what fails is tried again, and told.

    plan     which weeks are due to whom (`due`) → posts in the ledger, each once
    send     claim → make the message → send → note; a failure waits for its next try

Everything of it lasts: a gate that was closed catches up when it opens. It does not know how a report looks (`messages`)
nor how one is sent (`notify`).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from time import time
from typing import Final

from msgspec import Struct

from headgate.core.errors import HeadgateError
from headgate.core.schedule import Schedule
from headgate.ledger.posts import (
    Planned,
    Post,
    all_posts,
    claim_post,
    note_failed,
    note_sent,
    plan_posts,
)
from headgate.notify.sending import Message, send
from headgate.notify.targets import Target
from headgate.posts.due import next_try, subject_of, weeks_due
from headgate.reports.week import MONDAY

EVERY: Final = 30.0
"""Seconds between two looks at the clock."""

log = logging.getLogger("headgate.posts")


class Sent(Struct, frozen=True):
    """What became of one try."""

    post: Post
    error: str | None


class Poster:
    """Who sends a gate's posts.

    Args:
        ledger: the ledger file, where posts are kept.
        targets: who is sent each week's report.
        schedule: when.
        zone: in which weeks begin and the schedule is meant.
        message: makes a post's message.
        has_requests: whether there were requests between two Unix times: nobody is sent a report of a time before the first.
        alerted: who is sent alerts.
        week_starts: the weekday on which weeks begin; 0 is Monday.
        clock: Unix time.
    """

    def __init__(
        self,
        ledger: Path,
        targets: Sequence[Target],
        schedule: Schedule,
        zone: tzinfo,
        *,
        message: Callable[[Post], Message],
        has_requests: Callable[[float, float], bool],
        alerted: Sequence[Target] = (),
        week_starts: int = MONDAY,
        clock: Callable[[], float] = time,
    ) -> None:
        self.ledger = ledger
        self.targets = targets
        self.schedule = schedule
        self.zone = zone
        self.message = message
        self.has_requests = has_requests
        self.alerted = alerted
        self.week_starts = week_starts
        self.known = {target.name: target for target in (*targets, *alerted)}
        self.clock = clock
        self.troubles: dict[str, str] = {}
        """Why posts wait, by target."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at the clock; without anybody to send to, there is nothing to look for."""
        if self.known:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; what was not sent waits in the ledger."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tell(self, subject: str, text: str) -> None:
        """Send an alert, once for each subject. It waits for the disk, not for the network.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        now = self.clock()
        wanted = [Planned(subject=subject, target=target.name, due=now, text=text) for target in self.alerted]
        plan_posts(self.ledger, wanted)

    def round(self) -> list[Sent]:
        """Plan what is due and send what waits; what became of each. It waits for the network: not for the event loop.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        now = self.clock()
        posts = all_posts(self.ledger)
        planned = defaultdict(set)
        for post in posts:
            if post.text is None:
                planned[post.target].add(post.subject)
        if plan_posts(self.ledger, self._due(now, planned)):
            posts = all_posts(self.ledger)
        waiting = [
            post for post in posts if post.sent is None and post.due <= now and post.target in self.known
        ]
        done = [sent for post in waiting if (sent := self.try_one(post)) is not None]
        self.troubles = {
            post.target: post.error
            for post in all_posts(self.ledger)
            if post.sent is None and post.error is not None and post.target in self.known
        }
        return done

    def try_one(self, post: Post) -> Sent | None:
        """Try to send a post; None when another gate has it in hand."""
        if not claim_post(self.ledger, post, next_try(self.clock(), post.tries)):
            return None
        try:
            error = send(self.message(post), self.known[post.target])
        except HeadgateError as trouble:
            error = trouble.message
        if error is None:
            note_sent(self.ledger, post.n, self.clock())
        else:
            note_failed(self.ledger, post.n, error)
            log.warning("%s could not be sent to %s: %s; it is tried again", post.subject, post.target, error)
        return Sent(post, error)

    def _due(self, now: float, planned: dict[str, set[str]]) -> list[Planned]:
        wanted = []
        for target in self.targets:
            for week, moment in weeks_due(
                now, self.schedule, self.zone, planned[target.name], self.week_starts
            ):
                if planned[target.name] or self.has_requests(*week.bounds(self.zone)):
                    wanted.append(Planned(subject=subject_of(week), target=target.name, due=moment))
        return wanted

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.round)
            except HeadgateError as error:
                log.warning("nothing can be sent: %s", error.message)
            except Exception:
                log.exception("nothing can be sent")
            await asyncio.sleep(EVERY)
