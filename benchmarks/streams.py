"""What does a stream through the gate cost? The table of streams in docs/performance.md, from one command.

    python benchmarks/streams.py             three rounds, about three minutes
    python benchmarks/streams.py --quick     one short round
    python benchmarks/streams.py --write     … and put the table into docs/performance.md

It needs Linux and two cores that are otherwise idle. The engine is paced, not real: it writes as many chunks and as far
apart as the prompt says, so that only the gate's share is seen. Mode `pass`; what the other modes hold is their purpose.
"""

import argparse
import asyncio
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import uvloop
from msgspec import Struct

from beside import process, readers, rounds, tables
from beside.process import Child
from beside.readers import Course
from run import PAGE, ROOT, keep_off_the_gate, say

BEGIN, END = "<!-- streams: written by benchmarks/streams.py -->", "<!-- end of streams -->"
ENGINE = ROOT / "benchmarks/beside/paced_engine.py"

CONFIG = """
[server]
listen = "127.0.0.1:{port}"

[engines.home]
kind = "openai_compatible"
url = "http://127.0.0.1:{engine}/v1"
parallel = 4000
first_token = "600s"
between_tokens = "600s"

[models.small]
engine = "home"
id = "bench"
context = 16384

[[routes]]
name = "everything"
try = ["small"]

[streaming]
mode = "pass"

[limits]
answer_within = "600s"

[ledger]
path = "{folder}/ledger.db"
"""

EVERY_MS = 20
"""Between two chunks at a pace: 50 a second."""
SLOW_CHUNKS = 210_000
"""Of 240 bytes or so: 50 MB."""


class Plan(Struct, frozen=True, kw_only=True):
    """How long and how often."""

    rounds: int = 3
    asks: int = 200
    """Short streams at each port, for the time to the first token."""
    chunks: int = 300
    """In each stream at a pace."""
    poured: int = 20_000
    """Chunks in each of eight streams without a pace."""
    open: int = 2000
    """Streams held open while memory is read."""
    slow: int = 10
    """Seconds that the slow caller reads."""


QUICK = Plan(rounds=1, asks=50, chunks=100, poured=5000, open=500, slow=4)


class Round(Struct, frozen=True, kw_only=True):
    """What one round found. Times of one chunk are µs of the gate's CPU, all others ms."""

    first_p50: float
    first_p99: float
    direct_p50: float
    direct_p99: float
    chunk_1: float
    chunk_20: float
    chunk_200: float
    chunk_poured: float
    busy_200: float
    """Share of its core that the gate had with 200 streams."""
    gap_p99: float
    gap_max: float
    direct_gap_p99: float
    direct_gap_max: float
    open_kb: float
    """Memory of the gate for each open stream."""
    slow_sent_mb: float
    """What the engine could send while a slow caller read a few KB."""
    slow_read_kb: float
    slow_grown_mb: float
    """By so much the gate's memory grew meanwhile."""


def main() -> None:
    given = options()
    if sys.platform != "linux":
        sys.exit(
            "error: processes are measured by /proc, which only Linux has\nhint: run it in a Linux container"
        )
    plan = QUICK if given.quick else Plan(rounds=given.rounds)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = os.getloadavg()[0]
    found = []
    with keep_off_the_gate():
        for number in range(1, plan.rounds + 1):
            found.append(uvloop.run(measure(plan)))
            say(f"round {number}: {found[-1]}")
    shown = render(medians(found), plan, load)
    print(shown)
    if given.write:
        write(shown)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    return parser.parse_args()


# ── One round ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def measure(plan: Plan) -> Round:
    """Everything once: one fresh gate for what takes time, another for memory."""
    engine_core = process.cores()[1]
    with paced_engine(engine_core) as engine:
        with running_gate(engine) as (gate, port):
            await warm_up(port)
            first, direct = await readers.first_tokens(
                [(port, "auto"), (engine, "bench")], plan.asks, pause=0.01
            )
            chunk_1, _, _ = await chunks_at_a_pace(gate, port, 1, plan)
            chunk_20, _, _ = await chunks_at_a_pace(gate, port, 20, plan)
            chunk_200, busy, gaps = await chunks_at_a_pace(gate, port, 200, plan)
            _, direct_gaps = await readers.read_all(engine, "bench", Course(200, plan.chunks, EVERY_MS))
            chunk_poured = await chunks_at_full_speed(gate, port, plan)
        with running_gate(engine) as (gate, port):
            await warm_up(port)
            sent, read, grown = await slow_caller(gate, port, engine, plan.slow)
            open_kb = await memory_of_open_streams(gate, port, plan.open)
    return Round(
        first_p50=at(first, 50) * 1e3,
        first_p99=at(first, 99) * 1e3,
        direct_p50=at(direct, 50) * 1e3,
        direct_p99=at(direct, 99) * 1e3,
        chunk_1=chunk_1 * 1e6,
        chunk_20=chunk_20 * 1e6,
        chunk_200=chunk_200 * 1e6,
        chunk_poured=chunk_poured * 1e6,
        busy_200=busy,
        gap_p99=at(gaps, 99) * 1e3,
        gap_max=max(gaps) * 1e3,
        direct_gap_p99=at(direct_gaps, 99) * 1e3,
        direct_gap_max=max(direct_gaps) * 1e3,
        open_kb=open_kb,
        slow_sent_mb=sent / 1e6,
        slow_read_kb=read / 1e3,
        slow_grown_mb=grown,
    )


