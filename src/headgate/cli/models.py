"""`headgate models`: the models of this gate."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from headgate.cli import models_bench, models_plan
from headgate.cli.common import console, load, put_json, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.core.engine import ListedModel
    from headgate.core.types import Model


@click.group("models")
def command() -> None:
    """The models of this gate."""


command.add_command(models_plan.command)
command.add_command(models_bench.command)


@command.command("list")
@with_config
@with_json
def list_models(config_file: str | None, *, as_json: bool) -> None:
    """List the config's models: where they run, whether they are there, their window and their price."""
    from headgate.cli.survey import survey

    config = load(config_file)
    seen = asyncio.run(survey(config))
    rows = [row_of(model, seen[model.engine].models) for model in config.policy.models.values()]
    if as_json:
        put_json({"models": rows})
        return
    made = table(
        "model",
        "kind",
        "engine",
        "id",
        "there",
        "window",
        "$/M in",
        "$/M out",
        right=("window", "$/M in", "$/M out"),
    )
    for row in rows:
        name = f"{row['name']} [{row['label']}]" if row["label"] else row["name"]
        there = "?" if row["there"] is None else "yes" if row["there"] else "no"
        window = f"{row['context']:,}" if row["context"] else "?"
        made.add_row(
            name,
            row["kind"],
            row["engine"],
            row["id"],
            there,
            window,
            money(row, "input"),
            money(row, "output"),
        )
    console().print(made)


def row_of(model: "Model", listed: "tuple[ListedModel, ...] | None") -> dict[str, Any]:
    """One model; whether it is there is None when its engine does not say."""
    from headgate.cli.survey import is_there

    price = model.price
    return {
        "name": model.name,
        "engine": model.engine,
        "id": model.id,
        "kind": model.kind,
        "local": model.local,
        "there": is_there(model, listed) if listed is not None else None,
        "context": model.context,
        "input_usd_per_mtok": price.input if price else None,
        "output_usd_per_mtok": price.output if price else None,
        "price_source": price.source if price else None,
        "label": model.label,
    }


def money(row: dict[str, Any], side: str) -> str:
    """A price for the table: dollars, "free" at home, or a question mark."""
    dollars = row[f"{side}_usd_per_mtok"]
    return "?" if dollars is None else "free" if row["local"] and not dollars else f"{dollars:g}"
