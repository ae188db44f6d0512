"""`headgate audit`: requests that are looked at again. Each verb stands in a module of its own."""

import click

from headgate.cli import audit_judges, audit_overrule, audit_review, audit_run, audit_status


@click.group("audit")
def command() -> None:
    """Requests that are looked at again: was paying necessary, were local answers good?"""


command.add_command(audit_status.command)
command.add_command(audit_run.command)
command.add_command(audit_review.command)
command.add_command(audit_overrule.command)
command.add_command(audit_judges.command)
