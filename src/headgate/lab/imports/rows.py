"""Records of an export, one at a time: JSON Lines, a JSON document, or CSV; packed by gzip or zip; of any size.

A large JSON array is read piece by piece, so that memory does not grow with the file. A record that cannot be read is
told with its line, and the reading goes on. This module does not know what a record means.
"""

import csv
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from msgspec import Struct

from headgate.core.errors import UsageError

PIECE: Final = 1 << 20
"""Characters of a JSON document read at a time."""
LONGEST: Final = 64 << 20
"""Characters of the longest record."""
WRAPPERS: Final = ("data", "results", "requests", "observations", "logs", "items", "generations", "traces")
"""Fields under which a document of one object holds its records."""

OWN: Final = frozenset({"id", "model", "start_time", "starting_at"})
"""Fields of records; an object with one of them is no wrapper."""

HELD: Final = re.compile(rf'"(?:{"|".join(WRAPPERS)})"\s*:\s*\[')
"""Where the array of such a document begins."""
BETWEEN: Final = re.compile(r"[\s,]*")
"""What stands between two objects of an array."""

BROKEN: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)
"""What an archive raises that was cut off, damaged or locked."""

Seen = Callable[[int], None]
"""Told how many bytes of the file have been read so far."""


class Record(Struct, frozen=True):
    """A record and where it stands."""

    line: int
    """Of a JSON document, its number."""
    value: dict[str, Any]


class Unread(Struct, frozen=True):
    """Something that is no record, and why."""

    line: int
    why: str


def read_records(path: Path, seen: Seen = lambda _: None) -> Iterator[Record | Unread]:
    """The records of a file, in order.

    Raises:
        UsageError: there is no such file, it is empty, or it is nothing of the kind.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name the export's file") from error
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"name its files: {path}/*.jsonl")
    if not size:
        raise UsageError(f"{path} is empty", "export again; an export of no calls proves nothing")
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("rb"))
        at = 0
        try:
            letters = opened.enter_context(_unpacked(path, raw, opened))
            for record in _records(path, letters, lambda: seen(min(raw.tell(), size))):
                at = record.line
                yield record
        except BROKEN as error:
            yield Unread(at + 1, f"the file cannot be unpacked any further: {error}")
        seen(size)


def _unpacked(path: Path, raw: IO[bytes], opened: ExitStack) -> TextIOWrapper:
    """The file's text; of an archive, that of the only file in it."""
    start = raw.read(4)
    raw.seek(0)
    if start[:2] == b"\x1f\x8b":
        return TextIOWrapper(gzip.GzipFile(fileobj=raw), "utf-8-sig", "replace", newline="")
    if start == b"PK\x03\x04":
        archive = opened.enter_context(zipfile.ZipFile(raw))
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if any(name.startswith("xl/") for name in names):
            raise UsageError(f"{path} is a spreadsheet of Excel", "save it as CSV")
        if len(names) != 1:
            raise UsageError(f"{path} holds {len(names)} files", "unpack it and name the files")
        return TextIOWrapper(archive.open(names[0]), "utf-8-sig", "replace", newline="")
    if b"\x00" in start or start == b"%PDF":
        raise UsageError(f"{path} is no text", "exports are JSON, JSON Lines or CSV")
    return TextIOWrapper(raw, "utf-8-sig", "replace", newline="")


def _records(path: Path, letters: TextIOWrapper, tick: Callable[[], None]) -> Iterator[Record | Unread]:
    first = letters.readline(LONGEST)
    while first and not first.strip():
        first = letters.readline(LONGEST)
    opening = first.lstrip()[:1]
    if opening == "{" and _whole(first):
        yield from _lines(first, letters, tick)
    elif opening in ("[", "{"):
        yield from _document(path, first, letters, tick)
    elif "," in first or ";" in first or "\t" in first:
        yield from _table(path, first, letters, tick)
    else:
        raise UsageError(
            f"{path} begins with neither JSON nor the columns of a CSV file",
            "name the file as it was exported",
        )


