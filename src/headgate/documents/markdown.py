"""Markdown by CommonMark's rules, with tables: headings, and everything else as it stands in the file, with its lines.

Inline marks (`**bold**`, links) stay as they are: models read them, and a citation points to what is really there.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

from headgate.core.blocks import Block, BlockKind
from headgate.documents.letters import text_of
from headgate.documents.types import Document, Read, Trouble

KINDS: dict[str, BlockKind] = {
    "paragraph_open": "text",
    "bullet_list_open": "text",
    "ordered_list_open": "text",
    "html_block": "text",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "blockquote_open": "quote",
}
FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FIELD = re.compile(r"^([A-Za-z][\w -]*):[ \t]*(.*\S)[ \t]*$", re.MULTILINE)
ATX = re.compile(r"^\s{0,3}#{1,6}(?:[ \t]+|$)|(?:^|[ \t]+)#+[ \t]*$")


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a Markdown file.

    Raises:
        OSError: the file cannot be read.
    """
    found = text_of(path, source)
    if isinstance(found, Trouble):
        yield found
        return
    text, letters = found
    yield from letters.troubles(source)
    fields, begins = _front_matter(text)
    lines = text.splitlines()
    blocks = tuple(_blocks(lines, begins))
    title = fields.get("title") or next((block.text for block in blocks if block.kind == "heading"), "")
    yield Document(source=source, blocks=blocks, title=title, fields=fields, encoding=letters.encoding)


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """The named lines at the top, and how many lines they take. What is nested there is not read."""
    if not (found := FRONT_MATTER.match(text)):
        return {}, 0
    return {name: value.strip("\"'") for name, value in FIELD.findall(found[1])}, found[0].count("\n")


def _blocks(lines: list[str], begins: int) -> Iterator[Block]:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable(["inline"])
    after = begins
    for token in parser.parse("\n".join(lines[begins:])):
        if token.level or token.map is None:
            continue
        first, end = token.map[0] + begins, token.map[1] + begins
        yield from _left_out(lines, after, first)
        after = end
        while end > first + 1 and not lines[end - 1].strip():
            end -= 1
        if token.type == "heading_open":
            text, level = _heading(lines[first:end], token.markup), int(token.tag[1:])
            if text:
                yield Block(kind="heading", text=text, level=level, line=first + 1, last_line=end)
        elif kind := KINDS.get(token.type):
            yield Block(kind=kind, text="\n".join(lines[first:end]), line=first + 1, last_line=end)
    yield from _left_out(lines, after, len(lines))


def _heading(lines: list[str], markup: str) -> str:
    if markup.startswith("#"):
        return ATX.sub("", lines[0]).strip()
    return " ".join(line.strip() for line in lines[:-1])


def _left_out(lines: list[str], first: int, end: int) -> Iterator[Block]:
    """Lines that the parser makes nothing of: definitions of links. They are text too."""
    while first < end and not lines[first].strip():
        first += 1
    while end > first and not lines[end - 1].strip():
        end -= 1
    if first < end:
        yield Block(kind="text", text="\n".join(lines[first:end]), line=first + 1, last_line=end)
