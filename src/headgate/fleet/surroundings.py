"""What there is around a gate that is to be set up: the machine, the engines on it as programs, and keys by name.

It looks and changes nothing. Of a key it tells the name of its variable, never the value. It does not know which models engines
have: their adapters do.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from headgate.core.hardware import Hardware
from headgate.fleet import hardware
from headgate.fleet.programs import found, observed
from headgate.fleet.programs.found import Program
from headgate.fleet.programs.install import ProgramKind
from headgate.fleet.programs.machine import Machine

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # what a server may be told; nothing is bound here


class Surroundings(Struct, frozen=True, kw_only=True):
    """A machine before or after it was set up."""

    hardware: Hardware
    programs: Mapping[ProgramKind, Program]
    keys: tuple[str, ...]
    """The variables, of those that were asked about, that are set."""


def look_around(
    machine: Machine, folder: Path, variables: Iterable[str], urls: Mapping[ProgramKind, str]
) -> Surroundings:
    """Look at everything at once, in a few seconds at most.

    Args:
        machine: `this_machine()`.
        folder: where models would be stored.
        variables: names of the environment's variables that may hold a key.
        urls: where engines listen, if not at their default address.
    """
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(hardware.look, folder)
        programs = found.find_programs(machine, urls)
    return Surroundings(
        hardware=seen.result(),
        programs={program.kind: program for program in programs},
        keys=tuple(name for name in variables if machine.env.get(name)),
    )


def addresses(machine: Machine) -> dict[ProgramKind, str]:
    """Where Ollama was told to listen, by its variable, and where LM Studio's server runs, by its command."""
    told: dict[ProgramKind, str] = {}
    said = machine.env.get("OLLAMA_HOST", "").strip()
    if said and (url := ollama_url(said)):
        told["ollama"] = url
    command = found.locate(machine, "lmstudio")[0]
    port = observed.running_port(machine, command) if command else None
    if port is not None:
        told["lmstudio"] = f"http://127.0.0.1:{port}"
    return told


def ollama_url(said: str) -> str | None:
    """The address that OLLAMA_HOST means for a caller on this machine; None when it means nothing."""
    try:
        parts = urlsplit(said if "://" in said else f"http://{said}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme, 11434) if "://" in said else 11434
    host = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port or usual}"
