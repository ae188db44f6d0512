"""`headgate audit`: requests that are looked at again. Each verb stands in a module of its own."""

import click

from headgate.cli import audit_run, audit_status


@click.group("audit")
def command() -> None:
    """Requests that are looked at again: was paying necessary, were local answers good?"""


command.add_command(audit_status.command)
command.add_command(audit_run.command)
