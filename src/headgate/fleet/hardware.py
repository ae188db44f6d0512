"""Look at this machine: its GPUs, memory, disk and processor, and what stands between us and it.

Nothing here raises and nothing is changed: what cannot be found out is None, and the reason is a line in `Hardware.notes`. It
imports no package of a vendor's: NVIDIA is asked through its library, AMD through sysfs, Apple through sysctl. It does not
know models.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from headgate.core.hardware import Gpu, Hardware, imagine
from headgate.core.memory import GIB, MIB
from headgate.core.processor import cores_in, features_in, name_in
from headgate.fleet.nvml import Load, loader, nvidia_gpus

__all__ = ["Hardware", "Sources", "imagine", "look"]

NOTED = (
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""Processor features that models run faster with."""

NVIDIA, AMD = "0x10de", "0x1002"
"""The vendors' numbers on the PCI bus."""

LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container's memory limit stands."""


def run(order: Sequence[str]) -> str:
    """What a program prints; "" when it is not there, fails or takes longer than five seconds."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            list(order), capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class Sources(Struct, frozen=True, kw_only=True):
    """Where the facts come from."""

    root: Path
    """The folder that holds proc, sys, dev and run."""
    system: str
    arch: str
    nvml: Load
    run: Callable[[Sequence[str]], str]
    usable: int
    """Processors that this process may run on."""


def this_machine() -> Sources:
    """The machine that we run on."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Sources(
        root=Path("/"),
        system=sys.platform,
        arch=platform.machine().lower(),
        nvml=loader(sys.platform),
        run=run,
        usable=usable,
    )


def look(folder: Path | None = None, sources: Sources | None = None) -> Hardware:
    """The machine as it is now. Blocks for as long as drivers take to answer, usually some milliseconds.

    Args:
        folder: where models would be stored, or a folder that is to be made; None is the home folder.
        sources: where the facts come from; None is this machine.
    """
    seen = sources or this_machine()
    cpuinfo = _read(seen.root / "proc/cpuinfo")
    total, available = _memory(seen)
    nvidia, notes = nvidia_gpus(seen.nvml)
    amd, amd_notes = _amd(seen)
    gpus = tuple(_with_memory(gpu, total, available) for gpu in (*nvidia, *amd, *_apple(seen, total)))
    known = features_in(cpuinfo) or frozenset()
    mac = seen.system == "darwin"
    return Hardware(
        gpus=gpus,
        ram_total=total,
        ram_available=available,
        disk_free=_disk(folder or Path.home()),
        processor=(_sysctl(seen, "machdep.cpu.brand_string") if mac else name_in(cpuinfo)) or seen.arch,
        cores=max(1, min(seen.usable, _cores(seen, cpuinfo) or seen.usable)),
        features=tuple(feature for feature in NOTED if feature in known),
        system=seen.system,
        inside=_inside(seen),
        notes=(*notes, *amd_notes, *_missing(seen, gpus, notes)),
    )


def _with_memory(gpu: Gpu, total: int | None, available: int | None) -> Gpu:
    """A card without memory of its own may use the machine's, of which a part stays with the system."""
    if gpu.total is not None or not gpu.unified or total is None:
        return gpu
    share = total * 3 // 4
    return msgspec.structs.replace(gpu, total=share, free=min(share, available or share))


def _amd(seen: Sources) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """AMD's cards as the kernel tells them, or else as rocm-smi does."""
    gpus, silent = [], []
    driver = _read(seen.root / "sys/module/amdgpu/version").strip()
    for card in _children(seen.root / "sys/class/drm", r"card\d+"):
        device = card / "device"
        if _read(device / "vendor").strip() != AMD:
            continue
        name = _read(device / "product_name").strip() or f"AMD GPU {_read(device / 'device').strip()}".strip()
        total = _number(device / "mem_info_vram_total")
        used = _number(device / "mem_info_vram_used")
        if total is None:
            silent.append(f"{name} does not tell its memory: load its driver, sudo modprobe amdgpu")
            continue
        free = None if used is None else max(0, total - used)
        gpus.append(Gpu(name=name, vendor="amd", total=total, free=free, driver=driver))
    if not gpus and seen.system == "linux":
        gpus = _rocm(seen)
    if not gpus:
        return (), tuple(silent)
    door = seen.root / "dev/kfd"
    if door.exists() and not os.access(door, os.R_OK | os.W_OK):
        fix = "sudo usermod -aG render,video $USER, then log in again"
        return tuple(gpus), (f"no permission for /dev/kfd, through which AMD's cards compute: {fix}",)
    return tuple(gpus), ()


