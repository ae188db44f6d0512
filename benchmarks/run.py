"""What does the gate cost? Every figure of docs/performance.md, from one command.

    python benchmarks/run.py              three rounds at every gate that is installed, about ten minutes
    python benchmarks/run.py --install    first put LiteLLM and TensorZero into environments of their own (1 GB)
    python benchmarks/run.py --quick --only headgate,nginx
    python benchmarks/run.py --write      … and put the tables into docs/performance.md and benchmarks/results.json

It needs Linux, two cores that are otherwise idle, and a C compiler. It does not know what a model costs: the engine is
canned, so that only the gates differ.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from beside import gates, load, pieces, process, rounds, tables

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "benchmarks/results.json"
BEGIN, END = "<!-- measured: written by benchmarks/run.py -->", "<!-- end of measured -->"


def main() -> None:
    given = options()
    if sys.platform != "linux":
        sys.exit(
            "error: processes are measured by /proc, which only Linux has\nhint: run it in a Linux container"
        )
    if load.compiler() is None:
        sys.exit("error: there is no C compiler for the load generator\nhint: apt install gcc")
    chosen = given.only.split(",") if given.only else [gate.name for gate in gates.GATES]
    unknown = set(chosen) - {gate.name for gate in gates.GATES} - {tables.DIRECT}
    if unknown:
        known = ", ".join(gate.name for gate in gates.GATES)
        sys.exit(f"error: there is no gate {', '.join(sorted(unknown))}\nhint: there is {known}")
    if given.install:
        for name in gates.PACKAGES:
            gates.install(name)
    plan = rounds.QUICK if given.quick else rounds.Plan(rounds=given.rounds)
    findings = measure(chosen, plan, with_pieces=not given.only, quick=given.quick)
    print(tables.render(findings))
    if given.write:
        write(findings)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="GATES", default="", help="names with commas; leaves the parts out")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--install", action="store_true", help="install what is compared, about 1 GB")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and results.json")
    return parser.parse_args()


def measure(chosen: list[str], plan: rounds.Plan, *, with_pieces: bool, quick: bool) -> tables.Findings:
    """All rounds at all gates, then the parts."""
    machine, before = process.machine(), os.getloadavg()[0]
    if before > 0.5:
        say(f"warning: the load is {before:.2f}; others use this machine, and the figures will show it")
    versions = {gate.name: gate.version() for gate in gates.GATES if gate.name in chosen}
    skipped = {
        gate.name: f"not installed: {gate.missing}"
        for gate in gates.GATES
        if gate.name in chosen and versions[gate.name] is None
    }
    found: dict[str, list[rounds.Round]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, keep_off_the_gate():
        folder = Path(name)
        with load.upstream(folder, process.cores()[1]) as engine:
            for number in range(1, plan.rounds + 1):
                direct = rounds.measure_direct(folder, engine, plan)
                found.setdefault(tables.DIRECT, []).append(direct)
                say(f"round {number}: direct {direct.per_second:,.0f}/s")
                for gate in gates.GATES:
                    if gate.name not in chosen or gate.name in skipped:
                        continue
                    try:
                        one = rounds.measure_gate(gate, engine, direct, plan, memory=number == 1)
                    except RuntimeError as error:
                        skipped[gate.name] = "it failed"
                        say(f"{gate.name} failed: {error}")
                        continue
                    found.setdefault(gate.name, []).append(one)
                    say(f"round {number}: {gate.name} {one.per_second:,.0f}/s, {one.cpu_us:.0f} µs")
    return tables.Findings(
        day=datetime.now(UTC).date().isoformat(),
        machine=machine,
        load_before=before,
        plan=plan,
        versions={name: version for name, version in versions.items() if version is not None},
        skipped=skipped,
        gates={name: rounds.medians(each) for name, each in found.items()},
        rounds=found,
        pieces=pieces.all_pieces(10_000 if quick else 100_000, 2.0 if quick else 5.0) if with_pieces else [],
    )


@contextmanager
def keep_off_the_gate() -> Iterator[None]:
    """Run this process on the core of the load generator, and leave the gate's to the gate."""
    ours = os.sched_getaffinity(0)
    cores = process.cores()
    os.sched_setaffinity(0, {cores[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def say(text: str) -> None:
    """Talk to the person at the terminal; the tables alone go to stdout."""
    print(text, file=sys.stderr, flush=True)


def write(findings: tables.Findings) -> None:
    """Put the tables between the page's marks, and everything into results.json."""
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    part = f"{BEGIN}\n\n{tables.render(findings)}\n\n{END}"
    PAGE.write_text(between.sub(lambda _: part, page), encoding="utf-8")
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n")
    say(f"wrote {PAGE.relative_to(ROOT)} and {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
