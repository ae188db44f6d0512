"""`headgate models pull`: fetch a model, after somebody has said yes, and never more than the disk holds."""

import asyncio
import shutil
import sys
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from headgate.cli.common import console, load, put, say, with_config, with_json
from headgate.cli.models_target import with_target

if TYPE_CHECKING:
    from headgate.cli.models_progress import Face
    from headgate.cli.models_target import Target
    from headgate.config.compile import Config
    from headgate.core.engine import ManagedEngine, Progress

STOPPED = 130
"""The exit code of a command that Ctrl-C has ended."""


class Room(Struct, frozen=True):
    """The disk behind an engine's models folder."""

    folder: Path
    free: int
    """Bytes, before the download."""


@click.command("pull", short_help="Fetch a model, after a question")
@with_target
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_config
@with_json
def command(config_file: str | None, name: str, engine_name: str | None, *, yes: bool, as_json: bool) -> None:
    """Fetch a model, with its size, the free disk and a question before; scripts say --yes.

    A pull that was stopped goes on where it ended. --json prints one event a line.
    """
    from headgate.cli.models_progress import put_event
    from headgate.cli.models_target import find_target
    from headgate.core.errors import HeadgateError, UsageError

    config = load(config_file, prices=False)
    target = find_target(config, name, engine_name)
    size_there = asyncio.run(look(config, target))
    room = room_for(target)
    about = expected(target)
    say(announcement(target, size_there, about, room))
    if size_there is None and about is not None and room is not None and about > room.free:
        raise too_small(target, about, room)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "nothing is downloaded, because nobody here can be asked",
                f"headgate models pull {target.words} --yes",
            )
        if not click.confirm("download it?", default=False, err=True):
            raise click.Abort
    if as_json:
        put_event(
            "start",
            engine=target.engine,
            id=target.id,
            free=room.free if room else None,
            size=about if size_there is None else size_there,
        )
    begun = perf_counter()
    try:
        last = asyncio.run(fetch(config, target, room, as_json=as_json))
    except KeyboardInterrupt:
        if as_json:
            put_event("stopped")
        say(farewell(target))
        sys.exit(STOPPED)
    except HeadgateError as error:
        if as_json:
            put_event("failed", error=error.message, hint=error.hint)
        raise
    seconds = perf_counter() - begun
    total = last.total if last is not None else None
    if as_json:
        put_event("done", engine=target.engine, id=target.id, size=total, seconds=round(seconds, 3))
    else:
        put(conclusion(target, total, seconds))


async def look(config: "Config", target: "Target") -> int | None:
    """Whether the engine is up; the size of the model if it has it already."""
    from headgate.cli.models_target import known, reach

    async with reach(config, target.settings) as engine:
        found = await known(engine, target)
    return found.size if found is not None else None


def room_for(target: "Target") -> Room | None:
    """The disk that the model will lie on; None when it is not here, or cannot be told."""
    from headgate.config.engine import is_here
    from headgate.config.model_folders import folder_of

    folder = folder_of(target.settings.kind) if is_here(target.settings.url) else None
    if folder is None:
        return None
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    return None if there is None else Room(folder, shutil.disk_usage(there).free)


def expected(target: "Target") -> int | None:
    """About how much it is, by the catalogue of known models."""
    from headgate.config.catalogue import known_models

    found = known_models().find(target.id)
    return found[0].shape_in(found[1]).weights if found else None


def announcement(target: "Target", size_there: int | None, about: int | None, room: Room | None) -> str:
    """What is about to happen, before anybody is asked."""
    from headgate.cli.models_words import size

    known = (
        f"it is there already ({size(size_there)}), and only what has changed is fetched"
        if size_there is not None
        else f"about {size(about)}"
        if about is not None
        else f"{target.engine} says its size once it has begun"
    )
    disk = f"{size(room.free)} free in {room.folder}" if room else "the free disk there is not known"
    return f"{target.id} for {target.engine}: {known}; {disk}"


async def fetch(config: "Config", target: "Target", room: Room | None, *, as_json: bool) -> "Progress | None":
    """Fetch it; the last report."""
    from headgate.cli.models_progress import Bar, Events, Lines
    from headgate.cli.models_target import reach

    async with reach(config, target.settings) as engine:
        screen = console(stderr=True)
        face: Face = Events() if as_json else Bar(screen, target.id) if screen.is_terminal else Lines()
        try:
            return await watch(engine, target, room, face)
        finally:
            face.close()


async def watch(
    engine: "ManagedEngine", target: "Target", room: Room | None, face: "Face"
) -> "Progress | None":
    """Follow a download to its end.

    Raises:
        HeadgateError: it failed, or the disk is too small for it; then it is stopped.
    """
    from headgate.cli.models_target import error_of
    from headgate.core.types import Failure

    last = None
    lacking = None
    async with aclosing(engine.pull(target.id)) as reports:
        async for report in reports:
            if isinstance(report, Failure):
                raise error_of(report, target.settings)
            face.show(report, perf_counter())
            lacking = lacks_room(report, last, room)
            if lacking is not None:
                break
            last = report
    if lacking is not None:
        raise too_small(target, lacking, room)
    return last


def lacks_room(report: "Progress", last: "Progress | None", room: Room | None) -> int | None:
    """The bytes that are still to come, if the disk has no room for them; looked at whenever a new total is told."""
    if room is None or report.total is None or (last is not None and last.total == report.total):
        return None
    needed = report.total - (report.completed or 0)
    return needed if needed > room.free else None


def too_small(target: "Target", needed: int, room: Room | None) -> Exception:
    """The error of a disk that is too small."""
    from headgate.cli.models_words import UNKNOWN, size
    from headgate.core.errors import HeadgateError

    where = f"{size(room.free)} are free in {room.folder}" if room else UNKNOWN
    return HeadgateError(
        f"{target.id} needs {size(needed)}, and {where}; nothing more is fetched",
        "make room (headgate models rm NAME), or take a smaller model or quantization",
    )


def farewell(target: "Target") -> str:
    """The line after Ctrl-C."""
    if target.settings.kind == "lmstudio":
        return (
            "stopped watching: the download is LM Studio's own and goes on; its window (Downloads) can end it"
        )
    return "stopped: nothing half done is taken for a model, and the next pull goes on where this one ended"


def conclusion(target: "Target", total: int | None, seconds: float) -> str:
    """The last line."""
    from headgate.cli.models_words import size, span

    amount = f"{size(total)} in " if total is not None else "after "
    return f"{target.id} is there on {target.engine}, whole and checked: {amount}{span(seconds)}"
