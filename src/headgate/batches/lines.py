"""Items from JSON lines: each line a text or an object of fields, read one at a time.

A line that is none of these is an item with a fault, and the next one is read. It does not know what an agent wants of the
fields.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from headgate.batches.types import Item

MOST_LINE = 64 * 1024 * 1024
"""Bytes of a line; a longer one is not read."""
NAMES = ("custom_id", "id")
"""Fields that name an item for the caller."""
SHOWN = 200
"""Characters of what cannot be read that are kept."""

KINDS = {list: "a list", bool: "true or false", int: "a number", float: "a number", type(None): "null"}


class Lines:
    """The lines of one file.

    Args:
        path: the file.
        name: as the user calls it.
    """

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
                    yield item_from(n, f"{self._name}:{number}", line)


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, from 1. Of one that is too long only the beginning is given."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > MOST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MOST_LINE + 1)
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def item_from(n: int, source: str, line: bytes) -> Item:
    """The item of one line."""
    if len(line) > MOST_LINE:
        fault = f"the line has more than {MOST_LINE // (1024 * 1024)} MB"
        return Item(n=n, given=shown(line), source=source, fault=fault)
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Item(n=n, given=shown(line), source=source, fault=f"the line is not JSON: {error}")
    except RecursionError:
        return Item(n=n, given=shown(line), source=source, fault="the line is nested too deeply to be read")
    if not isinstance(given, str | dict):
        fault = f"the line is {KINDS[type(given)]}, but must be a text or an object of fields"
        return Item(n=n, given=shown(line), source=source, fault=fault)
    return Item(n=n, given=given, source=source, id=id_in(given))


def id_in(given: str | Mapping[str, Any]) -> str:
    """The caller's own name for an item; "" where the fields have none."""
    if isinstance(given, str):
        return ""
    found = next((given[name] for name in NAMES if given.get(name) not in (None, "")), "")
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def shown(line: bytes) -> str:
    """What stands in a line that cannot be read, or its beginning, so that a mended line is another one."""
    return line.decode("utf-8", "replace").strip()[:SHOWN]
