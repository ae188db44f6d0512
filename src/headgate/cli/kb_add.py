"""`headgate kb add`: folders and files into a base."""

import click

from headgate.cli.common import with_config, with_json


@click.command("add", short_help="Add folders or files to a base; make it if it is not there")
@click.argument("name", metavar="NAME")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--watch", is_flag=True, help="Go on looking every 2 seconds, and take what changes; until Ctrl-C."
)
@click.option(
    "--rebuild", is_flag=True, help="Embed everything again, for instance with another model than before."
)
@click.option(
    "--chunk",
    type=click.IntRange(40, 4000),
    metavar="TOKENS",
    help="The longest piece that a document is cut into; 300 at first. Another number reads all files again.",
)
@click.option(
    "--local/--no-local",
    "local_only",
    default=None,
    help="Nothing of this base ever leaves your machines, whoever asks; it stays so until --no-local.",
)
@with_config
@with_json
def command(
    config_file: str | None,
    name: str,
    paths: tuple[str, ...],
    chunk: int | None,
    *,
    local_only: bool | None,
    watch: bool,
    rebuild: bool,
    as_json: bool,
) -> None:
    """Add folders or files to the knowledge base NAME: read them, index their words, embed them.

    Only what is new or has changed is read, and only text that has no vector yet is embedded. Stopped or killed, it goes on where it
    was: headgate kb sync NAME. Documents that cannot be read are named, and the others are added. Exit 4 when vectors are
    missing because the embedding model does not answer.
    """
    from headgate.cli.kb_progress import run_sync

    run_sync(
        config_file,
        name,
        paths,
        chunk=chunk,
        local_only=local_only,
        rebuild=rebuild,
        watch=watch,
        as_json=as_json,
    )
