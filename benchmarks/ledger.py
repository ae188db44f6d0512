"""What the ledger costs: requests a second, microseconds on the event loop, bytes a request, and the report's time.

    python benchmarks/ledger.py [--requests 100000] [--rate 5000] [--seconds 5]

Every request has two attempts with six or seven verdicts each. The event loop's lateness is measured with a ticker of
one millisecond, first with an idle ledger and then with `--rate` requests a second going into it.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))

from ledger_samples import MODELS, realistic
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter
from headgate.reports.week import Week


def open_ledger(folder, name):
    writer = LedgerWriter(Path(folder) / name)
    writer.start()
    writer.describe(MODELS)
    return writer


def outcomes_of(number):
    """Many outcomes with ids and times of their own, made of a few thousand different ones."""
    templates = list(realistic(4_000, attempts=2))
    since, until = Week(2025, 42).bounds(UTC)
    step = (until - since) / number
    return [
        replace(outcome, id=f"req_{i:020x}", received=since + i * step)
        for i, outcome in enumerate(islice(cycle(templates), number))
    ]


def measure_throughput(folder, outcomes):
    """As many as the writer takes, waiting whenever its queue is nearly full."""
    writer = open_ledger(folder, "throughput.db")
    began = time.perf_counter()
    spent = time.process_time()
    for outcome in outcomes:
        while writer.waiting > 9_000:
            time.sleep(0.002)
        writer.put(outcome)
    writer.flush(60)
    took, cpu = time.perf_counter() - began, time.process_time() - spent
    writer.close()
    return len(outcomes) / took, cpu / len(outcomes) * 1e6, writer.lost, writer.path


async def measure_lateness(seconds, load):
    """The lateness of a millisecond's tick, sorted; `load` is called at each tick with the time since the last."""
    late = []
    end = time.perf_counter() + seconds
    before = time.perf_counter()
    while before < end:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        late.append(now - before - 0.001)
        load(now - before)
        before = time.perf_counter()
    return sorted(late)


def measure_loop(folder, outcomes, rate, seconds):
    """The loop's lateness without and with load; the time of one `put`; what was lost."""
    idle = asyncio.run(measure_lateness(seconds, lambda _: None))
    writer = open_ledger(folder, "loop.db")
    supply = cycle(outcomes)
    owed, putting, put = 0.0, 0.0, 0

    def load(elapsed):
        nonlocal owed, putting, put
        owed += elapsed * rate
        number = int(owed)
        owed -= number
        batch = list(islice(supply, number))
        began = time.perf_counter()
        for outcome in batch:
            writer.put(outcome)
        putting += time.perf_counter() - began
        put += number

    busy = asyncio.run(measure_lateness(seconds, load))
    writer.flush(60)
    writer.close()
    return idle, busy, putting / put * 1e6, put / seconds, writer.lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()

    table = Table("Measure", "Value", title="The ledger")
    table.columns[1].justify = "right"
    with tempfile.TemporaryDirectory() as folder:
        outcomes = outcomes_of(given.requests)
        rate, cpu, lost, path = measure_throughput(folder, outcomes)
        table.add_row("sustained, two attempts each", f"{rate:,.0f} requests/s")
        table.add_row("processor time, all threads", f"{cpu:,.1f} us/request")
        table.add_row("lost at that rate", f"{lost:,}")
        table.add_row(
            "on disk, indexes included", f"{path.stat().st_size / given.requests:,.0f} bytes/request"
        )

        began = time.perf_counter()
        with LedgerReader(path) as ledger:
            facts = count_facts(ledger, *Week(2025, 42).bounds(UTC))
        table.add_row(f"facts of a week of {facts.requests:,}", f"{time.perf_counter() - began:,.2f} s")

        idle, busy, put, achieved, dropped = measure_loop(folder, outcomes, given.rate, given.seconds)
        table.add_row("put(), on the event loop", f"{put:,.2f} us")
        table.add_row("loop late, idle ledger, p99", f"{idle[int(len(idle) * 0.99)] * 1000:,.2f} ms")
        table.add_row(
            f"loop late, {achieved:,.0f} requests/s, p99", f"{busy[int(len(busy) * 0.99)] * 1000:,.2f} ms"
        )
        table.add_row("lost at that rate", f"{dropped:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
