"""What the user names as the inputs of a batch → items, one after another.

    emails.jsonl    a line each          mails/, report.pdf    documents, as `headgate.documents` reads them
    emails.csv      a row each           -                     stdin: JSON lines, or a text a line

Nothing is held in memory but what is asked for. It does not know how items are answered.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from headgate.batches.lines import Lines, id_in, numbered
from headgate.batches.types import Item, Items, Notice
from headgate.core.errors import UsageError
from headgate.documents import Document, Trouble, read, walk
from headgate.documents.walking import files

STDIN = "-"
JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
MANY = (*JSON_LINES, ".mbox")
"""Kinds of files that hold nobody knows how many documents."""
LARGE = 100_000_000
"""Bytes of a table whose rows are not counted beforehand."""


class Texts:
    """The lines of a text file, each an item as it stands."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def total(self) -> int:
        """How many lines have something in them."""
        with self._path.open("rb") as file:
            return sum(1 for _, line in numbered(file) if line.strip())

    def __iter__(self) -> Iterator[Item]:
        """One item a line; empty lines are none."""
        n = 0
        with self._path.open("rb") as file:
            for number, line in numbered(file):
                if line.strip():
                    n += 1
                    text = line.decode("utf-8", "replace").rstrip("\r\n")
                    yield Item(n=n, given=text, source=f"{self._name}:{number}")


class Files:
    """The documents of a file or a folder: a mail, a row of a table, a PDF; one item each, and one for each that cannot be read."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def total(self) -> int | None:
        """About how many they are, without reading more than tables; None where that says too little."""
        total = 0
        for file in files(self._path):
            kind = file.suffix.lower() if isinstance(file, Path) else ""
            if isinstance(file, Trouble):
                total += self._is_item(file)
            elif kind not in (*MANY, *TABLES):
                total += 1
            elif kind in MANY or file.stat().st_size > LARGE:
                return None
            else:
                total += sum(1 for _ in read(file))
        return total

    def __iter__(self) -> Iterator[Item | Notice]:
        """One item after the other, and what is wrong with some of them."""
        n = 0
        for found in walk([self._name]):
            if isinstance(found, Document):
                n += 1
                yield item_from(n, found)
            elif self._is_item(found):
                n += 1
                yield Item(n=n, given="", source=place(found), fault=said(found))
            else:
                yield Notice(f"{place(found)}: {said(found)}")

    def _is_item(self, trouble: Trouble) -> bool:
        """Whether it stands for a document that cannot be read, and is not about the folder, or about a document that can."""
        return trouble.refused and not (trouble.source == str(self._path) and self._path.is_dir())


class Joined:
    """Several inputs, one after another."""

    def __init__(self, parts: Sequence[Items]) -> None:
        self._parts = parts

    def total(self) -> int | None:
        """How many items there are in all of them; None if one of them does not know."""
        totals = [part.total() for part in self._parts]
        return None if None in totals else sum(total for total in totals if total is not None)

    def __iter__(self) -> Iterator[Item | Notice]:
        """All items, counted through."""
        n = 0
        for part in self._parts:
            for found in part:
                if isinstance(found, Item):
                    n += 1
                    yield replace(found, n=n)
                else:
                    yield found


def open_items(names: Sequence[str], spool: Path) -> Items:
    """The items of all inputs together, in the order in which they are named.

    Args:
        names: files, folders, or "-" for stdin.
        spool: a folder for what comes from stdin, which can be read but once.

    Raises:
        UsageError: there is no such input.
    """
    parts = [open_input(name, spool) for name in names]
    return parts[0] if len(parts) == 1 else Joined(parts)


def open_input(name: str, spool: Path) -> Items:
    """The items of one input.

    Raises:
        UsageError: it is not there.
    """
    if name == STDIN:
        return from_stdin(spool)
    path = Path(name)
    if not path.exists():
        raise UsageError(
            f"there is no {name}", "name a .jsonl or .csv file, a folder, a document, or - for stdin"
        )
    if path.is_file() and path.suffix.lower() in JSON_LINES:
        return Lines(path, name)
    return Files(path, name)


def from_stdin(spool: Path) -> Items:
    """What comes from stdin, kept in a file: JSON lines if the first line is one, else a text a line."""
    path = spool / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    with path.open("rb") as file:
        first = next((line for _, line in numbered(file) if line.strip()), b"")
    try:
        is_json = isinstance(msgspec.json.decode(first), str | dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        is_json = False
    except RecursionError:
        is_json = True
    return Lines(path, "stdin") if is_json else Texts(path, "stdin")


def item_from(n: int, document: Document) -> Item:
    """A document as an item: its text, and what is named in it as fields."""
    fields = document.fields
    text = document.text
    source = readable(document.source)
    if Path(source.rpartition("#")[0]).suffix.lower() in TABLES:
        source = f"{source.rpartition('#')[0]}:{document.blocks[0].line}"
    return Item(n=n, given={"input": text, **fields} if fields else text, source=source, id=id_in(fields))


def place(trouble: Trouble) -> str:
    """Where it is."""
    source = readable(trouble.source)
    return source if trouble.line is None else f"{source}:{trouble.line}"


def readable(name: str) -> str:
    """A file's name that can be written down, whatever bytes it has on the disk."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def said(trouble: Trouble) -> str:
    """What is wrong, and what helps."""
    return f"{trouble.message}; {trouble.hint}" if trouble.hint else trouble.message
