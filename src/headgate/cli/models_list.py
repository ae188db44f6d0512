"""`headgate models list`: the config's models, and what the engines have beside them."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from rich.table import Table

    from headgate.cli.survey import Seen
    from headgate.config.compile import Config
    from headgate.core.engine import ListedModel
    from headgate.core.types import Model

ELSEWHERE = ("ollama:", "lmstudio:")
"""Files of other engines, which list them themselves."""
NAMELESS = "-"
"""In place of a name: the engine has the model, and the config does not name it."""


@click.command("list", short_help="List the models of the config and of its engines")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """List the config's models and what else the local engines have: size, window, price, and what is loaded."""
    from headgate.cli.survey import survey

    config = load(config_file)
    seen = asyncio.run(survey(config))
    for one in seen.values():
        if one.local and one.models is None:
            say(
                f"note: {one.name} does not say what it has: {one.health.detail or 'its list cannot be read'}"
            )
    rows = [row_of(model, seen[model.engine].models) for model in config.policy.models.values()]
    others = others_of(config, {name: listing_of(config, one) for name, one in seen.items()})
    if as_json:
        put_json({"models": rows, "others": others})
        return
    put_table(draw([*rows, *others]))
    if others:
        say(
            f'note: "{NAMELESS}" has no name in the config, so no route can use it; [models.NAME] gives it one'
        )


def row_of(model: "Model", listed: "tuple[ListedModel, ...] | None") -> dict[str, Any]:
    """One model of the config; whether it is there is None when its engine does not say."""
    from headgate.cli.survey import find_listed

    price = model.price
    found = find_listed(model.id, listed) if listed is not None else None
    return {
        "name": model.name,
        "engine": model.engine,
        "id": model.id,
        "kind": model.kind,
        "local": model.local,
        "there": None if listed is None else found is not None,
        "context": model.context,
        "input_usd_per_mtok": price.input if price else None,
        "output_usd_per_mtok": price.output if price else None,
        "price_source": price.source if price else None,
        "label": model.label,
        **facts_of(found),
    }


def facts_of(found: "ListedModel | None") -> dict[str, Any]:
    """What the engine says of a model."""
    return {
        "loaded": found.loaded if found else None,
        "size": found.size if found else None,
        "quantization": found.quantization if found else "",
        "parameters": found.parameters if found else "",
        "digest": found.digest if found else "",
        "engine_context": found.context if found else None,
    }


def listing_of(config: "Config", one: "Seen") -> "tuple[ListedModel, ...]":
    """All that a local engine could run. The embedded one lists what the config names; its files are more."""
    from headgate.cli.models_target import lives_in_the_gate

    if not one.local:
        return ()
    if not lives_in_the_gate(config.engines[one.name]):
        return one.models or ()
    from headgate.engines.llamacpp import catalogue

    named = {
        model.digest for model in one.models or ()
    }  # hf.co/OWNER/REPO:QUANT is a file with a name of its own
    return tuple(
        model
        for model in catalogue.survey()
        if not model.id.startswith(ELSEWHERE) and model.digest not in named
    )


def others_of(config: "Config", listings: "dict[str, tuple[ListedModel, ...]]") -> list[dict[str, Any]]:
    """What the local engines have, and the config does not name."""
    from headgate.cli.survey import find_listed

    others = []
    for engine, listed in listings.items():
        named = [model.id for model in config.policy.models.values() if model.engine == engine]
        taken = [find_listed(model_id, listed) for model_id in named]
        others += [
            {"name": "", "engine": engine, "id": model.id, "kind": model.kind, "there": True}
            | {"local": not model.remote, "context": model.context, "label": ""}
            | facts_of(model)
            for model in listed
            if model not in taken
        ]
    return others


def draw(rows: list[dict[str, Any]]) -> "Table":
    """The table; on a narrow terminal it is the ids that take more lines."""
    from headgate.cli.models_words import UNKNOWN, size, tokens

    made = table(
        *("model", "engine", "id", "state", "size", "quant", "window", "$/M in", "$/M out"),
        right=("size", "window", "$/M in", "$/M out"),
    )
    made.columns[2].no_wrap, made.columns[2].overflow = False, "fold"
    for row in rows:
        name = row["name"] or NAMELESS
        at_home = row["there"] and row["local"]
        made.add_row(
            f"{name} [{row['label']}]" if row["label"] else name,
            row["engine"],
            row["id"],
            UNKNOWN if row["there"] is None else state_of(row),
            size(row["size"]) if at_home else "",
            row["quantization"],
            tokens(row["context"] or row["engine_context"]),
            money(row, "input"),
            money(row, "output"),
        )
    return made


def state_of(row: dict[str, Any]) -> str:
    """Where a model is: in memory, on the disk, or not there at all."""
    if not row["there"]:
        return "missing"
    return "loaded" if row["loaded"] else "there"


def money(row: dict[str, Any], side: str) -> str:
    """A price for the table: dollars, "free" at home, or a question mark; nothing for a model without a name."""
    if not row["name"]:
        return ""
    dollars = row[f"{side}_usd_per_mtok"]
    return "?" if dollars is None else "free" if row["local"] and not dollars else f"{dollars:g}"
