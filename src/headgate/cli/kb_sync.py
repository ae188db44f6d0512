"""`headgate kb sync`: a base brought up to date with its folders."""

import click

from headgate.cli.common import with_config, with_json


@click.command("sync", short_help="Bring a base up to date with its folders")
@click.argument("name", metavar="NAME")
@click.option(
    "--watch", is_flag=True, help="Go on looking every 2 seconds, and take what changes; until Ctrl-C."
)
@click.option(
    "--rebuild", is_flag=True, help="Embed everything again, for instance with another model than before."
)
@with_config
@with_json
def command(config_file: str | None, name: str, *, watch: bool, rebuild: bool, as_json: bool) -> None:
    """Bring the knowledge base NAME up to date: read what is new or has changed, forget what is gone.

    Files that gave nothing the last time are read again: what they need may have been installed since.
    """
    from headgate.cli.kb_progress import run_sync
    from headgate.knowledge import places

    places.find(name)
    run_sync(
        config_file, name, (), chunk=None, local_only=None, rebuild=rebuild, watch=watch, as_json=as_json
    )
