"""Checks of engines as programs: are they new enough, set up as wanted, and reached from this machine only?"""

import re
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.cli.checkup.world import World
    from headgate.config.engine import EngineSettings
    from headgate.fleet.programs.found import Program
    from headgate.fleet.programs.settings import Drift

LEAST_OLLAMA = (0, 12, 11)
"""From here on it knows `truncate`, `shift` and `logprobs`; an older one leaves them out of account and says nothing."""
FOR_OTHERS = ("OLLAMA_CONTEXT_LENGTH", "OLLAMA_KEEP_ALIVE", "OLLAMA_NO_CLOUD")
"""Settings that the gate itself does not depend on, because it says so with each request or sends nothing there."""
ADDRESSES = ("OLLAMA_HOST", "bind")
"""Settings that the check "exposed" judges."""


async def check_version(world: "World", name: str) -> list[Finding]:
    """A version that can do what the gate counts on."""
    from headgate.cli.checkup.world import in_thread
    from headgate.fleet.programs.install import distribution, install_command

    settings, machine = world.config.engines[name], world.machine
    met = await world.met(name)
    if not met.health.up:
        return []
    upgrade = install_command(
        "ollama" if settings.kind == "ollama" else "lmstudio", machine.system, distribution(machine)
    )
    if settings.kind == "ollama":
        return [judge_ollama(name, met.health.version, upgrade)]
    said = await in_thread(lambda: machine.fetch(f"{bare(settings)}/api/v1/models", settings.key))
    newer = said is not None and isinstance(said.body, dict) and isinstance(said.body.get("models"), list)
    return [judge_lmstudio(name, upgrade, newer=newer)]


def judge_ollama(name: str, version: str, upgrade: str) -> Finding:
    """Ollama says its version; a build of one's own says 0.0.0 and is believed."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    told = tuple(map(int, numbers.groups())) if numbers else None
    least = ".".join(map(str, LEAST_OLLAMA))
    if told is None or told == (0, 0, 0) or told >= LEAST_OLLAMA:
        return passed("version", f"Ollama {version or 'does not say'}", about=name)
    found = f"Ollama {version}, which cuts a long prompt in silence, whatever it is asked"
    return failed("version", found, f"{least} or later", upgrade, about=name)


def judge_lmstudio(name: str, upgrade: str, *, newer: bool) -> Finding:
    """LM Studio does not say its version, but which lists it has."""
    if newer:
        return passed("version", "LM Studio 0.4 or later", about=name)
    found = "LM Studio without /api/v1, so the gate cannot load and unload its models"
    return warned("version", found, "0.4 or later", upgrade, about=name)


def bare(settings: "EngineSettings") -> str:
    """Its address without the path that people paste."""
    return (settings.url or "").rstrip("/").removesuffix("/v1")


async def check_settings(world: "World", name: str) -> list[Finding]:
    """Each setting as wanted, by whoever can tell."""
    from headgate.cli.checkup.repairs import restart
    from headgate.cli.checkup.world import in_thread
    from headgate.cli.engines_service import compare, wants

    program = await world.program(name)
    if program is None or not program.running:
        return []
    settings = world.config.engines[name]
    wanted = wants(world.config, settings)
    rows = await in_thread(lambda: compare(world.machine, settings, program, wanted))
    return [judge_settings(name, rows, restart(name, program.started_by))]


def judge_settings(name: str, rows: "Sequence[Drift]", fix: str) -> Finding:
    """What is not as wanted. It fails if the gate depends on it."""
    rows = [row for row in rows if row.name not in ADDRESSES]
    off = [row for row in rows if row.state == "drift"]
    unknown = [row.name for row in rows if row.state == "unknown"]
    if not off:
        silent = f"; of {listed(unknown)} it cannot be told" if unknown else ""
        return passed(
            "settings", f"{len(rows) - len(unknown)} of {len(rows)} are as wanted{silent}", about=name
        )
    found = ", ".join(f"{row.name} is {row.found if row.found is not None else 'not set'}" for row in off)
    required = ", ".join(f"{row.name}={row.wanted}" for row in off)
    if all(row.name in FOR_OTHERS for row in off):
        return warned("settings", found, required, fix, about=name)
    return failed("settings", found, required, fix, about=name)


async def check_exposed(world: "World", name: str) -> list[Finding]:
    """An engine that other machines cannot reach."""
    from headgate.cli.checkup.repairs import restart

    program = await world.program(name)
    if program is None or not program.running:
        return []
    return [judge_exposed(name, program, restart(name, program.started_by))]


def judge_exposed(name: str, program: "Program", fix: str) -> Finding:
    """Where it listens."""
    from headgate.fleet.programs.found import exposed

    reached = exposed(program)
    if reached is None:
        return passed("exposed", "where it listens cannot be told here", about=name)
    if not reached:
        return passed("exposed", "only this machine reaches it", about=name)
    found = f"other machines reach it at {listed(reached)}, and it has no login"
    return warned("exposed", found, "an address of this machine only", fix, about=name)