def _rocm(seen: Sources) -> list[Gpu]:
    said = seen.run(("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json"))
    try:
        cards = msgspec.json.decode(said, type=dict[str, dict[str, str]]) if said else {}
    except msgspec.DecodeError:
        return []
    gpus = []
    for card, facts in cards.items():
        total, used = (facts.get(f"VRAM Total {word}(B)", "") for word in ("Memory ", "Used Memory "))
        if total.isdigit():
            name = facts.get("Card Series") or facts.get("Card series") or card
            free = max(0, int(total) - int(used)) if used.isdigit() else None
            gpus.append(Gpu(name=name, vendor="amd", total=int(total), free=free))
    return gpus


def _apple(seen: Sources, total: int | None) -> tuple[Gpu, ...]:
    """Apple's own chip: it may use two thirds of the memory, three quarters from 36 GiB on, or what the user set."""
    if seen.system != "darwin" or seen.arch != "arm64" or total is None:
        return ()
    limit = _sysctl(seen, "iogpu.wired_limit_mb")
    share = total * 3 // 4 if total > 32 * GIB else total * 2 // 3
    if limit.isdigit() and int(limit):
        share = int(limit) * MIB
    name = _sysctl(seen, "machdep.cpu.brand_string") or "Apple silicon"
    return (Gpu(name=name, vendor="apple", total=share, unified=True),)


def _memory(seen: Sources) -> tuple[int | None, int | None]:
    """The RAM in all and what is available of it; inside a container no more than its limit."""
    if seen.system == "darwin":
        total = _sysctl(seen, "hw.memsize")
        return (int(total) if total.isdigit() else None), _mac_available(seen.run(("/usr/bin/vm_stat",)))
    if seen.system == "win32":
        return _windows_memory()
    facts = {
        name: int(kib) * 1024
        for name, kib in re.findall(
            r"^(MemTotal|MemAvailable):\s+(\d+) kB$", _read(seen.root / "proc/meminfo"), re.MULTILINE
        )
    }
    limits = [limit for place in LIMITS if (limit := _number(seen.root / place)) is not None]
    return (
        _least(facts.get("MemTotal"), *limits),
        _least(facts.get("MemAvailable"), *limits),
    )


def _least(size: int | None, *limits: int) -> int | None:
    return None if size is None else min(size, *limits) if limits else size


def _mac_available(text: str) -> int | None:
    """Free and quickly freed pages in what vm_stat prints."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)\.$", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, pages)) if page and pages else None


def _windows_memory() -> tuple[int | None, int | None]:
    import ctypes  # noqa: PLC0415 - for one system only

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "a", "b", "c", "d", "e")),
        )

    kernel = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    status = Status()
    status.length = ctypes.sizeof(status)
    if kernel is None or not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return int(status.total), int(status.available)


def _disk(folder: Path) -> int | None:
    """Bytes free where the folder is, or where it would be made."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def _cores(seen: Sources, cpuinfo: str) -> int:
    said = _sysctl(seen, "hw.physicalcpu") if seen.system == "darwin" else ""
    return int(said) if said.isdigit() else cores_in(cpuinfo)


def _inside(seen: Sources) -> tuple[str, ...]:
    found = []
    if "microsoft" in _read(seen.root / "proc/version").lower():
        found.append("wsl")
    boxed = any((seen.root / mark).exists() for mark in (".dockerenv", "run/.containerenv"))
    if boxed or "container=" in _read(seen.root / "proc/1/environ"):
        found.append("container")
    return tuple(found)


def _missing(seen: Sources, gpus: tuple[Gpu, ...], notes: tuple[str, ...]) -> tuple[str, ...]:
    """A card on the bus that nothing speaks for."""
    if notes or any(gpu.vendor == "nvidia" for gpu in gpus):
        return ()
    for device in _children(seen.root / "sys/bus/pci/devices", r".*"):
        if _read(device / "vendor").strip() == NVIDIA and _read(device / "class").startswith("0x03"):
            fix = (
                "start the container with --gpus all"
                if "container" in _inside(seen)
                else "install it: https://www.nvidia.com/drivers"
            )
            return (f"there is an NVIDIA card, but its driver's library cannot be found: {fix}",)
    return ()


def _children(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if re.fullmatch(pattern, path.name))
    except OSError:
        return []


def _number(path: Path) -> int | None:
    said = _read(path).strip()
    return int(said) if said.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _sysctl(seen: Sources, name: str) -> str:
    return seen.run(("/usr/sbin/sysctl", "-n", name)) if seen.system == "darwin" else ""
