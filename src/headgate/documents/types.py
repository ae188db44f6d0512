"""What reading a file gives: a `Document` of blocks with their places, or the `Trouble` with it."""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.blocks import Block


class Document(Struct, frozen=True, kw_only=True):
    """A file, or one part of it: a mail of an mbox, a row of a CSV."""

    source: str
    """The file's path as it was given; with a part's number behind a # where the file has several."""
    blocks: tuple[Block, ...]
    title: str = ""
    fields: Mapping[str, str] = {}
    """What has a name: a row's columns, a mail's subject, from, date."""
    encoding: str = ""
    """How the file's letters are written ("utf-8", "utf-16", "cp1252"); "" where the format itself says it (pdf, docx)."""

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
    refused: bool = True
    """Whether the file, or this part of it, gave no document. False: it gave one, and this is what is wrong with it."""


Read = Document | Trouble
"""What comes out of a file, one by one."""
