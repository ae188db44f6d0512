"""What Headgate did to this machine's engines, kept so that it can be undone: one small JSON file each, written whole or not at all.

The journal is written before the change it tells of. Whoever was stopped in between finds an entry for something that was not
done, and undoing that does nothing. It does not know whether a process still lives.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import copymode
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from headgate.fleet.programs.changes import Change
from headgate.fleet.programs.machine import Machine

Kept = TypeVar("Kept", bound=Struct)


class Child(Struct, frozen=True, kw_only=True):
    """An engine that Headgate started in the background."""

    engine: str
    pid: int
    born: str
    """When, in the machine's words: proof that a process of this number is still that one."""
    command: tuple[str, ...]
    settings: Mapping[str, str]
    log: str
    starting: bool = False
    """It has not answered yet; until it is there, `pid` is the command that starts it."""


def place(machine: Machine, name: str, ending: str) -> Path:
    """Where something of an engine lies. The name is the user's own word, so it is made safe for a file."""
    return machine.data / "engines" / f"{quote(name, safe='')}.{ending}"


def read_change(machine: Machine, name: str) -> Change | None:
    """What was done for this engine and not undone."""
    return read(machine, place(machine, name, "json"), Change)


def read_child(machine: Machine, name: str) -> Child | None:
    """The child that was started for this engine; it may have ended since."""
    return read(machine, place(machine, name, "child.json"), Child)


def write_change(machine: Machine, change: Change) -> None:
    """Remember a change."""
    write_whole(place(machine, change.engine, "json"), msgspec.json.encode(change).decode())


def write_child(machine: Machine, child: Child) -> None:
    """Remember a child."""
    write_whole(place(machine, child.engine, "child.json"), msgspec.json.encode(child).decode())


def forget_change(machine: Machine, name: str) -> None:
    """It is undone."""
    place(machine, name, "json").unlink(missing_ok=True)


def forget_child(machine: Machine, name: str, pid: int) -> None:
    """It has ended; a record of another one stays."""
    child = read_child(machine, name)
    if child is None or child.pid == pid:
        place(machine, name, "child.json").unlink(missing_ok=True)


def claim(machine: Machine, child: Child) -> bool:
    """Be the one that starts this engine. False: somebody else is, whose record is there already."""
    path = place(machine, child.engine, "child.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{child.pid}")
    try:
        fresh.write_bytes(msgspec.json.encode(child))
        path.hardlink_to(fresh)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def read(machine: Machine, path: Path, kind: type[Kept]) -> Kept | None:
    """A file of ours; None when it is not there or is none of ours."""
    text = machine.read(path)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return None


def write_whole(path: Path, text: str) -> None:
    """Write a file such that it is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        with suppress(FileNotFoundError):
            copymode(path, fresh)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
