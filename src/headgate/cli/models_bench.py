"""`headgate models bench`: measure local models on this machine, and keep what was found as their capability cards.

A card is kept when its model has been measured to the end; one that was stopped leaves nothing. It asks the engines
directly, so nothing of it is in the ledger's requests or in the report's counts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.cards import Card
    from headgate.core.engine import Engine
    from headgate.core.errors import EngineError
    from headgate.core.types import Model

    Made = dict[str, "Card"]
    """The cards by their model's name in the config."""
    Missed = dict[str, "EngineError"]
    """Why a model has none."""

LABEL = 14
"""Characters of the column that says what a figure is."""
WIDE = 96
"""Characters of a line."""


@click.command("bench", short_help="Measure models on this machine")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Measure every local model of the config.")
@click.option(
    "--stale", is_flag=True, help="Measure the local models that have changed since, or never were measured."
)
@click.option("--quick", is_flag=True, help="Measure the speeds only, without the exam.")
@click.option(
    "--within",
    metavar="TIME",
    default="120s",
    show_default=True,
    help="The time for one model; what it does not reach stays unknown.",
)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Unload and load each model, to time that. Left out: yes where the config lets the gate do so, unless it is open.",
)
@with_config
@with_json
def command(
    config_file: str | None,
    names: tuple[str, ...],
    within: str,
    *,
    every: bool,
    stale: bool,
    quick: bool,
    reload: bool | None,
    as_json: bool,
) -> None:
    """Measure models on this machine: loading, first token, reading, writing, long prompts, and a small exam.

    What was found is kept in the ledger as the model's card; the gate and the report read it there. Nothing is spent:
    models that cost money are not measured. Exit 4 if an engine does not answer or a model cannot be measured.
    """
    from headgate.cli.runfile import find_gate
    from headgate.core.errors import EngineError

    config = load(config_file, prices=False)
    models = asyncio.run(changed(config)) if stale and not names else chosen(config, names, every=every)
    if not models:
        say("every local model has a card that counts")
    seconds = duration(within)
    gate = find_gate()
    if models and gate is not None:
        say(
            f"note: the gate is open at {gate.url}; its requests make these figures worse, and these make them wait"
        )
    anew = {
        name: engine.manage and gate is None if reload is None else reload
        for name, engine in config.engines.items()
    }
    made, missed = asyncio.run(measure_all(config, models, seconds, quick=quick, anew=anew))
    if as_json:
        failed = [{"model": name, "error": e.message, "hint": e.hint} for name, e in missed.items()]
        put_json({"cards": [plain(name, card) for name, card in made.items()], "failed": failed})
    else:
        for number, (name, card) in enumerate(made.items()):
            put(("\n" if number else "") + draw(name, card))
    if missed:
        name, first = next(iter(missed.items()))
        more = f"; {len(missed) - 1} more were not measured" if len(missed) > 1 else ""
        raise EngineError(f"{name} was not measured: {first.message}{more}", first.hint)


def chosen(config: "Config", names: Sequence[str], *, every: bool) -> "list[Model]":
    """The models to measure, each in its shortest lane: a longer one is the same weights.

    Raises:
        UsageError: a name is no model, or one that costs money; or none was named.
    """
    from headgate.config.values import meant
    from headgate.core.errors import UsageError

    models = config.policy.models
    at_home = [model for model in models.values() if model.local and not model.lane_of]
    if every and at_home:
        return at_home
    if every:
        raise UsageError("no model of the config is local", "headgate models list shows them")
    if not names:
        raise UsageError("no model was named", "headgate models bench NAME, or --all for every local one")
    for name in names:
        if name not in models:
            hint = meant(name, models) or f"one of: {', '.join(model.name for model in at_home)}"
            raise UsageError(f'there is no model "{name}"', hint)
        if not models[name].local:
            raise UsageError(
                f"{name} does not run on machines of yours, and asking it costs money",
                "headgate models bench --all measures the local ones",
            )
    return [models[name] for name in dict.fromkeys(models[name].lane_of or name for name in names)]


async def changed(config: "Config") -> "list[Model]":
    """The local models without a card that counts: never measured, or another version since, as far as their engines say."""
    from headgate.cli.survey import survey
    from headgate.core.cards import fresh_cards
    from headgate.ledger.cards import newest_cards

    at_home = [model for model in config.policy.named.values() if model.local]
    cards = await asyncio.to_thread(newest_cards, config.ledger.path)
    seen = await survey(config)
    fresh = fresh_cards(at_home, cards, {name: one.models for name, one in seen.items() if one.models})
    return [model for model in at_home if (model.engine, model.id) not in fresh]


