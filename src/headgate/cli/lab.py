"""`headgate lab`: measurements for those who work on routing. Each verb stands in a module of its own."""

import click

from headgate.cli import lab_benchmark


@click.group("lab")
def command() -> None:
    """Measurements for those who work on routing."""


command.add_command(lab_benchmark.command)
