"""`headgate ledger compact`: roll up, remove what is older than it is to be kept, and give the space back."""

import click

from headgate.cli.common import load, put, put_json, with_config, with_json


@click.command("compact")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """Do at once what the gate does when it is quiet, and make the file as small as it can be.

    Rows older than [ledger] keep are removed once they are in the rollups; the figures of every report stay what they are.
    """
    from headgate.cli.bars import Bar
    from headgate.cli.models_words import size
    from headgate.ledger.compacting import compact
    from headgate.ledger.retention import Keep
    from headgate.reports.shown import count

    config = load(config_file, prices=False)
    with Bar("compacting") as bar:
        done = compact(
            config.ledger.path,
            Keep(rows=config.ledger.keep, bodies=config.ledger.keep_bodies_for),
            bar.show,
        )
    if as_json:
        put_json(done)
        return
    put(f"{config.ledger.path}: {size(done.before)} before, {size(done.after)} now")
    put(
        f"  {count(done.rolled, 'request')} rolled up, the rows of {done.pruned:,} and the prompts and answers of "
        f"{done.bodies:,} removed"
    )
    if done.problem:
        put(f"  note: its space could not be given back: {done.problem}")
