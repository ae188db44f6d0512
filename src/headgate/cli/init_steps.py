"""What `headgate init` does once somebody has said yes: install and start engines, fetch models, prove that each answers.

A step that fails says so, with the next command, and the others go on. Nothing here asks twice.
"""

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.cli.init_look import Fetcher
    from headgate.cli.init_shown import Disk
    from headgate.config.compile import Config
    from headgate.config.draft import Draft, DraftModel
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import Engine
    from headgate.core.errors import HeadgateError
    from headgate.core.types import Failure, Model, Reply
    from headgate.fleet.programs.changes import Change
    from headgate.fleet.programs.machine import Machine
    from headgate.fleet.programs.settings import Setting

START_WITHIN = 60.0
ANSWER_WITHIN = 120.0
QUESTION = "Say in one short sentence what a headgate is."
TEXT = "A headgate lets water into a canal."
LONGEST = 48
"""Tokens of an answer that proves a model."""


# ── Engines ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def install_line(machine: "Machine", kind: "Fetcher") -> str:
    """Its maker's command for this system; "" where there is none."""
    from headgate.fleet.programs.install import distribution, install_command

    return install_command(kind, machine.system, distribution(machine))


def install(machine: "Machine", line: str) -> bool:
    """Run its maker's command before the user's eyes; whether it went well."""
    code = machine.run_in_view(line)
    if code != 0:
        say(f"the installation ended with code {code}; next: run it yourself: {line}")
    return code == 0


def start_of(
    machine: "Machine", config: "Config", settings: "EngineSettings"
) -> "tuple[Change | HeadgateError, tuple[Setting, ...]] | None":
    """How to get an engine running as the page wants it; None when it does so already, or is not here."""
    from headgate.cli.engines_service import compare, is_here, look, wants
    from headgate.fleet.programs.plans import plan_start

    if settings.kind not in ("ollama", "lmstudio") or not is_here(settings):
        return None
    program = look(machine, settings)
    wanted = wants(config, settings)
    rows = compare(machine, settings, program, wanted)
    if not (program.installed or program.running):
        return None
    if program.running and all(row.state != "drift" for row in rows):
        return None
    return plan_start(machine, settings, program, wanted), wanted


def start(machine: "Machine", settings: "EngineSettings", change: "Change") -> bool:
    """Start it, or start it anew; whether it answers."""
    from headgate.cli.engines_service import look
    from headgate.fleet.programs.apply import bring_up

    error = bring_up(machine, settings, look(machine, settings), change, START_WITHIN)
    if error is None:
        say(f"{settings.name} runs at {settings.url}")
        return True
    say_error(error)
    return False


def say_error(error: "HeadgateError") -> None:
    """A failure that does not end the command."""
    say(f"error: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""))


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def disks_for(draft: "Draft", config: "Config") -> "tuple[Disk, ...]":
    """The folders that models would be fetched into; engines on other machines are left out."""
    from headgate.cli.init_shown import Disk
    from headgate.cli.models_pull import room_for
    from headgate.cli.models_target import Target

    needed: dict[str, int] = {}
    for model in draft.missing:
        needed[model.engine] = needed.get(model.engine, 0) + (model.size or 0)
    disks = []
    for engine, size in needed.items():
        room = room_for(Target(config.engines[engine], "", None))
        if room is not None:
            disks.append(Disk(folder=str(room.folder), free=room.free, needed=size))
    return tuple(disks)


def fetch_all(models: "Sequence[DraftModel]", config: "Config") -> tuple[list[str], list[str]]:
    """Fetch these, one after the other: the names that are there now, and those that are not."""
    from headgate.cli.models_pull import conclusion, fetch, room_for
    from headgate.cli.models_target import Target
    from headgate.core.errors import HeadgateError

    done, failed = [], []
    for wanted in models:
        settings = config.engines[wanted.engine]
        target = Target(settings, wanted.id, config.policy.models[wanted.name])
        begun = perf_counter()
        say(f"{wanted.name}: fetching {wanted.id}")
        try:
            last = asyncio.run(fetch(config, target, room_for(target), as_json=False))
        except HeadgateError as error:
            say_error(error)
            failed.append(wanted.name)
            continue
        done.append(wanted.name)
        say(conclusion(target, last.total if last else None, perf_counter() - begun))
    return done, failed


# ── Proof ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def prove(
    config: "Config", draft: "Draft", names: "Sequence[str]", told: "Callable[[dict[str, Any]], None]"
) -> list[dict[str, Any]]:
    """One real answer of each of these models, one after the other, and one vector of those for embeddings.

    Args:
        config: the page.
        draft: what it was written from.
        names: models that are there.
        told: called with each row as it comes.
    """
    from headgate.cli.survey import LOOK_ONLY, engines_of

    rows = []
    wanted = [config.policy.models[name] for name in names]
    async with engines_of(config, dict.fromkeys(model.engine for model in wanted), LOOK_ONLY) as engines:
        for model in wanted:
            rows.append(await proof(config, engines[model.engine], model, keep=draft.fits))
            told(rows[-1])
    return rows


