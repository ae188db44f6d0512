"""`headgate keys`: make, list and revoke the keys that callers show."""

from time import time
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.ledger.keys import Key


@click.group("keys")
def command() -> None:
    """The keys that callers show to this gate. An open gate notices changes within seconds."""


@command.command("create")
@click.argument("name")
@click.option(
    "--team", default="", metavar="TEAM", help="The team that it belongs to, for budgets and reports."
)
@click.option("--admin", is_flag=True, help="It also opens the page, the fleet and the metrics.")
@with_config
@with_json
def create(config_file: str | None, name: str, team: str, *, admin: bool, as_json: bool) -> None:
    """Make a key called NAME and print it, this once: it is kept nowhere."""
    from headgate.ledger.keys import create_key

    config = load(config_file, prices=False)
    key = create_key(config.ledger.path, name, team=team, admin=admin, now=time())
    if as_json:
        put_json({"name": name, "team": team, "admin": admin, "key": key})
        return
    put(key)
    say(
        f'this is the key "{name}", shown this once; callers send it as `Authorization: Bearer {key[:3]}…` or as `x-api-key`'
    )


@command.command("list")
@with_config
@with_json
def list_all(config_file: str | None, *, as_json: bool) -> None:
    """List the keys, the revoked ones too."""
    from headgate.ledger.keys import list_keys

    keys = list_keys(load(config_file, prices=False).ledger.path)
    if as_json:
        put_json({"keys": keys})
    elif keys:
        put_table(draw(keys))
    else:
        put("no keys")
        say("headgate keys create NAME makes one")


@command.command("revoke")
@click.argument("name")
@with_config
@with_json
def revoke(config_file: str | None, name: str, *, as_json: bool) -> None:
    """Take the key called NAME back. Requests under way go on."""
    from headgate.ledger.keys import revoke_key

    key = revoke_key(load(config_file, prices=False).ledger.path, name, time())
    if as_json:
        put_json(key)
    else:
        put(f'the key "{name}" is revoked')


def draw(keys: "tuple[Key, ...]") -> Any:
    """The keys as a table."""
    from datetime import datetime

    def day(moment: float | None) -> str:
        return "" if moment is None else f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"

    made = table("name", "team", "admin", "key", "created", "revoked")
    for key in keys:
        made.add_row(
            key.name, key.team, "yes" if key.admin else "", f"{key.hint}…", day(key.created), day(key.revoked)
        )
    return made
