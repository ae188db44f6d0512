"""`headgate log`: the ledger, newest first; `headgate log show ID`: one request's whole story."""

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import COUNT, console, load, put, put_json, say, table, with_config, with_json

if TYPE_CHECKING:
    from rich.console import Console

    from headgate.config.compile import Config
    from headgate.ledger.queries import Entry, LedgerReader
    from headgate.reports.story import LogLine

LOOK_EVERY = 0.25
"""Seconds between two looks with -f; the ledger itself is written that often."""

COLUMNS = ("time", "id", "task", "route", "model", "status", "ms", "tokens", "cost", "fallback")
RIGHT = ("ms", "tokens", "cost")
SOFT = ("fallback", "route", "task", "status")
"""What may be cut on a narrow terminal; everything else is shown in full, whatever it takes."""
LEAST = 6
"""Columns that a cut cell keeps."""
MEDIUM, NARROW = 140, 110
"""Below so many columns a terminal shows no route, and no fallback and tokens either."""
ID, ID_FOLLOWED = 12, 16
"""Digits of an id on a terminal, at least; what is still to come may begin alike, so it gets more."""


@click.group("log", invoke_without_command=True)
@click.option("-n", "limit", type=COUNT, default=20, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new requests as they come.")
@click.option("--model", help="Answered by this model.")
@click.option("--task", help="Of this task.")
@click.option("--route", help="On this route.")
@click.option("--status", help="ok, imperfect, failed, broken or cancelled.")
@click.option("--fallback", help="With this fallback reason.")
@click.option("--key", help="Of the caller with the key of this name.")
@click.option("--team", help="Of the callers of this team.")
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

    for name in ("task", "status", "fallback"):
        wanted[name] = None if (word := wanted[name]) is None else word.lower()
    check_words(wanted)
    which = Filter(**wanted)  # type: ignore[arg-type]  # checked just above
    config = load(config_file, prices=False)
    with reader_of(config) as reader:
        entries = reader.newest(which, limit)
        if not entries:
            doubt(config, wanted)
        seen = reader.last_number() if follow else 0
        lines = lines_of(entries)
        if as_json:
            print_json(reversed(lines) if follow else lines)
        elif follow:
            lines.reverse()
        elif not lines:
            put("no requests")
        if not as_json and (lines or follow):
            today = datetime.now().astimezone().date()
            followed = config if follow else None
            listing = Listing(console(), lines, today, followed, terminal=sys.stdout.isatty())
            listing.show(lines, header=True)
        while follow:
            sys.stdout.flush()
            time.sleep(LOOK_EVERY)
            fresh = reader.after(seen, which)
            if as_json:
                print_json(lines_of(fresh))
            elif fresh:
                listing.show(lines_of(fresh))
            seen = fresh[-1].n if fresh else seen


@command.command("show")
@click.argument("request_id")
@with_config
@with_json
@click.pass_context
def show_one(ctx: click.Context, config_file: str | None, request_id: str, *, as_json: bool) -> None:
    """Tell the whole story of one request: an id, the beginning of one, or "last"."""
    from headgate.config.zones import zone_of
    from headgate.ledger.opinions import read_opinions
    from headgate.reports.story import plain_story, story

    config = load(config_file or ctx.obj, prices=False)
    with reader_of(config) as reader:
        entry = reader.one(request_id)
    said = read_opinions(config.ledger.path, entry.n)
    if as_json:
        put_json(plain_story(entry.outcome, entry.models, said))
    else:
        put(story(entry.outcome, entry.models, zone_of(config.timezone), said).rstrip())


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


def doubt(config: "Config", wanted: dict[str, Any]) -> None:
    """Say so when nothing was found for a model or route that the config does not know either."""
    from difflib import get_close_matches

    from headgate.core.policy import BY_NAME

    routes = [route.name for route in config.policy.routes]
    known = {"model": list(config.policy.models), "route": [*routes, BY_NAME]}
    for name, did in (("model", "was answered by"), ("route", "took the route")):
        word = wanted[name]
        if word is not None and word not in known[name]:
            close = get_close_matches(word, known[name], n=1)
            meant = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known[name])}"
            say(f'note: no request {did} "{word}"; {meant}')


def lines_of(entries: "list[Entry]") -> "list[LogLine]":
    """Each request as one row."""
    from headgate.reports.story import line

    return [line(entry.outcome, entry.models) for entry in entries]


def print_json(lines: "Iterable[LogLine]") -> None:
    """Print requests as JSON, one after the other."""
    for one in lines:
        put_json(one)


