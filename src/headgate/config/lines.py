"""Find the line of a TOML file on which a word stands, so that an error can point at it.

A scan, not a parser: it knows table headers and `key =` at the start of a line, which is how people write TOML. It does
not look inside inline tables or strings that span lines; such a word is reported at the line of the key that holds it, and
an item of a list at the line on which it begins.
"""

import re
from collections.abc import Sequence

HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
KEY = re.compile(r"^\s*([\w.\"'-]+)\s*=")
TOKEN = re.compile(
    r"#[^\n]*|\"\"\"(?:\\.|[^\\])*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[\[\]{},\n]|[^\s#\"'\[\]{},]+",
    re.DOTALL,
)
"""A comment, a text, a mark, or anything else in one piece."""
LONG_TEXTS = ('"""', "'''")


def find_line(text: str, path: Sequence[str | int]) -> int | None:
    """The 1-based line of `path`, ("routes", 1, "tasks") for instance, or of the nearest thing that holds it."""
    wanted = [str(step) for step in path if not isinstance(step, int)]
    index = next((step for step in path if isinstance(step, int)), None)
    table: list[str] = []
    seen: dict[str, int] = {}
    best: tuple[int, int] | None = None
    inside = ""  # of a text that spans lines: how it ends
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        inside = next((mark for mark in LONG_TEXTS if line.count(mark) == 1), "")
        header = HEADER.match(line)
        if header is not None:
            table = split_key(header[2])
            name = ".".join(table)
            seen[name] = seen.get(name, -1) + (1 if header[1] == "[[" else 0)
            here = table
        else:
            key = KEY.match(line)
            if key is None:
                continue
            here = table + split_key(key[1])
        if (
            index is not None
            and seen.get(".".join(table), -1) not in (index, -1)
            and here[: len(table)] == wanted[: len(table)]
        ):
            continue
        depth = common(here, wanted)
        if depth == len(here) and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


def find_item(text: str, path: Sequence[str | int]) -> int | None:
    """The line on which an item of a list begins, whether the list is written with [[headers]] or in brackets.

    Args:
        text: the file.
        path: its last step is the item's index.
    """
    line = find_line(text, path)
    index = path[-1]
    if line is None or not isinstance(index, int):
        return line
    lines = text.splitlines(keepends=True)
    if HEADER.match(lines[line - 1]):
        return line
    rest = "".join(lines[line - 1 :])
    number, depth, item, begun = line, 0, -1, False
    for token in TOKEN.finditer(rest, rest.index("=") + 1):
        mark = token[0]
        if mark == "\n" or mark.startswith("#"):
            number += mark == "\n"
            continue
        if depth == 1 and mark == ",":
            begun = False
        elif depth == 1 and mark != "]" and not begun:
            item, begun = item + 1, True
            if item == index:
                return number
        depth += (mark in ("[", "{")) - (mark in ("]", "}"))
        number += mark.count("\n")
        if depth == 0:
            break
    return line


def split_key(key: str) -> list[str]:
    """A dotted key as its parts, without quotes."""
    return [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", key)]


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many leading parts two keys share."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared
