"""What the ledger costs: processor time, the event loop's lateness, bytes a request, and the report's time.

    python benchmarks/ledger.py [--requests 100000] [--rate 8000] [--seconds 5]

`plain` requests have one attempt that passes six checks; `hard` ones have two attempts with six or seven verdicts each,
sentences with figures among them. The event loop's lateness is measured with a ticker of one millisecond, first with an
idle ledger and then with `--rate` requests a second going into it. What the ledger adds to a busy gate is measured by a
loop that never rests, once with and once without a ledger: then the two threads quarrel over the interpreter's lock, and
that costs too.
"""

import argparse
import asyncio
import resource
import socket
import sys
import tempfile
import time
from datetime import UTC
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))

from ledger_samples import MODELS, plain, realistic
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


def outcomes_of(templates, number):
    """Many outcomes with ids and times of their own, made of a few thousand different ones."""
    since, until = Week(2025, 42).bounds(UTC)
    step = (until - since) / number
    return [
        replace(outcome, id=f"{i:019x}", received=since + i * step)
        for i, outcome in enumerate(islice(cycle(templates), number))
    ]


def measure_throughput(folder, name, outcomes):
    """As many as the writer takes, waiting whenever its queue is nearly full."""
    writer = open_ledger(folder, name)
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


def measure_added(folder, outcomes):
    """Microseconds of processor time, over all threads, that the ledger adds to a request on a busy loop; the lost."""

    def work():
        """Some 40 us of a gate's kind: computing, and calls that let go of the interpreter's lock."""
        for end, other in ((here, there), (there, here)):
            sum([i * i for i in range(400)])
            end.send(b"x" * 300)
            other.recv(1000)

    async def serve(put):
        for i, outcome in enumerate(outcomes):
            work()
            put(outcome)
            if i % 8 == 7:
                await asyncio.sleep(0)

    here, there = socket.socketpair()
    with here, there:
        began = time.process_time()
        asyncio.run(serve(lambda _: None))
        without = time.process_time() - began
        writer = open_ledger(folder, "busy.db")
        began = time.process_time()
        asyncio.run(serve(writer.put))
        writer.flush(60)
        added = time.process_time() - began - without
        writer.close()
    return added / len(outcomes) * 1e6, writer.lost


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


def peak():
    """The most memory this process has had, in kilobytes (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=8_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()

    table = Table("Measure", "Value", title="The ledger")
    table.columns[1].justify = "right"
    with tempfile.TemporaryDirectory() as folder:
        hard = outcomes_of(list(realistic(4_000, attempts=2)), given.requests)
        easy = outcomes_of(list(plain(4_000)), given.requests)
        before = peak()
        idle, busy, put, achieved, lost = measure_loop(folder, easy, given.rate, given.seconds)
        table.add_row("put(), on the event loop", f"{put:,.2f} us")
        table.add_row("loop late, idle ledger, p99", f"{idle[int(len(idle) * 0.99)] * 1000:,.2f} ms")
        table.add_row(
            f"loop late, {achieved:,.0f} requests/s, p99", f"{busy[int(len(busy) * 0.99)] * 1000:,.2f} ms"
        )
        table.add_row("    lost", f"{lost:,}")
        table.add_row("    memory grown at its peak", f"{(peak() - before) / 1024:,.1f} MB")
        added, lost = measure_added(folder, easy[:40_000])
        table.add_row("added to a plain request on a busy loop", f"{added:,.1f} us")
        table.add_row("    lost", f"{lost:,}")

        for kind, outcomes in (("hard", hard), ("plain", easy)):
            rate, cpu, lost, path = measure_throughput(folder, f"{kind}.db", outcomes)
            size = path.stat().st_size / given.requests
            table.add_row(f"{kind} requests, as many as it takes", f"{rate:,.0f} requests/s")
            table.add_row("    processor time, all threads", f"{cpu:,.1f} us/request")
            table.add_row("    on disk, indexes included", f"{size:,.0f} bytes/request")
            table.add_row("    lost", f"{lost:,}")

        began = time.perf_counter()
        with LedgerReader(Path(folder) / "hard.db") as ledger:
            facts = count_facts(ledger, *Week(2025, 42).bounds(UTC))
        table.add_row(f"facts of a week of {facts.requests:,}", f"{time.perf_counter() - began:,.2f} s")
    Console().print(table)


if __name__ == "__main__":
    main()
