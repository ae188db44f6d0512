"""`headgate ledger`: the record itself. Each verb stands in a module of its own, `ledger_VERB`, imported when it is called."""

from importlib import import_module

import click

VERBS = {
    "import": "Add requests from a file, one JSON object a line",
    "export": "Write requests as lines, CSV or Parquet",
    "verify": "Is the file sound, and are the rollups those of the rows?",
    "compact": "Roll up, remove what is old, give the space back",
    "reprice": "What every request would have cost at the prices of another day",
}


class Verbs(click.Group):
    """A group that imports a verb only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a newcomer meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"headgate.cli.ledger_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group("ledger", cls=Verbs)
def command() -> None:
    """The ledger: what was asked, who answered, and what it cost."""
