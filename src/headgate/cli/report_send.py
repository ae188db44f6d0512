"""`headgate report --send` and `--sent`: a week's report to people now, and what was sent to whom.

A report of a week that is over is kept as a post, so that nobody is sent it twice and a failure is tried again by an open
gate. One of a week that is not over yet is sent as it is, and nothing is kept of it.
"""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import put, put_json, put_table, say, table

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.ledger.posts import Post
    from headgate.notify.targets import Target
    from headgate.reports.weekly import WeeklyReport


def send_report(config: "Config", report: "WeeklyReport", words: tuple[str, ...], *, again: bool) -> bool:
    """Send a report and say what came of it; False when somebody could not be sent it.

    Args:
        config: its targets are taken where none is named.
        report: of any week.
        words: the targets, as the user writes them.
        again: also to those who were sent it before.

    Raises:
        UsageError: nobody is to be sent it.
        ConfigError: a target stands for nothing.
    """
    from headgate.core.errors import UsageError
    from headgate.notify.sending import send
    from headgate.notify.targets import read_target
    from headgate.posts.messages import report_message

    base = Path.cwd() if words else folder_of(config)
    targets = [read_target(word, base) for word in words or config.send_to]
    if not targets:
        raise UsageError(
            "the config names nobody to send reports to",
            'write send_to = ["file:reports/"] under [report], or name somebody: --to mailto://…',
        )
    message = report_message(report)
    well = True
    for target in targets:
        post = None if not report.complete else claimed(config, report, target, again=again)
        if post is not None and post.sent is not None:
            say(f"{target.shown} was sent it on {day(post.sent)} (--again sends it once more)")
            continue
        error = send(message, target)
        if post is not None:
            note(config, post, error)
        if error is None:
            say(f"sent to {target.shown}")
            continue
        well = False
        later = "; an open gate tries again" if post is not None and target.word in config.send_to else ""
        say(f"error: not sent to {error}{later}")
    return well


def claimed(config: "Config", report: "WeeklyReport", target: "Target", *, again: bool) -> "Post":
    """The post of this report to this target, in our hands unless it was sent."""
    from msgspec.structs import replace

    from headgate.ledger.posts import Planned, all_posts, claim_post, plan_posts
    from headgate.posts.due import next_try, subject_of

    now, subject, ledger = time.time(), subject_of(report.week), config.ledger.path
    plan_posts(ledger, [Planned(subject=subject, target=target.name, due=now)])
    post = next(one for one in all_posts(ledger) if (one.subject, one.target) == (subject, target.name))
    if post.sent is None or again:
        claim_post(ledger, post, next_try(now, post.tries))
        return replace(post, sent=None)
    return post


def note(config: "Config", post: "Post", error: str | None) -> None:
    """Keep what came of it."""
    from headgate.ledger.posts import note_failed, note_sent

    if error is None:
        note_sent(config.ledger.path, post.n, time.time())
    else:
        note_failed(config.ledger.path, post.n, error)


def show_sent(config: "Config", *, as_json: bool) -> None:
    """What was sent to whom, and what waits."""
    import msgspec

    from headgate.ledger.posts import all_posts

    posts = all_posts(config.ledger.path)[::-1]
    if as_json:
        put_json([msgspec.to_builtins(post) for post in posts])
        return
    if not posts:
        put("nothing has been sent yet")
        return
    made = table("What", "To", "Sent", "Tries", "", right=("Tries",))
    made.columns[-1].no_wrap = False
    for post in posts:
        when = "waits" if post.sent is None else day(post.sent)
        made.add_row(post.subject, post.target, when, str(post.tries), post.error or "")
    put_table(made)


def folder_of(config: "Config") -> Path:
    """Where relative "file:" targets of the config start."""
    return Path.cwd() if config.source is None else config.source.parent


def day(at: float) -> str:
    """A moment in local time, for people."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def exit_unless(well: bool) -> None:
    """End with 1 when somebody could not be sent a report."""
    if not well:
        raise click.exceptions.Exit(1)
