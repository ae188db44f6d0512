"""PDF: the text of each page, with the headings that its outline names. Pages are the places.

What a page shows as a picture is not read: that takes OCR, and a file that needs it is named. Every PDF is broken in its own
way, and the library says so in as many kinds of errors; a page that cannot be read is named, and the others are.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError
from pypdf.generic import Destination

from headgate.core.blocks import Block
from headgate.documents.types import Document, Read, Trouble

OCR = "make its text readable with OCR, for instance `ocrmypdf in.pdf out.pdf`"


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a PDF.

    Raises:
        OSError: the file cannot be read.
    """
    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # else what it repairs is written on stderr
    with path.open("rb") as file:
        try:
            reader = PdfReader(file)
            locked = reader.is_encrypted and not reader.decrypt("")
            pages = 0 if locked else len(reader.pages)
        except DependencyError:
            message = "encrypted with AES, and the package that opens it is not installed"
            yield Trouble(source=source, message=message, hint='pip install "pypdf[crypto]"')
            return
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  # see above
            yield Trouble(
                source=source,
                message=f"not a PDF that can be read ({_said(error)})",
                hint="print it as a PDF anew",
            )
            return
        if locked:
            hint = "save it without a password, for instance `qpdf --decrypt --password=… in.pdf out.pdf`"
            yield Trouble(source=source, message="encrypted: it opens with a password only", hint=hint)
            return
        yield from _document(reader, pages, source)


def _document(reader: PdfReader, pages: int, source: str) -> Iterator[Read]:
    titles = _outline(reader)
    blocks: list[Block] = []
    pictures: list[int] = []
    for number in range(1, pages + 1):
        try:
            page = reader.pages[number - 1]
            text = page.extract_text().encode("utf-8", "replace").decode()
        except Exception as error:  # noqa: BLE001  # see above
            yield Trouble(
                source=source, message=f"page {number} cannot be read ({_said(error)})", refused=False
            )
            continue
        if text.strip():
            blocks.extend(_blocks(text, number, titles.get(number, {})))
        elif _has_picture(page):
            pictures.append(number)
    if pictures and not blocks:
        hold = "its page holds a picture" if pages == 1 else f"its {pages:,} pages hold pictures"
        yield Trouble(source=source, message=f"a scanned PDF: {hold} and no text", hint=OCR)
        return
    if pictures:
        message = f"{_pages(pictures)} and no text; the rest is read"
        yield Trouble(source=source, message=message, hint=OCR, refused=False)
    yield Document(source=source, blocks=tuple(blocks), title=_title(reader))


def _title(reader: PdfReader) -> str:
    try:
        return ((reader.metadata and reader.metadata.title) or "").strip()
    except Exception:  # noqa: BLE001  # a title that cannot be read is none
        return ""


def _outline(reader: PdfReader) -> dict[int, dict[str, int]]:
    """By page the titles that the outline (the table of contents at the side) names there, with their levels."""
    found: dict[int, dict[str, int]] = {}

    def gather(entries: object, level: int) -> None:
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, list):
                gather(entry, level + 1)
            elif isinstance(entry, Destination) and entry.title:
                page = reader.get_destination_page_number(entry)
                if page is not None:
                    found.setdefault(page + 1, {}).setdefault(_plain(str(entry.title)), level)

    try:
        gather(reader.outline, 1)
    except Exception:  # noqa: BLE001  # a broken outline costs headings, not text
        return {}
    return found


def _blocks(text: str, page: int, titles: dict[str, int]) -> Iterator[Block]:
    """A page's paragraphs, as far as it shows where they end; lines that the outline names are headings."""
    kept: list[str] = []

    def paragraph() -> Iterator[Block]:
        if kept:
            yield Block(kind="text", text="\n".join(kept), page=page)
            kept.clear()

    for line in text.split("\n"):
        level = titles.get(_plain(line)) if titles else None
        if level is not None or not line.strip():
            yield from paragraph()
        if level is not None:
            yield Block(kind="heading", text=" ".join(line.split()), level=level, page=page)
        elif line.strip():
            kept.append(line.rstrip())
    yield from paragraph()


def _plain(title: str) -> str:
    return "".join(title.split()).casefold()


def _has_picture(page: PageObject) -> bool:
    try:
        return len(page.images) > 0
    except Exception:  # noqa: BLE001  # a page without text whose resources are broken is as good as a picture
        return True


def _pages(numbers: list[int]) -> str:
    """For people: "page 3 holds a picture", "pages 3 and 7 hold pictures", "12 pages (3, 4, 5 …) hold pictures"."""
    if len(numbers) == 1:
        return f"page {numbers[0]} holds a picture"
    if len(numbers) > 5:
        return f"{len(numbers):,} pages ({', '.join(map(str, numbers[:3]))} …) hold pictures"
    return f"pages {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} hold pictures"


def _said(error: Exception) -> str:
    """A library's words on one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