def duration(text: str) -> float:
    """Seconds, from "120s" or "2m".

    Raises:
        UsageError: it is no duration.
    """
    from headgate.config.misfit import Misfit
    from headgate.config.values import seconds
    from headgate.core.errors import UsageError

    try:
        return seconds(("--within",), text)
    except Misfit as error:
        raise UsageError(error.message, error.hint or "write --within 120s") from error


async def measure_all(
    config: "Config", models: "list[Model]", within: float, *, quick: bool, anew: Mapping[str, bool]
) -> "tuple[Made, Missed]":
    """Measure one model after the other; each card is kept as soon as it is whole.

    Args:
        config: where the engines and the ledger are.
        models: to be measured.
        within: seconds for each.
        quick: without the exam.
        anew: for each engine, whether its models are unloaded and loaded again.
    """
    from headgate.cli.survey import engines_of
    from headgate.core.cards import keep_untried
    from headgate.core.errors import EngineError
    from headgate.ledger.cards import newest_cards, save_card

    before = newest_cards(config.ledger.path)
    made: Made = {}
    missed: Missed = {}
    names, wanted = dict.fromkeys(model.engine for model in models), frozenset(model.id for model in models)
    async with engines_of(config, names, wanted) as engines:
        for model in models:
            settings, reload = config.engines[model.engine], anew[model.engine]
            found = await measure_one(
                engines[model.engine], settings, model, within, quick=quick, reload=reload
            )
            if isinstance(found, EngineError):
                missed[model.name] = found
                continue
            card = keep_untried(found, before.get((model.engine, model.id)), exam=quick, loading=not reload)
            await asyncio.to_thread(save_card, config.ledger.path, card)
            made[model.name] = card
    return made, missed


async def measure_one(
    engine: "Engine", settings: "EngineSettings", model: "Model", within: float, *, quick: bool, reload: bool
) -> "Card | EngineError":
    """One model's card, or why there is none."""
    from time import time

    from headgate.cli.checkup.repairs import bring_up
    from headgate.core.engine import find_listed
    from headgate.core.errors import EngineError
    from headgate.core.types import Failure
    from headgate.fleet.bench import Bench, measure, read_exam

    health = await engine.health()
    if not health.up:
        return EngineError(
            f"{engine.name} does not answer: {health.detail}",
            bring_up(settings) or "headgate doctor",
        )
    listed = await engine.list_models()
    found = None if isinstance(listed, Failure) else find_listed(model.id, listed)
    if found is None and not isinstance(listed, Failure):
        return EngineError(f"{engine.name} has no {model.id}", "headgate models list shows what is there")
    if found is not None and found.remote:
        return EngineError(
            f"{engine.name} runs {model.id} on somebody else's machines", "name a model that runs on yours"
        )
    bench = Bench(
        within=within,
        parallel=model.slots or settings.parallel,
        reload=reload,
        machine=await asyncio.to_thread(machine_of, settings),
        now=time(),
        tell=lambda step: say(f"{model.name}: {step}"),
        digest=found.digest if found is not None else "",
        cold=found is not None and found.loaded is False,
        window=found.context if found is not None else None,
        exam=None if quick else read_exam(),
    )
    card = await measure(engine, model, bench)
    if isinstance(card, Failure):
        return EngineError(f"{card.detail} ({card.reason})", f"headgate engines test {engine.name}")
    return card


def machine_of(settings: "EngineSettings") -> str:
    """What an engine's models run on: this machine's GPUs, else its processor; or the name of another machine."""
    from urllib.parse import urlsplit

    from headgate.core.hardware import memory_words
    from headgate.fleet.hardware import look
    from headgate.reports.shown import count

    host = urlsplit(settings.url or "").hostname or "localhost"
    if host != "localhost" and not host.startswith("127.") and host != "::1":
        return host
    found = look()
    if found.gpus:
        return ", ".join(f"{gpu.name}, {memory_words(gpu.total)}" for gpu in found.gpus)
    return f"{found.processor}, {count(found.cores, 'core')}, {memory_words(found.ram_total)}"


def plain(name: str, card: "Card") -> dict[str, object]:
    """A card for programs, with the model's name in the config."""
    import msgspec

    return {"model": name, **msgspec.to_builtins(card)}


def draw(name: str, card: "Card") -> str:
    """A card for a person."""
    from headgate.reports.cards import card_lines

    lines = [f"{name}: {card.id} on {card.engine}"]
    for label, figure in card_lines(card):
        lines += wrap(figure, WIDE, initial_indent=f"  {label:<{LABEL}}", subsequent_indent=" " * (LABEL + 2))
    return "\n".join(lines)
