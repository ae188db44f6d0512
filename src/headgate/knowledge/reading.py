"""The files of a base's folders: which there are, and what is in one of them.

It reads nothing to see what there is, and it does not know what was read before.
"""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from headgate.core.chunking import Chunk, chunks
from headgate.documents import Document, files, read
from headgate.documents.types import Trouble
from headgate.knowledge.types import File, Piece


def look(folders: Iterable[str]) -> tuple[dict[str, File], list[Trouble]]:
    """All files of folders, by their path, with their sizes and times; and what of the folders is not read, and why.

    A folder that is not there has no files. One that lies in another is looked at once.
    """
    found: dict[str, File] = {}
    troubles: dict[Trouble, None] = {}
    for folder in sorted(folders):
        if not Path(folder).exists():
            continue
        for one in files(folder):
            if isinstance(one, Trouble):
                troubles[one] = None
                continue
            path = str(one)
            if path != as_written(path):
                said = "its name is not UTF-8, so it cannot be named in an answer"
                troubles[Trouble(source=as_written(path), message=said, hint="rename it")] = None
                continue
            try:
                stat = one.stat()
            except OSError:
                continue  # it was deleted while we looked
            found[path] = File(path=path, size=stat.st_size, mtime=stat.st_mtime_ns)
    return found, list(troubles)


def is_away(folder: str, files: Container[str]) -> bool:
    """Whether a folder is not there, as on a disk that is not mounted.

    A file that was added by itself is not away but deleted, as long as the folder that it was in is there.

    Args:
        folder: a folder or file that was added.
        files: those that were read.
    """
    path = Path(folder)
    return not path.exists() and not (folder in files and path.parent.exists())


def take(path: str, size: int) -> tuple[list[Piece], list[Trouble]]:
    """A file in chunks of at most `size` tokens, and what could not be read of it."""
    pieces: list[Piece] = []
    troubles: list[Trouble] = []
    for found in read(path):
        if isinstance(found, Trouble):
            troubles.append(found)
        else:
            pieces.extend(pieces_of(found, size))
    return pieces, troubles


def pieces_of(document: Document, size: int) -> Iterator[Piece]:
    """A document in chunks, each on one page; its title is a heading above them all."""
    for chunk in chunks(document.blocks, size, by_page=True):
        yield Piece(source=document.source, chunk=entitled(chunk, document.title))


def entitled(chunk: Chunk, title: str) -> Chunk:
    """The chunk under the document's title, if no heading says it already."""
    title = " ".join(title.split())
    headings = chunk.headings if not title or title in chunk.headings else (title, *chunk.headings)
    return replace(
        chunk, text=as_written(chunk.text), headings=tuple(as_written(heading) for heading in headings)
    )


def as_written(text: str) -> str:
    """The text as UTF-8 can write it: a broken mail or file name may hold halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
