"""Who carries out runs for a command: the gate that is open here, if it is of the same config, else one in this process.

A gate that is open has its models loaded and serves people first, so it is preferred. One that was opened before the config or
a subagent's file was changed would answer as the files said then: it is passed over, and the person is told.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cli.common import say
from headgate.cli.runfile import RunFile, find_gate

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.runs import Settler


@asynccontextmanager
async def open_runner(config: "Config") -> "AsyncGenerator[Settler]":
    """A runner for this config, as long as the context lasts.

    Raises:
        LedgerError: no gate is open, and its ledger cannot be opened here.
    """
    gate = serving(config)
    if gate is not None:
        from headgate.client import HttpRunner

        async with HttpRunner(gate.url, gate.key) as runner:
            yield runner
        return
    from headgate.app import open_gate

    async with open_gate(config) as own:
        for note in own.notes:
            say(f"note: {note}")
        yield own.runs


def serving(config: "Config", note: Callable[[str], None] = say) -> RunFile | None:
    """The open gate that answers by this config as it stands now, or None; `note` is told why one is passed over."""
    gate = find_gate()
    source = None if config.source is None else config.source.resolve()
    if gate is None or gate.config != (None if source is None else str(source)):
        return None
    changed = None if source is None else changed_since(source, gate.started)
    if changed is not None:
        note(
            f"note: {changed} was changed after the gate at {gate.url} was opened, so that gate is not asked"
        )
        return None
    return gate


def changed_since(source: Path, moment: float) -> Path | None:
    """The page, or the file of a subagent, that was changed after a moment; None if none was."""
    folder = source.parent / "agents"
    there = [folder] if folder.is_dir() else []  # changes where a file is taken away
    files = (source, *sorted(folder.glob("*")), *there)
    return next((file for file in files if file.lstat().st_mtime > moment), None)
