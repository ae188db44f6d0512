"""How many instructions does a request take in the gate? Counted by valgrind's callgrind, so that a busy machine does not matter.

    python benchmarks/instructions.py              two minutes
    PYTHONPATH=…/src python benchmarks/instructions.py      of another version

The gate of `run.py`, asked over 32 connections. What the idle gate does by itself is taken off; the ledger's thread is
counted, the kernel is not. It is no time: it knows neither caches nor what an instruction takes. It needs Linux, valgrind
and a C compiler.
"""

import argparse
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from beside import gates, load, process, rounds

WARM_UP = 600
"""Requests before anything is counted."""
IDLE = 10.0
"""Seconds for which the gate is watched while nobody asks."""
FLUSH = 5.0
"""Seconds after which the ledger writes: in a gate that is fifty times as slow, so many requests as in one that is not."""
REST = FLUSH + 1.0
"""Seconds until everything is written, and nothing is tidied up yet."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1500)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="bench-instructions-") as name:
        folder = Path(name)
        with load.upstream(folder, process.cores()[1]) as engine:
            counted, idle = measure(folder, engine, requests)
    print(f"{counted / requests:,.0f} instructions a request; {idle:,.0f} a second while nobody asks")


def measure(folder: Path, engine: int, requests: int) -> tuple[float, float]:
    """The instructions of so many requests, and those of an idle second."""
    gate = next(gate for gate in gates.GATES if gate.name == "headgate")
    port = rounds.free_port()
    (folder / "port").write_text(str(port))
    started = gate.set_up(folder, port, engine)
    page = folder / "headgate.toml"
    page.write_text(page.read_text().replace("[ledger]", f'[ledger]\nflush = "{FLUSH:g}s"'))
    out = folder / "callgrind"
    watched = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", *started]
    environment = os.environ | {"HEADGATE_DATA": str(folder), "PYTHONHASHSEED": "0"}
    with process.Child(watched, folder / "log", environment) as child:
        child.wait_until_serving(folder / "port", gate.ready)
        control = partial(tell, child.pid)
        send = partial(load.send, folder, port, gate.path, gate.model, core=process.cores()[1])
        control("-i", "on")
        time.sleep(IDLE / 2)
        control("-z")
        begun = time.perf_counter()
        time.sleep(IDLE)
        control("-d")
        idle = counted_in(folder / "callgrind.1") / (time.perf_counter() - begun)
        control("-i", "off")
        send(requests=WARM_UP)
        control("-i", "on")
        send(requests=100)
        time.sleep(REST)
        control("-z")
        begun = time.perf_counter()
        seen = send(requests=requests)
        time.sleep(REST)
        control("-d")
        took = time.perf_counter() - begun
    if seen.errors:
        raise SystemExit(f"error: {seen.errors} answers were wrong")
    return counted_in(folder / "callgrind.2") - idle * took, idle


def tell(pid: int, *words: str) -> None:
    """Have callgrind begin, end, forget or write down what it counts."""
    subprocess.run(["callgrind_control", *words, str(pid)], check=True, capture_output=True)


def counted_in(file: Path) -> int:
    """The instructions in a file of callgrind's."""
    totals = next(line for line in file.read_text().splitlines() if line.startswith("totals:"))
    return int(totals.split()[1])


if __name__ == "__main__":
    main()
