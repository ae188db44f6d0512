"""Engines as programs, on a screen and as JSON. Of an environment only the wanted settings are ever shown: the rest is secret."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headgate.cli.common import put, put_table, table

if TYPE_CHECKING:
    from headgate.fleet.programs.changes import Change
    from headgate.fleet.programs.found import Program
    from headgate.fleet.programs.settings import Drift, Setting


def draw_change(change: "Change", wanted: "Iterable[Setting]") -> str:
    """All that would be done, in its order."""
    from headgate.fleet.programs.changes import assign, diff, shell

    why = {setting.name: setting.why for setting in wanted}
    lines = [f"to {change.what}:"]
    for edit in change.files:
        verb = "write" if edit.old is None else "remove" if edit.new is None else "change"
        lines += [f"  {verb} {edit.path}", *(f"    {line}" for line in diff(edit))]
    orders = shell([*(assign(change.way, one) for one in change.variables), *change.commands])
    lines += [f"  run {order}" for order in orders]
    if change.ends is not None:
        lines.append(f"  end process {change.ends.pid}")
    if change.starts:
        width = max(len(f"{name}={value}") for name, value in change.environment)
        lines += [f"  run {shell([change.starts])[0]}   with"]
        for name, value in change.environment:
            lines.append(f"    {f'{name}={value}':<{width}}  {why.get(name, '')}".rstrip())
    lines += [f"  note: {note}" for note in change.notes]
    if change.lasting and change.what.startswith(("give", "set", "start")):
        lines.append(f"  undo: headgate engines undo {change.engine}")
    return "\n".join(lines)


def state_of(program: "Program") -> str:
    """How a program is, in a few words."""
    from headgate.fleet.programs.plans import by_whom

    if program.answer == "other":
        return f"not running: another program answers at {program.url}"
    where = program.command or program.app or program.headless
    if not program.running:
        return f"not running; it is at {where}" if program.installed else "not installed"
    number = f", process {program.pid}" if program.pid else ""
    by = f", started {by_whom(program)}" if program.started_by else ""
    return f"runs at {program.url}{number}{by}"


def draw_status(name: str, program: "Program", rows: "tuple[Drift, ...]") -> None:
    """A program and its settings."""
    from headgate.cli.checkup.repairs import restart
    from headgate.fleet.programs.found import NAMES, exposed

    put(f"{name}: {f'{NAMES[program.kind]} {program.version}'.rstrip()} {state_of(program)}")
    if program.running or any(row.state != "unknown" for row in rows):
        made = table("  setting", "wanted", "found", "state", "told by")
        for row in rows:
            found = row.found if row.found is not None else "?" if row.state == "unknown" else "not set"
            made.add_row(f"  {row.name}", row.wanted, found, row.state, row.source)
        put_table(made)
    if reached := exposed(program):
        put(f"  warning: other machines reach it at {', '.join(reached)}, and it has no login")
    if not program.running or any(row.state == "drift" for row in rows):
        put(f"  fix: {restart(name, program.started_by if program.running else None)}")


def draw_other(program: "Program") -> str:
    """A program that the config does not name."""
    from headgate.fleet.programs.found import NAMES

    return f"also here: {f'{NAMES[program.kind]} {program.version}'.rstrip()} {state_of(program)}"


def row_of(name: str | None, program: "Program", rows: "tuple[Drift, ...]") -> dict[str, Any]:
    """The same for programs."""
    from headgate.fleet.programs.found import exposed

    return {
        "engine": name,
        "kind": program.kind,
        "installed": program.installed,
        "command": program.command,
        "app": program.app,
        "headless": program.headless,
        "version": program.version or None,
        "url": program.url,
        "running": program.running,
        "port_taken": program.answer == "other",
        "pid": program.pid,
        "started_by": program.started_by,
        "container": program.container,
        "listens": program.addresses,
        "exposed": exposed(program),
        "settings": rows,
    }
