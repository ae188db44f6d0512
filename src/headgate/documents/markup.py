"""HTML as a reader sees it: headings, paragraphs, lists, tables as rows, code as it stands. No scripts, styles or menus.

It is read as it is written, without a tree: broken pages lose nothing but their form. This module does not follow links.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from headgate.core.blocks import Block, BlockKind
from headgate.documents.letters import Binary, Letters, decode, look_at
from headgate.documents.types import Document, Read, Trouble

UNSEEN = frozenset({"script", "style", "template", "svg", "canvas", "nav"})
APART = frozenset(
    {
        "address",
        "article",
        "aside",
        "body",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
    }
    | {"footer", "form", "header", "hr", "html", "li", "main", "ol", "p", "section", "summary", "ul"}
)
"""Elements that begin and end a paragraph."""
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
"""Elements that are never closed."""
HEADING = re.compile(r"h[1-6]")
CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
MARK = re.compile(r" *(-|\d+\.) ")
ITEM = re.compile(r"^((?:  )*)(-|\d+\.) +(?=\S)")
SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a page.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    letters = _letters(data)
    if isinstance(letters, Binary):
        yield letters.trouble(source)
        return
    yield from letters.troubles(source)
    page = _Page.of(decode(data, letters))
    if page.unseen:
        tag, line = page.unseen
        message = f"its <{tag}> is never closed: what follows is not seen"
        yield Trouble(source=source, message=message, line=line, refused=False)
    blocks = tuple(page.blocks)
    title = page.title or next((block.text for block in blocks if block.kind == "heading"), "")
    yield Document(source=source, blocks=blocks, title=title, encoding=letters.encoding)


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page that is already text."""
    return _Page.of(text).blocks


def _letters(data: bytes) -> Letters | Binary:
    """As its own `<meta charset>` says, unless a mark says otherwise or it cannot be."""
    seen = look_at(data)
    said = CHARSET.search(data[:4096])
    if isinstance(seen, Binary) or not seen.guessed or not said:
        return seen
    try:
        name = said[1].decode()
        data.decode(name)
        return Letters(encoding=name)
    except (LookupError, ValueError):
        return seen


