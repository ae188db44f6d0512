"""`headgate models rm`: delete a model from an engine's disk, when somebody has said yes."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, with_config, with_json
from headgate.cli.models_target import with_target

if TYPE_CHECKING:
    from headgate.cli.models_target import Target
    from headgate.config.compile import Config
    from headgate.core.engine import ListedModel


@click.command("rm", short_help="Delete a model from the disk")
@with_target
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_config
@with_json
def command(config_file: str | None, name: str, engine_name: str | None, *, yes: bool, as_json: bool) -> None:
    """Delete a model from its engine's disk. Asks first; scripts say --yes."""
    from headgate.cli.models_target import find_target
    from headgate.cli.models_words import size
    from headgate.core.errors import UsageError

    config = load(config_file, prices=False)
    target = find_target(config, name, engine_name)
    found = asyncio.run(look(config, target))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"{found.id} is not deleted, because nobody here can be asked",
                f"headgate models rm {target.words} --yes",
            )
        needed = f"; the config's model {target.model.name} needs it" if target.model else ""
        question = f"delete {found.id} ({size(found.size)}) from {target.engine}{needed}?"
        if not click.confirm(question, default=False, err=True):
            raise click.Abort
    asyncio.run(remove(config, target, found.id))
    if as_json:
        put_json({"engine": target.engine, "removed": found.id, "bytes": found.size})
    else:
        put(f"{found.id} is deleted from {target.engine}; {size(found.size)} are free again")


async def look(config: "Config", target: "Target") -> "ListedModel":
    """The model, which must be there."""
    from headgate.cli.models_target import known, reach
    from headgate.core.errors import HeadgateError

    async with reach(config, target.settings) as engine:
        found = await known(engine, target)
    if found is None:
        raise HeadgateError(f"{target.engine} has no {target.id}", "headgate models list shows what it has")
    return found


async def remove(config: "Config", target: "Target", model_id: str) -> None:
    """Delete it."""
    from headgate.cli.models_target import error_of, reach

    async with reach(config, target.settings) as engine:
        failure = await engine.remove(model_id)
    if failure is not None:
        raise error_of(failure, target.settings)
