"""Make a change, or take one back. A change that fails is taken back at once; expected failures are values.

Files are written beside their place and renamed into it. A file or variable that somebody else has changed since is never
touched. This module decides nothing: everything it does stands in the `Change`.
"""

import errno
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from headgate.config.engine import EngineSettings
from headgate.core.errors import EngineError, HeadgateError
from headgate.fleet.programs.changes import Change, FileEdit, as_root, assign, joined, reverse
from headgate.fleet.programs.found import NAMES, Program, ask
from headgate.fleet.programs.journal import (
    Child,
    claim,
    forget_change,
    forget_child,
    place,
    read_change,
    read_child,
    write_change,
    write_child,
    write_whole,
)
from headgate.fleet.programs.machine import Machine
from headgate.fleet.programs.plans import being_started
from headgate.fleet.programs.process import birth, end

NOT_PERMITTED = (errno.EACCES, errno.EPERM, errno.EROFS)
NEEDS_ROOT = ("access denied", "authentication", "not permitted", "permission denied")
LOG_LINES = 8
"""Of a program that died, shown to the user."""

COMMAND = 60.0
"""Seconds for one command of a change: a restart waits for the old process to end."""


def apply(machine: Machine, change: Change) -> HeadgateError | None:
    """Files, variables, commands, and the process to end; `start_child` does the rest. A failure is taken back."""
    before = read_change(machine, change.engine)
    try:
        if change.lasting:
            write_change(machine, joined(before, change))
        error = write_files(change)
        ran = error is None
        error = error or run_orders(machine, change)
        if error is None:
            return None
        left = take_back(machine, reverse(change), ran=ran)
        if left is not None:
            return left
        if before is not None:
            write_change(machine, before)
        elif change.lasting:
            forget_change(machine, change.engine)
    except OSError as failure:
        return EngineError(
            f"{failure.filename}: {failure.strerror}", "set HEADGATE_DATA to a folder of yours"
        )
    return HeadgateError(f"{error.message}; what was changed is taken back", error.hint)


def take_back(machine: Machine, back: Change, *, ran: bool) -> HeadgateError | None:
    """After a failure: every file, and if commands `ran`, all that takes them back, each as far as it goes."""
    error = write_files(back)
    if error is not None and ran:
        return HeadgateError(error.message, f"headgate engines undo {back.engine} tries again")
    for order in orders(back) if ran else ():
        machine.run(order, COMMAND)
    return None


def undo(machine: Machine, change: Change) -> HeadgateError | None:
    """Make the change that `plan_undo` gave, and forget what it takes back. What fails can be tried again."""
    error = write_files(change) or run_orders(machine, change)
    if error is None:
        forget_change(machine, change.engine)
    return error


def write_files(change: Change) -> HeadgateError | None:
    """The files of a change."""
    for edit in change.files:
        try:
            write(edit)
        except OSError as error:
            message = f"{edit.path} cannot be written: {error.strerror}"
            return refused(change, message, root=error.errno in NOT_PERMITTED)
    return None


def run_orders(machine: Machine, change: Change) -> HeadgateError | None:
    """Its variables and commands, up to the first that fails, and then the process to end."""
    for order in orders(change):
        ran = machine.run(order, COMMAND)
        if ran.code != 0:
            root = change.way == "systemd" and any(word in ran.why.lower() for word in NEEDS_ROOT)
            return refused(change, f"`{' '.join(order)}` failed: {ran.why}", root=root)
    if change.ends is not None:
        if not end(machine, change.ends.pid, change.ends.born):
            return EngineError(
                f"process {change.ends.pid} does not end", f"sudo kill {change.ends.pid} ends it"
            )
        forget_child(machine, change.engine, change.ends.pid)
    return None


def orders(change: Change) -> tuple[tuple[str, ...], ...]:
    """Everything that is run, in its order."""
    return (*(assign(change.way, one) for one in change.variables), *change.commands)


def refused(change: Change, message: str, *, root: bool) -> HeadgateError:
    """A change that did not come about, with the same for an administrator's shell where that helps."""
    message = message.rstrip(".")
    if not root:
        return HeadgateError(message, "headgate engines status shows how it is now")
    lines = "\n".join(as_root(change))
    return HeadgateError(message, f"it takes the administrator; these lines do the same:\n\n{lines}")