class Listing:
    """The table of one run: what it shows, and how wide, so that followed rows stand under their header.

    Args:
        screen: where it is printed. Off a terminal nothing is left out or shortened.
        lines: the first rows.
        today: with rows of this day alone, a terminal shows no dates.
        followed: the config, when rows will follow that are not known yet.
        terminal: somebody looks at it, with the columns that the screen has.
    """

    def __init__(
        self,
        screen: "Console",
        lines: "Sequence[LogLine]",
        today: date,
        followed: "Config | None",
        *,
        terminal: bool,
    ) -> None:
        self.screen = screen
        self.room = screen.width
        room = screen.width if terminal else MEDIUM
        gone = () if room >= MEDIUM else ("route",) if room >= NARROW else ("route", "tokens", "fallback")
        self.columns = tuple(name for name in COLUMNS if name not in gone)
        self.clock = "%m-%d %H:%M:%S"
        self.digits: int | None = None
        if terminal:
            if all(moment(one).date() == today for one in lines):
                self.clock = "%H:%M:%S"
            self.digits = beginning([one.id for one in lines], ID_FOLLOWED if followed else ID)
        self.widths = {name: len(name) for name in self.columns}
        if followed is not None:
            self.widen(typical(followed, self.clock, self.digits))
        self.widen([self.cells(one) for one in lines])

    def widen(self, rows: Iterable[dict[str, str]]) -> None:
        """Make room for these rows."""
        for row in rows:
            for name in self.columns:
                self.widths[name] = max(self.widths[name], len(row.get(name, "")))

    def show(self, lines: "Sequence[LogLine]", *, header: bool = False) -> None:
        """Print these rows; a column grows only for what may not be cut."""
        rows = [self.cells(one) for one in lines]
        self.widen({name: cell for name, cell in row.items() if name not in SOFT} for row in rows)
        made = table(*self.columns, right=RIGHT)
        made.show_header = header
        gap = 3
        if self.room < MEDIUM:
            made.padding, gap = (0, 1, 0, 0), 2
        widths = fit(self.widths, self.room - gap * (len(self.columns) - 1))
        for column, name in zip(made.columns, self.columns, strict=True):
            column.width = widths[name]
        for row in rows:
            made.add_row(*(row[name] for name in self.columns))
        needed = sum(widths.values()) + gap * len(widths)
        self.screen.width = max(self.room, needed)  # rather a line that wraps than half a figure
        self.screen.print(made)

    def cells(self, one: "LogLine") -> dict[str, str]:
        """One request as cells of the table, by column."""
        from headgate.reports.shown import fine_dollars

        exact = "" if one.exact else "~"
        attempts = f" ({one.attempts} attempts)" if one.attempts > 1 else ""
        return {
            "time": moment(one).strftime(self.clock),
            "id": one.id[: self.digits],
            "task": one.task or "no evidence",
            "route": one.route,
            "model": one.model or "nobody",
            "status": one.status,
            "ms": f"{one.seconds * 1000:,.0f}",
            "tokens": "?" if one.tokens_in is None else f"{one.tokens_in:,}+{one.tokens_out:,}{exact}",
            "cost": fine_dollars(one.cost),
            "fallback": (one.fallback + attempts).strip(),
        }


def moment(one: "LogLine") -> datetime:
    """When the request was received, on this machine's clock."""
    return datetime.fromtimestamp(one.received).astimezone()


def beginning(ids: Sequence[str], least: int) -> int:
    """How many digits tell these ids apart, at least `least`: `log show` takes the beginning of an id."""
    digits, longest = least, max(map(len, ids), default=0)
    while digits < longest and len({one[:digits] for one in ids}) < len(set(ids)):
        digits += 1
    return digits


def typical(config: "Config", clock: str, digits: int | None) -> list[dict[str, str]]:
    """Cells as wide as those that are likely to come."""
    from headgate.core.policy import BY_NAME
    from headgate.core.words import FALLBACKS, STATUSES, TASKS
    from headgate.reports.shown import labelled

    models = config.policy.models.items()
    figures = {"ms": "12,345", "tokens": "12,345+123", "cost": "$0.012345"}
    return [
        figures | {"time": datetime.now().astimezone().strftime(clock), "id": "0" * (digits or 19)},
        *({"task": word} for word in (*TASKS, "no evidence")),
        *({"route": word} for word in (BY_NAME, *(route.name for route in config.policy.routes))),
        *({"model": labelled(name, model)} for name, model in models),
        *({"status": str(word)} for word in STATUSES),
        *({"fallback": f"{word} > 4000 (2 attempts)"} for word in FALLBACKS),
    ]


def fit(widths: dict[str, int], room: int) -> dict[str, int]:
    """Narrow the soft columns, the widest first, until all widths together take `room` or no column can give more."""
    fitted = dict(widths)
    soft = [name for name in SOFT if name in fitted]
    while sum(fitted.values()) > room:
        widest = max(soft, key=fitted.__getitem__)
        if fitted[widest] <= LEAST:
            break
        fitted[widest] -= 1
    return fitted
