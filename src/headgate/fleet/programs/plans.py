"""What it would take to start an engine here with its settings, as a `Change`, or as an error that says why not.

Only looks; nothing is changed. An engine that somebody else keeps is never started a second time beside him.
"""

from collections.abc import Iterable
from pathlib import Path

from headgate.config.engine import EngineSettings
from headgate.core.errors import EngineError, HeadgateError, UsageError
from headgate.fleet.programs.changes import Change, FileEdit, Signal, VariableEdit, Way
from headgate.fleet.programs.found import NAMES, Program, exposed
from headgate.fleet.programs.journal import Child, place, read_child
from headgate.fleet.programs.machine import Machine, System
from headgate.fleet.programs.observed import server_status, variable
from headgate.fleet.programs.process import StartedBy, birth
from headgate.fleet.programs.settings import Setting, address
from headgate.fleet.programs.systemd import Unit

CUT = "answers that are under way are cut"

MARK = "# Written by `headgate engines start"
"""How a file of ours begins."""

WAYS: dict[tuple[System, StartedBy | None], Way] = {
    ("linux", "systemd"): "systemd",
    ("linux", "systemd user"): "systemd user",
    ("darwin", "app"): "launchctl",
    ("darwin", "launchd"): "launchctl",
    ("windows", None): "setx",
}
"""Where an engine runs and by whom it was started → how it gets settings. On Windows nobody tells, and the app is usual."""

ONLY_ON: dict[Way, System] = {
    "systemd": "linux",
    "systemd user": "linux",
    "launchctl": "darwin",
    "setx": "windows",
}


def plan_start(
    machine: Machine,
    engine: EngineSettings,
    program: Program,
    wanted: Iterable[Setting],
    way: Way | None = None,
) -> Change | HeadgateError:
    """How to get it running with these settings, when it is not so already.

    Args:
        machine: where.
        engine: from the config.
        program: as it was found, installed.
        wanted: its settings.
        way: the user's choice; None takes the one by which it is kept here already.
    """
    if program.answer == "other":
        return taken(engine, program)
    if program.kind == "lmstudio":
        return plan_lmstudio(machine, engine, program)
    chosen = way or usual_way(machine, program)
    if ONLY_ON.get(chosen, machine.system) != machine.system:
        return UsageError(f"{chosen} is no way of this system", "leave --way out; it takes the usual one")
    runs_by = WAYS.get((machine.system, program.started_by))
    if program.running and program.started_by != "headgate" and runs_by != chosen:
        return runs_otherwise(engine, program, chosen)
    if program.started_by == "headgate" and chosen != "child":
        return UsageError(
            f"{engine.name} runs as a child of Headgate", f"headgate engines stop {engine.name} first"
        )
    settings = tuple(wanted)
    if chosen in ("systemd", "systemd user"):
        if program.unit is None or program.unit.user != (chosen == "systemd user"):
            return UsageError(
                f"there is no ollama.service of {chosen} here", "--way child starts it without one"
            )
        return plan_systemd(machine, engine, program.unit, settings)
    if chosen == "child":
        return plan_child(machine, engine, program, settings)
    return plan_session(machine, engine, program, chosen, settings)


def usual_way(machine: Machine, program: Program) -> Way:
    """The way that this machine is used to."""
    if program.started_by == "headgate":
        return "child"
    if program.unit is not None:
        return "systemd user" if program.unit.user else "systemd"
    if machine.system == "darwin" and (program.app or program.started_by == "launchd"):
        return "launchctl"
    if machine.system == "windows" and program.app:
        return "setx"
    return "child"


def plan_systemd(
    machine: Machine, engine: EngineSettings, unit: Unit, settings: tuple[Setting, ...]
) -> Change | HeadgateError:
    """A drop-in for the unit, and a restart. What cannot be read could not be put back, so it is not written over."""
    path = unit.ours(machine)
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError):
        return HeadgateError(
            f"{path} is there, but cannot be read", "look at it; move it away if nobody needs it"
        )
    new = drop_in(engine.name, settings)
    again = (unit.order("restart", unit.name),)
    reload = (unit.order("daemon-reload"),) if old != new else ()
    edit = FileEdit(str(path), old, new, missing_folders(path))
    return Change(
        engine=engine.name,
        way="systemd user" if unit.user else "systemd",
        what=f"give {unit.name} its settings by a drop-in and {'restart' if unit.active else 'start'} it",
        files=(edit,) if old != new else (),
        commands=(*reload, *again),
        undo=(
            *((unit.order("daemon-reload"),) if reload else ()),
            *(again if unit.active else (unit.order("stop", unit.name),)),
        ),
        settings={one.name: one.value for one in settings},
        notes=(CUT,) if unit.active else (),
    )


def drop_in(name: str, settings: tuple[Setting, ...]) -> str:
    """The drop-in's text. A percent sign has a meaning of its own to systemd."""
    lines = [
        f"{MARK} {name}`; `headgate engines undo {name}` takes it away.",
        "[Service]",
    ]
    for one in settings:
        value = one.value.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
        lines += [f"# {one.why}", f'Environment="{one.name}={value}"']
    return "\n".join(lines) + "\n"


def missing_folders(path: Path) -> tuple[str, ...]:
    """Folders that will have to be made, the innermost first."""
    return tuple(str(folder) for folder in path.parents if not folder.exists())


