"""The settings that an engine has, from whoever can tell: the process itself first, then whoever keeps it.

Ollama cannot be asked for most of its settings, so they are read where they were given: its environment. Of another user's
process only its keeper can tell, and what the keeper says holds from the next start on.
"""

import re

import msgspec

from headgate.fleet.programs.found import Program, exposed
from headgate.fleet.programs.journal import read_child
from headgate.fleet.programs.machine import Machine
from headgate.fleet.programs.process import environment
from headgate.fleet.programs.settings import DEFAULTS, Found, Setting, address


def found_settings(
    machine: Machine, program: Program, wanted: tuple[Setting, ...], name: str | None = None
) -> tuple[Found, ...]:
    """Every source for an engine's settings, the best first. `name` is its name in the config."""
    if program.kind == "lmstudio":
        return lmstudio(machine, program)
    if program.kind != "ollama":
        return ()
    found: list[Found] = []
    own = (
        environment(machine, program.pid)
        if program.pid is not None and program.started_by != "container"
        else None
    )
    if own is not None:
        found.append(Found(f"environment of process {program.pid}", own, whole=True))
    child = read_child(machine, name or program.kind)
    if program.started_by == "headgate" and child is not None:
        found.append(Found("given by Headgate", child.settings))
    if program.container is not None:
        found += container(machine, program.container)
    elif program.unit is not None and program.started_by in ("systemd", "systemd user", None):
        unit = program.unit
        found.append(Found(f"systemctl show {unit.name}", unit.environment, whole=not unit.more))
    elif program.started_by in ("app", "launchd", None):
        found += session(machine, [setting.name for setting in wanted])
    return (*found, *asked(machine, program))


def asked(machine: Machine, program: Program) -> list[Found]:
    """What a running Ollama itself tells: whether its cloud is off, and where it listens."""
    if not program.running:
        return []
    found = []
    said = machine.fetch(f"{program.url.rstrip('/')}/api/status")
    try:
        cloud = msgspec.convert(said.body if said else None, dict[str, dict[str, object]])["cloud"]
        found.append(Found("its /api/status", {"OLLAMA_NO_CLOUD": "1" if cloud["disabled"] else "0"}))
    except (msgspec.ValidationError, KeyError):
        pass  # older versions do not tell
    if program.addresses:
        port = address(program.url)[1]
        worst = next(iter(exposed(program) or program.addresses))
        host = f"[{worst}]" if ":" in worst else worst
        found.append(Found("its socket", {"OLLAMA_HOST": f"{host}:{port}"}))
    return found


def container(machine: Machine, where: str) -> list[Found]:
    """The environment of a container. The host's address of it is the publisher's business."""
    tool, _, name = where.partition(" ")
    ran = machine.run([tool, "inspect", "--format", "{{json .Config.Env}}", name])
    try:
        lines = msgspec.json.decode(ran.out or "null", type=list[str])
    except msgspec.MsgspecError:
        return []
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    values.pop("OLLAMA_HOST", None)
    return [Found(f"{tool} inspect {name}", {**dict.fromkeys(unset(values), ""), **values})]


def unset(values: dict[str, str]) -> set[str]:
    """Known settings that a container does not set: empty is Ollama's default, too."""
    return {name for name in DEFAULTS if name not in values} - {"OLLAMA_HOST"}


def session(machine: Machine, names: list[str]) -> list[Found]:
    """Variables that the user's programs are given when they start: launchctl's on macOS, the registry's on Windows."""
    source = {"darwin": "launchctl getenv", "windows": "the user's variables"}.get(machine.system)
    if source is None:
        return []
    told = {name: variable(machine, name) for name in names}
    return [Found(source, {name: value for name, value in told.items() if value is not None}, whole=True)]


def variable(machine: Machine, name: str) -> str | None:
    """One variable of the user's session; None when it is not set."""
    if machine.system == "darwin":
        return machine.run(["launchctl", "getenv", name]).out.strip() or None
    said = machine.run(["reg", "query", r"HKCU\Environment", "/v", name])
    match = re.search(rf"{re.escape(name)}\s+REG_(?:EXPAND_)?SZ\s+(.*)", said.out)
    return match[1].strip() if said.code == 0 and match else None


def lmstudio(machine: Machine, program: Program) -> tuple[Found, ...]:
    """LM Studio's port and address: what answers, or what `lms` says of it."""
    port = address(program.url)[1]
    reached = exposed(program)
    values = {"port": str(port)} if program.running else {}
    if reached is not None and program.addresses:
        values["bind"] = reached[0] if reached else "127.0.0.1"
    if values:
        return (Found("its socket", values),)
    status = server_status(machine, program)
    running, other = status.get("running"), status.get("port")
    return (Found("lms server status", {"port": str(other)}),) if running and other else ()


def server_status(machine: Machine, program: Program) -> dict[str, object]:
    """What `lms server status --json` says; {} when it says nothing."""
    return {} if program.command is None else told_by(machine, program.command)


def running_port(machine: Machine, command: str) -> int | None:
    """The port at which LM Studio's server runs; None when it does not."""
    told = told_by(machine, command)
    port = told.get("port")
    return port if told.get("running") is True and isinstance(port, int) else None


def told_by(machine: Machine, command: str) -> dict[str, object]:
    """The JSON of `lms server status --json`, or {}."""
    ran = machine.run([command, "server", "status", "--json"])
    try:
        return msgspec.json.decode(ran.out or "{}", type=dict[str, object])
    except msgspec.MsgspecError:
        return {}
