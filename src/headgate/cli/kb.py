"""`headgate kb`: knowledge bases. Each verb stands in a module of its own, `kb_VERB`, imported when it is called."""

from importlib import import_module

import click

VERBS = {
    "add": "Add folders or files to a base; make it if it is not there",
    "sync": "Bring a base up to date with its folders",
    "search": "Find passages",
    "ask": "Answer a question from a base, with citations",
    "list": "List the bases",
    "stats": "What is in a base, and what could not be read",
    "rm": "Forget a base, or a folder of it",
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
        command: click.Command = import_module(f"headgate.cli.kb_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group("kb", cls=Verbs)
def command() -> None:
    """Knowledge bases: folders of documents, searched and asked with citations."""
