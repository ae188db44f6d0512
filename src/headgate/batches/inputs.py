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
from headgate.batches.rows import Rows
from headgate.batches.types import Item, Items
from headgate.core.errors import UsageError

STDIN = "-"
JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")


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


class Joined:
    """Several inputs, one after another."""

    def __init__(self, parts: Sequence[Items]) -> None:
        self._parts = parts

    def total(self) -> int | None:
        """How many items there are in all of them; None if one of them does not know."""
        totals = [part.total() for part in self._parts]
        return None if None in totals else sum(total for total in totals if total is not None)

    def __iter__(self) -> Iterator[Item]:
        """All items, counted through."""
        n = 0
        for part in self._parts:
            for item in part:
                n += 1
                yield replace(item, n=n)


class Files:
    """Documents in files and folders: a mail, a meeting's transcript, a PDF; each part of a file that has several is an item."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def total(self) -> None:
        """Known at the end: a file may have many parts."""
        return

    def __iter__(self) -> Iterator[Item]:
        """One item a document, and one for each file that gave none."""
        from headgate.documents import Trouble, walk  # noqa: PLC0415  # only where there are files to be read

        for n, found in enumerate(walk(self._paths), 1):
            if isinstance(found, Trouble):
                source = found.source if found.line is None else f"{found.source}:{found.line}"
                fault = f"{found.message}; {found.hint}" if found.hint else found.message
                yield Item(n=n, given="", source=source, fault=fault)
            else:
                given = {"input": found.text, **found.fields} if found.fields else found.text
                fault = "" if found.text.strip() or found.fields else "it is empty"
                yield Item(n=n, given=given, source=found.source, id=id_in(found.fields), fault=fault)


def open_items(names: Sequence[str], spool: Path) -> Items:
    """The items of all inputs together, in the order in which they are named.

    Args:
        names: files, folders, or "-" for stdin.
        spool: a folder for what comes from stdin, which can be read but once.

    Raises:
        UsageError: there is no such input, or a table names no columns.
    """
    parts = [open_input(name, spool) for name in names]
    return parts[0] if len(parts) == 1 else Joined(parts)


def open_input(name: str, spool: Path) -> Items:
    """The items of one input."""
    if name == STDIN:
        return from_stdin(spool)
    path = Path(name)
    if not path.exists():
        raise UsageError(
            f"there is no {name}", "name a .jsonl or .csv file, a folder, a document, or - for stdin"
        )
    if path.is_file() and path.suffix.lower() in JSON_LINES:
        return Lines(path, name)
    if path.is_file() and path.suffix.lower() in TABLES:
        return Rows(path, name)
    return Files([path])


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
    return Lines(path, "stdin") if is_json else Texts(path, "stdin")
