"""`headgate models show`: everything that is known of one model."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import click

from headgate.cli.common import console, load, put_json, with_config, with_json
from headgate.cli.models_target import with_target

if TYPE_CHECKING:
    from headgate.cli.models_target import Target
    from headgate.config.compile import Config
    from headgate.core.engine import ListedModel, LoadedModel
    from headgate.core.memory import KvType, Need, Shape
    from headgate.core.types import Failure


@click.command("show", short_help="Show everything known of a model")
@with_target
@with_config
@with_json
def command(config_file: str | None, name: str, engine_name: str | None, *, as_json: bool) -> None:
    """Show everything known of a model: its file, its shape, its window, and what of it is in memory."""
    from headgate.cli.models_target import find_target

    config = load(config_file, prices=False)
    told = asyncio.run(look(config, find_target(config, name, engine_name)))
    if as_json:
        put_json(told)
        return
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    for word, value in lines_of(told):
        made.add_row(word, value)
    console().print(made)


async def look(config: "Config", target: "Target") -> dict[str, Any]:
    """All that the config and the engine know. Where the engine keeps a fact to itself, the reason stands for it."""
    from headgate.cli.models_target import error_of, known, lives_in_the_gate, missing, reach
    from headgate.core.types import Failure

    async with reach(config, target.settings) as engine:
        found = await known(engine, target)
        if found is None:
            raise missing(target)
        shape = await engine.shape(found.id)
        loaded = None if lives_in_the_gate(target.settings) else await engine.loaded()
    if isinstance(loaded, Failure):
        raise error_of(loaded, target.settings)
    model = target.model
    return {
        "name": model.name if model else "",
        "engine": target.engine,
        "listed": found,
        "config": {"context": model.context, "capabilities": sorted(model.capabilities)} if model else None,
        "need": need_of(target, shape),
        "shape": None if isinstance(shape, Failure) else shape,
        "shape_unknown": shape.detail if isinstance(shape, Failure) else "",
        "loaded": None if loaded is None else [one for one in loaded if _is(one, found)],
    }


def _is(one: "LoadedModel", found: "ListedModel") -> bool:
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel

    return find_listed(found.id, (ListedModel(id=one.id),)) is not None


def need_of(target: "Target", shape: "Shape | Failure") -> "Need | None":
    """The memory that it takes with the config's window and as many requests at a time as its engine gets."""
    from headgate.core.memory import need
    from headgate.core.types import Failure

    model = target.model
    if isinstance(shape, Failure) or model is None or model.context is None:
        return None
    settings = target.settings
    return need(shape, model.context, model.slots or settings.parallel, cast("KvType", settings.kv_cache))


def lines_of(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What is shown to a person: word and value."""
    from headgate.cli.models_words import UNKNOWN, size, tokens
    from headgate.core.hardware import memory_words

    listed, shape, config = told["listed"], told["shape"], told["config"]
    lines = [
        ("model", told["name"] or "not named in the config"),
        ("engine", told["engine"]),
        ("id", listed.id),
        ("kind", listed.kind),
        ("size", size(listed.size)),
        ("quantization", listed.quantization or UNKNOWN),
        ("parameters", listed.parameters or UNKNOWN),
        ("digest", listed.digest or UNKNOWN),
        ("window", f"{tokens(listed.context)} tokens at most"),
    ]
    if config is not None:
        window = f"{config['context']:,} tokens" if config["context"] else "not set"
        lines.append(("window in the config", window))
        lines.append(("capabilities in the config", ", ".join(config["capabilities"]) or "none"))
    if shape is None:
        lines.append(("shape", told["shape_unknown"]))
    else:
        heads = sorted(set(shape.kv_heads))
        lines += [
            ("architecture", shape.architecture or UNKNOWN),
            ("layers", str(shape.layers)),
            (
                "key and value heads",
                " to ".join(str(heads[i]) for i in ((0, -1) if len(heads) > 1 else (0,))),
            ),
            ("head size", f"{shape.key_length} for keys, {shape.value_length} for values"),
        ]
        if shape.window:
            lines.append(("sliding window", f"{shape.window:,} tokens on {shape.windowed} layers"))
    if (takes := told["need"]) is not None:
        room = f"{memory_words(takes.total)} for {takes.parallel} x {takes.context:,} tokens, estimated"
        lines.append(("memory", room))
    if told["loaded"] is None:
        return [*lines, ("loaded", "in the gate's own memory, if it is open")]
    return [*lines, *(("loaded", _loaded(one)) for one in told["loaded"] or ("no",))]


def _loaded(one: "LoadedModel | str") -> str:
    from headgate.cli.models_words import share, tokens
    from headgate.core.hardware import memory_words

    if isinstance(one, str):
        return one
    facts = [f"{tokens(one.context)} tokens"]
    if one.parallel is not None:
        facts.append(f"{one.parallel} at a time")
    if one.memory is not None:
        facts.append(f"{memory_words(one.memory)}, {share(one.vram, one.memory)} on a GPU")
    return (f"{one.instance}: " if one.instance and one.instance != one.id else "") + ", ".join(facts)
