"""Files and folders, read one after the other in an order that does not change.

Left out without a word: what is hidden (a name that begins with a dot) and empty folders. Everything else that is not read is
named: a link that leads back into a folder it lies in, and files of unknown kinds, counted per folder that was given.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from headgate.documents.reading import LIMIT_MB, format_of, kind_of, read
from headgate.documents.types import Read, Trouble


def walk(places: Iterable[Path | str], *, limit_mb: int = LIMIT_MB) -> Iterator[Read]:
    """Read files and all that lies in folders, in the order given and then by name. Nothing is raised for a bad file.

    Args:
        places: files and folders. A file that is named here is read or refused by name; one that lies in a folder and is of a
            kind that is not read is only counted.
        limit_mb: as with `read`.
    """
    for place in places:
        path = Path(place)
        try:
            inside = path.is_dir()
        except OSError as error:
            yield Trouble(source=str(path), message=f"cannot be read: {error.strerror}")
            continue
        if not inside:
            yield from read(path, limit_mb=limit_mb)
            continue
        for found in files(path):
            if isinstance(found, Trouble):
                yield found
            else:
                yield from read(found, limit_mb=limit_mb)


def files(place: Path | str) -> Iterator[Path | Trouble]:
    """The files in a folder that `walk` would read, in its order, unread: to see what has changed. Of a file, itself.

    With them comes what `walk` would say of the folder: what of it is not read, and why.
    """
    path = Path(place)
    if not path.is_dir():
        yield path
        return
    unknown: Counter[str] = Counter()
    yield from _listing(path, (), unknown)
    if unknown:
        yield _not_read(path, unknown)


def _listing(folder: Path, above: tuple[Path, ...], unknown: Counter[str]) -> Iterator[Path | Trouble]:
    """The files of known kinds under a folder, and why a part of it is not listed.

    Args:
        folder: the folder.
        above: the real places of the folders that it lies in.
        unknown: is told the kinds of the other files.
    """
    try:
        real = folder.resolve(strict=True)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (OSError, RuntimeError) as error:
        yield Trouble(
            source=str(folder), message=f"cannot be listed: {getattr(error, 'strerror', None) or error}"
        )
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        try:
            inside = entry.is_dir()
            leads_to = path.resolve(strict=True) if entry.is_symlink() else real / entry.name
        except (OSError, RuntimeError) as error:
            why = (
                "a link to nothing" if isinstance(error, FileNotFoundError) else "a link that leads to itself"
            )
            yield Trouble(source=str(path), message=why)
            continue
        if inside and any(folder_above.is_relative_to(leads_to) for folder_above in (*above, real)):
            yield Trouble(
                source=str(path), message=f"a link back to {leads_to}, in which it lies; not followed"
            )
        elif inside:
            yield from _listing(path, (*above, real), unknown)
        elif format_of(path):
            yield path
        else:
            unknown[kind_of(path)] += 1


def _not_read(folder: Path, unknown: Counter[str]) -> Trouble:
    number = unknown.total()
    kinds = ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    )
    one = "1 file of a kind that is" if number == 1 else f"{number:,} files of kinds that are"
    return Trouble(
        source=str(folder), message=f"{one} not read: {kinds}", hint="name a file to see why", refused=True
    )
