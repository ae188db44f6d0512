"""`headgate import`: what would have been saved, from an export of past calls. It asks no model unless told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import console, load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.lab.imports.calls import PastCall
    from headgate.lab.imports.formats import Format
    from headgate.lab.rates import Rate
    from headgate.lab.sampling import Sample
    from headgate.lab.tally import Proving

NAMED = 20
"""Records that are named one by one when they cannot be read; more are counted."""

DAY = 86_400

KNOWN = ("openai", "anthropic", "litellm", "langfuse", "helicone", "jsonl")


@click.command("import")
@click.argument("kind", type=click.Choice(KNOWN), metavar="FORMAT")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--run",
    "sample",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Ask your local models N of the prompts.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "json"]), default="text", help="How to print it."
)
@click.option("--out", metavar="FILE", help="Write it into this file instead.")
@with_config
@with_json
def command(
    config_file: str | None,
    kind: str,
    files: tuple[str, ...],
    sample: int | None,
    form: str,
    *,
    out: str | None,
    as_json: bool,
) -> None:
    """Read an export of past calls, and say what a gate would have saved: how sure that is, and what nobody can say.

    FORMAT is openai, anthropic, litellm, langfuse, helicone or jsonl. Files may be JSON, JSON Lines or CSV, packed or not.
    No model is asked and nothing is kept, unless --run is given: then your local models are, and nobody else.
    """
    import msgspec

    from headgate.lab.imports.formats import FORMATS
    from headgate.lab.placing import Placing
    from headgate.lab.proof import prove
    from headgate.lab.proof_shown import markdown, text
    from headgate.lab.sampling import Sample
    from headgate.lab.tally import Proving

    config = load(config_file)
    proving, kept = Proving(priced(), config.alternatives), Sample(sample or 0)
    unread = read_all(
        FORMATS[kind], [Path(file).expanduser() for file in files], Placing(config.policy), proving, kept
    )
    rates, energy = measured(config), None
    if sample:
        from headgate.cli.import_run import run_sample

        found = run_sample(config, kept)
        rates, energy = rates | found.rates, found.energy
    proof = prove(proving, rates, unread, energy)
    rules = "the starter page" if config.source is None else str(config.source)
    if as_json or form == "json":
        shown = msgspec.json.format(msgspec.json.encode(proof), indent=2).decode() + "\n"
    else:
        shown = (markdown if form == "md" else text)(proof, rules)
    if out is not None:
        Path(out).expanduser().write_text(shown, encoding="utf-8")
        say(f"written to {out}")
    elif as_json:
        put_json(proof)
    else:
        put(shown.rstrip())


def read_all(kind: "Format", paths: list[Path], placing: Any, proving: "Proving", kept: "Sample") -> int:
    """Read the files and count what is in them; how many records could not be read.

    Raises:
        UsageError: a file is no export, or one of another format.
    """
    from headgate.core.errors import UsageError
    from headgate.lab.imports.formats import format_like
    from headgate.lab.imports.rows import Unread, read_records

    unread = good = 0
    with bar(paths) as seen:
        for path in paths:
            for record in read_records(path, seen(path)):
                found = record.why if isinstance(record, Unread) else kind.read(record.value)
                if not good and not isinstance(record, Unread) and not kind.looks_like(record.value):
                    other = format_like(record.value)
                    if other is not None and other is not kind:
                        raise UsageError(
                            f"{path} looks like an export of {other.shown}, not of {kind.shown}",
                            f"headgate import {other.name} {path}",
                        )
                    if kind.name != "jsonl":
                        found = f"it is no record of {kind.shown}'s export"
                if isinstance(found, str):
                    unread += 1
                    if unread <= NAMED:
                        say(f"{path}:{record.line}: {found}")
                    continue
                good += 1
                for call in found:
                    if proving.is_double(call):
                        continue
                    if call.failed:
                        proving.failed += 1
                        continue
                    cost = proving.cost_of(call)
                    if not call.chat:
                        proving.others.add(call.calls, cost)
                        continue
                    placed = placing.place(call)
                    proving.add(call, placed, cost)
                    kept.offer(placed, cost)
    if unread > NAMED:
        say(f"… and {unread - NAMED:,} more that cannot be read")
    if not good:
        raise UsageError(
            f"there is no call in {', '.join(map(str, paths))}",
            "docs/proof.md says what each format's export looks like",
        )
    return unread


@contextmanager
def bar(paths: list[Path]) -> Iterator[Callable[[Path], Callable[[int], None]]]:
    """A bar of the bytes read, on a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console(stderr=True)
    progress = Progress(
        TextColumn("reading"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    )
    total = sum(path.stat().st_size for path in paths if path.is_file())
    task = progress.add_task("reading", total=total)
    before: dict[Path, int] = {}

    def seen(path: Path) -> Callable[[int], None]:
        def tick(read: int) -> None:
            before[path] = read
            progress.update(task, completed=sum(before.values()))

        return tick

    if screen.is_terminal:
        with progress:
            yield seen
    else:
        yield seen


def priced() -> "Callable[[PastCall], float | None]":
    """What a call cost by the list of its day."""
    from datetime import UTC, datetime
    from functools import lru_cache

    from headgate.config.prices import find_price
    from headgate.core.prices import cost, of_one_band
    from headgate.core.types import Price

    @lru_cache(maxsize=10_000)
    def listed(model: str, provider: str | None, day: int | None) -> Price | None:
        on = None if day is None else datetime.fromtimestamp(day * DAY, UTC)
        return find_price(model, provider, on=on) or find_price(model, None, on=on)

    def of(call: "PastCall") -> float | None:
        price = listed(call.model, call.provider, None if call.time is None else int(call.time // DAY))
        if call.calls != 1 and call.usage is not None and price is not None:
            # a long prompt costs more a token; that many short ones make a long sum costs nothing more
            price = of_one_band(price, call.usage.prompt // max(1, call.calls))
        return cost(call.usage, price)

    return of


def measured(config: "Config") -> "dict[str | None, Rate]":
    """How often answers from home passed, by task, as far as the config's ledger knows."""
    import time

    from headgate.core.errors import LedgerError
    from headgate.lab.rates import Rate
    from headgate.ledger.facts import count_facts
    from headgate.ledger.queries import LedgerReader

    if not config.ledger.path.exists():
        return {}
    try:
        with LedgerReader(config.ledger.path) as reader:
            facts = count_facts(reader, 0.0, time.time())
    except LedgerError as error:
        say(f"note: nothing measured is used: {error.message}")
        return {}
    return {
        task.task: Rate(task.tried_locally - task.failed_locally, task.tried_locally, "the ledger")
        for task in facts.tasks
        if task.tried_locally
    }
