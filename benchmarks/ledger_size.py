"""The ledger at size: what a report over millions of requests takes, from rollups and from rows, and what rolling costs.

    python benchmarks/ledger_size.py [--requests 10000000] [--days 365] [--keep FILE] [--write]

A few thousand real outcomes are written by the real writer; SQL repeats their rows, each with an id and a time of its own,
until the ledger is as large as wanted. Each measurement is made in a process of its own, so that its peak of memory is
its own. The two ways of counting must come to the same. `--keep` names a ledger to make, or to use again when it is there;
else it is made in a temporary folder and removed. `--write` puts the figures into docs/ledger.md. Linux.
"""

import argparse
import json
<<<<<<< HEAD
import resource
=======
import os
import platform
import random
import re
>>>>>>> d2
import sqlite3
import subprocess
import sys
import tempfile
<<<<<<< HEAD
import time
=======
>>>>>>> d2
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))

<<<<<<< HEAD
from headgate.ledger.rows_apart import PROCESSES

=======
DOCS = Path(__file__).parents[1] / "docs" / "ledger.md"
BEGIN, END = "<!-- at size: written by benchmarks/ledger_size.py --write -->", "<!-- end of at size -->"
DAY = 86_400
GOAL_REQUESTS = 10_000_000
GOALS = {"rollups": 1.0, "rows": 10.0}  # seconds, of so many requests
GOAL_MEMORY = 300  # MB
ROUNDS = {"rollups": 3, "rows": 1}
>>>>>>> d2
TEMPLATES = 6_000
SINCE = 1_735_689_600  # 2025-01-01 00:00 UTC
CHANGED = {
    "requests": {
        "n": "n + :base",
        "id": "printf('req_%020x', n + :base)",
        "received": ":since + (n + :base - 1) * :step",
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
    outcomes = [*realistic(TEMPLATES // 2, seed=1), *plain(TEMPLATES // 2, seed=2)]
    random.Random(3).shuffle(outcomes)
    for outcome in outcomes:
        writer.put(outcome)
    writer.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            db.execute(f"PRAGMA {pragma}")
        for table in ("rollups", "call_rollups", "latency_rollups", "facets"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE rolled SET n = 0")
        copies = {}
        for table, changed in CHANGED.items():
            db.execute(f"CREATE TEMP TABLE first_{table} AS SELECT * FROM {table}")
            db.execute(f"DELETE FROM {table}")
            columns = [column.name for column in metadata.tables[table].columns]
            values = ", ".join(changed.get(column, column) for column in columns)
            copies[table] = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM first_{table}"
        step = days * DAY * MICRO // number
        for base in range(0, number, TEMPLATES):
            for table, copy in copies.items():
                only = " WHERE n <= :left" if table == "requests" else " WHERE request <= :left"
                given = {"base": base, "since": SINCE * MICRO, "step": step, "left": number - base}
                db.execute(
                    copy + only, {key: value for key, value in given.items() if f":{key}" in copy + only}
                )
        db.execute("PRAGMA journal_mode = WAL")
<<<<<<< HEAD


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
=======
        db.execute("ANALYZE")


def roll_up(path):
    """As the gate does it, one bite after another."""
    from headgate.ledger.opening import open_for_writing
    from headgate.ledger.retention import FOR_EVER, step

    with closing(open_for_writing(path)) as db:
        before = pages(db)
        began, longest, rolled = perf_counter(), 0.0, 0
        while True:
            bite = perf_counter()
            done = step(db, FOR_EVER, SINCE)
            if not done:
                break
            longest = max(longest, perf_counter() - bite)
            rolled += done.rolled
        seconds = perf_counter() - began
        return {
            "seconds": seconds,
            "longest": longest,
            "requests": rolled,
            "bytes": pages(db) - before,
            "memory": peak(),
        }


def count(path, since, until, *, from_rows):
    """The facts of some time, counted anew."""
    from headgate.ledger.facts import count_facts
    from headgate.ledger.queries import LedgerReader

    began = perf_counter()
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, since, until, from_rows=from_rows)
    seconds = perf_counter() - began
    # all but the percentiles, which are within 1 % from rollups
    same = (
        facts.requests,
        facts.cost,
        facts.money,
        facts.tasks,
        facts.attempts,
        facts.fallbacks,
        facts.days,
        facts.statuses,
    )
    return {"seconds": seconds, "requests": facts.requests, "memory": peak(), "facts": repr(same)}


def pages(db):
    """The bytes of the file."""
    return db.execute("PRAGMA page_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0]


def peak():
    """The most memory this process has had since it began its own program, in MB; `ru_maxrss` may be its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def apart(*words):
    """What this program measures when it is started with these words."""
    run = subprocess.run(
        [sys.executable, __file__, "--measure", *map(str, words)], check=True, stdout=subprocess.PIPE
    )
    return json.loads(run.stdout)


def measure(words):
    """One measurement, in the process that was started for it."""
    what, path, *times = words
    if what == "roll":
        return roll_up(Path(path))
    since, until = map(int, times)
    return count(Path(path), since, until, from_rows=what == "rows")


def counted_both_ways(path, since, until):
    """The medians of each way of counting; they come to the same facts."""
    found = {}
    for way, rounds in ROUNDS.items():
        runs = [apart(way, path, since, until) for _ in range(rounds)]
        found[way] = runs[0] | {
            "seconds": median(run["seconds"] for run in runs),
            "memory": max(run["memory"] for run in runs),
        }
    if found["rollups"]["facts"] != found["rows"]["facts"]:
        sys.exit(f"rollups and rows do not come to the same from {since} until {until}")
    return found


def state(value, goal, number, *, grows=False):
    """Whether a goal was met; of fewer than ten million requests, what can be told of it. What is read row by row grows."""
    if value > goal:
        return "missed"
    if number >= GOAL_REQUESTS:
        return "met"
    expected = value * GOAL_REQUESTS / number
    if grows:
        return (
            f"{'missed' if expected > goal else 'met'} if it grows with the requests: about {expected:.0f} s"
        )
    return "not proven with so few"


def table(number, size, rolled, times, load):
    """The figures as a page shows them."""
    name, whole = list(times.items())[-1]
    begin = (
        f"`python benchmarks/ledger_size.py --requests {number}` on {os.cpu_count()} shared cores, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, load average {load:.1f} before it began: "
        f"{number:,} requests ({name}), {size / 1e9:.2f} GB. The file was in the system's cache as far as it fits."
    )
    lines = [
        begin,
        "",
        "| counted | requests | from rollups | memory | from rows | memory |",
        "|---|---|---|---|---|---|",
    ]
    for time, found in times.items():
        by, rows = found["rollups"], found["rows"]
        lines.append(
            f"| {time} | {by['requests']:,} | {by['seconds']:.2f} s | {by['memory']:.0f} MB "
            f"| {rows['seconds']:.2f} s | {rows['memory']:.0f} MB |"
        )
    lines += [
        "",
        f"| goal at {GOAL_REQUESTS:,} requests | measured here | |",
        "|---|---|---|",
    ]
    for way, goal in GOALS.items():
        seconds = whole[way]["seconds"]
        lines.append(
            f"| all of it from {way} in {goal:.0f} s | {seconds:.2f} s | {state(seconds, goal, number, grows=way == 'rows')} |"
        )
    memory = max(found["memory"] for found in whole.values())
    lines += [
        f"| in {GOAL_MEMORY} MB | {memory:.0f} MB | {state(memory, GOAL_MEMORY, number)} |",
        "",
        f"Rolling up took {rolled['seconds'] / rolled['requests'] * 1e6:.0f} µs a request, "
        f"{rolled['longest'] * 1000:.0f} ms for the longest bite and {rolled['memory']:.0f} MB of memory; "
        f"the rollups are {rolled['bytes'] / 1e6:.0f} MB, {rolled['bytes'] / rolled['requests']:.0f} bytes a request."
        if rolled["requests"]
        else "It was rolled up before.",
    ]
    return "\n".join(lines)


def write(text):
    """Put the figures where the page has a place for them."""
    page = DOCS.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not between.search(page):
        sys.exit(f"{DOCS} has no place for the figures: {BEGIN} ... {END}")
    DOCS.write_text(between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page), encoding="utf-8")


def run(path, number, days):
    """Make the ledger unless it is there, roll it up and count."""
    load = os.getloadavg()[0]
    if not path.exists():
        began = perf_counter()
        make(path, number, days)
        print(f"made in {perf_counter() - began:.0f} s", file=sys.stderr)
    rolled = apart("roll", path)
    print(f"rolled up in {rolled['seconds']:.0f} s", file=sys.stderr)
    until = SINCE + days * DAY
    times = {
        "a week": counted_both_ways(path, until - 7 * DAY, until),
        f"all {days} days": counted_both_ways(path, SINCE, until),
    }
    number = times[f"all {days} days"]["rows"]["requests"]
    return table(number, path.stat().st_size, rolled, times, load)
>>>>>>> d2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
<<<<<<< HEAD
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
=======
    parser.add_argument("--requests", type=int, default=GOAL_REQUESTS)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        text = run(given.keep or Path(folder) / "ledger.db", given.requests, given.days)
    print(text)
    if given.write:
        write(text)
>>>>>>> d2


if __name__ == "__main__":
    main()
