"""Applied changes while a gate is open: taken into its policy, watched, and taken back when the audits since say that they were wrong.

A change of the page reaches the gate by the ledger, in which it is marked: the policy is another one from the next request on, and
requests under way end by the one they began with. A change that is rolled back goes the same way, and only where the user has not
changed these lines since. Whether it was wrong is said by `core.watching`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, MutableMapping
from time import time

from msgspec.structs import replace

from headgate.config.changes import set_words
from headgate.config.compile import Config
from headgate.config.load import load_config
from headgate.config.rewriting import rewrite
from headgate.core.effects import Record
from headgate.core.errors import ConfigError, HeadgateError
from headgate.core.judge_errors import errors_by_judge
from headgate.core.past import cuts_of
from headgate.core.settings import Setting, with_settings
from headgate.core.watching import DAY, AppliedChange, judge_change
from headgate.gateway.road import Road
from headgate.lab.past import read_past
from headgate.lab.tuning import WEEK, has, page_of, read_confusions
from headgate.ledger.changes import all_changes, note_change
from headgate.ledger.queries import LedgerReader
from headgate.ledger.units import MICRO

EVERY = 30.0
"""Seconds between two looks at the ledger's changes."""
HOUR = 3_600.0
"""Seconds between two looks at what the audits say."""

CANNOT = "it was wrong, and cannot be taken back"
"""How the reason of a change begins whose page cannot be written."""

Tell = Callable[[str, str], None]
"""Tells people: a subject and a text. It may wait for the disk."""

log = logging.getLogger("headgate.tune")


async def keep_tuned(
    road: Road, config: Config, tell: Tell, every: float = EVERY, pause: float = HOUR
) -> None:
    """Take changes and watch them, again and again until cancelled.

    Args:
        road: whose policy follows the page.
        config: which page, and which ledger.
        tell: is told of a change that was rolled back.
        every: seconds between two looks at the changes.
        pause: seconds between two looks at what the audits say.
    """
    if config.source is None:
        return
    followed: dict[int, str] = {}
    looked = 0.0
    while True:
        await asyncio.sleep(every)
        try:
            changes = await asyncio.to_thread(changes_of, config)
            await asyncio.to_thread(follow, road, config, changes, followed)
            if time() - looked >= pause:
                looked = time()
                news = await asyncio.to_thread(watch_all, config, changes, looked)
                await asyncio.to_thread(follow, road, config, news, followed)
                for change in news:
                    if change.state == "rolled back" or change.why.startswith(CANNOT):
                        await asyncio.to_thread(tell, subject_of(change), change.why)
        except Exception:
            log.exception("changes are not watched just now")


def changes_of(config: Config) -> tuple[AppliedChange, ...]:
    """The changes of a config's ledger; none where it cannot be read just now."""
    try:
        return all_changes(config.ledger.path)
    except HeadgateError as error:
        log.warning("changes cannot be read: %s", error.message)
        return ()


def follow(
    road: Road, config: Config, changes: Iterable[AppliedChange], followed: MutableMapping[int, str]
) -> None:
    """Let the road keep up with the page, whoever has changed that: this command or another, this gate or another one.

    Args:
        road: whose policy follows.
        config: which page.
        changes: the ledger's, oldest first.
        followed: the state of each change that was followed already.
    """
    for change in changes:
        if followed.get(change.n) == change.state:
            continue
        followed[change.n] = change.state
        if change.state != "undone":
            take(road, config, change.before if change.state == "rolled back" else change.settings)


def take(road: Road, config: Config, settings: Iterable[Setting]) -> bool:
    """Let settings hold from the next request on, if the page has them; whether it has."""
    settings = tuple(settings)
    if has(road.policy, settings):
        return True
    try:
        page = load_config(str(config.source), lambda *_: None)
    except HeadgateError as error:
        log.warning("a change is not taken: %s", error.message)
        return False
    if not has(page.policy, settings):
        return False
    road.policy = with_settings(road.policy, settings)
    log.info("from now on: %s", ", ".join(setting.word for setting in settings))
    return True


def watch_all(config: Config, changes: Iterable[AppliedChange], now: float) -> list[AppliedChange]:
    """Look at all changes that are watched; those of which there is news, as they are noted now."""
    news = []
    for change in changes:
        if change.state != "watched":
            continue
        try:
            seen = watch(config, change, now)
            if seen != change and note_change(config.ledger.path, seen):
                news.append(seen)
        except HeadgateError as error:
            log.warning("a change cannot be watched: %s", error.message)
    return news


def watch(config: Config, change: AppliedChange, now: float) -> AppliedChange:
    """Look at one change; as it stands now. One that was wrong is not on the page any more.

    Raises:
        ConfigError: the page cannot be read or written.
        LedgerError: the ledger cannot be read.
    """
    page = page_of(config)
    present = load_config(str(config.source), lambda *_: None)
    if not has(present.policy, change.settings):
        why = "these lines have been changed since, so nobody watches them any more"
        return replace(change, state="undone", decided=now, why=why)
    both = present.policy, with_settings(present.policy, change.before)
    with LedgerReader(config.ledger.path) as reader:
        recorded = read_past(reader, cuts_of(both), since=change.applied)
        worked = days_with_requests(reader, change.applied)
        errors = errors_by_judge(read_confusions(reader), "local", weak_too=True)
    since = Record(past=recorded.past, weeks=max(now - change.applied, 1.0) / WEEK)
    judged = judge_change(change, since, present.policy, now, recorded.models, errors=errors, worked=worked)
    looked = change
    if judged.look is not None:
        change = replace(change, looks=(*change.looks, judged.look))
    if judged.verdict == "keep watching":
        return change
    if judged.verdict == "keep":
        return replace(change, state="kept", decided=now, why=judged.why)
    try:
        rewrite(page.source, page.raw, set_words(page.text, change.undo).text)
    except ConfigError as error:  # it is tried again, and told once
        return replace(looked, why=f"{CANNOT}: {error.message}; {judged.why}")
    return replace(change, state="rolled back", decided=now, why=judged.why)


def days_with_requests(reader: LedgerReader, since: float) -> int:
    """On how many days, by UTC, there were any since a Unix time."""
    query = "SELECT count(DISTINCT received / ?) FROM requests WHERE received >= ?"
    with reader.connect() as db:
        (days,) = db.exec_driver_sql(query, (round(DAY * MICRO), round(since * MICRO))).one()
    return int(days)


def subject_of(change: AppliedChange) -> str:
    """What people are told in one line."""
    if change.state == "watched":
        return "Headgate cannot take a change back: " + ", ".join(one.word for one in change.settings)
    places = ", ".join(f"{was.place} is {was.shown} again" for was in change.before)
    return f"Headgate has taken a change back: {places}"
