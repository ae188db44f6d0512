"""`headgate replay`: what the recorded requests would have come to under other settings. Calls no model, changes nothing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import DAYS_BACK, MOMENT, in_order, load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.core.replay import Replayed
    from headgate.core.spans import Span
    from headgate.core.tallies import Tally
    from headgate.lab.replays import Answer

SHOWN = 12
"""Ways that are shown to a person."""


@click.command("replay")
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="SETTING=VALUE",
    help="What to try, for instance routes.long.tokens_over=5000; may be given several times.",
)
@click.option(
    "--policy",
    "page",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another headgate.toml, whose routes, models and quality are tried; --set then changes that one.",
)
@click.option(
    "--days", type=DAYS_BACK, default=30, show_default=True, help="How far back, from --until or now."
)
@click.option("--since", type=MOMENT, help="From this Unix time, in place of --days.")
@click.option("--until", type=MOMENT, help="Before this Unix time.")
@click.option("--progress", is_flag=True, hidden=True, help="Print JSON lines as it goes, for the page.")
@with_config
@with_json
def command(
    config_file: str | None,
    *,
    words: tuple[str, ...],
    page: Path | None,
    days: int,
    since: float | None,
    until: float | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Replay what the ledger holds under other settings: requests that would move, dollars, and quality.

    Thresholds of routes (tokens_over, tokens_under, pass_at), their chain (try), and pass_at and task_confidence of [quality] can be
    tried, or another page as a whole. What was recorded is exact; models that were not asked are estimated from their rates, and how
    good answers are from audits, with 95 % intervals.
    """
    from time import time

    from headgate.cli.changed_models import say_changes
    from headgate.lab.replays import plain, replay_ledger

    config = load(config_file)
    in_order(since, until)
    end = time() if until is None else min(time(), until)
    start = end - days * 86_400 if since is None else since
    answer = replay_ledger(
        config, words, page=page, since=start, until=until, progress=told if progress else untold
    )
    if progress:
        put_json({"result": plain(answer)})
    elif as_json:
        put_json(plain(answer))
    else:
        say_changes(config, start)
        draw(answer)


def told(done: int, many: int) -> None:
    """How far it is, as a line of JSON."""
    put_json({"done": done, "of": many})
    sys.stdout.flush()


def untold(done: int, many: int) -> None:
    """How far it is, for nobody."""


def draw(answer: "Answer") -> None:
    """The answer for a person."""
    from headgate.cli.common import put_table, table
    from headgate.reports.shown import count

    replayed = answer.replayed
    all_ = replayed.all
    put(f"{count(all_.requests, 'recorded request')}, replayed without a call")
    if not all_.requests:
        say("note: there is nothing to replay in this time; --days says how far back to look")
        return
    for line in figures(replayed):
        put(f"  {line}")
    if replayed.moves:
        made = table("route", "answered by", "would take", "answered by ", "requests", right=("requests",))
        for move in replayed.moves[:SHOWN]:
            row = (move.route, move.model or "nobody", move.to_route, move.to_model or "nobody")
            made.add_row(*row, f"{move.requests:,.0f}")
        put("")
        put_table(made)
    if answer.changed.lines:
        say("\nTo have it so, write in headgate.toml (nothing has been changed):\n")
        say("\n".join(answer.changed.lines))


def figures(replayed: "Replayed") -> "list[str]":
    """What it comes to, line by line."""
    all_ = replayed.all
    lines = [
        f"would come home     {spanned(all_.to_home)}",
        f"would go to cloud   {spanned(all_.to_cloud)}",
        f"dollars             {money(all_.dollars)} on ${all_.paid_before:,.4f}",
        *quality(all_),
        f"unchanged           {all_.unchanged:,}",
        f"known exactly       {all_.exact:,}",
        f"estimated           {all_.estimated:,}",
    ]
    lines += [f"unknown             {many:,}: {why}" for why, many in replayed.unknown.items()]
    for many, what in (
        (all_.unknown, "are unknown, so judged by nobody: quality may be lower or higher by these"),
        (all_.unpriced, "are without a known price, and not in the dollars"),
        (all_.unsure, "have prompts whose length was only guessed, near a limit"),
        (all_.now_passing, "have an answer that was rejected and would pass"),
        (all_.now_rejected, "have an answer that passed and would be rejected"),
        (replayed.drifted, "would go otherwise already by today's config: it was changed since"),
    ):
        if many:
            lines.append(f"{many:,} {what}")
    return lines


def quality(all_: "Tally") -> "list[str]":
    """How good the answers would be, and who says so."""
    found = all_.quality
    lines = []
    if found.audited + found.inferred + found.modelled + found.unjudged < 0.5:
        return ["quality             100.0%: every answer is the paid model's"]
    if found.unjudged >= found.audited + found.inferred + found.modelled:
        lines = [f"quality             unknown (at least {found.after.low:.1%}): `headgate audit status`"]
    else:
        lines = [
            f"answered as well    {spanned(all_.good, sign='+')}",
            f"quality             {found.before.expected:.1%} -> {shares(found.after)}, {found.sure:.1%} or more for sure",
        ]
    told = (
        (found.paid, "paid"),
        (found.audited, "audited"),
        (found.inferred, "told by audits of others like them"),
        (found.modelled, "by the learned router"),
        (found.unjudged, "judged by nobody"),
    )
    return [
        *lines,
        f"answers             {', '.join(f'{many:,.0f} {what}' for many, what in told if many >= 0.5)}",
    ]


def shares(span: "Span") -> str:
    """A share with its ends."""
    return f"{span.expected:.1%} ({span.low:.1%} to {span.high:.1%})"


def spanned(span: "Span", sign: str = "-") -> str:
    """Requests with their ends, where these differ; `sign` is that of the format: "+" shows a plus, too."""
    low, high = round(span.low), round(span.high)
    ends = f" ({low:{sign},} to {high:{sign},})" if low != high else ""
    return f"{round(span.expected):{sign},}{ends}"


def money(span: "Span") -> str:
    """Dollars more or fewer, with their ends."""
    ends = f" ({span.low:+,.4f} to {span.high:+,.4f})" if span.high - span.low > 0.00005 else ""
    return f"{span.expected:+,.4f}{ends}"