@contextmanager
def paced_engine(core: int) -> Iterator[int]:
    """The engine, on one core; gives its port."""
    command = process.pinned(core, [sys.executable, str(ENGINE)])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            yield int(running.stdout.readline())
        finally:
            running.kill()


@contextmanager
def running_gate(engine: int) -> Iterator[tuple[Child, int]]:
    """A fresh gate on a core of its own; gives it and its port."""
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as name:
        folder, port = Path(name), rounds.free_port()
        (folder / "port").write_text(str(port))
        page = folder / "headgate.toml"
        page.write_text(CONFIG.format(port=port, engine=engine, folder=folder))
        program = [sys.executable, "-m", "headgate", "up", "--config", str(page)]
        command = process.pinned(process.cores()[0], program)
        with Child(command, folder / "log", os.environ | {"HEADGATE_DATA": name}) as gate:
            gate.wait_until_serving(folder / "port", "/healthz")
            yield gate, port


async def warm_up(port: int) -> None:
    """Let the gate make its connections and its caches."""
    await readers.read_all(port, "auto", Course(20, 50, 1))


async def chunks_at_a_pace(
    gate: Child, port: int, streams: int, plan: Plan
) -> tuple[float, float, list[float]]:
    """CPU seconds of the gate per chunk, its share of its core, and all gaps, while so many streams run."""
    loop = asyncio.get_running_loop()
    chunks = plan.chunks * 2 if streams == 1 else plan.chunks  # the kernel counts in hundredths of a second
    begun: list[float] = []
    tokens, gaps = await readers.read_all(
        port,
        "auto",
        Course(streams, chunks, EVERY_MS),
        ready=lambda: begun.extend((process.cpu_seconds(gate.pid), loop.time())),
    )
    spent, seconds = process.cpu_seconds(gate.pid) - begun[0], loop.time() - begun[1]
    return spent / tokens, spent / seconds, gaps


async def chunks_at_full_speed(gate: Child, port: int, plan: Plan) -> float:
    """CPU seconds of the gate per chunk when the engine never waits."""
    before = process.cpu_seconds(gate.pid)
    await readers.read_all(port, "auto", Course(8, plan.poured))
    return (process.cpu_seconds(gate.pid) - before) / (8 * plan.poured)


async def memory_of_open_streams(gate: Child, port: int, streams: int) -> float:
    """Kilobytes that the gate needs for each open stream."""
    before = process.resident_mb(gate.pid)
    opened = await readers.hold_open(port, "auto", streams)
    grown = process.resident_mb(gate.pid) - before
    for reader in opened:
        reader.transport.abort()
    return grown * 1e3 / streams


async def slow_caller(gate: Child, port: int, engine: int, seconds: int) -> tuple[int, int, float]:
    """Bytes that the engine could send, bytes read, and megabytes that the gate grew by."""
    before = process.resident_mb(gate.pid)
    reading = asyncio.create_task(readers.read_slowly(port, "auto", SLOW_CHUNKS, seconds))
    await asyncio.sleep(seconds - 0.5)
    grown = process.resident_mb(gate.pid) - before
    sent = await asyncio.to_thread(sent_by, engine)
    return sent, await reading, grown


def sent_by(engine: int) -> int:
    """Bytes of its newest stream that the engine could give to the kernel."""
    connection = HTTPConnection("127.0.0.1", engine, timeout=10)
    try:
        connection.request("GET", "/sent")
        return int(connection.getresponse().read())
    finally:
        connection.close()


def at(values: Sequence[float], percent: int) -> float:
    """A percentile."""
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


def medians(found: Sequence[Round]) -> Round:
    """The median of each figure."""
    return Round(
        **{name: statistics.median(getattr(each, name) for each in found) for name in Round.__struct_fields__}
    )


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


