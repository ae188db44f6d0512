"""From bytes to letters: how a file's text is written, found by looking at all of it once, and its lines, one at a time.

A byte order mark decides; without one a text is UTF-8 if it can be, UTF-16 if every second byte is zero, and else Windows-1252,
which is what old programs wrote. That last one is a guess, and said so. This module does not know formats.
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from headgate.documents.types import Trouble

PART = 1 << 20
"""Bytes looked at a time."""
LONGEST_LINE = 16 << 20
"""Characters. A longer "line" is no text that a person wrote; a quarter of a gigabyte of memory is not spent to find out."""
UNDEFINED_1252 = b"\x81\x8d\x8f\x90\x9d"
"""Bytes that mean nothing in Windows-1252. A text with one of them is read as Latin-1, where every byte means something."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
STRAY = re.compile("[\udc80-\udcff]")
"""What Python makes of a byte that is not UTF-8."""
NAMES = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}


class LineTooLongError(Exception):
    """A line goes on for more than `LONGEST_LINE` characters."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Letters(Struct, frozen=True, kw_only=True):
    """How a text is written."""

    encoding: str
    """A codec of Python's."""
    guessed: bool = False
    """Nothing in the file says so."""
    bad_bytes: int = 0
    """Of a text in UTF-8, the bytes that are not; each becomes a � ."""
    bad_line: int | None = None
    """Where the first of them stands."""

    def troubles(self, source: str) -> Iterator[Trouble]:
        """What a person should know about it."""
        if self.bad_bytes:
            some = "1 byte is" if self.bad_bytes == 1 else f"{self.bad_bytes:,} bytes are"
            yield Trouble(
                source=source,
                message=f"{some} not UTF-8 in a text that else is; shown as �",
                line=self.bad_line,
                refused=False,
            )
        elif self.guessed:
            yield Trouble(
                source=source,
                message=f"not UTF-8: read as {NAMES.get(self.encoding, self.encoding.upper())}, which is a guess",
                hint="if letters are wrong, save the file as UTF-8",
                refused=False,
            )


class Binary(Struct, frozen=True):
    """No text: it holds NUL bytes."""

    line: int
    """The line of the first, if it were a text."""

    def trouble(self, source: str) -> Trouble:
        """Why it is refused."""
        return Trouble(source=source, message="not a text: it holds NUL bytes", line=self.line)


def look_at(data: bytes) -> Letters | Binary:
    """How these bytes are written."""
    return _look(iter([data]))


def look_through(path: Path) -> Letters | Binary:
    """How a file is written; reads all of it in parts.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return _look(iter(lambda: file.read(PART), b""))


def decode(data: bytes, letters: Letters) -> str:
    """The text, its lines ended as Unix does."""
    text = data.decode(letters.encoding, "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def text_of(path: Path, source: str) -> tuple[str, Letters] | Trouble:
    """A file's whole text and how it is written.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    letters = look_at(data)
    return letters.trouble(source) if isinstance(letters, Binary) else (decode(data, letters), letters)


def lines(path: Path, letters: Letters) -> Iterator[str]:
    """The file's lines with their ends, one at a time.

    Raises:
        OSError: the file cannot be read.
        LineTooLongError: one of them is longer than `LONGEST_LINE`.
    """
    with path.open(encoding=letters.encoding, errors="replace", newline=None) as file:
        number = 1
        while line := file.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and line[-1] != "\n":
                raise LineTooLongError(number)
            yield line
            number += 1


def byte_lines(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines as bytes, one at a time; one longer than `LONGEST_LINE` comes in pieces."""
    return iter(lambda: file.readline(LONGEST_LINE), b"")


def _look(parts: Iterator[bytes]) -> Letters | Binary:
    first = next(parts, b"")
    for mark, encoding in MARKS:
        if first.startswith(mark):
            return Letters(encoding=encoding)
    if encoding := _without_mark(first):
        return Letters(encoding=encoding, guessed=True)
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    newlines, bad_line = 0, None
    undefined = False
    part = first
    while True:
        if b"\0" in part:
            return Binary(newlines + part.count(b"\n", 0, part.index(b"\0")) + 1)
        text = utf8.decode(part, final=not part)
        if not text.isascii():
            strange = [found.start() for found in STRAY.finditer(text)]
            if strange and bad_line is None:
                bad_line = newlines + text.count("\n", 0, strange[0]) + 1
            bad += len(strange)
            good += len(text) - len(text.encode("ascii", "ignore")) - len(strange)
            undefined = undefined or any(byte in part for byte in UNDEFINED_1252)
        newlines += part.count(b"\n")
        if not part:
            break
        part = next(parts, b"")
    if bad and bad >= good:
        return Letters(encoding="latin-1" if undefined else "cp1252", guessed=True)
    return Letters(encoding="utf-8", bad_bytes=bad, bad_line=bad_line)


def _without_mark(first: bytes) -> str:
    """UTF-16 without a mark, by its zeros: in languages of Europe every second byte is one."""
    sample = first[:4096]
    if b"\0" not in sample or len(sample) < 4:
        return ""
    even, odd = sample[0::2].count(0) / len(sample[0::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else ""