async def proof(config: "Config", engine: "Engine", model: "Model", *, keep: bool) -> dict[str, Any]:
    """One model's row. `keep` leaves it in memory."""
    from headgate.core.engine import ManagedEngine
    from headgate.core.types import Failure

    settings = config.engines[model.engine]
    begun = perf_counter()
    if isinstance(engine, ManagedEngine):
        loaded = await engine.load(
            model.id, model.context, parallel=model.slots or settings.parallel, within=settings.load_within
        )
        if isinstance(loaded, Failure):
            return failed_row(model, loaded, settings)
    result = await ask(engine, model)
    if isinstance(result, Failure):
        return failed_row(model, result, settings)
    row = row_of(model, result, perf_counter() - begun) | {"runs_on": await runs_on(engine, model)}
    if isinstance(engine, ManagedEngine) and not keep:
        await engine.unload(model.id)
    return row


async def ask(engine: "Engine", model: "Model") -> "Reply | Failure":
    """The question, or the text to embed."""
    from headgate.core.types import Message, Request

    text = TEXT if model.kind == "embedding" else QUESTION
    request = Request(
        id="init", asked=model.name, kind=model.kind, messages=(Message("user", text),), max_tokens=LONGEST
    )
    if model.kind == "embedding":
        return await engine.embed(request, model, ANSWER_WITHIN)
    return await engine.chat(request, model, ANSWER_WITHIN)


async def runs_on(engine: "Engine", model: "Model") -> str:
    """Where it runs, "GPU" or "CPU"; nothing where its engine does not say."""
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel, ManagedEngine
    from headgate.core.types import Failure

    loaded = await engine.loaded() if isinstance(engine, ManagedEngine) else ()
    if isinstance(loaded, Failure):
        return ""
    found = [one for one in loaded if find_listed(model.id, (ListedModel(id=one.id),)) is not None]
    if not found or found[0].vram is None:
        return ""
    return "GPU" if found[0].vram > 0 else "CPU"


def row_of(model: "Model", reply: "Reply", seconds: float) -> dict[str, Any]:
    """What a reply proves."""
    writing = reply.seconds - reply.loading
    tokens = reply.usage.output
    embeds = model.kind == "embedding"
    return {
        "model": model.name,
        "id": model.id,
        "ok": True,
        "seconds": round(seconds, 3),
        "tokens": None if embeds else tokens,
        "tokens_per_second": round(tokens / writing, 1) if tokens and writing > 0 and not embeds else None,
        "dimensions": len(reply.vectors[0]) // 4 if embeds else None,
        "answer": reply.text.strip(),
    }


def failed_row(model: "Model", failure: "Failure", settings: "EngineSettings") -> dict[str, Any]:
    """Why it did not answer, and the next command."""
    from headgate.cli.models_target import error_of

    error = error_of(failure, settings)
    return {
        "model": model.name,
        "id": model.id,
        "ok": False,
        "reason": failure.reason,
        "detail": error.message,
        "next": error.hint or "headgate doctor",
    }


def stopped(draft: "Draft") -> click.Abort:
    """What Ctrl-C in a download means."""
    if any(model.engine == "lmstudio" for model in draft.missing):
        say("a download of LM Studio's goes on by itself; its window (Downloads) can end it")
    say("stopped: nothing was written, and headgate init goes on where this ended")
    return click.Abort()
