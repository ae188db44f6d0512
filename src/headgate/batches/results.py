"""The results of a batch on disk: one file that is the record of what was answered, and goes on where it ended.

    results.jsonl           a line for each item, written the moment its answer is there
    results.jsonl.batch     whose batch it is, and the lock that keeps a second one away (`opening`)
    results.jsonl.gone      results whose items are no longer among the inputs

A line is written whole by one call, so that nothing that was answered is lost when the process is killed; against a loss of
power, `sync` is called every quarter of a second. While a batch runs, lines stand in the order of the answers, and the last
one of an item counts; `finish` puts them into the order of the items. It does not know how an item is answered.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.batches.index import Index
from headgate.batches.types import Item, Mark, Result, Tally
from headgate.core.errors import HeadgateError
from headgate.core.words import RunStatus

decode_mark = msgspec.json.Decoder(Mark).decode
_decode_result = msgspec.json.Decoder(Result).decode
_encode = msgspec.json.Encoder().encode


class Found(Struct, frozen=True, gc=False):
    """A result that an item has already."""

    mark: Mark
    offset: int
    here: bool
    """It stands at the item's own place."""


class Contents(Struct, frozen=True):
    """What is in a results file when it is opened."""

    index: Index
    tally: Tally
    lines: int
    """Results that no longer count among them."""


class Results:
    """The results of one batch; `opening.open_results` gives it.

    Args:
        path: the file.
        batch: the name of the batch.
        agent: whose results they are.
        contents: what the file holds.
    """

    def __init__(self, path: Path, batch: str, agent: str, contents: Contents) -> None:
        self.path = path
        self.batch = batch
        self.agent = agent
        self.tally = contents.tally
        """Of the newest result of each item."""
        self.unsynced = False
        """Something was written that a loss of power could take."""
        self._index = contents.index
        self._lines = contents.lines
        self._open()

    def find(self, item: int, digest: str) -> Found | None:
        """The result of an item of this content, at its own place or at another. Ask for items in order."""
        offset = self._index.find(item, digest)
        if offset is None:
            return None
        here = self._index.has(item) and self._index.offset(item) == offset
        return Found(decode_mark(self._line(offset)), offset, here)

    def holds(self, item: int) -> bool:
        """Whether there is a result at this place, be it of another content."""
        return self._index.has(item)

    def name_of(self, item: int, digest: str, tries: int) -> str:
        """The name of one try of an item: another one for each batch, item, content and try."""
        return f"{self.batch}:{item}:{digest}:{tries}"

    def put(self, result: Result) -> None:
        """Write a result down. It is in the file when this returns.

        Raises:
            HeadgateError: the disk is full, or the file cannot be written. Nothing half is left of it.
        """
        line = _encode(result) + b"\n"
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise HeadgateError(
                f"{self.path} cannot be written: {error.strerror}",
                "make room; the same command goes on where this one ended",
            ) from error
        if self._index.has(result.item):
            self.tally.add(decode_mark(self._line(self._index.offset(result.item))), -1)
        self._index.note(result.item, self._end, result.digest, result.status)
        self.tally.add(result)
        self._end += len(line)
        self._lines += 1
        self.unsynced = True

    def whole(self, found: Found) -> Result:
        """A result with its output."""
        return _decode_result(self._line(found.offset))

    def adopt(self, found: Found, item: Item) -> None:
        """Let the result of a content that has moved stand at its item's new place."""
        result = self.whole(found)
        self.put(replace(result, item=item.n, id=item.id, source=item.source))

    def sync(self) -> None:
        """Wait until what was written would survive a loss of power. It may run on another thread.

        Raises:
            HeadgateError: the disk does not take it.
        """
        self.unsynced = False
        try:
            os.fsync(self._file)
        except OSError as error:
            raise HeadgateError(
                f"the disk does not keep {self.path}: {error.strerror}; the last lines may be lost",
                "look after the disk, or name a file on another one with --out",
            ) from error

    def __iter__(self) -> Iterator[Result]:
        """The newest result of each item, in the order of the items."""
        for place in self._index.places():
            yield _decode_result(self._line(self._index.offset(place)))

    def of_status(self, statuses: Collection[RunStatus], most: int) -> Iterator[Result]:
        """The first results of these statuses, in the order of the items."""
        places = (place for place in self._index.places() if self._index.status(place) in statuses)
        for place in islice(places, most):
            yield _decode_result(self._line(self._index.offset(place)))

    def finish(self, total: int) -> int:
        """Put the results into the order of the items, once all of them have one; how many results had no item any more.

        The file is replaced as a whole, or stays as it is.

        Args:
            total: the number of items.

        Raises:
            OSError: there is no room for the new file; the old one is untouched.
        """
        gone = self._index.homeless(total)
        places = [place for place in self._index.places() if place <= total]
        offsets = [self._index.offset(place) for place in places]
        self.sync()
        if len(offsets) == self._lines and offsets == sorted(offsets):
            return 0
        if gone:
            with self.path.with_name(f"{self.path.name}.gone").open("ab") as kept:
                kept.writelines(self._line(offset) for offset in gone)
                sync_file(kept)
        self._rewrite(places)
        return len(gone)

    def close(self) -> None:
        """Let go of the file, with all that was written on the disk.

        Raises:
            HeadgateError: the disk does not take it.
        """
        try:
            self.sync()
        finally:
            self._close()

    def _rewrite(self, places: list[int]) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        index, tally = Index(), Tally()
        try:
            with fresh.open("wb") as ordered:
                for place in places:
                    line = self._line(self._index.offset(place))
                    mark = decode_mark(line)
                    index.note(place, ordered.tell(), mark.digest, mark.status)
                    tally.add(mark)
                    ordered.write(line)
                sync_file(ordered)
            self._close()
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)
        self._index, self.tally, self._lines = index, tally, len(places)
        self._open()

    def _line(self, offset: int) -> bytes:
        self._reading.seek(offset)
        return self._reading.readline()

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        self._end = os.fstat(self._file).st_size
        self._reading: BinaryIO = self.path.open("rb")

    def _close(self) -> None:
        os.close(self._file)
        self._reading.close()


def sync_file(file: BinaryIO) -> None:
    """Wait until all that was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until a new name in a folder would survive a loss of power, where the system knows such a thing."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
