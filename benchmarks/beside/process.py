"""What Linux says of a process and its children, and of the machine: CPU time, memory, cores.

CPU time is user and system time of all threads, children included, as the kernel accounts it (in hundredths of a second).
"""

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")
STAT_PARENT, STAT_TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat, counted after the command's name."""


@cache
def cores() -> tuple[int, int]:
    """The core for the gate, and the core for everything else; the same one where there is only one.

    Asked once, because the benchmark then confines itself to one of them.
    """
    ours = sorted(os.sched_getaffinity(0))
    return ours[0], ours[-1]


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command, to be run on one core."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core), *command] if taskset else list(command)


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def family(pid: int) -> list[int]:
    """A process and its living descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := stat(int(folder.name))):
            parents[int(folder.name)] = int(fields[STAT_PARENT])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time that a process, its threads and its children have used."""
    return sum(int(ticks) for member in family(pid) for ticks in stat(member)[STAT_TIMES]) / TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, in megabytes."""
    total = 0.0
    for member in family(pid):
        lines = Path(f"/proc/{member}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))
    return total


class Child:
    """A program that runs until the block ends; its output goes to a file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.begun = time.perf_counter()
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=log.parent,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def said(self) -> str:
        """The end of its output."""
        return self.log.read_text(errors="replace")[-2000:]

    def wait_until_serving(self, port_file: Path, path: str, patience: float = 90.0) -> tuple[int, float]:
        """Its port, and the seconds from its start until `path` was answered.

        Args:
            port_file: where its port is written, before or after it starts.
            path: what to ask for.
            patience: seconds after which it counts as broken.

        Raises:
            RuntimeError: it ended, or did not answer in time.
        """
        while self.process.poll() is None and time.perf_counter() - self.begun < patience:
            if port_file.exists() and answers(port := int(port_file.read_text()), path):
                return port, time.perf_counter() - self.begun
            time.sleep(0.005)
        raise RuntimeError(f"it did not start:\n{self.said()}")


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered, be it with a refusal."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def machine() -> dict[str, str]:
    """The facts that a reader needs to compare with another machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
