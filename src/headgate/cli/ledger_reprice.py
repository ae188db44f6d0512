"""`headgate ledger reprice`: what everything would have cost at the prices of another day. The ledger stays as it is."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from headgate.cli.common import in_order, load, put, put_json, put_table, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.ledger.reprice import Repriced, Side

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("reprice")
@click.option("--as-of", required=True, type=DAY, metavar="DATE", help="The day of the prices, 2026-11-23.")
@click.option("--since", type=DAY, metavar="DATE", help="Only requests from this day on.")
@click.option("--until", type=DAY, metavar="DATE", help="Only requests before this day.")
@with_config
@with_json
def command(
    as_of: datetime, since: datetime | None, until: datetime | None, config_file: str | None, *, as_json: bool
) -> None:
    """Recompute cost and baseline of every request with the prices of one day.

    Prices are those of your config, which hold on every day, and of the list as it stood on DATE. Nothing is written: each row
    keeps the price of its own day.
    """
    from headgate.config.zones import zone_of
    from headgate.ledger.queries import LedgerReader
    from headgate.ledger.reprice import reprice

    config = load(config_file)
    zone = zone_of(config.timezone)
    first, end = (None if day is None else day.replace(tzinfo=zone).timestamp() for day in (since, until))
    in_order(first, end)
    with LedgerReader(config.ledger.path) as ledger:
        found = reprice(ledger, config.prices.of, as_of.date(), first, end)
    if as_json:
        put_json(found)
    else:
        show(found)


def show(found: "Repriced") -> None:
    """The comparison as a table, and the savings under both."""
    from headgate.reports.shown import count, dollars, percent

    made = table(
        "answered by",
        "requests",
        "cost then",
        f"at {found.as_of}",
        right=("requests", "cost then", f"at {found.as_of}"),
    )
    for line in found.models:
        made.add_row(line.shown or "nobody", f"{line.requests:,}", told(line.before), told(line.after))
    made.add_row("TOTAL", f"{found.requests:,}", told(found.before), told(found.after))
    put_table(made)
    for word, saved in (("then", found.savings_before), (f"at {found.as_of}", found.savings_after)):
        left_out = f"; {count(saved.unknown, 'request')} left out" if saved.unknown else ""
        put(
            f"saved {word}: {dollars(saved.saved)} ({percent(saved.share)} of {dollars(saved.baseline)}) "
            f"in {count(saved.requests, 'request')}{left_out}"
        )


def told(side: "Side") -> str:
    """A cost, with how much of it is unknown."""
    from headgate.reports.shown import dollars

    return dollars(side.cost) + (f" + {side.unknown:,} unknown" if side.unknown else "")
