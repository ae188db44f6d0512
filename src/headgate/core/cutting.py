"""A text in parts that fit a window: its paragraphs as blocks with their lines, put together again by `chunking`.

    cut(text, most, counter) → spans, in order; name_spans(spans) → "tokens 1–3,000 of 12,480 (lines 1–210)"

Every word of the text is in exactly one part, but the first row of a table, which is repeated above the rest of it. The parts are
about equally large, so that none is a remnant. It does not know what is done with them (`mapreduce`), nor how many tokens fit: that
is an argument.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from headgate.core.blocks import Block, BlockKind
from headgate.core.chunking import chunks
from headgate.core.tokens import Counter

FENCE = re.compile(r"\s*(```+|~~~+)")
HEADING = re.compile(r"(#{1,6})\s")

UNEVEN = (1.05, 1.15, 1.3)
"""How much larger than the mean a part may be, the least that is possible: paragraphs do not come in equal sizes."""

FEW = 50
"""Of more parts it does not matter that one is small."""


class Span(Struct, frozen=True, gc=False):
    """A part of a text, and where it stood."""

    text: str
    tokens: int
    line: int
    """In which it begins, from 1."""
    last_line: int


def cut(text: str, most: int, counter: Counter, *, first_line: int = 1) -> list[Span]:
    """The text in parts of at most so many tokens each; only a single word that is longer makes a longer part.

    Args:
        text: all of it.
        most: tokens of a part.
        counter: counts a text's tokens.
        first_line: the number of its first line.
    """
    blocks = list(blocks_of(text, first_line))
    best = chunks(blocks, most, measure=counter)
    if 1 < len(best) <= FEW:
        mean = sum(counter(chunk.text) for chunk in best) / len(best)
        for uneven in UNEVEN:
            even = chunks(blocks, min(most, int(mean * uneven) + 1), measure=counter)
            if len(even) <= len(best):
                best = even
                break
    return [
        Span(chunk.text, counter(chunk.text), chunk.line or first_line, chunk.last_line or first_line)
        for chunk in best
    ]


def blocks_of(text: str, first_line: int = 1) -> Iterator[Block]:
    """A text's paragraphs, headings, tables, quotes and fences of code, each as it is written."""
    kept: list[str] = []
    fence = ""
    number = first_line
    for number, line in enumerate(text.splitlines(), start=first_line):
        mark = FENCE.match(line)
        if fence:
            kept.append(line)
            if mark is not None and mark[1].startswith(fence):
                yield block_of(kept, number, "code")
                kept, fence = [], ""
        elif mark is not None or not line.strip() or HEADING.match(line):
            if kept:
                yield block_of(kept, number - 1)
            kept = []
            if mark is not None:
                kept, fence = [line], mark[1]
            elif line.strip():
                yield block_of([line], number, "heading")
        else:
            kept.append(line)
    if kept:
        yield block_of(kept, number)


def block_of(lines: Sequence[str], last_line: int, kind: BlockKind | None = None) -> Block:
    """Some lines as a block, of the kind that they look like."""
    if kind is None:
        marks = {line.lstrip()[:1] for line in lines}
        kind = "table" if marks == {"|"} else "quote" if marks == {">"} else "text"
    heading = HEADING.match(lines[0]) if kind == "heading" else None
    return Block(
        kind=kind,
        text="\n".join(lines),
        level=len(heading[1]) if heading is not None else 0,
        line=last_line - len(lines) + 1,
        last_line=last_line,
    )


def name_spans(spans: Sequence[Span]) -> list[str]:
    """Each part's place, for people: "tokens 1–3,000 of 12,480 (lines 1–210)"."""
    total = sum(span.tokens for span in spans)
    named, before = [], 0
    for span in spans:
        one = span.line == span.last_line
        lines = f"line {span.line:,}" if one else f"lines {span.line:,}–{span.last_line:,}"
        named.append(f"tokens {before + 1:,}–{before + span.tokens:,} of {total:,} ({lines})")
        before += span.tokens
    return named
