"""`headgate ledger verify`: is the ledger what it should be?"""

import click

from headgate.cli.common import load, put, put_json, with_config, with_json


@click.command("verify")
@click.option("--ledger", "other", metavar="PATH", help="Another ledger than the config's.")
@with_config
@with_json
def command(config_file: str | None, other: str | None, *, as_json: bool) -> None:
    """Read all of the ledger: the file is sound, every number points to something, the rollups are those of the rows.

    Nothing is changed. Exit 1 when something is wrong.
    """
    from pathlib import Path

    from headgate.ledger.verifying import verify
    from headgate.reports.shown import count

    path = load(config_file, prices=False).ledger.path if other is None else Path(other).expanduser()
    found = verify(path)
    if as_json:
        put_json(found)
    else:
        put(f"{path}: {count(found.requests, 'request')}, {count(found.attempts, 'attempt')}")
        if found.audits:
            put(f"  {count(found.audits, 'audit')}")
        waiting = f"; {found.waiting:,} wait to be rolled up" if found.waiting else ""
        put(f"  rollups of {count(found.days, 'day')} compared with their rows{waiting}")
        if found.pruned is not None:
            put(f"  rows of before {found.pruned} have been removed; their sums are kept")
        if not found.problems:
            put("  all is well")
    if found.problems:
        import sys

        from headgate.core.errors import LedgerError

        sys.stdout.flush()
        raise LedgerError(
            "; ".join(found.problems),
            f"close the gate, keep a copy of {path} with its -wal, and export what can be read "
            "(headgate ledger export all.jsonl); imported into a new ledger, its figures are made again",
        )
