"""`headgate agents run NAME --batch PATH --out FILE`: many inputs, durable and resumable.

It opens what the work needs, asks the person what has to be asked, and says how it ended; the work itself is `headgate.batches`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from headgate.cli.common import console, load, say

if TYPE_CHECKING:
    from headgate.batches import Items, Results, Stop, Summary
    from headgate.cli.agents_batch_by import Until
    from headgate.cli.agents_batch_shown import Face
    from headgate.config.compile import Config
    from headgate.core.subagent import Agent
    from headgate.core.types import Model
    from headgate.core.words import RunStatus

BESIDE_PAID = 4
"""Items under way beyond the slots at home, where a paid model may answer some of them."""
AHEAD = 2
"""Items under way for each slot at home: one is answered, one is ready to be."""
STOPPED = 130
"""The exit code of a batch that was asked to stop before it was through."""


class Job(Struct, frozen=True, kw_only=True):
    """What the user asks for."""

    agent: "Agent"
    batch: str
    out: Path | None
    chain: tuple["Model", ...]
    """Who may answer, in the order in which they are tried."""
    model: str | None
    retry: "tuple[RunStatus, ...]"
    budget: float | None
    pay: bool
    at_once: int
    config_file: str | None
    night: "Until | None" = None
    """When it has to be done, and who is asked at half price until then; None asks everybody live."""

    @property
    def input_name(self) -> str:
        """Where the items come from, as seen from the results: the same from every folder, and when both are moved."""
        from headgate.batches.inputs import STDIN

        if self.batch == STDIN or self.out is None:
            return "stdin"
        here, there = self.out.resolve().parent, Path(self.batch).resolve()
        return os.path.relpath(there, here) if here.drive == there.drive else str(there)


def run_batch(
    *,
    name: str,
    batch: str,
    config_file: str | None,
    model: str | None,
    local_only: bool,
    at_once: int | None,
    as_json: bool,
    explain: bool,
    out: str | None,
    retry: "RunStatus | None",
    dry_run: bool,
    budget: float | None,
    by: str | None,
    poll: str | None,
    yes: bool,
) -> None:
    """Carry a batch out, or say what it would take; the exit code says whether all items have a good answer."""
    from headgate.batches import open_items
    from headgate.cli.agents_batch_by import night_of
    from headgate.cli.agents_known import find_agent, find_models
    from headgate.core.errors import UsageError

    config = load(config_file)
    agent = find_agent(config, name)
    chain = tuple(find_models(config, [model])) if model is not None else models_of(config, agent)
    if explain:
        raise UsageError(
            "--explain is for single inputs", "each line of the results says who answered and why"
        )
    if out is None and not dry_run:
        raise UsageError("a batch needs a file for its results", "--out results.jsonl")
    job = Job(
        agent=agent,
        batch=batch,
        out=Path(out) if out is not None else None,
        chain=chain,
        model=model,
        retry=(retry,) if retry is not None else (),
        budget=budget,
        pay=not local_only,
        at_once=at_once or slots(config, chain, pay=not local_only),
        config_file=config_file,
        night=night_of(config, agent, chain, by=by, poll=poll, pay=not local_only),
    )
    with TemporaryDirectory() as spool:
        items = open_items([batch], Path(spool))
        if dry_run:
            from headgate.cli.agents_batch_forecast import show_forecast

            show_forecast(config, job, items, as_json=as_json)
            return
        ask_bar(config, job, yes=yes)
        warn_of_unknown_prices(job)
        sys.exit(carry_out(config, job, items, as_json=as_json))


def models_of(config: "Config", agent: "Agent") -> "tuple[Model, ...]":
    """The models of an agent's chain, in order; longer lanes of one are the same model."""
    from headgate.cli.agents_known import chain_of

    models = [config.policy.models[name] for name in chain_of(config, agent)]
    return tuple(model for model in models if not model.lane_of)


def slots(config: "Config", chain: "tuple[Model, ...]", *, pay: bool) -> int:
    """How many items are under way by default: enough for every slot at home, and some for paid models."""
    home = sum(model.slots or config.engines[model.engine].parallel for model in chain if model.local)
    paid = BESIDE_PAID if pay and any(not model.local for model in chain) else 0
    return AHEAD * home + paid or BESIDE_PAID


def ask_bar(config: "Config", job: Job, *, yes: bool) -> None:
    """Begin below the agent's bar, or untested, only with a yes.

    Raises:
        UsageError: it is below its bar, and nobody here said yes.
    """
    from headgate.cli.agents_bar import check_bar
    from headgate.core.errors import UsageError
    from headgate.ledger.trials import newest_trials

    verdict = check_bar(config, job.agent, newest_trials(config.ledger.path))
    if yes or not (verdict.refuses or verdict.asks):
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        say(f"{verdict.sentence}\n{verdict.hint}")
        click.confirm("begin all the same?", default=False, abort=True, err=True)
    elif verdict.refuses:
        raise UsageError(verdict.sentence, verdict.hint)
    else:
        say(f"note: {verdict.sentence}; {verdict.hint}")


