"""What it would take to stop an engine, or to put back what was changed for it, as a `Change` or an error that says why not.

Only looks; nothing is changed. A process that Headgate did not start is never ended unless that was asked for by its own word,
and what somebody else has changed since is left alone.
"""

from pathlib import Path

from msgspec import structs

from headgate.config.engine import EngineSettings
from headgate.core.errors import EngineError, HeadgateError
from headgate.fleet.programs.changes import Change, FileEdit, Signal, Way, reverse
from headgate.fleet.programs.found import NAMES, Program
from headgate.fleet.programs.journal import read_change
from headgate.fleet.programs.machine import Machine
from headgate.fleet.programs.observed import variable
from headgate.fleet.programs.plans import CUT, MARK, app_orders, by_whom, child_of, taken
from headgate.fleet.programs.process import birth
from headgate.fleet.programs.systemd import Unit, find_unit


def plan_stop(
    machine: Machine, engine: EngineSettings, program: Program, *, foreign: bool = False
) -> Change | HeadgateError | None:
    """How to stop it; None when it does not run. `foreign` also ends a process that somebody started by hand."""
    own = child_of(machine, engine.name)
    unit = program.unit
    if program.answer == "other" and own is None:
        return taken(engine, program)
    if program.answer == "down" and own is None and not (unit is not None and unit.active):
        return None
    stop = Change(engine=engine.name, way="child", what=f"stop {NAMES[program.kind]}", notes=(CUT,))
    if program.kind == "lmstudio":
        return plan_stop_lmstudio(stop, program)
    if own is not None:
        return with_end(stop, own)
    if unit is not None and unit.active and program.started_by in ("systemd", "systemd user", None):
        return with_commands(
            stop, "systemd user" if unit.user else "systemd", (unit.order("stop", unit.name),)
        )
    if program.started_by in ("app", "launchd"):
        return with_commands(stop, "launchctl", app_orders(machine, program)[0])
    if machine.system == "windows":
        return with_commands(stop, "setx", app_orders(machine, program)[0])
    born = birth(machine, program.pid) if program.pid is not None and program.started_by == "hand" else None
    if foreign and program.pid is not None and born is not None:
        return with_end(stop, Signal(program.pid, born))
    return not_ours(engine, program)


def plan_stop_lmstudio(stop: Change, program: Program) -> Change | HeadgateError:
    """LM Studio stops its own server; the app stays open."""
    if program.command is None:
        return EngineError(
            "LM Studio's command lms is not there", "stop its server in the app, under Developer"
        )
    return with_commands(stop, "lms", ((program.command, "server", "stop"),))


def with_commands(stop: Change, way: Way, commands: tuple[tuple[str, ...], ...]) -> Change:
    """A stop by commands."""
    return Change(engine=stop.engine, way=way, what=stop.what, commands=commands, notes=stop.notes)


def with_end(stop: Change, ends: Signal) -> Change:
    """A stop by ending a process."""
    return Change(engine=stop.engine, way="child", what=stop.what, ends=ends, notes=stop.notes)


def not_ours(engine: EngineSettings, program: Program) -> EngineError:
    """A process that nobody asked us to end."""
    number = f"process {program.pid}, " if program.pid else ""
    message = f"Headgate did not start this {NAMES[program.kind]} ({number}started {by_whom(program)})"
    if program.container:
        return EngineError(message, f"{program.container.replace(' ', ' stop ', 1)} stops it")
    if program.started_by == "hand":
        return EngineError(message, f"end it there, or headgate engines stop {engine.name} --foreign")
    return EngineError(message, "end it where it was started")


def plan_undo(machine: Machine, name: str) -> Change | HeadgateError | None:
    """The change that puts everything back; None when nothing is left to put back."""
    made, own = read_change(machine, name), child_of(machine, name)
    if made is None:
        unit = find_unit(machine)
        left = None if unit is None else plan_removal(machine, name, unit)
        end = Change(engine=name, way="child", what="end the child of Headgate", ends=own)
        return left or (end if own else None)
    for edit in made.files:
        if machine.read(Path(edit.path)) not in (edit.old, edit.new):
            return HeadgateError(
                f"{edit.path} was changed by somebody else since Headgate wrote it",
                f"look at it; once it is gone or as it was, headgate engines undo {name} goes on",
            )
    for one in made.variables:
        if variable(machine, one.name) not in (one.old, one.new):
            return HeadgateError(
                f"{one.name} was changed by somebody else since Headgate set it",
                f"set it to {one.new} or take it away, then headgate engines undo {name}",
            )
    still = tuple(one for one in made.variables if variable(machine, one.name) != one.old)
    return reverse(structs.replace(made, variables=still), own)


def plan_removal(machine: Machine, name: str, unit: Unit) -> Change | None:
    """A drop-in of ours that an administrator has put there by the lines that he was told; None when there is none."""
    path = unit.ours(machine)
    text = machine.read(path)
    if text is None or not text.startswith(f"{MARK} {name}`"):
        return None
    return Change(
        engine=name,
        way="systemd user" if unit.user else "systemd",
        what=f"take the drop-in of {unit.name} away",
        files=(FileEdit(str(path), text, None),),
        commands=(unit.order("daemon-reload"), *((unit.order("restart", unit.name),) if unit.active else ())),
    )
