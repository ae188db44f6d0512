"""`headgate kb list`: the bases of this machine."""

import click

from headgate.cli.common import put_json, put_table, say, table, with_config, with_json


@click.command("list", short_help="List the bases")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """List the knowledge bases of this machine, with what is in them."""
    from headgate.cli.models_words import size
    from headgate.core.errors import HeadgateError
    from headgate.knowledge import places
    from headgate.knowledge.store import Base

    del config_file
    found = []
    for name in places.names():
        try:
            with Base(places.find(name)) as base:
                found.append(base.stats())
        except HeadgateError as error:
            say(f"warning: {error.message}\nhint: {error.hint}")
    if as_json:
        put_json({"bases": found})
        return
    if not found:
        say("there are no knowledge bases; headgate kb add NAME FOLDER makes one")
        return
    made = table("base", "files", "chunks", "size", "model", "folders", right=("files", "chunks", "size"))
    for one in found:
        folders = ", ".join(one.folders)
        made.add_row(
            one.name, f"{one.files:,}", f"{one.chunks:,}", size(one.bytes), one.model or "words only", folders
        )
    put_table(made)
