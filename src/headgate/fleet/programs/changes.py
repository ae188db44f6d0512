"""A change to this machine as a value: what exactly would be written and run, and what takes it back. Pure.

Whoever has seen it has seen all: `apply` does what stands here and nothing else.
"""

import shlex
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import Literal

from msgspec import Struct, structs

Way = Literal["child", "systemd", "systemd user", "launchctl", "setx", "lms"]
"""How settings reach an engine: as a child process of ours, a drop-in of the machine's or the user's systemd, variables of
the user's session on macOS, variables of the user on Windows, or LM Studio's own command."""


class FileEdit(Struct, frozen=True):
    """A file before and after. None: it is not there."""

    path: str
    old: str | None
    new: str | None
    made: tuple[str, ...] = ()
    """Folders that had to be made for it, the innermost first."""


class VariableEdit(Struct, frozen=True):
    """A variable of the user's session before and after. None: it is not set."""

    name: str
    old: str | None
    new: str | None


class Signal(Struct, frozen=True):
    """A process to end. `born` proves that it is still the one that was meant."""

    pid: int
    born: str


class Change(Struct, frozen=True, kw_only=True):
    """Everything that is done, in this order: files, variables, commands, then the process to end or to start."""

    engine: str
    way: Way
    what: str
    """One line for people."""
    files: tuple[FileEdit, ...] = ()
    variables: tuple[VariableEdit, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    ends: Signal | None = None
    """A process that is ended."""
    starts: tuple[str, ...] = ()
    """A program that is started in the background."""
    environment: tuple[tuple[str, str], ...] = ()
    """What it is given on top of the user's own."""
    undo: tuple[tuple[str, ...], ...] = ()
    """Commands that take the commands back, after files and variables are as they were."""
    settings: Mapping[str, str] = {}
    """What the engine has once this is done."""
    notes: tuple[str, ...] = ()

    @property
    def lasting(self) -> bool:
        """Whether it leaves something behind that has to be remembered to be undone."""
        return bool(self.files or self.variables or self.undo)


def reverse(change: Change, ends: Signal | None = None) -> Change:
    """The change that takes this one back; `ends` is the child of ours that goes with it."""
    return Change(
        engine=change.engine,
        way=change.way,
        what=f"put back what `headgate engines start {change.engine}` changed",
        files=tuple(FileEdit(one.path, one.new, one.old, one.made) for one in change.files),
        variables=tuple(VariableEdit(one.name, one.new, one.old) for one in change.variables),
        commands=change.undo,
        ends=ends,
    )


def assign(way: Way, edit: VariableEdit) -> tuple[str, ...]:
    """The command that gives a variable of the user's session its new value."""
    if way == "launchctl":
        return (
            ("launchctl", "unsetenv", edit.name)
            if edit.new is None
            else ("launchctl", "setenv", edit.name, edit.new)
        )
    if edit.new is None:
        return ("reg", "delete", r"HKCU\Environment", "/v", edit.name, "/f")
    return ("setx", edit.name, edit.new)


def joined(before: Change | None, after: Change) -> Change:
    """A change on top of an earlier one, such that undoing it leads back to before the first."""
    if before is None or before.way != after.way:
        return after
    files = {one.path: one for one in before.files}
    variables = {one.name: one for one in before.variables}
    for edit in after.files:
        first = files.get(edit.path)
        same = first is not None and first.new == edit.old
        files[edit.path] = structs.replace(edit, old=first.old, made=first.made) if first and same else edit
    for variable in after.variables:
        earlier = variables.get(variable.name)
        known = earlier is not None and earlier.new == variable.old
        variables[variable.name] = (
            structs.replace(variable, old=earlier.old) if earlier and known else variable
        )
    return structs.replace(
        after,
        files=tuple(files.values()),
        variables=tuple(variables.values()),
        undo=before.undo or after.undo,
    )


def diff(edit: FileEdit) -> list[str]:
    """A file's change, line by line; a new or a removed one whole."""
    old, new = (edit.old or "").splitlines(), (edit.new or "").splitlines()
    if edit.old is None or edit.new is None:
        return [f"+ {line}" for line in new] + [f"- {line}" for line in old]
    return [
        f"{line[0]} {line[1:]}"
        for line in list(unified_diff(old, new, lineterm="", n=0))[2:]
        if line[0] in "+-"
    ]


def as_root(change: Change) -> list[str]:
    """The same change for a shell, where it takes the machine's administrator."""
    lines: list[str] = []
    for edit in change.files:
        path = shlex.quote(edit.path)
        if edit.new is None:
            lines.append(f"sudo rm -f {path}")
        else:
            folder = shlex.quote(edit.path.rpartition("/")[0])
            lines += [
                f"sudo mkdir -p {folder}",
                f"sudo tee {path} > /dev/null <<'EOF'",
                *edit.new.splitlines(),
                "EOF",
            ]
    bare = [tuple(word for word in order if word != "--no-ask-password") for order in change.commands]
    return lines + [f"sudo {line}" for line in shell(bare)]


def shell(commands: Iterable[tuple[str, ...]]) -> list[str]:
    """Commands as one types them."""
    return [shlex.join(one) for one in commands]
