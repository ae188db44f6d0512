"""Word: headings by their styles, paragraphs, lists, tables as rows, footnotes at the end.

The library opens the file and knows its styles; the text is gathered from the elements themselves, because it leaves out what
stands in content controls, text boxes and tracked insertions. Headers, footers and comments are not read, nor what was deleted.
"""

import re
import zipfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import docx
from docx.document import Document as Docx
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from headgate.core.blocks import Block, BlockKind
from headgate.documents.types import Document, Read, Trouble

OLD = bytes.fromhex("d0cf11e0a1b11ae1")
"""How files of Word begin that are older than 2007, and encrypted ones since."""
LARGEST_XML = 100_000_000
"""Bytes of text and structure, unpacked: some 40,000 pages. Trees of XML take ten times as much memory."""
LARGEST = 200_000_000
"""Bytes of everything, unpacked."""
P, TBL, TR, TC, BOX = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc"), qn("w:txbxContent")
UNSEEN = {
    qn("w:del"),
    qn("w:moveFrom"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}
SIGNS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a file of Word.

    Raises:
        OSError: the file cannot be read.
    """
    if trouble := _at_the_door(path, source):
        yield trouble
        return
    try:
        found = docx.Document(str(path))
        blocks = tuple(_Reader(found).blocks())
        title = (found.core_properties.title or "").strip()
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  # zip, XML and the library have a dozen kinds for "broken"
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        yield Trouble(
            source=source, message=f"not a Word file that can be read ({said})", hint="save it in Word anew"
        )
        return
    title = title or next((block.text for block in blocks if block.kind == "heading"), "")
    yield Document(source=source, blocks=blocks, title=title)


def _at_the_door(path: Path, source: str) -> Trouble | None:
    """Why it is no Word file of today, or too large when it is unpacked. What a zip says of its sizes binds its reader."""
    with path.open("rb") as file:
        old = file.read(len(OLD)) == OLD
    if old:
        message = "not a .docx inside: an old Word file (.doc), or one with a password"
        return Trouble(source=source, message=message, hint="save it as .docx without a password")
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except zipfile.BadZipFile:
        message = "not a Word file that can be read: broken, or not all of it is there"
        return Trouble(source=source, message=message, hint="get the file again")
    text = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    everything = sum(part.file_size for part in parts)
    if text > LARGEST_XML or everything > LARGEST:
        size, limit = (text, LARGEST_XML) if text > LARGEST_XML else (everything, LARGEST)
        message = f"unpacked it is {size / 1e6:,.0f} MB, and Word files are read up to {limit / 1e6:,.0f} MB"
        return Trouble(source=source, message=message, hint="split it")
    return None


class _Reader:
    """One file's elements as blocks."""

    def __init__(self, document: Docx) -> None:
        self.document = document
        self.below_title = 0
        """1 once a title was seen: then headings are one level deeper."""
        self.styles: dict[str | None, tuple[BlockKind, int]] = {}

    def blocks(self) -> Iterator[Block]:
        """All of it. Items of a list, and lines of code, that follow each other are one block."""
        pieces = [*self._under(self.document.element.body), *self._notes()]
        for (kind, joined), run in groupby(pieces, key=lambda piece: (piece[0].kind, piece[1])):
            found = [block for block, _ in run]
            if joined:
                yield Block(kind=kind, text="\n".join(block.text for block in found))
            else:
                yield from found

    def _under(self, element: Any) -> Iterator[tuple[Block, bool]]:
        """The blocks in an element, each with whether it belongs together with the next of its kind."""
        for child in element:
            if child.tag == P:
                yield from self._paragraph(child)
            elif child.tag == TBL:
                yield from self._table(child)
            else:
                yield from self._under(child)

    def _paragraph(self, element: Any) -> Iterator[tuple[Block, bool]]:
        text = re.sub(r"\n\s*\n", "\n", _text(element)).strip("\n").rstrip()
        if not text.strip():
            return
        kind, level = self._style(element)
        if kind == "heading":
            yield Block(kind=kind, text=" ".join(text.split()), level=max(level + self.below_title, 1)), False
            self.below_title = self.below_title or int(level == 0)
        elif element.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None or level:
            yield Block(kind=kind, text=f"- {text.strip()}"), True
        else:
            yield Block(kind=kind, text=text if kind == "code" else text.strip()), kind == "code"

    def _style(self, element: Any) -> tuple[BlockKind, int]:
        """What a paragraph's style makes of it. A heading's level, 0 for the title; of a text, 1 if it is an item of a list."""
        found = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        name = None if found is None else found.get(qn("w:val"))
        if name not in self.styles:
            self.styles[name] = self._meaning(name)
        return self.styles[name]

    def _meaning(self, style_id: str | None) -> tuple[BlockKind, int]:
        known = {style.style_id: style for style in self.document.styles}
        style: Any = known.get(style_id or "")
        while style is not None:
            name = style.name or ""
            outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
            if heading := HEADING.fullmatch(name):
                return "heading", int(heading[1])
            if name == "Title":
                return "heading", 0
            if outline is not None and outline.get(qn("w:val"), "9") < "9":
                return "heading", int(outline.get(qn("w:val"))) + 1
            if "Quote" in name:
                return "quote", 0
            if re.search(r"code|preformatted|macro", name, re.IGNORECASE):
                return "code", 0
            if name.startswith("List "):
                return "text", int(not name.startswith("List Continue"))
            style = getattr(style, "base_style", None)
        return "text", 0

    def _table(self, element: Any) -> Iterator[tuple[Block, bool]]:
        """Its rows; a table of one cell, or one column, is a frame around text."""
        rows = [
            [cell for cell in row.iter(TC) if _row_of(cell) is row]
            for row in element.iter(TR)
            if _table_of(row) is element
        ]
        if all(len(row) <= 1 for row in rows):
            for row in rows:
                for cell in row:
                    yield from self._under(cell)
            return
        texts = [[_on_one_line(cell) for cell in row] for row in rows]
        if shown := [" | ".join(row) for row in texts if any(row)]:
            yield Block(kind="table", text="\n".join(shown)), False

    def _notes(self) -> Iterator[tuple[Block, bool]]:
        for relation in self.document.part.rels.values():
            if relation.reltype.endswith(("/footnotes", "/endnotes")) and not relation.is_external:
                for note in parse_xml(relation.target_part.blob):
                    if text := _on_one_line(note):
                        yield Block(kind="text", text=f"[{note.get(qn('w:id'))}] {text}"), False


def _row_of(cell: Any) -> Any:
    return next(cell.iterancestors(TR))


def _table_of(row: Any) -> Any:
    return next(row.iterancestors(TBL))


def _on_one_line(element: Any) -> str:
    """All paragraphs in an element; a text box is in the text of the paragraph that holds it."""
    outer = (
        _text(paragraph) for paragraph in element.iter(P) if next(paragraph.iterancestors(BOX), None) is None
    )
    return " ".join(" ".join(outer).split())


def _text(element: Any) -> str:
    """All letters in an element that a reader sees; a text box is a line of its own."""
    if element.tag == qn("w:t"):
        return element.text or ""
    if element.tag in UNSEEN or element.tag == qn("w:pPr"):
        return ""
    inner = "".join(_text(child) for child in element)
    if element.tag == BOX:
        return f"\n{inner}\n"
    return SIGNS.get(element.tag, "") + inner + ("\n" if element.tag == P and _in_box(element) else "")


def _in_box(element: Any) -> bool:
    return element.getparent() is not None and element.getparent().tag == BOX
