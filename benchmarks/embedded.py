"""What the embedded engine costs on this machine, and why small models get one thread.

    python benchmarks/embedded.py [--seconds 3] [--model headgate-nano]

For 1 and 2 threads, with the machine to itself and with one busy neighbour for each core, it asks the real llama.cpp
over HTTP, one request at a time, as the gate would. Times are wall time; memory is the child's resident set.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from headgate.core.errors import EngineError
from headgate.engines.connection import Clocks
from headgate.engines.llamacpp import catalogue, readiness
from headgate.engines.llamacpp.orders import Order
from headgate.engines.llamacpp.supervisor import Supervisor
from headgate.engines.transport import HttpTransport

CLOCKS = Clocks(connect=5, first_byte=60, between_bytes=60, total=60)
BODY = json.dumps(
    {
        "messages": [{"role": "user", "content": "classify: My invoice was charged twice this month."}],
        "max_tokens": 8,
        "temperature": 0,
    }
).encode()


@contextlib.contextmanager
def busy_neighbours(count):
    """Keep `count` cores busy with somebody else's work."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


async def measure(file, threads, seconds):
    """Start, ask for `seconds`, stop. Returns start time, memory in MB, CPU seconds and the times of the requests."""
    supervisor = Supervisor([Order(model="m", path=str(file.path), context=file.context, threads=threads)])
    began = time.perf_counter()
    status = await supervisor.start()
    start = time.perf_counter() - began
    transport = HttpTransport(status.models["m"].url, headers=[("authorization", f"Bearer {supervisor.key}")])
    times = []
    cpu_before = cpu_seconds(status.pid)
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        response = await transport.request("POST", "/v1/chat/completions", body=BODY, clocks=CLOCKS)
        assert response.status == 200, response
        times.append(time.perf_counter() - began)
    cpu = (cpu_seconds(status.pid) - cpu_before) / len(times)
    memory = resident(status.pid)
    await transport.close()
    await supervisor.stop()
    return start, memory, cpu, times


def resident(pid):
    """Resident memory of a process in MB."""
    if sys.platform == "linux":
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1000


def cpu_seconds(pid):
    """CPU time that a process has used; 0 where we cannot tell."""
    if sys.platform != "linux":
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="for each of the four rows")
    parser.add_argument("--model", default="headgate-nano", help="a shipped model or a GGUF file")
    chosen = parser.parse_args()
    if error := readiness.check():
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
    file = catalogue.examine(chosen.model)
    if isinstance(file, EngineError):
        sys.exit(f"error: {file.message}\nhint: {file.hint}")

    cores = os.cpu_count() or 1
    print(f"{chosen.model}, {file.size / 1e6:.2f} MB, {cores} cores, {platform.platform()}\n")
    print("threads  neighbours  start ms  RSS MB  requests/s   p50 ms   p95 ms  CPU ms/request")
    for neighbours in (0, cores):
        for threads in (1, 2):
            with busy_neighbours(neighbours):
                start, memory, cpu, times = asyncio.run(measure(file, threads, chosen.seconds))
            p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
            print(
                f"{threads:7}  {neighbours:10}  {start * 1e3:8.0f}  {memory:6.0f}  {len(times) / sum(times):10.0f}"
                f"  {statistics.median(times) * 1e3:7.1f}  {p95 * 1e3:7.1f}  {cpu * 1e3:14.2f}"
            )


if __name__ == "__main__":
    main()
