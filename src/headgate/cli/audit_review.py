"""`headgate audit review`: two answers side by side; whose they are is shown after the choice."""

import sys
from time import time
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import COUNT, console, load, put, put_json, say, with_config, with_json
from headgate.cli.keypresses import keypresses

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from headgate.cli.keypresses import Press
    from headgate.core.audits import Said
    from headgate.core.words import AuditKind
    from headgate.lab.reviewing import Choice, Review, Reviews

KEYS = "1 or 2: that one is better   =: as good   m: read all of it   s: skip   u: undo   q: quit"
SIDES = 100
"""Columns from which on two answers stand side by side."""
ROOM = 14
"""Lines of the screen that are not the answers'."""
ASK = 6
"""Lines shown of what was asked."""
LEAST = 8
"""Lines shown of each answer, however small the screen is."""
MANY = 200
"""Pairs that are put before a person at once: each may take a megabyte."""
UNSEEN = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""Characters that are orders to a terminal. What models and callers write is not to give any."""
QUIT = ("q", "\x04", "")


@click.command("review", short_help="Two answers side by side: which is better?")
@click.option("--limit", type=COUNT, help="So many at most; on a terminal 200 unless you say.")
@click.option(
    "--kind", type=click.Choice(["fallback", "local"]), help="Only fallbacks, or only local answers."
)
@click.option(
    "--list", "lists", is_flag=True, help="Print the pairs instead of asking; with --json, in full."
)
@click.option("--all", "judged_too", is_flag=True, help="Those that you have judged already as well.")
@with_config
@with_json
def command(
    config_file: str | None,
    limit: int | None,
    kind: "AuditKind | None",
    *,
    lists: bool,
    judged_too: bool,
    as_json: bool,
) -> None:
    """Look at two answers to one request and say which is better, or that they are as good.

    Whose answers they are is shown after the choice. Verdicts of judges take turns, missed escalations most often, those first of
    which none was sure. What you say is in force from then on, and judges are measured against it.
    """
    from headgate.core.errors import UsageError
    from headgate.lab.reviewing import reviews
    from headgate.ledger.sealing import seal_of

    config = load(config_file, prices=False)
    path = config.ledger.path
    if not (lists or as_json) and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a review takes a terminal, and this is none",
            "headgate audit review --list --json lists the pairs; headgate audit overrule ID VERDICT gives a verdict",
        )
    most = limit if limit or lists or as_json else MANY
    found = reviews(path, seal_of(config.audit), kind=kind, limit=most, judged_too=judged_too)
    if found.locked:
        say(f"note: {found.locked:,} more are sealed with a key that is not here; give [audit] its key again")
    if as_json:
        put_json({"pairs": [told(review) for review in found.pairs], "locked": found.locked})
    elif not found.pairs:
        say(nothing(config.audit.on))
    elif lists:
        for review in found.pairs:
            put(line(review))
    else:
        Table(path, found, console()).run()


class Table:
    """A person at a terminal, and the pairs before him.

    Args:
        path: the ledger.
        found: the pairs.
        screen: where they are shown.
    """

    def __init__(self, path: "Path", found: "Reviews", screen: "Console") -> None:
        self.path = path
        self.pairs = found.pairs
        self.screen = screen
        self.done: list[int] = []
        """Places of the pairs that were judged, in order, for undoing."""

    def run(self) -> None:
        """Show one pair after the other until there are no more, or until he has enough."""
        with keypresses() as press:
            at = self.go_through(press)
        put(f"{len(self.done):,} judged, {len(self.pairs) - at:,} left")

    def go_through(self, press: "Press") -> int:
        """One pair after the other; the place where he stopped."""
        at = 0
        while at < len(self.pairs):
            key = self.ask(at, press)
            if key in QUIT:
                break
            if key == "u":
                at = self.undo(at)
            elif key == "s":
                at += 1
            elif key in ("1", "2", "="):
                self.keep(at, key)  # type: ignore[arg-type]  # it is one of them
                at += 1
        return at

    def ask(self, at: int, press: "Press") -> str:
        """Show a pair; the key that was pressed."""
        review = self.pairs[at]
        self.screen.print()
        self.screen.rule(f"{at + 1} of {len(self.pairs)}")
        show(self.screen, review)
        while True:
            self.screen.print(KEYS, style="dim")
            key = press().lower()
            if key == "m":
                click.echo_via_pager(whole(review))
            elif key in ("1", "2", "=", "s", "u", *QUIT):
                return key

    def keep(self, at: int, choice: "Choice") -> None:
        """Keep a choice, and tell whose answers they were."""
        from headgate.lab.reviewing import choose, meant, word_for

        review = self.pairs[at]
        choose(self.path, review, choice, whoever(), time())
        self.done.append(at)
        names = [f"{number} was {name(answer)}" for number, answer in enumerate(review.answers, 1)]
        verdict = word_for(meant(review, choice))
        self.screen.print(f"{', '.join(names)}. {verdict}")
        if review.judge:
            why = f" ({review.reason})" if review.reason else ""
            self.screen.print(visible(f"before, by {review.judge}: {review.verdict}{why}"), style="dim")

    def undo(self, at: int) -> int:
        """Take the last choice back; the place of its pair."""
        from headgate.lab.reviewing import withdraw

        if not self.done:
            self.screen.print("there is nothing to undo")
            return at
        back = self.done.pop()
        withdraw(self.path, self.pairs[back].id, time())
        return back


def show(screen: "Console", review: "Review") -> None:
    """What was asked, and both answers: beside each other where there is room."""
    from rich.panel import Panel
    from rich.table import Table as Grid
    from rich.text import Text

    asked = review.pair.request.messages[-1].text if review.pair.request.messages else ""
    screen.print(Text(f"{review.pair.task or 'no task'}, route “{review.route}”", style="dim"))
    screen.print(Text(shortened(visible(asked), ASK, screen.width)))
    beside = screen.width >= SIDES
    width = screen.width // 2 - 6 if beside else screen.width - 4
    lines = max(LEAST, (screen.height - ROOM) // (1 if beside else 2))
    panels = [
        Panel(Text(shortened(visible(text_of(answer)), lines, width)), title=str(number))
        for number, answer in enumerate(review.answers, 1)
    ]
    if not beside:
        screen.print(*panels, sep="\n")
        return
    grid = Grid.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(*panels)
    screen.print(grid)


def shortened(text: str, lines: int, width: int) -> str:
    """So many lines of a text, as they are folded; how many more there are."""
    folded = [
        line[at : at + width]
        for line in text.strip().splitlines()
        for at in range(0, max(1, len(line)), width)
    ]
    if len(folded) <= lines:
        return text.strip()
    return "\n".join([*folded[: lines - 1], f"… {len(folded) - lines + 1:,} more lines (m)"])


def whole(review: "Review") -> str:
    """All of it, for a pager."""
    asked = "\n".join([f"{message.role}: {message.text}" for message in review.pair.request.messages])
    answers = [f"── {number} ──\n{text_of(answer)}" for number, answer in enumerate(review.answers, 1)]
    return visible("\n\n".join([asked, *answers])) + "\n"


def visible(text: str) -> str:
    """The text without orders to a terminal."""
    return text.replace("\r\n", "\n").translate(UNSEEN)


def text_of(answer: "Said") -> str:
    """An answer with its calls of tools."""
    from headgate.core.judges.quoted import shown

    return shown(answer) or "(nothing)"


def name(answer: "Said") -> str:
    """Whose answer it is."""
    return f"{answer.model} ({'at home' if answer.local else 'paid'})"


def line(review: "Review") -> str:
    """A pair in a line."""
    from headgate.lab.reviewing import word_for

    by = f" ({review.judge})" if review.judge else ""
    return f"{review.id}  {review.kind:<8}  {review.pair.task or '-':<14}  {word_for(review.verdict)}{by}"


def told(review: "Review") -> dict[str, Any]:
    """A pair for programs: here nothing is hidden."""
    pair = review.pair
    return {
        "id": review.id,
        "kind": review.kind,
        "task": pair.task,
        "route": review.route,
        "received": review.received,
        "cause": review.cause,
        "verdict": review.verdict,
        "judge": review.judge or None,
        "reason": review.reason,
        "asked": [{"role": message.role, "content": message.text} for message in pair.request.messages],
        "local": {"model": pair.local.model, "text": text_of(pair.local), "score": pair.local.score},
        "paid": {"model": pair.paid.model, "text": text_of(pair.paid), "score": pair.paid.score},
    }


def nothing(on: object) -> str:
    """Why there is nothing to look at, and what to do."""
    if not on:
        return "audits are off: write sample = 0.05 under [audit] in headgate.toml, and one paid request in 20 is kept for a look"
    return "there is no pair to look at; headgate audit run makes the audits that wait, --all shows those that you have judged"


def whoever() -> str:
    """Who sits at this terminal."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return ""
