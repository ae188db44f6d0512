"""`headgate import --run N`: a sample of the prompts really goes to the local models, and nowhere else.

The gate for it keeps its ledger in a folder that is gone afterwards: nothing of it counts as traffic.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from headgate.cli.common import console, say
from headgate.cli.up import run_loop

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.types import Outcome
    from headgate.lab.judging import Judged
    from headgate.lab.proof import Rate
    from headgate.lab.sampling import Sample

SOURCE = "a sample of this export"
FEW = 10
"""Answers below which a task has no rate of its own; the rate of all tasks stands for it."""


def run_sample(config: "Config", sample: "Sample") -> "dict[str | None, Rate]":
    """How many answers from home pass their checks, by task; under None, of all tasks.

    Raises:
        UsageError: no call of the export would have gone home with a prompt that is known.
        EngineError: no local model can be asked.
    """
    from headgate.core.errors import UsageError

    if not sample.kept:
        raise UsageError(
            "there is nothing to run: no call with a prompt would have gone home",
            "leave --run out, or export the prompts too",
        )
    with TemporaryDirectory() as folder:
        return rates_of(run_loop(asked(config, sample.kept, Path(folder))))


async def asked(config: "Config", kept: "Sequence[Judged]", folder: Path) -> "list[tuple[Judged, Outcome]]":
    """Ask the local models, as many at a time as they take."""
    from msgspec.structs import replace
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from headgate.app import open_gate
    from headgate.starting import requests_at_once

    own = replace(
        config,
        ledger=replace(config.ledger, path=folder / "ledger.db", keep_bodies=False),
        send_to=(),
        alerts_to=(),
    )
    screen = console(stderr=True)
    bar = Progress(
        TextColumn("asking your local models"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    found: list[tuple[Judged, Outcome]] = []
    async with open_gate(own) as gate:
        for note in gate.notes:
            say(f"note: {note}")
        at_once = asyncio.Semaphore(max(1, requests_at_once(own)))
        with bar:
            task = bar.add_task("asking", total=len(kept))

            async def one(number: int, judged: "Judged") -> None:
                assert judged.request is not None, "only such calls are sampled"
                async with at_once:
                    request = replace(judged.request, id=f"sample-{number}", local_only=True, batch=True)
                    _, outcome = await gate.ask(request)
                found.append((judged, outcome))
                bar.advance(task)

            await asyncio.gather(*(one(number, judged) for number, judged in enumerate(kept)))
    return found


def rates_of(found: "Sequence[tuple[Judged, Outcome]]") -> "dict[str | None, Rate]":
    """The rates of what was asked; what no model could be asked says nothing.

    Raises:
        EngineError: nobody could be asked at all.
    """
    from headgate.core.errors import EngineError
    from headgate.lab.proof import Rate

    tried: dict[str | None, list[bool]] = defaultdict(list)
    for judged, outcome in found:
        if outcome.attempts:
            tried[judged.task].append(outcome.status == "ok")
    every = [passed for answers in tried.values() for passed in answers]
    if not every:
        raise EngineError("no local model could be asked", "headgate doctor says what is wrong")
    rates: dict[str | None, Rate] = {None: Rate(sum(every), len(every), SOURCE)}
    for task, answers in tried.items():
        if task is not None and len(answers) >= FEW:
            rates[task] = Rate(sum(answers), len(answers), SOURCE)
    return rates
