"""Transcripts of meetings: WebVTT and SubRip, as what was said, by whom and when.

Captions break sentences where the screen is full. Here they are put together into paragraphs, until another speaks, there is a
pause, or it has got long and a sentence ends. Each begins with the time of its first caption and its speaker:
"[00:01:05] Ann: We should ship on Friday."

It is read line by line instead of by a library, because those know neither the lines nor which captions they left out.
"""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from msgspec import Struct

from headgate.core.blocks import Block
from headgate.documents.letters import text_of
from headgate.documents.types import Document, Read, Trouble

TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,]\d{1,3}"
TIMES = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
MARK = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
"""Marks in captions: HTML's few, WebVTT's times within a line, and those of players ({\\an8})."""
NAMED = re.compile(r"(?:>>\s*|-\s*)?([A-Z][\w.'’-]*(?: [A-Z(][\w.'’()-]*){0,3}):\s+(?=\S)")
"""A speaker's name at the beginning of a caption, where it is written as a text: "Ann Lee: We should"."""
ENDS = re.compile(r"""[.!?…。！？]["'”’)\]]*$""")
PAUSE = 4.0
"""Seconds of silence that end a paragraph."""
LONG = 600
"""Characters after which a paragraph ends with its sentence; at three times as many it ends without."""


class Caption(Struct, frozen=True):
    """What was on the screen at one time, of one speaker."""

    speaker: str
    text: str
    begins: float
    """Seconds from the start."""
    ends: float
    line: int
    last_line: int


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a transcript.

    Raises:
        OSError: the file cannot be read.
    """
    found = text_of(path, source)
    if isinstance(found, Trouble):
        yield found
        return
    text, letters = found
    yield from letters.troubles(source)
    captions: list[Caption] = []
    for item in _captions(text.lstrip("\ufeff").split("\n"), source):
        if isinstance(item, Caption):
            captions.append(item)
        else:
            yield item
    blocks = tuple(_block(paragraph) for paragraph in _paragraphs(captions))
    speakers = ", ".join(dict.fromkeys(caption.speaker for caption in captions if caption.speaker))
    fields = {"speakers": speakers} if speakers else {}
    yield Document(source=source, blocks=blocks, fields=fields, encoding=letters.encoding)


def _captions(lines: list[str], source: str) -> Iterator[Caption | Trouble]:
    """The captions in order. What is between them (numbers, notes, styles) is no text; a broken time is named with its line."""
    at = 0
    while at < len(lines):
        times = TIMES.match(lines[at])
        if not times:
            if "-->" in lines[at]:
                yield Trouble(
                    source=source,
                    message="a caption whose times cannot be read; left out",
                    line=at + 1,
                    refused=False,
                )
            at += 1
            continue
        first = at + 1
        at = first
        while at < len(lines) and lines[at].strip() and not TIMES.match(lines[at]):
            at += 1
        last = at
        if (
            at < len(lines)
            and TIMES.match(lines[at])
            and last > first
            and lines[last - 1].strip().isdecimal()
        ):
            last -= 1  # the number of the next caption, with no empty line before it
        yield from _said(lines[first:last], first + 1, _seconds(times, 1), _seconds(times, 4))


def _seconds(times: re.Match[str], group: int) -> float:
    return int(times[group] or 0) * 3600 + int(times[group + 1]) * 60 + int(times[group + 2])


def _said(lines: list[str], line: int, begins: float, ends: float) -> Iterator[Caption]:
    """A caption by its speakers: a `<v Ann>` or an "Ann:" at the beginning of a line starts another's words."""
    speaker = ""
    for number, raw in enumerate(lines, start=line):
        pieces = VOICE.split(raw)
        for index in range(0, len(pieces), 2):
            if index:
                speaker = " ".join(unescape(pieces[index - 1]).split())
            text = " ".join(unescape(MARK.sub("", pieces[index])).split())
            if not index and (named := NAMED.match(text)):
                speaker, text = named[1], text[named.end() :]
            if text:
                yield Caption(speaker, text, begins, ends, number, number)


def _paragraphs(captions: list[Caption]) -> Iterator[list[Caption]]:
    kept: list[Caption] = []
    for caption in captions:
        if (
            kept
            and kept[-1].text == caption.text
            and kept[-1].speaker in {caption.speaker, ""}
            and caption.line > kept[-1].line
        ):
            continue  # live captions roll: the line before is shown once more
        if kept and _ends(kept, caption):
            yield kept
            kept = []
        kept.append(caption)
    if kept:
        yield kept


def _ends(kept: list[Caption], then: Caption) -> bool:
    """Whether another paragraph begins. A caption without a name goes on with the speaker's words."""
    if then.speaker and then.speaker != kept[0].speaker:
        return True
    whole = bool(ENDS.search(kept[-1].text))
    return then.begins - kept[-1].ends >= PAUSE or (
        whole and sum(len(caption.text) for caption in kept) >= LONG
    )


def _block(paragraph: list[Caption]) -> Block:
    first = paragraph[0]
    seconds = int(first.begins)
    time = f"[{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}]"
    who = f"{first.speaker}: " if first.speaker else ""
    words = " ".join(caption.text for caption in paragraph)
    return Block(kind="text", text=f"{time} {who}{words}", line=first.line, last_line=paragraph[-1].last_line)
