"""Whether this machine can run the embedded engine, and if not: one clear line and what to do.

`look` reads the machine, `judge` is a pure function from that to an error or None; `check` is both. Cheap: it never
imports xllamacpp, because a wheel on a processor without AVX2 dies at import. It does not know about models or memory.
"""

import ctypes
import importlib.util
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

from msgspec import Struct

from headgate.core.errors import EngineError
from headgate.core.processor import NEEDED, cores_in, features_in

_OTHER_WAYS = (
    "use Ollama instead (https://ollama.com/download), or build llama-cpp-python and name its server's url"
)


class Machine(Struct, frozen=True, kw_only=True):
    """The facts that decide whether the wheel can be here and can run."""

    system: str
    """"linux", "darwin" or "win32", as `sys.platform` says."""
    arch: str
    """"x86_64" or "arm64", whatever the system calls them."""
    musl: bool = False
    """A Linux without glibc (Alpine)."""
    flags: frozenset[str] | None = None
    """Processor features in /proc/cpuinfo's words; None is unknown, and unknown is not missing."""
    installed: bool = False
    """xllamacpp can be found by this Python."""


def check() -> EngineError | None:
    """Say why the embedded engine cannot run here, or None when it can."""
    return judge(look())


def judge(machine: Machine) -> EngineError | None:
    """Say why the embedded engine cannot run on this machine, or None when it can."""
    if not _has_wheel(machine):
        where = f"{machine.system}{' (musl)' if machine.musl else ''} on {machine.arch}"
        if not machine.installed:  # somebody may have built it for themselves
            return EngineError(f"the embedded engine has no build for {where}", _OTHER_WAYS)
    elif not machine.installed:
        return EngineError("the embedded engine is not installed", 'pip install "headgate[embedded]"')
    if machine.arch == "x86_64" and machine.flags is not None:
        missing = [flag.upper() for flag in NEEDED if flag not in machine.flags]
        if missing:
            return EngineError(
                f"the embedded engine needs {', '.join(missing)}, which this processor lacks", _OTHER_WAYS
            )
    return None


def _has_wheel(machine: Machine) -> bool:
    match machine.system, machine.arch:
        case "linux", "x86_64" | "arm64":
            return not machine.musl
        case ("darwin", "x86_64" | "arm64") | ("win32", "x86_64"):
            return True
        case _:
            return False


def look() -> Machine:
    """Read the facts of this machine."""
    arch = _plain_arch(platform.machine())
    return Machine(
        system=sys.platform,
        arch=arch,
        musl="musl" in str(sysconfig.get_config_var("SOABI")),
        flags=_processor_features() if arch == "x86_64" else None,
        installed=importlib.util.find_spec("xllamacpp") is not None,
    )


def _plain_arch(machine: str) -> str:
    word = machine.lower()
    return {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}.get(word, word)


def _processor_features() -> frozenset[str] | None:
    if sys.platform == "linux":
        return features_in(_read(Path("/proc/cpuinfo")))
    if sys.platform == "darwin":
        text = _sysctl("machdep.cpu.features", "machdep.cpu.leaf7_features")
        return frozenset(text.lower().split()) or None
    if sys.platform == "win32":
        avx2 = ctypes.windll.kernel32.IsProcessorFeaturePresent(40)  # PF_AVX2_INSTRUCTIONS_AVAILABLE
        return frozenset(NEEDED) if avx2 else frozenset()  # every processor with AVX2 has the other two
    return None


def physical_cores() -> int:
    """Cores that this process may use, without counting hyper-threads twice; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if sys.platform == "linux":
        real = cores_in(_read(Path("/proc/cpuinfo")))
    elif sys.platform == "darwin":
        real = int(_sysctl("hw.physicalcpu") or 0)
    else:
        real = 0
    return max(1, min(allowed, real or allowed))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _sysctl(*names: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            ["/usr/sbin/sysctl", "-n", *names], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