def write(edit: FileEdit) -> None:
    """A file as it shall be, whole or not at all; folders that were made for it go with it."""
    path = Path(edit.path)
    if edit.new is not None:
        try:
            write_whole(path, edit.new)
        except OSError:
            remove_folders(edit)
            raise
        return
    path.unlink(missing_ok=True)
    fresh = path.with_name(f"{path.name}.new")  # left by a command that was killed while it wrote
    fresh.unlink(missing_ok=True)
    remove_folders(edit)


def remove_folders(edit: FileEdit) -> None:
    """Remove the folders that were made for a file, if nothing else has moved in."""
    for folder in edit.made:
        with suppress(OSError):
            Path(folder).rmdir()


def start_child(machine: Machine, change: Change) -> "subprocess.Popen[bytes] | HeadgateError":
    """Start the program of a change in the background; it outlives this command."""
    log = place(machine, change.engine, "log")
    record = Child(
        engine=change.engine,
        pid=os.getpid(),
        born=birth(machine, os.getpid()) or "",
        command=change.starts,
        settings=dict(change.environment),
        log=str(log),
        starting=True,
    )
    try:
        before = read_child(machine, change.engine)
        if before is None or birth(machine, before.pid) != before.born:
            forget_child(machine, change.engine, before.pid if before else 0)
        if not claim(machine, record):
            return being_started(before or record)
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603  # the program that the user has seen and said yes to
                change.starts,
                env={**machine.env, **dict(change.environment)},
                cwd=machine.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
            )
        born = birth(machine, process.pid) or ""
        write_child(machine, structs.replace(record, pid=process.pid, born=born))
    except OSError as error:
        forget_child(machine, change.engine, os.getpid())
        return EngineError(
            f"{error.filename or change.starts[0]}: {error.strerror}",
            "headgate engines status shows where it is",
        )
    return process


def bring_up(
    machine: Machine, engine: EngineSettings, program: Program, change: Change, within: float
) -> HeadgateError | None:
    """Make the change and wait until the engine answers, so many seconds at most."""
    if error := apply(machine, change):
        return error
    child = None
    if change.starts:
        started = start_child(machine, change)
        if isinstance(started, HeadgateError):
            return started
        child = (engine.name, started)
    return wait_until_up(machine, program, engine.key, within, child)


def wait_until_up(
    machine: Machine,
    program: Program,
    key: str | None,
    within: float,
    child: "tuple[str, subprocess.Popen[bytes]] | None" = None,
) -> EngineError | None:
    """Wait until it answers. A child that died or does not answer is cleared away, and its last words are told.

    Args:
        machine: where.
        program: what should answer at its address.
        key: what its server asks for.
        within: seconds.
        child: the engine's name and the process, when we started it ourselves.
    """
    deadline, title = time.monotonic() + within, NAMES[program.kind]
    while True:
        if child is not None and child[1].poll() is not None:
            forget_child(machine, child[0], child[1].pid)
            return EngineError(
                f"{title} ended at once, with code {child[1].returncode}{last_words(machine, child[0])}",
                f"its log is {place(machine, child[0], 'log')}",
            )
        if ask(machine, program.kind, program.url, key)[0] == "up":
            record = read_child(machine, child[0]) if child is not None else None
            if record is not None:
                write_child(machine, structs.replace(record, starting=False))
            return None
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    silent = f"{title} was started, but does not answer at {program.url} within {within:g} seconds"
    if child is None:
        return EngineError(silent, "--within gives it more time; headgate engines status shows how it is")
    name, process = child
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    forget_child(machine, name, process.pid)
    return EngineError(
        f"{silent}, so it was ended{last_words(machine, name)}",
        f"its log is {place(machine, name, 'log')}; --within gives it more time",
    )


def last_words(machine: Machine, name: str) -> str:
    """The end of a child's log, indented."""
    text = machine.read(place(machine, name, "log")) or ""
    lines = [line for line in text.splitlines() if line.strip()][-LOG_LINES:]
    return "".join(f"\n  | {line}" for line in lines)
