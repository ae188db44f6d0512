"""`headgate models`: the models of this gate."""

import asyncio

import click

from headgate.cli.common import console, load, put_json, table, with_config, with_json


@click.group("models")
def command() -> None:
    """The models of this gate."""


@command.command("list")
@with_config
@with_json
def list_models(config_file: str | None, *, as_json: bool) -> None:
    """List the config's models: where they run, whether they are there, their window and their price."""
    from headgate.cli.survey import is_there, survey

    config = load(config_file)
    seen = asyncio.run(survey(config))
    rows = []
    for model in config.policy.models.values():
        listed = seen[model.engine].models
        price = model.price
        rows.append(
            {
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
        )
    if as_json:
        put_json({"models": rows})
        return
    made = table(
        "model", "engine", "id", "there", "window", "$/M in", "$/M out", right=("window", "$/M in", "$/M out")
    )
    for row in rows:
        there = {True: "yes", False: "no", None: "?"}[row["there"]]  # type: ignore[index]  # bool or None
        price = (
            ("free", "")
            if row["local"] and not row["input_usd_per_mtok"]
            else (money(row["input_usd_per_mtok"]), money(row["output_usd_per_mtok"]))
        )
        window = f"{row['context']:,}" if row["context"] else "?"
        name = f"{row['name']} [{row['label']}]" if row["label"] else str(row["name"])
        made.add_row(name, str(row["engine"]), str(row["id"]), there, window, *price)
    console().print(made)


def money(dollars: object) -> str:
    """A price, or a question mark."""
    return f"{dollars:g}" if isinstance(dollars, float) else "?"
