"""The files of batch clients: what was uploaded, and the results that are fetched. In a folder, each with a page that describes it.

    file-….jsonl        the content
    file-….json         what is said of it; a content without it was never finished, and is removed

A file that has expired is gone. It does not know what is in them.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from time import time
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct

from headgate.batches.results import sync_file, sync_folder

PIECE = 1 << 20
"""Bytes that are copied at a time."""

Purpose = Literal["batch", "batch_output"]


class FileObject(Struct, frozen=True, kw_only=True):
    """A file as clients see it, in OpenAI's words."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: Purpose
    status: Literal["processed"] = "processed"
    status_details: None = None


log = logging.getLogger("headgate.batches")


class Files:
    """The files of one gate.

    Args:
        folder: where they lie; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: dict[str, FileObject] = {}
        for page in sorted(folder.glob("*.json")):
            try:
                one = msgspec.json.decode(page.read_bytes(), type=FileObject)
            except msgspec.MsgspecError as error:
                log.warning("%s is damaged, so its file is left as it is: %s", page, error)
                continue
            self._all[one.id] = one
        for content in folder.glob("*.jsonl*"):
            if not content.with_name(f"{content.name.removesuffix('.jsonl')}.json").exists():
                content.unlink()

    def new_id(self) -> str:
        """A name for a file that is going to be."""
        return f"file-{by_time()}"

    def path(self, name: str) -> Path:
        """Where the content of a file lies."""
        return self.folder / f"{name}.jsonl"

    def find(self, name: str) -> FileObject | None:
        """A file, if it is there and has not expired."""
        self._forget()
        return self._all.get(name)

    def list(self) -> list[FileObject]:
        """All files, the newest first."""
        self._forget()
        return sorted(self._all.values(), key=lambda one: one.id, reverse=True)

    def write(
        self,
        name: str,
        filename: str,
        purpose: Purpose,
        fill: Callable[[BinaryIO], object],
        lives: int | None = None,
    ) -> FileObject:
        """Make a file, or make it anew; it would survive a loss of power when this returns. It may run on another thread.

        Args:
            name: its id.
            filename: the client's name for it.
            purpose: what it is for.
            fill: writes the content.
            lives: seconds until it expires; None is never.

        Raises:
            OSError: there is no room.
        """
        fresh = self.folder / f"{name}.jsonl.part"
        try:
            with fresh.open("wb") as file:
                fill(file)
                size = file.tell()
                sync_file(file)
            fresh.replace(self.path(name))
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        now = int(time())
        one = FileObject(
            id=name,
            bytes=size,
            created_at=now,
            expires_at=None if lives is None else now + lives,
            filename=filename,
            purpose=purpose,
        )
        write_page(self.folder / f"{name}.json", msgspec.json.encode(one))
        self._all[name] = one
        return one

    def delete(self, name: str) -> None:
        """Remove a file. A batch that reads it goes on: it has a name of its own for it."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        self.path(name).unlink(missing_ok=True)
        self._all.pop(name, None)

    def _forget(self) -> None:
        now = time()
        for one in [
            one for one in self._all.values() if one.expires_at is not None and one.expires_at <= now
        ]:
            self.delete(one.id)


def by_time() -> str:
    """24 hexadecimal digits that nobody else has: later ones sort after earlier ones."""
    return f"{int(time() * 1000):012x}{token_hex(6)}"


def write_page(path: Path, content: bytes) -> None:
    """Replace a small file as a whole; it would survive a loss of power when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        sync_file(file)
    fresh.replace(path)
    sync_folder(path.parent)


def copy_part(source: BinaryIO, start: int, end: int, to: BinaryIO) -> None:
    """Copy some bytes of an open file into another."""
    source.seek(start)
    left = end - start
    while left and (piece := source.read(min(PIECE, left))):
        to.write(piece)
        left -= len(piece)


def share(source: Path, to: Path) -> None:
    """Give a file a second name, so that it stays when the first is gone; copied, where the disk has no such thing."""
    to.unlink(missing_ok=True)
    try:
        os.link(source, to)
    except OSError:
        to.write_bytes(source.read_bytes())
