"""The text of a plain mail, what its writer wrote apart from what is quoted of older mails."""

import re
from collections.abc import Iterator
from itertools import groupby

from headgate.core.blocks import Block, BlockKind

SAYS = re.compile(r"(wrote|writes|schrieb|écrit|a écrit|escribió|ha scritto|schreef)\b.*:\s*$", re.IGNORECASE)
"""The end of "On Monday, Ann wrote:"."""
ORIGINAL = re.compile(
    r"\s*(-{2,}\s*(original message|forwarded message|ursprüngliche nachricht|message d'origine|weitergeleitete nachricht)\s*-{2,}"
    r"|_{20,}\s*|begin forwarded message:\s*)$",
    re.IGNORECASE,
)
"""The line over an older mail that follows as it was, to the end."""
HEADERS = re.compile(r"\s*\*?(from|von|de|sent|gesendet|date|datum|to|an|subject|betreff)\s*:", re.IGNORECASE)


def split_quotes(text: str) -> list[Block]:
    """Paragraphs and quotes, with their lines from 1."""
    lines = text.split("\n")
    own = [not line.lstrip().startswith(">") for line in lines]
    for number, line in enumerate(lines):
        if own[number] and line.rstrip().endswith(":") and SAYS.search(line):
            _introduces(lines, own, number)
        if own[number] and (ORIGINAL.match(line) and _older_follows(lines, number)):
            own[number:] = [False] * (len(lines) - number)
    return list(_blocks(lines, own))


def _introduces(lines: list[str], own: list[bool], number: int) -> None:
    """A line "… wrote:" belongs to the quote that follows it, and so does its beginning if it was broken in two."""
    after = number + 1
    while after < len(lines) and not lines[after].strip():
        after += 1
    if after < len(lines) and not own[after]:
        first = number
        if number and re.match(r"\s*(On|Am|Le|El|Il|Op)\b", lines[number - 1]) and own[number - 1]:
            first = number - 1
        own[first:after] = [False] * (after - first)


def _older_follows(lines: list[str], number: int) -> bool:
    """Whether the headers of a mail stand under this line; a line of dashes alone means nothing."""
    under = [line for line in lines[number + 1 : number + 6] if line.strip()]
    return bool(under) and bool(HEADERS.match(under[0]))


def _blocks(lines: list[str], own: list[bool]) -> Iterator[Block]:
    """Paragraphs of what is the writer's own; each quote as one, with its empty lines."""
    numbered = list(enumerate(lines, start=1))
    for mine, run in groupby(numbered, key=lambda at: own[at[0] - 1]):
        if not mine:
            yield from _block("quote", list(run))
            continue
        for empty, paragraph in groupby(run, key=lambda at: not at[1].strip()):
            if not empty:
                yield from _block("text", list(paragraph))


def _block(kind: BlockKind, piece: list[tuple[int, str]]) -> Iterator[Block]:
    full = [number for number, line in piece if line.strip()]
    if full:
        text = "\n".join(line.rstrip() for number, line in piece if full[0] <= number <= full[-1])
        yield Block(kind=kind, text=text, line=full[0], last_line=full[-1])
