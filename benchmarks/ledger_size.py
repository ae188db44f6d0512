"""The ledger at size: what a report over millions of requests takes, from rollups and from rows, and what rolling costs.

    python benchmarks/ledger_size.py [--requests 10000000] [--days 365] [--keep FILE]

A few thousand real outcomes are written by the real writer; SQL repeats their rows, each with an id and a time of its own,
until the ledger is as large as wanted. Each measurement is made in a process of its own, so that its peak of memory is
its own. `--keep` names a ledger to make, or to use again when it is there; else it is made in a temporary folder and
removed.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))

TEMPLATES = 6_000
SINCE = 1_735_689_600  # 2025-01-01 00:00 UTC
CHANGED = {
    "requests": {
        "n": "n + :base",
        "id": "printf('req_%020x', n + :base)",
        "received": ":since + (n + :base) * :step",
        "seconds": "seconds + (n + :base) * 7919 % 100003",
        "first_token": "first_token + (n + :base) * 104729 % 50021",
    },
    "attempts": {"request": "request + :base"},
}


def make(path, number, days):
    """A ledger of so many requests over so many days."""
    from ledger_samples import MODELS, plain, realistic

    from headgate.ledger.schema import MICRO, metadata
    from headgate.ledger.writer import LedgerWriter

    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    for outcome in [*realistic(TEMPLATES // 2, seed=1), *plain(TEMPLATES // 2, seed=2)]:
        writer.put(outcome)
    writer.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            db.execute(f"PRAGMA {pragma}")
        copies = {}
        for table, changed in CHANGED.items():
            db.execute(f"CREATE TEMP TABLE first_{table} AS SELECT * FROM {table}")
            db.execute(f"DELETE FROM {table}")
            columns = [column.name for column in metadata.tables[table].columns]
            values = ", ".join(changed.get(column, column) for column in columns)
            copies[table] = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM first_{table}"
        step = days * 86_400 * MICRO // number
        for base in range(0, number, TEMPLATES):
            for table, copy in copies.items():
                only = " WHERE n <= :left" if table == "requests" else " WHERE request <= :left"
                given = {"base": base, "since": SINCE * MICRO, "step": step, "left": number - base}
                db.execute(
                    copy + only, {key: value for key, value in given.items() if f":{key}" in copy + only}
                )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("ANALYZE")
