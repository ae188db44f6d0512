"""`headgate kb rm`: a base, or a folder of it, is forgotten, when somebody has said yes. The documents themselves stay."""

import sys
from pathlib import Path

import click

from headgate.cli.common import put, put_json, with_config, with_json


@click.command("rm", short_help="Forget a base, or a folder of it")
@click.argument("name", metavar="NAME")
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_config
@with_json
def command(config_file: str | None, name: str, path: str | None, *, yes: bool, as_json: bool) -> None:
    """Forget the knowledge base NAME, or of it only the folder or file PATH that was added. Your documents stay where they are."""
    from headgate.core.errors import UsageError
    from headgate.knowledge import places
    from headgate.knowledge.store import Base
    from headgate.reports.shown import count

    del config_file
    place = places.find(name)
    folder = None
    if path is not None:
        with Base(place) as base:
            folder = named(path, base.folders)
            if folder is None:
                hint = f"one of: {', '.join(base.folders)}" if base.folders else "headgate kb add adds one"
                raise UsageError(f"{path} was not added to {name}", hint)
    what = f"{folder} in {name}" if folder is not None else name
    if not yes:
        if not sys.stdin.isatty():
            again = f"headgate kb rm {name}{f' {path}' if path else ''} --yes"
            raise UsageError(f"{what} is not forgotten, because nobody here can be asked", again)
        if not click.confirm(f"forget {what}? The documents themselves stay", default=False, err=True):
            raise click.Abort
    files: int | None = None
    if folder is None:
        places.remove(place)
    else:
        with places.writing(place), Base(place) as base:
            files = base.drop_folder(folder)
            base.sweep()
    if as_json:
        put_json({"base": name, "folder": folder, "files": files})
    else:
        put(f"{what} is forgotten" + (f", with {count(files, 'file')}" if files is not None else ""))


def named(path: str, folders: list[str]) -> str | None:
    """The folder that somebody means, which may be gone from the disk."""
    wanted = {path, str(Path(path).expanduser()), str(Path(path).expanduser().resolve())}
    return next((folder for folder in folders if folder in wanted), None)
