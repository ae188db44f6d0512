"""`headgate agents`: the subagents of this gate. Each verb stands in a module of its own."""

import click

from headgate.cli import agents_export, agents_list, agents_new, agents_run, agents_show, agents_test


@click.group("agents")
def command() -> None:
    """Subagents: named workers with a prompt, a form of answers, models and tests."""


command.add_command(agents_list.command)
command.add_command(agents_show.command)
command.add_command(agents_new.command)
command.add_command(agents_run.command)
command.add_command(agents_test.command)
command.add_command(agents_export.command)
