"""`headgate ledger import`: requests from a file of lines, as if a gate had seen them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.ledger.importing import Imported, Trouble


SHOWN = 20
"""Wrong lines that are told to a person."""
TABLES = (".csv", ".parquet")
"""Endings of what `headgate ledger export` writes for other programs."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--ledger", "other", metavar="PATH", help="Into another ledger than the config's.")
@click.option("--dry-run", is_flag=True, help="Only look at the lines.")
@with_config
@with_json
def command(file: Path, config_file: str | None, other: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Read FILE, one JSON object for each request, perhaps compressed with gzip.

    A request is added once, however often it is imported. A line that is wrong is named and left out; the others go on. Exit 1
    when there was one. What a line may say: docs/ledger_import.md.
    """
    from headgate.cli.bars import Bar
    from headgate.ledger.importing import import_lines

    if file.suffix.lower() in TABLES:
        from headgate.core.errors import UsageError

        raise UsageError(
            f"{file} has no lines of JSON", "headgate ledger export FILE.jsonl writes what this reads"
        )
    path = load(config_file, prices=False).ledger.path if other is None else Path(other).expanduser()
    troubles: list[Trouble] = []
    wrong = 0

    def tell(trouble: "Trouble") -> None:
        nonlocal wrong
        wrong += 1
        if as_json:
            troubles.append(trouble)
        if wrong <= SHOWN:
            say(f"{file}:{trouble.line}: {trouble.problem}")
        elif wrong == SHOWN + 1:
            say("more lines are wrong; --json names them all")

    def show(done: "Imported", share: float) -> None:
        bar.show(share, f"{done.added:,} requests")

    with Bar("looking" if dry_run else "importing") as bar:
        done = import_lines(file, path, tell, show, dry=dry_run)
    if as_json:
        put_json({"ledger": path, "dry_run": dry_run, "troubles": troubles, **_figures(done)})
    else:
        put(told(done, path, dry=dry_run))
    if done.wrong:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


def told(done: "Imported", path: Path, *, dry: bool) -> str:
    """What was done, for a person."""
    from headgate.reports.shown import count

    first = f"{count(done.added, 'request')} {'would be' if dry else 'was' if done.added == 1 else 'were'} added to {path}"
    parts = [first]
    if done.known:
        parts.append(f"{done.known:,} {'is' if done.known == 1 else 'are'} there already")
    if done.wrong:
        parts.append(f"{count(done.wrong, 'line')} left out")
    return ", ".join(parts)


def _figures(done: "Imported") -> dict[str, int]:
    return {"lines": done.lines, "added": done.added, "known": done.known, "wrong": done.wrong}
