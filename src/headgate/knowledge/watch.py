"""Wait until a base's folders are no longer as it knows them, and have then been left alone for a moment.

By looking at sizes and times every two seconds: that needs no library, works on every disk, network ones included, and ten thousand
files cost a tenth of a second. It does not read files.
"""

import asyncio
from pathlib import Path
from typing import Final

from headgate.knowledge import reading
from headgate.knowledge.store import Base, is_under
from headgate.knowledge.types import File

BEAT: Final = 2.0
"""Seconds between two looks."""

Seen = frozenset[tuple[str, int, int]]
"""Files with their sizes and times."""


async def changed(path: Path, beat: float = BEAT) -> None:
    """Return once something has changed that a sync would take, and a further look has found nothing new.

    Args:
        path: of the base.
        beat: seconds between two looks.
    """
    last: Seen | None = None
    while True:
        known, now = await asyncio.to_thread(look, path)
        if now not in (known, last):
            last = now
        elif now != known:
            return
        await asyncio.sleep(beat)


def look(path: Path) -> tuple[Seen, Seen]:
    """The files of a base's folders as it knows them, and as they are. Of a folder that is not there nothing is said."""
    with Base(path) as base:
        folders, files = base.folders, base.files()
    gone = [folder for folder in folders if reading.is_away(folder, files)]
    found, _ = reading.look(folders)
    known = [file for file in files.values() if not any(is_under(file.path, folder) for folder in gone)]
    return seen(known), seen(list(found.values()))


def seen(files: list[File]) -> Seen:
    """Files by what tells that they have changed."""
    return frozenset((file.path, file.size, file.mtime) for file in files)
