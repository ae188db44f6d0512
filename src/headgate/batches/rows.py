"""Items from a CSV file: each row's cells by the names in the first row, read one at a time.

A row with more or fewer cells than there are names is an item with a fault. It does not know what an agent wants of the
fields.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from headgate.batches.lines import SHOWN, id_in
from headgate.batches.types import Item
from headgate.core.errors import UsageError

MOST_CELL = 16 * 1024 * 1024
"""Characters of a cell."""
DELIMITERS = ",;\t|"


class Rows:
    """The rows of one file, which is text in UTF-8.

    Args:
        path: the file.
        name: as the user calls it.

    Raises:
        UsageError: the first row names no columns, or one of them twice.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        with path.open("rb") as file:
            head = file.readline().decode("utf-8-sig", "replace")
        self._delimiter = max(DELIMITERS, key=head.count)
        _, columns = next(self._rows(), (1, []))
        twice = [column for column, times in Counter(columns).items() if times > 1]
        if isinstance(columns, str) or not any(columns):
            raise UsageError(f"{name} line 1 names no columns", "write a first row: subject,body")
        if twice:
            raise UsageError(
                f'{name} line 1 names the column "{twice[0]}" twice', "give each a name of its own"
            )
        self._columns = columns

    def total(self) -> int:
        """How many rows there are below the first."""
        return sum(1 for _, row in self._rows() if row) - 1

    def __iter__(self) -> Iterator[Item]:
        """One item a row; empty rows are none."""
        n = 0
        rows = self._rows()
        next(rows, None)
        for line, row in rows:
            if row:
                n += 1
                yield self._item(n, f"{self._name}:{line}", row)

    def _item(self, n: int, source: str, row: list[str] | str) -> Item:
        if isinstance(row, str):
            return Item(n=n, given=source, source=source, fault=f"the row cannot be read: {row}")
        text = self._delimiter.join(row)
        if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
            clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            fault = "the row is not text in UTF-8; save the file as UTF-8"
            return Item(n=n, given=clean[:SHOWN], source=source, fault=fault)
        if len(row) != len(self._columns):
            cells = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
            fault = f"the row has {cells}, but the first row names {len(self._columns)} columns"
            return Item(n=n, given=text[:SHOWN], source=source, fault=fault)
        given = dict(zip(self._columns, row, strict=True))
        return Item(n=n, given=given, source=source, id=id_in(given))

    def _rows(self) -> Iterator[tuple[int, list[str] | str]]:
        """Rows with the line that each begins in; in place of one that cannot be read, the reason."""
        csv.field_size_limit(MOST_CELL)
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            while True:
                line = reader.line_num + 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield line, str(error)
                else:
                    yield line, row