def plan_child(
    machine: Machine, engine: EngineSettings, program: Program, settings: tuple[Setting, ...]
) -> Change | HeadgateError:
    """`ollama serve` in the background, a child of ours."""
    if program.command is None:
        return EngineError(
            f"{NAMES[program.kind]} is installed, but its command is not on the PATH", "open its app once"
        )
    child = read_child(machine, engine.name)
    if child is not None and child.starting and not program.running and child_of(machine, engine.name):
        return being_started(child)
    return Change(
        engine=engine.name,
        way="child",
        what=f"start `{program.kind} serve` in the background",
        ends=child_of(machine, engine.name),
        starts=(program.command, "serve"),
        environment=tuple((one.name, one.value) for one in settings),
        notes=(
            f"its log is {place(machine, engine.name, 'log')}",
            f"`headgate engines stop {engine.name}` ends it",
            *((CUT,) if program.running else ()),
        ),
    )


def being_started(child: Child) -> EngineError:
    """Somebody else is at it."""
    return EngineError(
        f"{child.engine} is being started already (process {child.pid})",
        f"wait for it; headgate engines stop {child.engine} ends it",
    )


def child_of(machine: Machine, name: str) -> Signal | None:
    """The child of ours that lives, as a process to end."""
    child = read_child(machine, name)
    alive = child is not None and birth(machine, child.pid) == child.born
    return Signal(child.pid, child.born) if child is not None and alive else None


def plan_session(
    machine: Machine, engine: EngineSettings, program: Program, way: Way, settings: tuple[Setting, ...]
) -> Change:
    """Variables of the user's session, and a restart of the app that reads them."""
    edits = [VariableEdit(one.name, variable(machine, one.name), one.value) for one in settings]
    stop, start = app_orders(machine, program)
    return Change(
        engine=engine.name,
        way=way,
        what="set variables of your session and restart Ollama",
        variables=tuple(edit for edit in edits if edit.old != edit.new),
        commands=(*(stop if program.running else ()), *start),
        undo=(*stop, *(start if program.running else ())),
        settings={one.name: one.value for one in settings},
        notes=(
            *((CUT,) if program.running else ()),
            *(
                ("macOS forgets these variables when you log out; start it anew then",)
                if way == "launchctl"
                else ()
            ),
        ),
    )


def app_orders(
    machine: Machine, program: Program
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """The commands that end and start Ollama as macOS and Windows keep it."""
    if machine.system == "windows":
        ends = (("taskkill", "/F", "/IM", "ollama app.exe"), ("taskkill", "/F", "/IM", "ollama.exe"))
        return ends, (("cmd", "/c", "start", "", program.app or "ollama app.exe"),)
    if program.started_by == "launchd":
        return (("brew", "services", "stop", "ollama"),), (("brew", "services", "start", "ollama"),)
    return (("osascript", "-e", 'quit app "Ollama"'),), (("open", "-a", program.app or "Ollama"),)


def plan_lmstudio(machine: Machine, engine: EngineSettings, program: Program) -> Change | HeadgateError:
    """LM Studio's server on its port, by its own command."""
    lms = program.command
    if lms is None:
        return EngineError(
            "LM Studio is installed, but its command lms is not there",
            "open LM Studio once; it puts lms into ~/.lmstudio/bin",
        )
    port = address(engine.url or "")[1]
    status = server_status(machine, program)
    before = status.get("port") if status.get("running") else None
    bind = ("--bind", "127.0.0.1") if exposed(program) else ()
    stop, start = (lms, "server", "stop"), (lms, "server", "start", "--port", str(port), *bind)
    headless = program.app is None and needs_daemon(machine, lms)
    return Change(
        engine=engine.name,
        way="lms",
        what=f"start LM Studio's server on port {port}",
        commands=(
            *(((lms, "daemon", "up"),) if headless else ()),
            *((stop,) if before is not None else ()),
            start,
        ),
        undo=(
            stop,
            *(((lms, "server", "start", "--port", str(before)),) if before is not None else ()),
            *(((lms, "daemon", "down"),) if headless else ()),
        ),
        notes=(f"it serves on port {before} now; {CUT}",) if before is not None else (),
    )


def needs_daemon(machine: Machine, lms: str) -> bool:
    """Whether the headless daemon has to be started; versions that have none do not know the word."""
    ran = machine.run([lms, "daemon", "status", "--json"])
    return ran.code == 0 and "not-running" in ran.out


def taken(engine: EngineSettings, program: Program) -> EngineError:
    """Another program has the port."""
    port = address(program.url)[1]
    whose = f" (process {program.pid})" if program.pid else ""
    return EngineError(
        f"port {port} is taken: what answers there{whose} is not {NAMES[program.kind]}",
        f"end it, or give [engines.{engine.name}] a url with another port",
    )


def by_whom(program: Program) -> str:
    """Who started it, for people."""
    words = {
        "headgate": "by Headgate",
        "systemd": "by systemd",
        "systemd user": "by your own systemd",
        "launchd": "by launchd",
        "app": "by its desktop app",
        "hand": "by hand",
        "container": "in a container",
    }
    if program.container:
        return f"in the container {program.container.partition(' ')[2]}"
    return words.get(program.started_by or "", "by whom cannot be told")


def runs_otherwise(engine: EngineSettings, program: Program, way: Way) -> EngineError:
    """It runs already, kept by somebody else."""
    number = f"process {program.pid}, " if program.pid else ""
    message = f"{NAMES[program.kind]} runs already ({number}started {by_whom(program)}), with other settings"
    if program.started_by == "container":
        return EngineError(
            message, "give the container these variables, with -e NAME=VALUE, and start it anew"
        )
    if program.started_by == "hand":
        return EngineError(
            message, f"end it there, or headgate engines stop {engine.name} --foreign; then start again"
        )
    if program.started_by is None:
        return EngineError(message, "end it where it was started, then start it again")
    return EngineError(
        f"{message}; it cannot also be started by {way}", f"headgate engines stop {engine.name} first"
    )
