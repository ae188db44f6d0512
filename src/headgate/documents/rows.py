"""Tables in files: CSV and TSV, one document a row, with the columns' names from the first line.

Rows are read one at a time, so a table may be of any size. A row that does not fit its header is named with its line and left
out; a quote that is never closed costs the line where it was opened, not what follows.
"""

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from headgate.core.blocks import Block
from headgate.documents.letters import Binary, Letters, lines, look_through
from headgate.documents.types import Document, Read, Trouble

DELIMITERS = ",;\t|"
FIELD = 8_000_000
"""Characters of a field at most. Python's own limit, 131,072, is less than a long mail."""


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a table.

    Raises:
        OSError: the file cannot be read.
        LineTooLongError: it is no text.
    """
    letters = look_through(path)
    if isinstance(letters, Binary):
        yield letters.trouble(source)
        return
    yield from letters.troubles(source)
    yield from _documents(path, source, letters)


def shown(fields: Mapping[str, str]) -> str:
    """Named values as a text: a line each, without the empty ones."""
    return "\n".join(f"{name}: {value}" for name, value in fields.items() if value.strip())


def names(header: Sequence[str]) -> list[str]:
    """The columns' names, each another: an empty one is called by its place, a second one of a name gets a number."""
    seen: dict[str, int] = {}
    for place, given in enumerate(header, start=1):
        name = wanted = given.strip() or f"column {place}"
        again = 1
        while name in seen:
            again += 1
            name = f"{wanted} ({again})"
        seen[name] = place
    return list(seen)


class _Lines:
    """A file's lines, which remembers those of the row being read and can put them back."""

    def __init__(self, source: Iterator[str]) -> None:
        self.source = source
        self.again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self.source)
        self.taken.append(line)
        self.number += 1
        return line

    def put_back(self, count: int) -> None:
        """The last lines of this row are read again, as rows of their own."""
        if count:
            self.again.extendleft(reversed(self.taken[-count:]))
            self.number -= count
            del self.taken[-count:]


def _documents(path: Path, source: str, letters: Letters) -> Iterator[Read]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(next(lines(path, letters), ""))
    header: list[str] = []
    number = 0
    for row, first, last in _rows(lines(path, letters), delimiter):
        number += bool(header)
        if isinstance(row, csv.Error):
            yield Trouble(
                source=source, message=f"a row whose quotes do not fit ({row}); left out", line=first
            )
        elif not header:
            header = names(row)
        elif len(row) != len(header):
            has = f"{len(row)} field" if len(row) == 1 else f"{len(row)} fields"
            yield Trouble(
                source=source,
                message=f"a row of {has}, and the header has {len(header)}; left out",
                line=first,
            )
        else:
            fields = dict(zip(header, row, strict=True))
            block = Block(kind="text", text=shown(fields), line=first, last_line=last)
            yield Document(
                source=f"{source}#{number}", blocks=(block,), fields=fields, encoding=letters.encoding
            )


def _rows(of_lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str] | csv.Error, int, int]]:
    """Each row that is not empty with its first and last line, from 1; or why it is none."""
    csv.field_size_limit(max(FIELD, csv.field_size_limit()))
    taken = _Lines(of_lines)
    reader = csv.reader(taken, delimiter=delimiter, strict=True)
    while True:
        taken.taken.clear()
        first = taken.number + 1
        row: list[str] | csv.Error
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            taken.put_back(len(taken.taken) - 1)
            reader = csv.reader(taken, delimiter=delimiter, strict=True)
            row = error
        if isinstance(row, csv.Error) or any(field.strip() for field in row):
            yield row, first, taken.number


def _delimiter(header: str) -> str:
    """What the columns are kept apart by: of the usual signs, the one that makes most of them in the first line."""
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))
