"""A piece of a document with its place: what reading a file gives, and what is put together into chunks.

This module does not know files (`headgate.documents`) nor sizes (`core.chunking`).
"""

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