METHOD = """\
The gate runs on one core, engine and callers on the other; all are asyncio programs on uvloop. The engine \
(`benchmarks/beside/paced_engine.py`) writes Chat Completions chunks of about 190 bytes, each by a write of its own, at the \
pace that the prompt asks for. The gate is `headgate up` with one route, mode `pass`, ledger, checks and metrics on. \
Figures are medians of {rounds} round(s), with fresh gates in each.

- **first token**: {asks} short streams through the gate and {asks} direct, in turns, one at a time, on kept connections: from \
sending the request to the arrival of the first token.
- **CPU µs/chunk**: user and system time of the gate by `/proc/PID/stat`, while 1, 20 or 200 streams of {chunks} chunks come at \
50 chunks/s each, divided by the chunks. The fewer streams, the more often the gate sleeps and wakes with cold caches. At full \
speed: eight streams of {poured} chunks, as fast as they are taken, begin and end included; many come with one read.
- **gaps**: between two arrivals of tokens of one stream, at 200 streams; an engine that is never late leaves 20 ms.
- **memory**: growth of the gate's resident memory while {open} streams are open that have begun, divided by them.
- **slow caller**: reads 1 KB/s of a stream of 50 MB for {slow} s; what the engine could send stands in the kernel's socket \
buffers on both sides of the gate, which grow to some MB by the system's settings; the rest would be in the gate."""


def render(found: Round, plan: Plan, load: float) -> str:
    """The table, the targets and the method, in Markdown."""
    facts = ", ".join(f"{name} {value}" for name, value in process.machine().items())
    rows = [
        ("first token, p50 / p99 ms", pair(found.direct_p50, found.direct_p99), pair(found.first_p50, found.first_p99)),
        ("gaps at 200 streams 20 ms apart, p99 / max ms", pair(found.direct_gap_p99, found.direct_gap_max, 0), pair(found.gap_p99, found.gap_max, 0)),
        ("CPU µs/chunk: 1 / 20 / 200 streams at 50/s each", "–", f"{found.chunk_1:.0f} / {found.chunk_20:.0f} / {found.chunk_200:.0f}"),
        ("CPU µs/chunk at full speed", "–", f"{found.chunk_poured:.0f}"),
        ("% of its core at 200 streams", "–", f"{found.busy_200 * 100:.0f}"),
        ("memory per open stream, KB", "–", f"{found.open_kb:.0f}"),
        (f"slow caller: read {found.slow_read_kb:.0f} KB, engine could send", "–", f"{found.slow_sent_mb:.1f} MB"),
        ("slow caller: the gate grew by", "–", f"{found.slow_grown_mb:.1f} MB"),
    ]  # fmt: skip
    targets = [
        tables.at_most(
            "added to the first token, p50 ≤ 1 ms", found.first_p50 - found.direct_p50, 1, "ms", 2
        ),
        tables.at_most("CPU time per chunk, 20 streams ≤ 60 µs", found.chunk_20, 60, "µs", 0),
        tables.at_most("CPU time per chunk, 200 streams ≤ 60 µs", found.chunk_200, 60, "µs", 0),
        tables.at_most(
            "200 streams on one core, added to the largest gap ≤ 100 ms",
            found.gap_max - found.direct_gap_max,
            100,
            "ms",
            0,
        ),
        tables.at_most("memory per open stream ≤ 64 KB", found.open_kb, 64, "KB", 0),
        tables.at_most("slow caller of 50 MB: the gate grows by ≤ 4 MB", found.slow_grown_mb, 4, "MB", 1),
        tables.at_most(
            "slow caller of 50 MB: the engine could send ≤ 25 MB", found.slow_sent_mb, 25, "MB", 1
        ),
    ]
    said = f"Measured on {datetime.now(UTC).date().isoformat()}: {facts}, load before {load:.2f}."
    if load > 0.5:
        said += "\n\n**The machine was not idle.** Gaps and first tokens are worse than they would be alone; CPU time suffers less."
    return "\n\n".join(
        (
            said,
            tables.table(("a stream", "direct", "through the gate"), rows),
            tables.table(
                ("target", "found", ""), [(t.promise, t.found, tables.verdict(t.met)) for t in targets]
            ),
            METHOD.format(**{name: f"{getattr(plan, name):,}" for name in Plan.__struct_fields__}),
        )
    )


def pair(one: float, other: float, digits: int = 2) -> str:
    """Two figures."""
    return f"{one:.{digits}f} / {other:.{digits}f}"


def write(shown: str) -> None:
    """Put the table between the page's marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n\n{shown}\n\n{END}", page), encoding="utf-8")
    say(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
