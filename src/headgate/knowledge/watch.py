"""Wait until something in a base's folders changes, and has then been left alone for a moment.

By looking at sizes and times every two seconds: that needs no library, works on every disk, network ones included, and ten thousand
files cost a few hundredths of a second. It does not read files.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from headgate.knowledge import reading

BEAT: Final = 2.0
"""Seconds between two looks."""


async def changes(folders: Sequence[str], beat: float = BEAT) -> AsyncIterator[int]:
    """For each change, once it is over, how many files it was.

    Args:
        folders: that are looked at.
        beat: seconds between two looks; a change is over when a look finds nothing new.
    """
    known = await asyncio.to_thread(look, folders)
    last = known
    while True:
        await asyncio.sleep(beat)
        now = await asyncio.to_thread(look, folders)
        if now == last and now != known:
            changed = len(dict(now ^ known))
            known = now
            yield changed
        last = now


def look(folders: Sequence[str]) -> frozenset[tuple[str, tuple[int, int]]]:
    """All files with their size and time."""
    found, _ = reading.look(folders)
    return frozenset((path, (file.size, file.mtime)) for path, file in found.items())
