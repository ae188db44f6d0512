"""reStructuredText as text with headings: titles by their underlines, code, tables, and the rest as it stands, with its lines.

Directives are not carried out and roles not resolved; that takes a whole Sphinx project. They are text too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from headgate.core.blocks import Block, BlockKind
from headgate.documents.letters import text_of
from headgate.documents.types import Document, Read, Trouble

ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$|([=\-~^\"'#*+.:_`])\2\s*$")
CODE = re.compile(
    r"\s*\.\. +(?:code-block|code|sourcecode|doctest|testcode|highlight|parsed-literal|productionlist)::"
)
GRID = re.compile(r"\s*\+[-=]+(?:\+[-=]+)*\+\s*$")
SIMPLE = re.compile(r"\s*=+(?: +=+)+\s*$")
DOCTEST = re.compile(r"\s*>>> ")


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a file of reStructuredText.

    Raises:
        OSError: the file cannot be read.
    """
    found = text_of(path, source)
    if isinstance(found, Trouble):
        yield found
        return
    text, letters = found
    yield from letters.troubles(source)
    blocks = tuple(_blocks([line.rstrip() for line in text.expandtabs(8).split("\n")]))
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    yield Document(source=source, blocks=blocks, title=title, encoding=letters.encoding)


def _blocks(lines: list[str]) -> Iterator[Block]:
    styles: list[tuple[str, bool]] = []
    """The adornments of titles in the order in which they first come: that is their level."""
    at = 0
    while at < len(lines):
        ruled = ADORNMENT.match(lines[at]) and not any(lines[max(at - 1, 0) : at] + lines[at + 1 : at + 2])
        if not lines[at] or ruled:
            at += 1
            continue
        if title := _title(lines, at):
            text, style, end = title
            if style not in styles:
                styles.append(style)
            yield Block(kind="heading", text=text, level=styles.index(style) + 1, line=at + 1, last_line=end)
            at = end
            continue
        kind, end = _extent(lines, at)
        yield Block(kind=kind, text="\n".join(lines[at:end]), line=at + 1, last_line=end)
        literal = (
            kind == "text" and lines[end - 1].endswith("::") and not lines[end - 1].lstrip().startswith("..")
        )
        at = end
        if literal and (code := _indented(lines, at, _indent(lines[at - 1]))):
            first, end = code
            yield Block(kind="code", text="\n".join(lines[first:end]), line=first + 1, last_line=end)
            at = end


def _title(lines: list[str], at: int) -> tuple[str, tuple[str, bool], int] | None:
    """A title that begins here: its text, its style (the sign, and whether it has one above), and where it ends."""
    after = [*lines[at + 1 : at + 3], "", ""]
    if (
        ADORNMENT.match(lines[at])
        and after[0]
        and lines[at] == after[1]
        and len(after[0].strip()) <= len(lines[at])
    ):
        return after[0].strip(), (lines[at][0], True), at + 3
    under = ADORNMENT.match(after[0])
    is_text = not lines[at].startswith(" ") and not ADORNMENT.match(lines[at]) and not SIMPLE.match(lines[at])
    if under and is_text and len(after[0]) >= len(lines[at]):
        return lines[at], (after[0][0], False), at + 2
    return None


def _extent(lines: list[str], at: int) -> tuple[BlockKind, int]:
    """What the lines from here on are, and where that ends."""
    end = at
    if SIMPLE.match(lines[at]):
        rule = lines[at]
        rules = [number for number in range(at + 1, min(at + 2000, len(lines))) if lines[number] == rule][:2]
        if rules:
            end = rules[-1] if _is_end(lines, rules[-1]) else rules[0]
            return "table", end + 1
    if CODE.match(lines[at]):
        code = _indented(lines, at + 1, _indent(lines[at]))
        return "code", code[1] if code else at + 1
    while end < len(lines) and lines[end] and not (end > at and _title(lines, end)):
        end += 1
    kind: BlockKind = "table" if GRID.match(lines[at]) else "code" if DOCTEST.match(lines[at]) else "text"
    return kind, end


def _is_end(lines: list[str], rule: int) -> bool:
    return rule + 1 >= len(lines) or not lines[rule + 1]


def _indented(lines: list[str], at: int, than: int) -> tuple[int, int] | None:
    """The lines from here on that stand further in than that, with the empty ones between them."""
    first = at
    while first < len(lines) and not lines[first]:
        first += 1
    end = last = first
    while end < len(lines) and (not lines[end] or _indent(lines[end]) > than):
        if lines[end]:
            last = end + 1
        end += 1
    return (first, last) if last > first else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
