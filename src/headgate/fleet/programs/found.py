"""The engines of this machine as programs: installed or not, where, which version, running, and started by whom.

All of it is bounded in time and nothing raises. What cannot be told is None. It does not know their models.
"""

import ipaddress
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from msgspec import Struct

from headgate.fleet.programs.install import ProgramKind
from headgate.fleet.programs.journal import read_child
from headgate.fleet.programs.machine import Fetched, Machine
from headgate.fleet.programs.process import StartedBy, birth, keeper
from headgate.fleet.programs.settings import address
from headgate.fleet.programs.sockets import listeners
from headgate.fleet.programs.systemd import Unit, find_unit

URLS: dict[ProgramKind, str] = {
    "ollama": "http://127.0.0.1:11434",
    "lmstudio": "http://127.0.0.1:1234",
    "llama-server": "http://127.0.0.1:8080",
    "vllm": "http://127.0.0.1:8000",
}
"""Where each listens by default."""

NAMES: dict[ProgramKind, str] = {
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "llama-server": "llama-server",
    "vllm": "vLLM",
}
VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*|version: (\d+)")

Answer = Literal["up", "other", "down"]
"""Who answers at its port: it, another program, or nobody."""


class Program(Struct, frozen=True, kw_only=True):
    """An engine as a program of this machine."""

    kind: ProgramKind
    installed: bool
    command: str | None = None
    """Its command: `ollama`, `lms`, `llama-server`, `vllm`."""
    app: str | None = None
    """Its desktop app."""
    headless: str | None = None
    """LM Studio without a desktop, `llmster`."""
    version: str = ""
    url: str
    answer: Answer
    pid: int | None = None
    started_by: StartedBy | None = None
    addresses: tuple[str, ...] | None = None
    """Where it listens; None when it cannot be told."""
    unit: Unit | None = None
    container: str | None = None
    """The tool and the name of the container that it runs in, "docker ollama"."""

    @property
    def running(self) -> bool:
        """Whether it answers at its address."""
        return self.answer == "up"


def find_programs(
    machine: Machine,
    urls: Mapping[ProgramKind, str] | None = None,
    keys: Mapping[ProgramKind, str] | None = None,
) -> tuple[Program, ...]:
    """All four, side by side, in a few seconds at most.

    Args:
        machine: `this_machine()`.
        urls: where to look for a kind, if not at its default address.
        keys: a key that its server asks for.
    """
    kinds = tuple(URLS)
    with ThreadPoolExecutor(len(kinds)) as pool:
        look = [
            pool.submit(find_program, machine, kind, (urls or {}).get(kind), (keys or {}).get(kind))
            for kind in kinds
        ]
        return tuple(one.result() for one in look)


def find_program(
    machine: Machine,
    kind: ProgramKind,
    url: str | None = None,
    key: str | None = None,
    name: str | None = None,
) -> Program:
    """One of them. `name` is the engine's in the config, by which we know what we started ourselves."""
    url = url or URLS[kind]
    command, app, headless = locate(machine, kind)
    answer, version = ask(machine, kind, url, key)
    unit = find_unit(machine) if kind == "ollama" else None
    sockets = listeners(machine, address(url)[1])
    pid = next((one.pid for one in sockets or () if one.pid), None)
    by = who_started(machine, kind, name or kind, pid, unit) if answer == "up" else None
    container = (
        container_at(machine, address(url)[1]) if answer == "up" and by in (None, "container") else None
    )
    return Program(
        kind=kind,
        installed=any((command, app, headless)),
        command=command,
        app=app,
        headless=headless,
        version=version or version_of(machine, kind, command),
        url=url,
        answer=answer,
        pid=pid,
        started_by="container" if container else by,
        addresses=None if sockets is None else tuple(sorted({one.address for one in sockets})),
        unit=unit,
        container=container,
    )


