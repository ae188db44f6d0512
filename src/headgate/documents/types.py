"""What reading a file gives: a `Document` of blocks with their places, or the `Trouble` with it."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

BlockKind = Literal["heading", "text", "table", "code", "quote"]


class Block(Struct, frozen=True, gc=False, kw_only=True):
    """A piece of a document that should not be torn apart without need: a paragraph, a table, a fence of code, a heading."""

    kind: BlockKind
    text: str
    level: int = 0
    """Of a heading, from 1."""
    line: int | None = None
    """Where it begins in the file, from 1; None where the file has no lines (pdf, docx)."""
    last_line: int | None = None
    page: int | None = None
    """From 1; None where the file has no pages."""


class Document(Struct, frozen=True, kw_only=True):
    """A file, or one part of it: a mail of an mbox, a row of a CSV."""

    source: str
    """The file's path as it was given; with a part's number behind a # where the file has several."""
    blocks: tuple[Block, ...]
    title: str = ""
    fields: Mapping[str, str] = {}
    """What has a name: a row's columns, a mail's subject, from, date."""

    @property
    def text(self) -> str:
        """All of it, blocks apart by an empty line."""
        return "\n\n".join(block.text for block in self.blocks)


class Trouble(Struct, frozen=True, gc=False, kw_only=True):
    """Why a file, or a part of it, gave no document; or what is lost of one that it gave."""

    source: str
    message: str
    """"a scanned PDF: its 3 pages hold pictures and no text"."""
    hint: str = ""
    line: int | None = None
    """In the file, from 1."""
