"""A process of this machine: whether it lives, when it was born, what environment it was given, and who keeps it.

A number alone proves nothing, because numbers are given out again: a process is the one we know if it was born then. What
another user's process was given cannot be told, and on macOS and Windows nobody's can.
"""

import os
import signal
import time
from collections.abc import Mapping
from typing import Literal

from headgate.fleet.programs.machine import Machine
from headgate.fleet.programs.systemd import Unit

StartedBy = Literal["headgate", "systemd", "systemd user", "launchd", "app", "container", "hand"]


def birth(machine: Machine, pid: int) -> str | None:
    """When it was born, in the machine's own words; None when it does not live."""
    if machine.system == "linux":
        text = machine.read(machine.place(f"/proc/{pid}/stat"))
        fields = (text or "").rpartition(")")[2].split()
        return None if len(fields) < 20 or fields[0] in "ZX" else fields[19]  # nobody collects a zombie
    if machine.system == "darwin":
        return machine.run(["ps", "-o", "lstart=", "-p", str(pid)]).out.strip() or None
    said = machine.run(["tasklist", "/FI", f"PID eq {pid}", "/NH", "/FO", "CSV"]).out.strip()
    return said.partition(",")[0].strip('"') if f'"{pid}"' in said else None


def environment(machine: Machine, pid: int) -> Mapping[str, str] | None:
    """The variables that it was started with; None when we may not see them."""
    text = machine.read(machine.place(f"/proc/{pid}/environ")) if machine.system == "linux" else None
    if text is None:
        return None
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


def keeper(machine: Machine, pid: int, unit: Unit | None) -> StartedBy | None:
    """Who keeps it, apart from us; None when it cannot be told."""
    if unit is not None and unit.pid == pid:
        return "systemd user" if unit.user else "systemd"
    if machine.system == "darwin":
        command = machine.run(["ps", "-o", "command=", "-p", str(pid)]).out
        parent = machine.run(["ps", "-o", "ppid=", "-p", str(pid)]).out.strip()
        return "app" if ".app/" in command else "launchd" if parent == "1" else "hand"
    if machine.system == "windows":
        return None
    group = machine.read(machine.place(f"/proc/{pid}/cgroup"))
    command = machine.read(machine.place(f"/proc/{pid}/cmdline")) or ""
    if group is None:
        return None
    if any(word in group for word in ("docker", "containerd", "libpod", "kubepods")) or any(
        word in command for word in ("docker-proxy", "rootlessport")
    ):
        return "container"
    if unit is not None and group.strip().endswith(f"/{unit.name}"):
        return "systemd user" if unit.user else "systemd"
    if ".mount_LM" in command or "LM Studio" in command or "LM-Studio" in command:
        return "app"
    return "hand"


def end(machine: Machine, pid: int, born: str, within: float = 15.0) -> bool:
    """Ask a process to end, then make it. False: it still lives, or is not ours to end."""
    if birth(machine, pid) != born:
        return True
    hardest = signal.SIGTERM if machine.system == "windows" else signal.SIGKILL
    for number, patience in ((signal.SIGTERM, within), (hardest, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if birth(machine, pid) != born:
                return True
            time.sleep(0.05)
    return False
