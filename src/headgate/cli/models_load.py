"""`headgate models load` and `unload`: have a model in memory, or out of it, and prove that it took effect."""

import asyncio
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import Number, load, put, put_json, say, with_config, with_json
from headgate.cli.models_target import with_target

if TYPE_CHECKING:
    from headgate.cli.models_target import Target
    from headgate.config.compile import Config
    from headgate.core.engine import LoadedModel


@click.command("load", short_help="Load a model and prove it")
@with_target
@click.option(
    "--context",
    type=click.IntRange(min=1),
    metavar="TOKENS",
    help="The window of one request. Left out: the config's.",
)
@click.option("--parallel", type=click.IntRange(min=1), metavar="N", help="Requests at a time.")
@click.option("--within", type=Number(min=0.1), default=600.0, show_default=True, help="Seconds to wait.")
@with_config
@with_json
def load_command(
    config_file: str | None,
    name: str,
    engine_name: str | None,
    *,
    context: int | None,
    parallel: int | None,
    within: float,
    as_json: bool,
) -> None:
    """Load a model, look whether it is there as asked, and say how long it took and how much memory it takes.

    The context is the config's unless another is given, so that the gate's first request does not load it anew.
    """
    from headgate.cli.models_target import find_target, refuse_in_the_gate

    config = load(config_file, prices=False)
    target = find_target(config, name, engine_name)
    refuse_in_the_gate(target)
    if context is None and target.model is not None:
        context = target.model.context
    loaded, seconds = asyncio.run(load_model(config, target, context, parallel, within))
    if parallel is not None and target.settings.kind == "ollama":
        say(
            "note: Ollama takes as many requests at a time for every model, so --parallel changed nothing: "
            f"set parallel under [engines.{target.engine}], then headgate engines start {target.engine}"
        )
    if as_json:
        put_json({"engine": target.engine, "seconds": round(seconds, 3), "loaded": loaded})
    else:
        put(describe(target, loaded, seconds))


@click.command("unload", short_help="Take a model out of memory")
@with_target
@with_config
@with_json
def unload_command(config_file: str | None, name: str, engine_name: str | None, *, as_json: bool) -> None:
    """Take every copy of a model out of memory. The file stays."""
    from headgate.cli.models_target import find_target, refuse_in_the_gate

    config = load(config_file, prices=False)
    target = find_target(config, name, engine_name)
    refuse_in_the_gate(target)
    was_loaded = asyncio.run(unload_model(config, target))
    if as_json:
        put_json({"engine": target.engine, "id": target.id, "was_loaded": was_loaded})
    else:
        state = "is unloaded from" if was_loaded else "was not loaded on"
        put(f"{target.id} {state} {target.engine}")


async def load_model(
    config: "Config", target: "Target", context: int | None, parallel: int | None, within: float
) -> "tuple[LoadedModel, float]":
    """The model in memory, and the seconds that it took."""
    from headgate.cli.models_target import error_of, reach
    from headgate.core.types import Failure

    async with reach(config, target.settings) as engine:
        begun = perf_counter()
        loaded = await engine.load(target.id, context, parallel=parallel, within=within)
        if isinstance(loaded, Failure):
            raise error_of(loaded, target.settings)
        return loaded, perf_counter() - begun


async def unload_model(config: "Config", target: "Target") -> bool:
    """Unload it; whether it had been loaded."""
    from headgate.cli.models_target import error_of, known, missing, reach
    from headgate.core.types import Failure

    async with reach(config, target.settings) as engine:
        found = await known(engine, target)
        if found is None:
            raise missing(target)
        failure = await engine.unload(target.id)
        if isinstance(failure, Failure):
            raise error_of(failure, target.settings)
        return found.loaded is not False


def describe(target: "Target", loaded: "LoadedModel", seconds: float) -> str:
    """One line for a person."""
    from headgate.cli.models_words import share, span, tokens, until
    from headgate.core.hardware import memory_words

    facts: list[Any] = [f"{tokens(loaded.context)} tokens of context"]
    if loaded.parallel is not None:
        facts.append(f"{loaded.parallel} requests at a time")
    if loaded.memory is not None:
        facts.append(f"{memory_words(loaded.memory)} of memory")
    if loaded.vram is not None:
        facts.append(f"{share(loaded.vram, loaded.memory)} of it on a GPU")
    if loaded.until is not None:
        left = until(loaded.until, time())
        facts.append("stays until it is unloaded" if left == "stays" else f"leaves {left}")
    return (
        f"{loaded.instance or loaded.id} is loaded on {target.engine} in {span(seconds)}: {', '.join(facts)}"
    )
