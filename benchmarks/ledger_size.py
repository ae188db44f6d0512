"""The ledger at size: what a report over millions of requests takes, from rollups and from rows, and what rolling costs.

    python benchmarks/ledger_size.py [--requests 10000000] [--days 365] [--keep FILE]

A few thousand real outcomes are written by the real writer; SQL repeats their rows, each with an id and a time of its own,
until the ledger is as large as wanted. Each measurement is made in a process of its own, so that its peak of memory is
its own. `--keep` names a ledger to make, or to use again when it is there; else it is made in a temporary folder and
removed.
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))

from headgate.ledger.rows_apart import PROCESSES

TEMPLATES = 6_000
SINCE = 1_735_689_600  # 2025-01-01 00:00 UTC
SECONDS = "seconds + (n + :base) * 7919 % 100003"
FIRST_TOKEN = "first_token + (n + :base) * 104729 % 50021"
CHANGED = {
    "requests": {
        "n": "n + :base",
        "id": "printf('%019x', n + :base)",
        "received": ":since + (n + :base) * :step",
        "seconds": SECONDS,
        "first_token": FIRST_TOKEN,
        "bins": f"bins_of({SECONDS}, {FIRST_TOKEN})",
    },
    "attempts": {"request": "request + :base"},
}


def make(path, number, days):
    """A ledger of so many requests over so many days."""
    from ledger_samples import MODELS, plain, realistic

    from headgate.ledger.schema import metadata
    from headgate.ledger.sketches import bins_of
    from headgate.ledger.units import MICRO
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
        db.create_function("bins_of", 2, bins_of)
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


def peak():
    """The most memory this process has had, and those that it started, in megabytes (on Linux)."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own.ru_maxrss + PROCESSES * children.ru_maxrss) / 1024


def processor():
    """Seconds of processor time that this process has had, and those that it started."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def facts(path, since, until, *, from_rows):
    """Seconds, processor seconds and figures of counting some time."""
    from headgate.ledger.facts import count_facts
    from headgate.ledger.queries import LedgerReader

    before, began, spent = peak(), time.perf_counter(), processor()
    with LedgerReader(path) as ledger:
        found = count_facts(ledger, since, until, from_rows=from_rows)
    return {
        "seconds": time.perf_counter() - began,
        "processor seconds": processor() - spent,
        "memory, MB": peak(),
        "memory before, MB": before,
        "requests": found.requests,
        "cost": found.cost,
        "baseline": found.money.baseline,
        "p50": found.latency.p50,
        "p95": found.latency.p95,
    }


def compact(path):
    """Roll all of it up, and take what it takes."""
    from headgate.ledger.opening import open_for_writing
    from headgate.ledger.rollups import BITE, roll

    began, spent, number = time.perf_counter(), time.process_time(), 0
    with closing(open_for_writing(path)) as db:
        while done := roll(db, BITE):
            number += done
        size = "SELECT sum(pgsize) FROM dbstat WHERE name IN ('facets', 'facets_by_all', {})".format(
            ", ".join(f"'{table}'" for table in ("rollups", "call_rollups", "latency_rollups"))
        )
        (rolled,) = db.execute(size).fetchone()
    return {
        "rolled up": number,
        "seconds": time.perf_counter() - began,
        "microseconds of processor a request": (time.process_time() - spent) / max(1, number) * 1e6,
        "rollups, MB": rolled / 1e6,
        "file, MB": path.stat().st_size / 1e6,
        "memory, MB": peak(),
    }


def measure(what, path, days):
    """One measurement, in this process."""
    since, week = SINCE, SINCE + 30 * 86_400
    if what == "make":
        began = time.perf_counter()
        make(path, days[0], days[1])
        return {"seconds": time.perf_counter() - began}
    return {
        "all, from rows": lambda: facts(path, since, since + days[1] * 86_400, from_rows=True),
        "rolling up": lambda: compact(path),
        "all, from rollups": lambda: facts(path, since, since + days[1] * 86_400, from_rows=False),
        "a week, from rows": lambda: facts(path, week, week + 7 * 86_400, from_rows=True),
        "a week, from rollups": lambda: facts(path, week, week + 7 * 86_400, from_rows=False),
    }[what]()


MEASURED = ("all, from rows", "rolling up", "all, from rollups", "a week, from rows", "a week, from rollups")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, help="make this ledger, or use it again, and keep it")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.keep, (given.requests, given.days))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "ledger.db"
        steps = MEASURED if path.exists() else ("make", *MEASURED)
        for what in steps:
            words = [sys.executable, __file__, "--measure", what, "--keep", str(path)]
            words += ["--requests", str(given.requests), "--days", str(given.days)]
            found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
            figures = ", ".join(f"{name} {figure:,.6g}" for name, figure in found.items())
            print(f"{what}: {figures}", flush=True)


if __name__ == "__main__":
    main()
