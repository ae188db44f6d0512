"""Documents in chunks: pieces of at most a size, cut where a reader would cut.

    blocks → sections by headings → those that fit stay whole, small neighbours are joined, the others are cut → chunks

- A section that fits with all that is under it is one chunk, or a part of one with its neighbours.
- A chunk holds several sections only if all of them are under one heading and fit, or are small; else it is a part of one section.
- Tables and code stay whole if they fit; a table in several chunks repeats its first row.
- Long paragraphs are cut between sentences. A word is never cut, and no word is lost: without what is repeated, the chunks
  are the document, in order.

Knowledge bases use small chunks, summaries of long inputs large ones. This module does not know files or models.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile

from msgspec import Struct, field
from msgspec.structs import replace

from headgate.core.blocks import Block
from headgate.core.pieces import Measure, Piece, last_sentences, parts, whole
from headgate.core.tokens import estimate

SMALL = 3
"""A section under this part of the size is small: alone it says little, so it is joined with its neighbours."""
BETWEEN = "\n\n"
"""Between blocks."""


class Chunk(Struct, frozen=True, gc=False, kw_only=True):
    """A piece of a document, with the place where it was."""

    text: str
    headings: tuple[str, ...] = ()
    """Under which all of it stands, outermost first, its own included."""
    repeated: int = 0
    """How many characters at the front are repeated from before: an overlap, or a table's first row."""
    line: int | None = None
    """Of its beginning, from 1; None where the file has no lines."""
    last_line: int | None = None
    page: int | None = None
    last_page: int | None = None

    @property
    def heading(self) -> str:
        """The headings in one line: "Refunds › How long they take"."""
        return " › ".join(self.headings)

    @property
    def content(self) -> str:
        """What it says with the headings that it stands under: what is embedded, searched, and known by its digest."""
        inside = {line.strip() for line in self.text.split("\n", len(self.headings) * 2 + 1)}
        above = [heading for heading in self.headings if heading not in inside]
        return f"{' › '.join(above)}{BETWEEN}{self.text}" if above else self.text


class _Section(Struct):
    """A heading with what stands under it, up to the next heading of its level or above."""

    path: tuple[str, ...]
    level: int
    pieces: list[Piece] = field(default_factory=list)
    """Its own: its heading, and the blocks before the first heading under it."""
    sections: "list[_Section]" = field(default_factory=list)
    tokens: int = 0
    """With all that is under it."""


class _Part(Struct):
    """What goes into one chunk."""

    pieces: list[Piece]
    tokens: int
    whole: bool = True
    """Whether it is all of a section, or all that stands before the first section in it; else it is not joined to others."""
    repeated: str = ""
    """From the part before."""
    line: int | None = None
    """Where the repeated begins."""


def chunks(
    blocks: Sequence[Block],
    size: int,
    *,
    overlap: int = 0,
    measure: Measure = estimate,
    by_page: bool = False,
) -> tuple[Chunk, ...]:
    """Put a document's blocks together into chunks.

    Args:
        blocks: the document's, in order.
        size: the most that a chunk's text may have, as measured. Only a single word that is larger makes a larger chunk. The
            headings that `Chunk.content` adds are not counted.
        overlap: how much of a section's text may be repeated at the beginning of its next chunk, in whole sentences. Between
            sections nothing is repeated.
        measure: how large a text is; tokens, estimated from bytes, if not given.
        by_page: no chunk goes over the end of a page, so that all of it stands on the page that it names.

    Raises:
        ValueError: the size is not positive, or the overlap is not smaller than half of it.
    """
    if size < 1 or not 0 <= overlap <= size // 2:
        raise ValueError(f"a size of {size} with an overlap of {overlap}: at least 1, and at most half of it")
    root = _sections(blocks, measure)
    between = measure(BETWEEN)
    _hand_down(root)
    _weigh(root, between)
    found = _parts(root, size, overlap, measure)
    return tuple(_chunk(part) for whole in found for part in (_pages(whole) if by_page else [whole]))


def _sections(blocks: Sequence[Block], measure: Measure) -> _Section:
    root = _Section(path=(), level=0)
    above = [root]
    for block in blocks:
        if not block.text.strip():
            continue
        if block.kind == "heading":
            while len(above) > 1 and above[-1].level >= block.level:
                above.pop()
            section = _Section(path=(*above[-1].path, " ".join(block.text.split())), level=block.level)
            above[-1].sections.append(section)
            above.append(section)
        above[-1].pieces.append(whole(block, above[-1].path, measure))
    return root


def _hand_down(section: _Section) -> None:
    """A heading with nothing between it and the next one under it goes with that one: alone it would say nothing."""
    if section.sections and all(piece.block.kind == "heading" for piece in section.pieces):
        section.sections[0].pieces[:0] = section.pieces
        section.pieces.clear()
    for inner in section.sections:
        _hand_down(inner)