def _whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _lines(first: str, letters: TextIOWrapper, tick: Callable[[], None]) -> Iterator[Record | Unread]:
    line, at = first, 1
    while line:
        if line.strip():
            yield from _read(line, at)
        if at % 1000 == 0:
            tick()
        line, at = letters.readline(LONGEST), at + 1


def _read(line: str, at: int) -> list[Record | Unread]:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return [Unread(at, f"it is no JSON: {error}")]
    return [
        Record(at, one) if isinstance(one, dict) else Unread(at, "it is no object")
        for one in _unwrapped(value)
    ]


def _unwrapped(value: Any) -> Sequence[Any]:
    """The records that a page of an API holds; any other value is one itself."""
    if isinstance(value, dict) and not value.keys() & OWN:
        for name in WRAPPERS:
            if isinstance(value.get(name), list):
                held: list[Any] = value[name]
                return held
    return (value,)


def _table(
    path: Path, first: str, letters: TextIOWrapper, tick: Callable[[], None]
) -> Iterator[Record | Unread]:
    separator = max(",;\t", key=first.count)
    csv.field_size_limit(LONGEST)

    def texts() -> Iterator[str]:
        yield first
        while line := letters.readline(LONGEST):
            yield line

    reader = csv.reader(texts(), delimiter=separator)
    header = [name.strip() for name in next(reader)]
    if len(set(header)) < 2:
        raise UsageError(f"{path} has no columns", "its first line must name them")
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield Unread(reader.line_num, f"it is no CSV: {error}")
            continue
        if row is None:
            return
        at = reader.line_num
        if not row:
            continue
        if len(row) != len(header):
            yield Unread(at, f"it has {len(row)} cells, and the first line names {len(header)} columns")
            continue
        yield Record(at, dict(zip(header, row, strict=True)))
        if at % 1000 == 0:
            tick()


def _document(
    path: Path, first: str, letters: TextIOWrapper, tick: Callable[[], None]
) -> Iterator[Record | Unread]:
    """The objects of an array; or of the array that an object holds under one of `WRAPPERS`."""
    if first.lstrip()[:1] == "[":
        yield from _array(first, first.index("[") + 1, letters, tick)
        return
    start = first + letters.read(LONGEST - len(first))
    if len(start) < LONGEST:
        yield from _wrapped(path, start)
    elif found := HELD.search(start):
        yield from _array(start, found.end(), letters, tick)
    else:
        raise UsageError(f"{path} is one object of JSON, and too large for one", "export it as JSON Lines")


def _array(text: str, at: int, letters: TextIOWrapper, tick: Callable[[], None]) -> Iterator[Record | Unread]:
    """The objects of an array that begins before `at` in the text, and goes on in the file."""
    decoder = json.JSONDecoder()
    number = 0
    while True:
        at = BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text[at : at + 1] == "]":
            return
        problem: ValueError | RecursionError | None = None
        end = at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            problem = error
        if problem is not None or end == len(text):  # a number at the end may go on
            more = letters.read(max(PIECE, len(text) - at))
            tick()
            if more:
                text, at = text[at:] + more, 0
                if len(text) > LONGEST:
                    yield Unread(number + 1, "it is too long for one record, or the document is no JSON")
                    return
                continue
            if problem is not None:
                yield Unread(number + 1, f"the document ends in the middle, or is no JSON: {problem}")
                return
        number, at = number + 1, end
        yield Record(number, value) if isinstance(value, dict) else Unread(number, "it is no object")


def _wrapped(path: Path, whole: str) -> Iterator[Record | Unread]:
    try:
        value = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}", "export again, or name another file") from error
    for number, one in enumerate(_unwrapped(value), 1):
        yield Record(number, one) if isinstance(one, dict) else Unread(number, "it is no object")
