"""`headgate models ps`: what is in memory, engine by engine."""

import asyncio
from time import time
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from rich.table import Table

    from headgate.cli.runfile import RunFile
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import Engine


@click.command("ps", short_help="Show what is in memory")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """Show what is in memory on each local engine: how much of it on a GPU, with what context, and until when."""
    from headgate.cli.models_target import down, lives_in_the_gate
    from headgate.cli.runfile import find_gate

    config = load(config_file, prices=False)
    gate = find_gate()
    own = [name for name, settings in config.engines.items() if lives_in_the_gate(settings)]
    found = asyncio.run(look(config)) + look_into_gate(own, gate)
    if as_json:
        put_json({"engines": found})
    else:
        rows = [row for one in found for row in one["loaded"] or ()]
        if rows:
            put_table(draw(rows))
        elif any(one["loaded"] is not None for one in found):
            put("nothing is loaded")
    for name in own if gate is None else ():
        say(f"note: {name} is an embedded engine: its models are in the memory of the gate, which is closed")
    silent = [one for one in found if one["loaded"] is None]
    last = silent.pop(0) if silent and len(silent) == len(found) else None
    for one in silent:
        say(f"note: {one['engine']} does not answer: {one['detail']}")
    if last is not None:
        raise down(config.engines[last["engine"]], last["detail"])


async def look(config: "Config") -> list[dict[str, Any]]:
    """What each engine that loads and unloads models has in memory."""
    from headgate.cli.models_target import lives_in_the_gate
    from headgate.cli.survey import engines_of

    local = [
        name
        for name, settings in config.engines.items()
        if settings.local and not lives_in_the_gate(settings)
    ]
    async with engines_of(config, local) as engines:
        looks = [look_at(config, config.engines[name], engine) for name, engine in engines.items()]
        found = await asyncio.gather(*looks)
    return [one for one in found if one is not None]


def look_into_gate(engines: list[str], gate: "RunFile | None") -> list[dict[str, Any]]:
    """What embedded engines have in memory: they live in the gate, so it is asked, if it is open."""
    from headgate.cli.runfile import ask_fleet

    fleet = ask_fleet(gate) if gate is not None and engines else None
    if fleet is None:
        return []
    return [
        {
            "engine": name,
            "detail": "",
            "loaded": [
                {
                    "engine": name,
                    "models": [lane["model"]],
                    "id": lane["id"],
                    "instance": "",
                    "memory": lane["memory"],
                    "vram": None,
                    "context": lane["context"],
                    "parallel": lane["slots"],
                    "until": None,
                }
                for lane in fleet["lanes"]
                if lane["engine"] == name and lane["state"] in ("ready", "draining")
            ],
        }
        for name in engines
        if name in fleet["engines"]
    ]


async def look_at(config: "Config", settings: "EngineSettings", engine: "Engine") -> dict[str, Any] | None:
    """One engine; None when it does not manage its models."""
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel, ManagedEngine
    from headgate.core.types import Failure

    if not isinstance(engine, ManagedEngine):
        return None
    loaded = await engine.loaded()
    if isinstance(loaded, Failure):
        return {"engine": settings.name, "detail": loaded.detail, "loaded": None}
    named = [model for model in config.policy.models.values() if model.engine == settings.name]
    rows: list[dict[str, Any]] = []
    for one in loaded:
        here = (ListedModel(id=one.id),)
        names = [model.name for model in named if find_listed(model.id, here) is not None]
        rows.append(
            {
                "engine": settings.name,
                "models": names,
                "id": one.id,
                "instance": one.instance,
                "memory": one.memory,
                "vram": one.vram,
                "context": one.context,
                "parallel": one.parallel,
                "until": one.until,
            }
        )
    rows.sort(key=lambda row: (-(row["memory"] or 0), row["id"], row["instance"]))
    return {"engine": settings.name, "detail": "", "loaded": rows}


def draw(rows: list[dict[str, Any]]) -> "Table":
    """The table; on a narrow terminal it is the ids that take more lines."""
    from headgate.cli.models_list import NAMELESS
    from headgate.cli.models_words import UNKNOWN, share, tokens, until
    from headgate.core.hardware import memory_words

    now = time()
    made = table(
        *("engine", "model", "id", "memory", "on GPU", "context", "parallel", "until"),
        right=("memory", "on GPU", "context", "parallel"),
    )
    made.columns[2].no_wrap, made.columns[2].overflow = False, "fold"
    for row in rows:
        made.add_row(
            row["engine"],
            ", ".join(row["models"]) or NAMELESS,
            row["instance"] or row["id"],
            UNKNOWN if row["memory"] is None else memory_words(row["memory"]),
            share(row["vram"], row["memory"]),
            tokens(row["context"]),
            UNKNOWN if row["parallel"] is None else str(row["parallel"]),
            until(row["until"], now),
        )
    return made