def _weigh(section: _Section, between: int) -> int:
    own = sum(piece.tokens + between for piece in section.pieces)
    section.tokens = own + sum(_weigh(inner, between) for inner in section.sections)
    return section.tokens


def _all(section: _Section) -> Iterator[Piece]:
    yield from section.pieces
    for inner in section.sections:
        yield from _all(inner)


def _parts(section: _Section, size: int, overlap: int, measure: Measure) -> list[_Part]:
    """A section in parts, one if it fits."""
    if section.tokens <= size:
        pieces = list(_all(section))
        return [_Part(pieces, section.tokens)] if pieces else []
    found = _own(section.pieces, size, overlap, measure)
    for inner in section.sections:
        found.extend(_parts(inner, size, overlap, measure))
    joined: list[_Part] = []
    for part in found:
        before = joined[-1] if joined else None
        if before and before.whole and part.whole and _belong(before.tokens, part.tokens, size):
            joined[-1] = _Part([*before.pieces, *part.pieces], before.tokens + part.tokens)
        else:
            joined.append(part)
    return [replace(part, whole=False) for part in joined]


def _belong(tokens: int, more: int, size: int) -> bool:
    return tokens + more <= size and min(tokens, more) * SMALL < size


def _own(pieces: Sequence[Piece], size: int, overlap: int, measure: Measure) -> list[_Part]:
    """What stands in a section itself, in parts that fit."""
    between = measure(BETWEEN)
    found: list[_Part] = []
    part = _Part([], 0)
    for piece in pieces:
        fits = part.tokens + between + piece.tokens <= size
        under_headings = bool(part.pieces) and all(kept.block.kind == "heading" for kept in part.pieces)
        torn = piece.tokens > size or (not fits and under_headings and piece.block.kind in {"text", "quote"})
        for smaller in parts(piece, size, measure) if torn else [piece]:
            more = smaller.tokens + (between if smaller.begins else 0)
            if part.pieces and part.tokens + more > size:
                found.append(part)
                part = _next(part, smaller, size, overlap, measure)
            part.pieces.append(smaller)
            part.tokens += more
    found.append(part)
    return [replace(part, whole=len(found) == 1) for part in found if part.pieces]


def _next(before: _Part, piece: Piece, size: int, overlap: int, measure: Measure) -> _Part:
    """An empty part that begins with what is repeated: the row above a table, or the last sentences, if there is room."""
    if piece.header:
        return _Part([], measure(piece.header), repeated=piece.header)
    last = before.pieces[-1]
    if not overlap or last.block.kind not in {"text", "quote"} or piece.block.kind not in {"text", "quote"}:
        return _Part([], 0)
    tail = list(takewhile(lambda kept: kept.block is last.block, reversed(before.pieces)))[::-1]
    text = "".join(kept.text for kept in tail)
    repeated = last_sentences(text, overlap, measure).lstrip()
    if not repeated or measure(repeated) + measure(BETWEEN) + piece.tokens > size:
        return _Part([], 0)
    line = last.last_line
    if line is not None and tail[0].line is not None:
        line = max(line - repeated.rstrip().count("\n"), tail[0].line)
    if piece.begins:
        repeated = repeated.rstrip() + BETWEEN
    return _Part([], measure(repeated), repeated=repeated, line=line)


def _pages(part: _Part) -> Iterator[_Part]:
    """A part, page by page; what it repeats goes before the first."""
    pages = [list(pieces) for _, pieces in groupby(part.pieces, key=lambda piece: piece.block.page)]
    yield replace(part, pieces=pages[0])
    for pieces in pages[1:]:
        yield _Part(pieces, sum(piece.tokens for piece in pieces), whole=False)


def _chunk(part: _Part) -> Chunk:
    text = part.repeated
    for piece in part.pieces:
        text = (
            f"{text.rstrip()}{BETWEEN}{piece.text}"
            if piece.begins and text != part.repeated
            else text + piece.text
        )
    said = [piece.headings for piece in part.pieces if piece.block.kind != "heading"]
    lines = [line for piece in part.pieces for line in (piece.line, piece.last_line) if line is not None]
    pages = [piece.block.page for piece in part.pieces if piece.block.page is not None]
    if part.line is not None:
        lines.append(part.line)
    return Chunk(
        text=text.rstrip(),
        headings=_common(said or [piece.headings for piece in part.pieces]),
        repeated=len(part.repeated),
        line=min(lines, default=None),
        last_line=max(lines, default=None),
        page=min(pages, default=None),
        last_page=max(pages, default=None),
    )


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The headings that all of them stand under."""
    first, last = min(paths), max(paths)
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return tuple(heading for heading, _ in shared)