class _Page(HTMLParser):
    """A page while it is read: what is being gathered, and the blocks that are done."""

    def __init__(self, *, menus: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self.menus = menus
        """Whether menus are read."""
        self.blocks: list[Block] = []
        self.title = ""
        self.unseen: tuple[str, int] | None = None
        """The element whose content is being left out, and its line."""
        self._depth = 0
        self._words: list[str] = []
        self._line = 0
        self._heading = 0
        self._in_title = False
        self._pre = 0
        self._quotes = 0
        self._lists: list[int | None] = []
        """Of the lists that are open, the number of the next item; None for bullets."""
        self._tables: list[tuple[list[list[str]], int]] = []
        """The tables that are open: their rows of cells, and their line."""
        self._cell = False

    @classmethod
    def of(cls, text: str) -> "_Page":
        """A page that was read. A menu that is never closed is not one."""
        page = cls()
        page.feed(text)
        page.close()
        if page.unseen and page.unseen[0] not in UNSEEN - {"nav"}:
            page = cls(menus=True)
            page.feed(text)
            page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.unseen:
            self._depth += tag == self.unseen[0]
            return
        menu = tag == "nav" or dict(attrs).get("role") == "navigation"
        if (menu and not self.menus and tag not in VOID) or tag in UNSEEN - {"nav"}:
            self.unseen, self._depth = (tag, self.getpos()[0]), 1
            return
        if tag == "title":
            self._in_title = not self.title
        elif tag == "br":
            self._words.append("\n")
        elif tag == "img" and (alt := dict(attrs).get("alt")):
            self._gather(alt)
        elif tag in {"td", "th", "caption"}:
            self._open_cell()
        elif tag == "tr":
            self._close_cell()
            if self._tables:
                self._tables[-1][0].append([])
        elif tag == "table":
            self._close_cell() if self._tables else self._end()
            self._tables.append(([], self.getpos()[0]))
        elif self._tables:
            if tag in APART or tag == "pre":
                self._words.append(" ")
        else:
            self._open(tag, dict(attrs))

    def _open(self, tag: str, attrs: dict[str, str | None]) -> None:
        """An element outside of tables."""
        if HEADING.fullmatch(tag):
            self._end()
            self._heading = int(tag[1])
        elif tag == "pre":
            self._end()
            self._pre += 1
        elif tag == "blockquote":
            self._end()
            self._quotes += 1
        elif tag == "li":
            self._end_line()
            while self._words and not self._words[-1].strip(" "):
                self._words.pop()
            self._words.append(f"{'  ' * (len(self._lists) - 1)}{self._mark()} ")
        elif tag in {"ul", "ol"}:
            self._part()
            start = attrs.get("start") or "1"
            self._lists.append((int(start) if start.isdecimal() else 1) if tag == "ol" else None)
        elif tag in APART:
            self._part()

    def handle_endtag(self, tag: str) -> None:
        if self.unseen:
            self._depth -= tag == self.unseen[0]
            if not self._depth:
                self.unseen = None
            return
        if tag == "title":
            self._in_title = False
        elif tag == "table" and self._tables:
            self._close_table()
        elif tag in {"td", "th"}:
            self._close_cell()
        elif tag == "caption" and self._cell:
            self._cell = False
            self._end()
        elif self._tables:
            if tag in APART or tag == "pre":
                self._words.append(" ")
        elif HEADING.fullmatch(tag) or tag == "pre":
            self._end()
            self._heading = 0
            self._pre = max(self._pre - (tag == "pre"), 0)
        elif tag == "blockquote":
            self._end()
            self._quotes = max(self._quotes - 1, 0)
        elif tag in {"ul", "ol"}:
            if self._lists:
                self._lists.pop()
            self._part()
        elif tag in APART:
            self._part()

    def handle_data(self, data: str) -> None:
        if self.unseen:
            return
        if self._in_title:
            self.title = SPACE.sub(" ", self.title + data).strip()
        elif self._pre and not self._tables:
            self._gather(data, as_it_is=True)
        elif not (self._tables and not self._cell):
            self._gather(data)
        elif data.strip():
            self._open_cell()
            self._gather(data)

    def close(self) -> None:
        super().close()
        while self._tables:
            self._close_table()
        self._end()

    def _gather(self, data: str, *, as_it_is: bool = False) -> None:
        if not self._line and data.strip():
            leading = data[: len(data) - len(data.lstrip())]
            self._line = self.getpos()[0] + leading.count("\n")
        self._words.append(data if as_it_is else SPACE.sub(" ", data))

    def _mark(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "-"
        self._lists[-1] = number + 1
        return f"{number}."

    def _part(self) -> None:
        """What comes next stands on a line of its own: in a list or in code as part of it, elsewhere as another paragraph."""
        if self._lists or self._pre:
            self._end_line()
        else:
            self._end()

    def _end_line(self) -> None:
        last = next((word for word in reversed(self._words) if word.strip(" ")), "\n")
        if not last.endswith("\n") and not MARK.fullmatch(last):
            self._words.append("\n")

    def _end(self) -> None:
        """The paragraph, heading or fence being gathered is done."""
        text = "".join(self._words)
        text = text.strip("\n").rstrip() if self._pre else _tidy(text)
        kind: BlockKind = (
            "heading" if self._heading else "code" if self._pre else "quote" if self._quotes else "text"
        )
        if self._heading:
            text = " ".join(text.split())
        if text.strip():
            line = self._line or self.getpos()[0]
            last = max(self.getpos()[0], line)
            self.blocks.append(Block(kind=kind, text=text, level=self._heading, line=line, last_line=last))
        self._words, self._line = [], 0

    def _open_cell(self) -> None:
        self._close_cell()
        if self._tables:
            if not self._tables[-1][0]:
                self._tables[-1][0].append([])
            self._words, self._line, self._cell = [], 0, True

    def _close_cell(self) -> None:
        if self._cell and self._tables:
            self._tables[-1][0][-1].append(" ".join("".join(self._words).split()))
            self._words, self._cell = [], False

    def _close_table(self) -> None:
        self._close_cell()
        rows, line = self._tables.pop()
        shown = [" | ".join(row) for row in rows if any(row)]
        self._line = 0
        if shown and self._tables:  # a table in a cell of another one: a part of that cell
            self._open_cell()
            self._words.append("; ".join(shown))
        elif shown:
            self.blocks.append(
                Block(kind="table", text="\n".join(shown), line=line, last_line=self.getpos()[0])
            )


def _tidy(text: str) -> str:
    """Lines without needless spaces, without empty items, and without the sign of a link to the place itself."""
    lines = (ITEM.sub(lambda found: f"{found[1]}{found[2]} ", line).rstrip(" ¶") for line in text.split("\n"))
    return "\n".join(line if ITEM.match(line) else line.strip() for line in lines if line.strip(" -"))
