"""`headgate budgets`: what each budget has spent, promised and left, and when it begins anew."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config

MEANS = {"local": "models at home only", "refuse": "refused", "prefer_local": "models at home first"}
"""What a spent budget does to a request."""


@click.command("budgets")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """Show what each budget has spent, promised to requests under way, and left, and when it begins anew.

    An open gate is asked; while none is open, the ledger.
    """
    config = load(config_file, prices=False)
    standings = standings_of(config)
    if as_json:
        put_json({"budgets": standings})
    elif standings:
        put_table(draw(standings, config.timezone))
    else:
        put("no budgets")
        say("[[budgets]] in headgate.toml sets them; see docs/budgets.md")


def standings_of(config: "Config") -> list[dict[str, Any]]:
    """How the budgets stand: in the gate that is open with this config, else by the ledger."""
    import msgspec

    from headgate.cli.runfile import ask_health
    from headgate.cli.runner import serving
    from headgate.starting import open_budgets

    gate = serving(config)
    health = ask_health(gate) if gate is not None else None
    if health is not None:
        shown: list[dict[str, Any]] = health["budgets"]
        return shown
    plain: list[dict[str, Any]] = msgspec.to_builtins(open_budgets(config).standings())
    return plain


def draw(standings: list[dict[str, Any]], zone: str) -> Any:
    """The budgets as a table."""
    from headgate.core.budgets import money

    made = table(
        "budget", "for", "per", "of", "spent", "reserved", "left", "begins anew", "when spent",
        right=("of", "spent", "reserved", "left"),
    )  # fmt: skip
    for one in standings:
        figures = [money(one[name]) for name in ("dollars", "spent", "reserved", "left")]
        made.add_row(
            one["name"], whose(one), one["per"], *figures, moment(one["ends"], zone), MEANS[one["when_spent"]]
        )
    return made


def whose(one: dict[str, Any]) -> str:
    """Whose requests are paid from it."""
    parts = [f"{name} {one[name]}" for name in ("key", "team", "task") if one[name]]
    return ", ".join(parts) or "everybody"


def sentence(one: dict[str, Any]) -> str:
    """A budget in a line of `headgate`."""
    from headgate.core.budgets import money

    gone = f"{money(one['spent'])} of {money(one['dollars'])} spent this {one['per']}"
    return f"{one['name']} ({whose(one)}): {gone}" + (
        f"; {MEANS[one['when_spent']]}" if one["level"] >= 100 else ""
    )


def moment(at: float, zone: str) -> str:
    """A time for people, where the gate's days begin."""
    from headgate.config.zones import zone_of

    return f"{datetime.fromtimestamp(at, zone_of(zone)):%Y-%m-%d %H:%M}"
