"""`headgate ledger export`: the requests in a file, for other programs or for another ledger."""

from datetime import datetime
from pathlib import Path

import click

from headgate.cli.common import in_order, load, put, put_json, with_config, with_json

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--since", type=DAY, metavar="DATE", help="Only requests from this day on.")
@click.option("--until", type=DAY, metavar="DATE", help="Only requests before this day.")
@with_config
@with_json
def command(
    file: Path, since: datetime | None, until: datetime | None, config_file: str | None, *, as_json: bool
) -> None:
    """Write requests into FILE, whose name says how: .jsonl or .jsonl.gz, .csv, .parquet.

    Lines can be imported again. Days begin where the report's do. Prompts and answers are written where they were kept, and
    into lines alone.
    """
    from headgate.cli.bars import Bar
    from headgate.config.zones import zone_of
    from headgate.ledger.exporting import export_requests
    from headgate.ledger.queries import Filter
    from headgate.reports.shown import count

    config = load(config_file, prices=False)
    zone = zone_of(config.timezone)
    first, end = (None if day is None else day.replace(tzinfo=zone).timestamp() for day in (since, until))
    in_order(first, end)
    with Bar("exporting") as bar:
        number = export_requests(
            config.ledger.path,
            file,
            Filter(since=first, until=end),
            lambda done, total: bar.show(done / max(1, total), f"{done:,} of {total:,} requests"),
        )
    if as_json:
        put_json({"file": file, "requests": number})
    else:
        put(f"{file}: {count(number, 'request')}")
