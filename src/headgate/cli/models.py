"""`headgate models`: the models of this gate, on all its engines. Each verb stands in a module of its own."""

import click

from headgate.cli import (
    models_bench,
    models_list,
    models_load,
    models_plan,
    models_ps,
    models_pull,
    models_rm,
    models_show,
)


@click.group("models")
def command() -> None:
    """The models of this gate."""


command.add_command(models_list.command)
command.add_command(models_show.command)
command.add_command(models_plan.command)
command.add_command(models_pull.command)
command.add_command(models_load.load_command)
command.add_command(models_load.unload_command)
command.add_command(models_rm.command)
command.add_command(models_ps.command)
command.add_command(models_bench.command)
