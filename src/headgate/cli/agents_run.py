"""`headgate agents run`: give a text, files or folders to a subagent, or the same input to several at a time.

One input is answered on stdout as it is: a text, or the JSON of an agent with a schema. Several are JSON Lines with their sources,
in the order of the inputs. A batch is carried out elsewhere (`agents_batch`), so that it can be stopped and goes on.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import Number, load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.agents_inputs import Item
    from headgate.config.compile import Config
    from headgate.core.runs import Run, Runner
    from headgate.core.subagent import Agent

AT_ONCE = 4
"""Inputs under way, where nothing else is said."""

BATCH = ("out", "retry", "dry_run", "budget", "by", "poll", "yes")
"""Options that only a batch has."""


@click.command("run", short_help="Give a text, files or a batch to subagents")
@click.argument("name")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("-i", "--input", "text", metavar="TEXT", help="The input itself.")
@click.option(
    "--field",
    "pairs",
    metavar="NAME=VALUE",
    multiple=True,
    help="A field of the agent's template; NAME=@FILE reads it from a file.",
)
@click.option("--model", metavar="NAME", help="Only this model may answer.")
@click.option("--local", "local_only", is_flag=True, help="Never leave this machine; nothing is paid.")
@click.option("--explain", is_flag=True, help="Say on stderr who answered, how sure, and at what price.")
@click.option(
    "--at-once",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"Inputs under way at a time; {AT_ONCE} by itself.",
)
@click.option(
    "--batch", metavar="PATH", help="A JSON Lines or CSV file, or a folder, that can be stopped and goes on."
)
@click.option("--out", metavar="FILE", help="Where the results of a batch go, as JSON Lines.")
@click.option(
    "--retry",
    type=click.Choice(["failed", "incomplete"]),
    help="Give these of a batch once more, and only these.",
)
@click.option("--dry-run", is_flag=True, help="Say what a batch would cost and take; ask no model.")
@click.option("--budget", metavar="USD", type=Number(min=0), help="The most that a batch may cost.")
@click.option(
    "--by",
    metavar="HH:MM",
    help="When a batch has to be done, or 8h: what is paid may wait for the provider's half price.",
)
@click.option(
    "--poll", metavar="30s", help="How often a provider's batch is looked at, at first; 5s by itself."
)
@click.option("-y", "--yes", is_flag=True, help="Begin a batch without asking, below the agent's bar too.")
@with_config
@with_json
def command(
    config_file: str | None,
    name: str,
    files: tuple[str, ...],
    *,
    text: str | None,
    pairs: tuple[str, ...],
    model: str | None,
    at_once: int | None,
    batch: str | None,
    local_only: bool,
    explain: bool,
    as_json: bool,
    **of_batch: Any,
) -> None:
    """Give an input to the subagent NAME: with -i, from FILEs and folders, or from stdin.

    "NAME,OTHER" gives it to several at the same time. Files may be txt, md, html, eml, mbox, pdf, docx, csv, vtt and srt. One
    input is answered as it is, several as JSON Lines; --json gives all that is known of a run. Exit 1 if any failed.
    """
    from headgate.cli.agents_inputs import fields_from
    from headgate.cli.agents_known import find_agents, find_models

    if batch is not None:
        from headgate.cli.agents_batch import run_batch

        alone(name, files, text, pairs)
        run_batch(
            name=name,
            batch=batch,
            config_file=config_file,
            model=model,
            local_only=local_only,
            at_once=at_once,
            as_json=as_json,
            explain=explain,
            **of_batch,
        )
        return
    only_of_batch(of_batch)
    config = load(config_file)
    agents = find_agents(config, name)
    if model is not None:
        find_models(config, [model])
    items = items_of(agents, text, files, fields_from(pairs))
    work = Work(agents, items, model=model, pay=not local_only, at_once=at_once or AT_ONCE)
    failed = asyncio.run(show(config, work, explain=explain, as_json=as_json))
    if failed:
        sys.exit(1)


def alone(name: str, files: Sequence[str], text: str | None, pairs: Sequence[str]) -> None:
    """A batch is one agent and one source.

    Raises:
        UsageError: there is more.
    """
    from headgate.core.errors import UsageError

    if "," in name:
        raise UsageError("a batch is one agent's work", "run one batch after the other")
    if files or text is not None or pairs:
        raise UsageError(
            "a batch takes its inputs from --batch alone", "leave out files, --input and --field"
        )


def only_of_batch(given: dict[str, Any]) -> None:
    """Without a batch, its options mean nothing.

    Raises:
        UsageError: one was given.
    """
    from headgate.core.errors import UsageError

    for option in BATCH:
        if given[option]:
            word = f"--{option.replace('_', '-')}"
            raise UsageError(f"{word} is for batches", "headgate agents run NAME --batch PATH --out FILE")


def items_of(
    agents: "list[Agent]", text: str | None, files: Sequence[str], fields: dict[str, str]
) -> "list[Item]":
    """The inputs, proven to have what each agent asks for before any model is asked.

    Raises:
        UsageError: there is none, or the only one is empty or lacks a field.
    """
    from msgspec.structs import replace

    from headgate.cli.agents_inputs import gather, missing_fields
    from headgate.core.errors import UsageError

    items = list(gather(text, files, fields))
    if not items:
        raise UsageError(
            f"there is no file to read in {', '.join(files)}",
            "files whose names begin with a dot are left out",
        )
    if len(items) == 1 and items[0].trouble and not items[0].source:
        raise UsageError("the input is empty", 'give a text with -i "…", or a file')
    found = []
    for item in items:
        lacking = {} if item.trouble else {agent.name: missing_fields(agent, item.given) for agent in agents}
        for name, missing in lacking.items():
            if not missing:
                continue
            said = f"{name} needs {listed(missing)}, which the input does not have"
            hint = " ".join(f"--field {field}=…" for field in missing)
            if len(items) == 1:
                raise UsageError(said, f"headgate agents run {name} {hint}")
            item = replace(item, trouble=said)  # noqa: PLW2901  # the first that is missing is told
            break
        found.append(item)
    return found


def listed(words: Sequence[str]) -> str:
    """Several words: "client, period and facts"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