def warn_of_unknown_prices(job: Job) -> None:
    """A budget counts what is known; say whose price is not."""
    unknown = [model.name for model in job.chain if not model.local and job.pay and model.price is None]
    if job.budget is not None and unknown:
        say(f"warning: the price of {', '.join(unknown)} is unknown, and the budget does not count it")


def carry_out(config: "Config", job: Job, items: "Items", *, as_json: bool) -> int:
    """Do the work and tell how it ended; the exit code."""
    from headgate.batches import open_results
    from headgate.cli.agents_batch_by import warn_of_waiting
    from headgate.cli.agents_batch_shown import Bar, Events, Lines, money, put_summary
    from headgate.cli.models_progress import put_event
    from headgate.cli.up import run_loop
    from headgate.core.errors import HeadgateError, UsageError
    from headgate.core.trials import digest_of
    from headgate.reports.shown import count

    assert job.out is not None
    with open_results(
        job.out, agent=job.agent.name, version=digest_of(job.agent), inputs=(job.input_name,)
    ) as (
        results,
        notes,
    ):
        for note in notes:
            say(f"note: {note}")
        warn_of_waiting(job, results)
        screen = console(stderr=True)
        face: Face = (
            Events(results) if as_json else Bar(screen, results) if screen.is_terminal else Lines(results)
        )
        try:
            summary = run_loop(work(config, job, items, results, face))
        except HeadgateError as error:
            if as_json:
                put_event("ended", error=error.message, hint=error.hint, **money(results.tally))
            face.say(f"{count(results.tally.items, 'item')} have a result in {job.out}")
            raise
        finally:
            face.close()
        if not summary.items and not summary.stopped:
            raise UsageError(f"there is nothing in {job.batch}", "an item is a line, a row or a document")
        put_summary(summary, results, following(job, summary), as_json=as_json)
    if summary.stopped:
        return STOPPED
    return 1 if summary.tally.statuses["failed"] or summary.tally.statuses["incomplete"] else 0


async def work(config: "Config", job: Job, items: "Items", results: "Results", face: "Face") -> "Summary":
    """Answer the items, until they are through or somebody says stop."""
    from headgate.batches import Budget, Stop, run_batch
    from headgate.cli.agents_batch_by import work_overnight
    from headgate.cli.agents_batch_forecast import price_of
    from headgate.cli.runner import open_runner

    stop = Stop()
    async with open_runner(config) as runner:
        with obeying(stop, face):
            if job.night is not None:
                return await work_overnight(
                    config, job, job.night, runner, items=items, results=results, stop=stop, face=face
                )
            return await run_batch(
                runner,
                job.agent.name,
                items,
                results,
                pay=job.pay,
                model=job.model,
                at_once=job.at_once,
                retry=job.retry,
                budget=Budget(job.budget, results.tally.cost),
                expected=price_of(job),
                stop=stop,
                tell=face.show,
            )


@contextmanager
def obeying(stop: "Stop", face: "Face") -> Generator[None]:
    """Let Ctrl-C and SIGTERM ask for the end, and say what that means."""

    def ask() -> None:
        again = stop.asked.is_set()
        stop.ask()
        if not again:
            face.say("stopping: what is under way is still answered; Ctrl-C again ends it at once")

    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, ask)
    except NotImplementedError:  # Windows has no such thing; there, Ctrl-C alone can be heard
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(ask))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        return
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def following(job: Job, summary: "Summary") -> list[str]:
    """The commands that are worth typing next."""
    from headgate.cli.agents_batch_shown import command_line

    words = ["agents", "run", job.agent.name, "--batch", job.batch, "--out", str(job.out)]
    words += ["--model", job.model] if job.model is not None else []
    words += ["--local"] if not job.pay else []
    words += ["--config", job.config_file] if job.config_file is not None else []
    words += ["--by", job.night.word] if job.night is not None else []
    if not summary.complete:
        budget = [] if job.budget is None else ["--budget", f"{job.budget:g}"]
        return [command_line([*words, *budget])]
    statuses = summary.tally.statuses
    commands = []
    if statuses["failed"]:
        commands.append(command_line([*words, "--retry", "failed"]))
    if statuses["incomplete"] and summary.over_budget and job.budget is not None:
        raised = ["--budget", f"{2 * job.budget:g}"]
        commands.append(command_line([*words, "--retry", "incomplete", *raised]))
    return commands
