"""Plain text: paragraphs between empty lines. A large one comes in parts, so that no text is too long for the memory."""

from collections.abc import Iterator
from pathlib import Path

from headgate.core.blocks import Block
from headgate.documents.letters import Binary, lines, look_through
from headgate.documents.types import Document, Read

PART = 4_000_000
"""Characters of a document; a larger text is cut between paragraphs into documents of about this size."""
PARAGRAPH = 40_000
"""Characters. A longer run of lines without an empty one (a log) becomes several blocks, cut between lines."""


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a text.

    Raises:
        OSError: the file cannot be read.
        LineTooLongError: it is no text.
    """
    letters = look_through(path)
    if isinstance(letters, Binary):
        yield letters.trouble(source)
        return
    yield from letters.troubles(source)
    parts = _parts(paragraphs(lines(path, letters)))
    first, second = next(parts, ()), next(parts, ())
    yield Document(source=f"{source}#1" if second else source, blocks=first, encoding=letters.encoding)
    if second:
        yield Document(source=f"{source}#2", blocks=second, encoding=letters.encoding)
    for number, blocks in enumerate(parts, start=3):
        yield Document(source=f"{source}#{number}", blocks=blocks, encoding=letters.encoding)


def paragraphs(of_lines: Iterator[str], first_line: int = 1) -> Iterator[Block]:
    """Runs of lines that are not empty, as blocks with their places."""
    kept: list[str] = []
    size, number = 0, first_line
    for number, line in enumerate(of_lines, start=first_line):
        if kept and (not line.strip() or size + len(line) > PARAGRAPH):
            yield _block(kept, number - 1)
            kept, size = [], 0
        if line.strip():
            kept.append(line)
            size += len(line)
    if kept:
        yield _block(kept, number)


def _block(kept: list[str], last_line: int) -> Block:
    text = "".join(kept).rstrip()
    return Block(kind="text", text=text, line=last_line - len(kept) + 1, last_line=last_line)


def _parts(blocks: Iterator[Block]) -> Iterator[tuple[Block, ...]]:
    part: list[Block] = []
    size = 0
    for block in blocks:
        if part and size + len(block.text) > PART:
            yield tuple(part)
            part, size = [], 0
        part.append(block)
        size += len(block.text)
    if part:
        yield tuple(part)
