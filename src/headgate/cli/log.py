"""`headgate log`: the ledger, newest first; `headgate log show ID`: one request's whole story."""

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import console, load, put, put_json, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.ledger.queries import Entry, LedgerReader
    from headgate.reports.story import LogLine

LOOK_EVERY = 0.25
"""Seconds between two looks with -f; the ledger itself is written that often."""


@click.group("log", invoke_without_command=True)
@click.option("-n", "limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new requests as they come.")
@click.option("--model", help="Answered by this model.")
@click.option("--task", help="Of this task.")
@click.option("--route", help="On this route.")
@click.option("--status", help="ok, imperfect, failed, broken or cancelled.")
@click.option("--fallback", help="With this fallback reason.")
@with_config
@with_json
@click.pass_context
def command(
    ctx: click.Context,
    /,
    config_file: str | None,
    limit: int,
    *,
    follow: bool,
    as_json: bool,
    **wanted: str | None,
) -> None:
    """Show the newest requests: who answered, why, how long it took, and what it cost."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = config_file
        return
    from headgate.ledger.queries import Filter

    check_words(wanted)
    which = Filter(**wanted)  # type: ignore[arg-type]  # checked just above
    with reader_of(load(config_file, prices=False)) as reader:
        entries = reader.newest(which, limit)
        if follow:
            entries.reverse()
        show(entries, as_json=as_json)
        seen = reader.last_number() if follow else 0
        while follow:
            time.sleep(LOOK_EVERY)
            fresh = reader.after(seen, which)
            show(fresh, as_json=as_json, header=False)
            sys.stdout.flush()
            seen = fresh[-1].n if fresh else seen


@command.command("show")
@click.argument("request_id")
@with_config
@with_json
@click.pass_context
def show_one(ctx: click.Context, config_file: str | None, request_id: str, *, as_json: bool) -> None:
    """Tell the whole story of one request: an id, the beginning of one, or "last"."""
    from headgate.cli.report import zone_of
    from headgate.reports.story import plain_story, story

    config = load(config_file or ctx.obj, prices=False)
    with reader_of(config) as reader:
        entry = reader.one(request_id)
    if as_json:
        put_json(plain_story(entry.outcome, entry.models))
    else:
        put(story(entry.outcome, entry.models, zone_of(config.timezone)).rstrip())


def reader_of(config: "Config") -> "LedgerReader":
    """The config's ledger, for reading.

    Raises:
        LedgerError: there is none yet, or it cannot be read.
    """
    from headgate.core.errors import LedgerError
    from headgate.ledger.queries import LedgerReader

    if not config.ledger.path.exists():
        raise LedgerError(
            f"there is no ledger at {config.ledger.path} yet",
            "headgate up opens the gate; headgate demo shows one at work",
        )
    return LedgerReader(config.ledger.path)


def check_words(wanted: dict[str, Any]) -> None:
    """Refuse words that the ledger cannot hold.

    Raises:
        UsageError: with the word that was probably meant.
    """
    from difflib import get_close_matches

    from headgate.core.errors import UsageError
    from headgate.core.words import FALLBACKS, STATUSES, TASKS

    for name, known in (("task", TASKS), ("status", STATUSES), ("fallback", FALLBACKS)):
        word = wanted[name]
        if word is not None and word not in known:
            close = get_close_matches(word, known, n=1)
            raise UsageError(
                f'there is no {name} "{word}"',
                f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(known)}",
            )


def show(entries: "list[Entry]", *, as_json: bool, header: bool = True) -> None:
    """Print requests, one a line."""
    from headgate.reports.story import line

    lines = [line(entry.outcome, entry.models) for entry in entries]
    if as_json:
        for one in lines:
            put_json(one)
        return
    if not lines:
        if header:
            put("no requests")
        return
    made = table(
        "time",
        "id",
        "task",
        "route",
        "model",
        "status",
        "ms",
        "tokens",
        "cost",
        "fallback",
        right=("ms", "tokens", "cost"),
    )
    made.show_header = header
    for one in lines:
        made.add_row(*cells(one))
    console().print(made)


def cells(one: "LogLine") -> list[str]:
    """One request as cells of the table."""
    from headgate.reports.shown import fine_dollars

    tokens = (
        "?" if one.tokens_in is None else f"{one.tokens_in:,}+{one.tokens_out:,}{'' if one.exact else '~'}"
    )
    attempts = f" ({one.attempts} attempts)" if one.attempts > 1 else ""
    return [
        datetime.fromtimestamp(one.received).astimezone().strftime("%m-%d %H:%M:%S"),
        one.id,
        one.task or "no evidence",
        one.route,
        one.model or "nobody",
        one.status,
        f"{one.seconds * 1000:,.0f}",
        tokens,
        fine_dollars(one.cost),
        one.fallback + attempts,
    ]