def locate(machine: Machine, kind: ProgramKind) -> tuple[str | None, str | None, str | None]:
    """Its command, its desktop app, and its headless form."""
    names = {"ollama": "ollama", "lmstudio": "lms"}
    places: list[Path] = []
    apps: list[Path] = []
    local = Path(machine.env.get("LOCALAPPDATA") or machine.home / "AppData/Local")
    if kind == "ollama":
        apps = [machine.place("/Applications/Ollama.app"), local / "Programs/Ollama/ollama app.exe"]
        places = [apps[0] / "Contents/Resources/ollama", local / "Programs/Ollama/ollama.exe"]
    elif kind == "lmstudio":
        folder = machine.home / ".lmstudio"
        apps = [
            machine.place("/Applications/LM Studio.app"),
            local / "Programs/LM Studio/LM Studio.exe",
            *sorted((machine.home / "Applications").glob("LM*Studio*.AppImage")),
            machine.place("/opt/LM Studio/lm-studio"),
        ]
        places = [folder / "bin/lms", folder / "bin/lms.exe", machine.home / ".cache/lm-studio/bin/lms"]
    command = machine.which(names.get(kind, kind)) or first(places)
    headless = None
    if kind == "lmstudio":
        headless = machine.which("llmster") or first([machine.home / ".lmstudio/llmster"])
    return command, first(apps), headless


def first(places: list[Path]) -> str | None:
    """The first of these that is there."""
    return next((str(place) for place in places if place.exists()), None)


def ask(machine: Machine, kind: ProgramKind, url: str, key: str | None = None) -> tuple[Answer, str]:
    """Who answers at its address, and the version where it says one. A status alone proves nothing."""
    base = url.rstrip("/")
    if kind == "ollama":
        said = machine.fetch(f"{base}/api/version", key)
        return told(said, isinstance(body_of(said).get("version"), str)), str(
            body_of(said).get("version") or ""
        )
    if kind == "vllm":
        said = machine.fetch(f"{base.removesuffix('/v1')}/version", key)
        return told(said, "version" in body_of(said)), str(body_of(said).get("version") or "")
    if kind == "llama-server":
        said = machine.fetch(f"{base.removesuffix('/v1')}/props", key)
        return told(said, "build_info" in body_of(said)), str(body_of(said).get("build_info") or "")
    base = base.removesuffix("/v1")
    said = machine.fetch(f"{base}/api/v0/models", key)
    listed = isinstance(body_of(said).get("data"), list)
    if not listed and said is not None:
        greeting = machine.fetch(f"{base}/lmstudio-greeting", key)
        listed = body_of(greeting).get("lmstudio") is True
    return told(said, listed), ""


def told(said: Fetched | None, right: bool) -> Answer:
    """Whether an answer was the right one, another program's, or none. One that wants a key is believed."""
    if said is None:
        return "down"
    return "up" if right or said.status == 401 else "other"


def body_of(said: Fetched | None) -> Mapping[str, object]:
    """The JSON object in an answer, or an empty one."""
    return said.body if said is not None and said.status == 200 and isinstance(said.body, dict) else {}


def version_of(machine: Machine, kind: ProgramKind, command: str | None) -> str:
    """The version of a command; "" when it does not say. vLLM is read, not run: it would load torch for it."""
    if command is None:
        return ""
    if kind == "vllm":
        libraries = Path(command).resolve().parent.parent
        found = sorted(libraries.glob("lib/python*/site-packages/vllm-*.dist-info"))
        return found[-1].name.removeprefix("vllm-").removesuffix(".dist-info") if found else ""
    ran = machine.run([command, "version" if kind == "lmstudio" else "--version"])
    match = VERSION.search(ran.out + "\n" + ran.err)
    return (match[1] or match[0]) if match else ""


def who_started(
    machine: Machine, kind: ProgramKind, name: str, pid: int | None, unit: Unit | None
) -> StartedBy | None:
    """Who keeps the process that listens. LM Studio without a desktop is kept by its own daemon, which is none of these."""
    child = read_child(machine, name)
    if child is not None and birth(machine, child.pid) == child.born and pid in (None, child.pid):
        return "headgate"
    if pid is not None:
        by = keeper(machine, pid, unit)
        return None if kind == "lmstudio" and by == "hand" else by
    if unit is not None and unit.active:
        return "systemd user" if unit.user else "systemd"
    return None


def container_at(machine: Machine, port: int) -> str | None:
    """The container that publishes a port, by docker's or podman's word."""
    for tool in ("docker", "podman"):
        if machine.which(tool) is not None:
            ran = machine.run([tool, "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"])
            if ran.code == 0 and ran.out.strip():
                return f"{tool} {ran.out.split()[0]}"
    return None


def exposed(program: Program) -> tuple[str, ...] | None:
    """The addresses by which other machines reach it: () is none, None cannot be told."""
    if program.addresses is None or not program.running:
        return None
    return tuple(one for one in program.addresses if not ipaddress.ip_address(one).is_loopback)
