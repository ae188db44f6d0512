"""`headgate demo`: everything at once, on a machine with nothing installed."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from headgate.cli.common import console, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.config.compile import Config
    from headgate.demo.caller import Answered
    from headgate.demo.findings import Example, Findings
    from headgate.demo.stage import Stage
    from headgate.demo.week import Ask
    from headgate.reports.weekly import WeeklyReport

HONESTY = (
    "the stand-in's answers are made up, its tokens are priced as claude-sonnet-5-5; local models are toys"
)
LINE = 72
"""Characters of a prompt or an answer in an example."""
LINES = 8
"""Lines of progress off a terminal."""

Tick = Callable[["Answered"], None]


@click.command("demo")
@click.option(
    "--requests", type=click.IntRange(1, 100_000), default=420, show_default=True, help="How many to send."
)
@click.option("--keep", metavar="DIR", help="The demo's folder, in place of demo/ in your data folder.")
@click.option("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="Where the demo's gate listens.")
@with_config
@with_json
def command(config_file: str | None, requests: int, keep: str | None, listen: str, *, as_json: bool) -> None:
    """Send a made-up agency week through a real gate: two small embedded models, and a stand-in for Claude.

    Needs no other engine and no key. What the small models fail at goes to a local server that speaks Anthropic's
    protocol and is labelled stand-in. The demo has a folder, a config and a ledger of its own; --config names the
    config to write.
    """
    from headgate.cli.up import run_loop
    from headgate.config.misfit import Misfit
    from headgate.config.places import data_home
    from headgate.config.values import address
    from headgate.core.errors import UsageError
    from headgate.demo.week import week

    try:
        host, port = address(listen)
    except Misfit as error:
        raise UsageError(error.message, "headgate demo --listen 127.0.0.1:4141") from error
    folder = Path(keep) if keep else data_home() / "demo"
    config = Path(config_file) if config_file else None
    run_loop(play(week(requests), folder, config, host, port, as_json=as_json))


async def play(
    asks: "tuple[Ask, ...]", folder: Path, config_file: Path | None, host: str, port: int, *, as_json: bool
) -> None:
    """Open the gate, send the week, close the gate, show what the ledger says."""
    from headgate.demo.caller import call_all
    from headgate.demo.stage import open_stage

    answers: list[Answered] = []
    if not as_json:
        say("starting llama.cpp with headgate-nano and headgate-micro")
    async with open_stage(asks, folder, config_file, host, port) as stage:
        if not as_json:
            say(f"claude [stand-in] answers at {stage.stand_in}: a local server, no model")
            say(f"the gate is open at {stage.url}")
        begun = perf_counter()
        with progress(stage.config, len(asks), quiet=as_json) as tick:
            async with aclosing(call_all(stage.url, asks)) as arriving:
                async for answered in arriving:
                    answers.append(answered)
                    tick(answered)
        seconds = perf_counter() - begun
    if as_json:
        show_json(stage, answers)
    else:
        show(stage, answers, seconds)
    lost = [answered for answered in answers if answered.status != 200]
    if lost:
        say(
            f"warning: {len(lost):,} of {len(answers):,} requests got no answer; the first: {lost[0].text[:200]}"
        )
        raise click.exceptions.Exit(1)


# ── While it runs ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def progress(config: "Config", requests: int, *, quiet: bool) -> "Generator[Tick]":
    """Show how far the week is: a bar on a terminal, some lines elsewhere. Call what it gives with every answer."""
    screen = console(stderr=True)
    by_model: Counter[str] = Counter()
    begun = perf_counter()

    def so_far() -> str:
        return f"{split(config, by_model)}   {by_model.total() / (perf_counter() - begun):,.0f}/s"

    if quiet:
        yield lambda _: None
    elif screen.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(16), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*columns, console=screen) as bar:
            task = bar.add_task("", total=requests)

            def advance(answered: "Answered") -> None:
                by_model[answered.model] += 1
                bar.update(task, advance=1, description=so_far())

            yield advance
    else:
        step = max(1, requests // LINES)

        def tell(answered: "Answered") -> None:
            by_model[answered.model] += 1
            done = by_model.total()
            if done % step == 0 or done == requests:
                say(f"  {done:>{len(str(requests))}}/{requests}  {so_far()}")

        yield tell


def split(config: "Config", by_model: Counter[str]) -> str:
    """Who answered how many: "nano 140   micro 70   claude [stand-in] 120"."""
    from headgate.reports.shown import labelled

    models = config.policy.models
    names = [*models, *(by_model.keys() - models.keys())]
    return "   ".join(
        f"{labelled(name, models.get(name)) or 'nobody'} {by_model[name]}" for name in names if by_model[name]
    )


# ── When it is over ──────────────────────────────────────────────────────────────────────────────────────────────────


def show(stage: "Stage", answers: "list[Answered]", seconds: float) -> None:
    """The report on stdout; what happened and what to type next on stderr."""
    from headgate.ledger.reporting import weekly_report
    from headgate.reports.faces import face
    from headgate.reports.shown import count

    report = weekly_report(stage.config, "this")
    say(f"{count(len(answers), 'request')} in {seconds:.1f} s; the gate and the stand-in are closed again\n")
    put(face(report, "text").rstrip())
    for warning in report.warnings:
        say(f"warning: {warning}")
    found = findings(stage.config, answers)
    say("\nWHAT HAPPENED")
    for line in story(stage.config, report, found):
        say(f"  {line}" if line else "")
    say("\nNEXT")
    for line in next_commands(stage.config, found):
        say(f"  {line}")


def show_json(stage: "Stage", answers: "list[Answered]") -> None:
    """The same for programs."""
    from headgate.ledger.reporting import weekly_report
    from headgate.reports.plain import plain

    found = findings(stage.config, answers)
    put_json(
        {
            "url": stage.url,
            "config": str(stage.config.source),
            "ledger": str(stage.config.ledger.path),
            "requests": len(answers),
            "graded": found.graded,
            "right": found.right,
            "report": plain(weekly_report(stage.config, "this")),
            "note": HONESTY,
            "next": list(next_commands(stage.config, found)),
        }
    )


def findings(config: "Config", answers: "list[Answered]") -> "Findings":
    """What the ledger and the answers together show."""
    from headgate.demo.findings import look_at
    from headgate.ledger.queries import LedgerReader

    local = [name for name, model in config.policy.models.items() if model.local]
    with LedgerReader(config.ledger.path) as reader:
        outcomes = {entry.outcome.id: entry.outcome for entry in reader.all()}
    return look_at(answers, outcomes, local)


def story(config: "Config", report: "WeeklyReport", found: "Findings") -> "Iterator[str]":
    """What happened, in a few lines, with an example of either kind."""
    from headgate.reports.shown import count, fallback_reason, labelled, percent

    models = config.policy.models
    yield f"{found.at_home:,} of {count(found.requests, 'request')} answered at home"
    if report.fallbacks:
        reasons = ", ".join(
            f"{fallback.requests:,} {fallback_reason(fallback.reason, fallback.limit).lower()}"
            for fallback in report.facts.fallbacks
        )
        yield f"{report.fallbacks:,} answered by {labelled('claude', models['claude'])}: {reasons}"
    if found.graded:
        share = percent(found.right / found.graded)
        yield f"right, where one answer is right: {found.right:,} of {found.graded:,} from home ({share})"
    if found.right < found.graded:
        yield "the others passed all checks and are wrong: a check can doubt an answer, it cannot know"
    if found.good is not None:
        yield ""
        yield f"answered at home by {found.good.outcome.model}, in {found.good.outcome.seconds * 1000:.0f} ms:"
        yield from quoted(found.good)
    if found.sent_on is not None and found.sent_on.rejected is not None:
        outcome, verdict = found.sent_on.outcome, found.sent_on.rejected
        taker = outcome.model or "nobody"
        yield ""
        yield f"rejected: {outcome.attempts[0].model} by {verdict.check} ({verdict.reason});"
        yield f"{labelled(taker, models.get(taker))} took over:"
        yield from quoted(found.sent_on)
    yield ""
    yield HONESTY


def quoted(example: "Example") -> "Iterator[str]":
    """The instruction, what it is about, and the answer, a line each."""
    instruction, _, text = example.ask.messages[-1][1].partition("\n\n")
    yield f"  > {shorten(instruction)}"
    if text:
        yield f"  > {shorten(text)}"
    yield f"  < {shorten(example.text)}"


def shorten(text: str) -> str:
    """The text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def next_commands(config: "Config", found: "Findings") -> "Iterator[str]":
    """What to type next."""
    file = shlex.quote(str(config.source))
    headgate = called_as()
    yield f"{headgate} log -n 20 --config {file}"
    yield f"{headgate} log show {found.sent_on.id if found.sent_on else 'last'} --config {file}"
    yield f"{headgate} init"


def called_as() -> str:
    """The program as it must be typed here: by its name if the shell would find this one, else by its path."""
    here = Path(sys.argv[0])
    found = shutil.which("headgate")
    if here.name != "headgate" or (found is not None and Path(found).resolve() == here.resolve()):
        return "headgate"
    return shlex.quote(os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here))
