"""`headgate import --run N`: a sample of the prompts really goes to the local models, and nowhere else.

The gate for it keeps its ledger in a folder that is gone afterwards: nothing of it counts as traffic.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec import Struct

from headgate.cli.common import console, say
from headgate.cli.up import run_loop

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.types import Outcome
    from headgate.core.words import FailureReason
    from headgate.lab.rates import Rate
    from headgate.lab.sampling import Sample, Sampled

SOURCE = "a sample of this export"
NOT_ASKED: "frozenset[FailureReason]" = frozenset({"refused", "http_error"})
"""Failures that say nothing of a model: its engine was not there, or did not take the request."""


class Measured(Struct, frozen=True):
    """What the sample has shown."""

    rates: "dict[str | None, Rate]"
    energy: float | None
    """Dollars of energy at home for a token of prompt or answer; None where it or its price is unknown."""


def run_sample(config: "Config", sample: "Sample") -> Measured:
    """How many answers from home pass their checks, by task, and what energy they take.

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
        found = run_loop(asked(config, sample.kept, Path(folder)))
    return Measured(rates_of(found), energy_of([outcome for _, outcome in found]))


async def asked(config: "Config", kept: "Sequence[Sampled]", folder: Path) -> "list[tuple[Sampled, Outcome]]":
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
    found: list[tuple[Sampled, Outcome]] = []
    async with open_gate(own) as gate:
        for note in gate.notes:
            say(f"note: {note}")
        at_once = asyncio.Semaphore(max(1, requests_at_once(own)))
        with bar:
            task = bar.add_task("asking", total=len(kept))

            async def one(number: int, call: "Sampled") -> None:
                assert call.placed.request is not None, "only such calls are sampled"
                async with at_once:
                    request = replace(call.placed.request, id=f"sample-{number}", local_only=True, batch=True)
                    _, outcome = await gate.ask(request)
                found.append((call, outcome))
                bar.advance(task)

            await asyncio.gather(*(one(number, call) for number, call in enumerate(kept)))
    return found


def rates_of(found: "Sequence[tuple[Sampled, Outcome]]") -> "dict[str | None, Rate]":
    """The rates of what was asked; a request that no model took says nothing of models, and is told.

    Raises:
        EngineError: nobody could be asked at all.
    """
    from headgate.core.errors import EngineError
    from headgate.lab.rates import rate_of

    tried: dict[str | None, list[tuple[bool, float | None]]] = defaultdict(list)
    for call, outcome in found:
        if any(
            attempt.failure is None or attempt.failure.reason not in NOT_ASKED for attempt in outcome.attempts
        ):
            tried[call.placed.task].append((outcome.status == "ok", call.cost))
    asked_in_vain = len(found) - sum(len(answers) for answers in tried.values())
    if not tried:
        raise EngineError("no local model could be asked", "headgate doctor says what is wrong")
    if asked_in_vain:
        say(
            f"note: {asked_in_vain} of {len(found)} prompts could not be put to a local model; they count nowhere"
        )
    return {task: rate_of(answers, SOURCE) for task, answers in tried.items()}


def energy_of(outcomes: "Sequence[Outcome]") -> float | None:
    """Dollars of energy for a token, over all that were answered; what failed attempts drew is in it."""
    told = [outcome for outcome in outcomes if outcome.usage is not None]
    costs = [outcome.energy_cost for outcome in told]
    tokens = sum(outcome.usage.prompt + outcome.usage.output for outcome in told if outcome.usage is not None)
    known = [cost for cost in costs if cost is not None]
    return sum(known) / tokens if tokens and len(known) == len(costs) else None