class Work:
    """What is to be done: every input given to every agent."""

    def __init__(
        self, agents: "list[Agent]", items: "list[Item]", *, model: str | None, pay: bool, at_once: int
    ) -> None:
        self.agents = agents
        self.items = items
        self.model = model
        self.pay = pay
        self.at_once = at_once

    async def runs(self, runner: "Runner") -> "AsyncGenerator[tuple[Item, tuple[Run, ...]]]":
        """Each input with its runs, one of each agent, in the order of the inputs."""
        under_way: deque[tuple[Item, asyncio.Task[tuple[Run, ...]]]] = deque()
        try:
            for item in self.items:
                if len(under_way) >= self.at_once:
                    first, task = under_way.popleft()
                    yield first, await task
                under_way.append((item, asyncio.create_task(self.give(runner, item))))
            while under_way:
                first, task = under_way.popleft()
                yield first, await task
        finally:
            tasks = [task for _, task in under_way]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def give(self, runner: "Runner", item: "Item") -> "tuple[Run, ...]":
        """One input to all agents at the same time."""
        from headgate.core.runs import Run

        if item.trouble:
            return tuple(Run(agent=agent.name, status="failed", reason=item.trouble) for agent in self.agents)
        calls = [
            runner.run(agent.name, item.given, pay=self.pay, model=self.model, caller="headgate agents run")
            for agent in self.agents
        ]
        return tuple(await asyncio.gather(*calls))


async def show(config: "Config", work: Work, *, explain: bool, as_json: bool) -> int:
    """Carry it out and print each answer as soon as those before it are there; how many failed."""
    from headgate.cli.agents_progress import Bar
    from headgate.cli.agents_shown import explained
    from headgate.cli.runner import open_runner

    failed = 0
    one = len(work.items) == 1
    async with open_runner(config) as runner:
        lines_are_seen = sys.stdout.isatty()
        with Bar(0 if lines_are_seen else len(work.items)) as bar:
            async for item, runs in work.runs(runner):
                failed += sum(run.status == "failed" for run in runs)
                bar.step()
                print_runs(item, runs, one=one, as_json=as_json)
                if explain:
                    for run in runs:
                        say(explained(run, item.source, named=len(runs) > 1))
    return failed


def print_runs(item: "Item", runs: "Sequence[Run]", *, one: bool, as_json: bool) -> None:
    """The answers of one input: as they are if it is the only one, else as lines of JSON."""
    import msgspec

    if as_json and one:
        told = [whole(item, run) for run in runs]
        put_json(told[0] if len(told) == 1 else told)
        return
    if not one:
        for run in runs:
            line = whole(item, run) if as_json else short(item, run, named=len(runs) > 1)
            put(msgspec.json.encode(line).decode())
        return
    for number, run in enumerate(runs):
        if len(runs) > 1:
            put(f"{'' if number == 0 else chr(10)}{run.agent}:")
        if run.status == "failed":
            of = f"{run.agent}: " if len(runs) > 1 else ""
            say(f"error: {of}{f'{item.source}: ' if item.source else ''}{run.reason}")
            if run.requests:
                say(f"\nhint: headgate log show {run.requests[-1]} tells what was tried")
        elif isinstance(run.output, str):
            put(run.output)
        else:
            put_json(run.output)
        if run.status == "incomplete":
            say(f"warning: {run.reason}")


def whole(item: "Item", run: "Run") -> dict[str, Any]:
    """All that is known of a run, with where its input came from."""
    import msgspec

    return {"source": item.source or None, **msgspec.to_builtins(run)}


def short(item: "Item", run: "Run", *, named: bool) -> dict[str, Any]:
    """A run as a line among others."""
    line: dict[str, Any] = {"source": item.source or None}
    if named:
        line["agent"] = run.agent
    line |= {"status": run.status, "output": run.output}
    return line | ({"reason": run.reason} if run.reason else {})
