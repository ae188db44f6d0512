"""Where a text may be cut: first between sentences and items, then between lines, then between words; never in a word.

A piece keeps the space behind it, so pieces put together are the text again, letter for letter. This module does not know
headings and sections (`core.chunking`).
"""

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.blocks import Block

Measure = Callable[[str], int]
"""How large a text is, in tokens or in whatever a size is given in."""

SENTENCE = re.compile(
    r"""[.!?…]+["'”’»)\]]*\s+(?![a-z])|[。！？]+["”』」）]*\s*|\n\s*\n|\n(?=[ \t]*(?:[-*+•–]|\d{1,3}[.)])[ \t])""",
)
"""The end of a sentence with the space behind it, an empty line, or the end of the line before an item of a list."""
LINE = re.compile(r"\n+")
WORD = re.compile(r"\s+|(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af、，；])(?=\S)")
"""The space behind a word. Chinese, Japanese and Korean are written without, so there every sign may be the last."""


class Piece(Struct, frozen=True, gc=False, kw_only=True):
    """A part of a block that stands in one chunk as a whole."""

    block: Block
    text: str
    tokens: int
    line: int | None
    last_line: int | None
    begins: bool = True
    """Whether it is the first of its block, and so has an empty line before it."""
    headings: tuple[str, ...] = ()
    """Under which it stands, outermost first, its own included."""
    header: str = ""
    """Of a piece of a table that is not its first: the table's first row, to be repeated above it in a chunk of its own."""


def whole(block: Block, headings: tuple[str, ...], measure: Measure) -> Piece:
    """A block as one piece."""
    tokens = measure(block.text)
    return Piece(
        block=block,
        text=block.text,
        tokens=tokens,
        line=block.line,
        last_line=block.last_line,
        headings=headings,
    )


def parts(piece: Piece, size: int, measure: Measure) -> list[Piece]:
    """A whole block in the smallest pieces that make sense, none larger than this; only a single word can be.

    A table is cut between rows, code between lines, text between sentences; what is still too large between lines, then words.
    """
    block = piece.block
    cuts = [LINE, WORD] if block.kind in {"table", "code"} else [SENTENCE, LINE, WORD]
    header = _header(block.text) if block.kind == "table" else ""
    rows = _cut(block.text[len(header) :], size - measure(header), measure, cuts)
    if header and max(map(measure, rows)) + measure(header) <= size:
        texts = [header + rows[0], *rows[1:]]
    else:
        header, texts = "", _cut(block.text, size, measure, cuts)
    lines_match = block.line is not None and block.last_line == block.line + block.text.count("\n")
    found, line, last = [], block.line, block.last_line
    for number, text in enumerate(texts):
        if lines_match and line is not None:
            last = line + text.rstrip().count("\n")
        found.append(
            replace(
                piece,
                text=text,
                tokens=measure(text),
                line=line,
                last_line=last,
                begins=number == 0,
                header=header if number else "",
            )
        )
        if lines_match and line is not None:
            line += text.count("\n")
    return found


def last_sentences(text: str, most: int, measure: Measure) -> str:
    """The last sentences of a text, as many as are together no larger than this."""
    begin, room = len(text), most
    for sentence in reversed(_split(text, SENTENCE)):
        room -= measure(sentence)
        if room < 0:
            break
        begin -= len(sentence)
    return text[begin:]


def _cut(text: str, size: int, measure: Measure, cuts: list[re.Pattern[str]]) -> list[str]:
    """The text in order, each part as small as the first cut makes it; what is too large for the size is cut by the next one."""
    found: list[str] = []
    for part in _split(text, cuts[0]):
        found.extend(
            _cut(part, size, measure, cuts[1:]) if len(cuts) > 1 and measure(part) > size else [part]
        )
    return found


def _split(text: str, where: re.Pattern[str]) -> list[str]:
    parts, begin = [], 0
    for cut in where.finditer(text):
        if cut.end() > begin and text[begin : cut.end()].strip():
            parts.append(text[begin : cut.end()])
            begin = cut.end()
    if begin < len(text):
        if parts and not text[begin:].strip():
            parts[-1] += text[begin:]
        else:
            parts.append(text[begin:])
    return parts


def _header(table: str) -> str:
    """A table's first row with the rule below it, if rows follow."""
    lines = table.split("\n")
    count = 2 if len(lines) > 2 and re.fullmatch(r"[\s|:+=-]+", lines[1]) else 1
    return "\n".join(lines[:count]) + "\n" if len(lines) > count else ""
