"""A text cut into parts that fit a window, without losing a letter.

    cut(text, start, most, counter) → where the next part ends

A part ends where a reader would pause: before a heading or the next mail of a thread, else at an empty line, a line's end, a
sentence, a word; in the middle of a word only where there is nothing else. It does not know what is done with the parts
(`mapreduce`), nor how many tokens fit: that is an argument.
"""

import re

from msgspec import Struct

from headgate.core.tokens import Counter

LATE = 0.5
"""A pause in the first half of what would fit is no place to end: there would be twice as many parts."""

LONGEST_TOKEN = 16
"""Characters of a token, on an average that no text reaches: how far ahead one has to look for an end."""

PAUSES = (
    re.compile(
        r"\n(?=#{1,6} |-{3,}\s*(?:Original|Forwarded)|From: |Von: |De : |On [^\n]{4,80} wrote:|Am [^\n]{4,80} schrieb)"
    ),
    re.compile(r"\n[ \t>]*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"')\]]*\s"),
    re.compile(r"\s"),
)
"""Where a text may be cut, the best first."""


class Span(Struct, frozen=True, gc=False):
    """A part of a text: its letters and lines, and its tokens."""

    start: int
    end: int
    """The first letter that is not its own."""
    tokens: int
    line: int
    """In which it begins, from 1."""
    last_line: int


def cut(text: str, start: int, most: int, counter: Counter) -> int:
    """The end of the part that begins at `start` and has at most so many tokens; one letter at least."""
    end = reach(text, start, most, counter)
    if end == len(text):
        return end
    early = start + int((end - start) * LATE)
    for pause in PAUSES:
        ends = [found.end() for found in pause.finditer(text, early, end)]
        if ends:
            return ends[-1]
    return end


def reach(text: str, start: int, most: int, counter: Counter) -> int:
    """How far so many tokens reach, to the letter."""
    high = min(len(text), start + max(1, most) * LONGEST_TOKEN)
    if counter(text[start:high]) <= most:
        return high
    low = start + 1
    while low < high:
        middle = (low + high + 1) // 2
        if counter(text[start:middle]) <= most:
            low = middle
        else:
            high = middle - 1
    return low


def cut_all(text: str, start: int, end: int, most: int, counter: Counter) -> list[Span]:
    """All parts between two places of a text, each of about the same size, so that none is a remnant.

    White space alone makes no part; it stays with the one before it.
    """
    total = counter(text[start:end])
    even = min(most, int(total / -(-total // max(1, most)) * 1.1) + 1) if total else most
    spans: list[Span] = []
    line = text.count("\n", 0, start) + 1
    whole = text[:end]
    while start < end:
        stop = cut(whole, start, even, counter)
        if not whole[stop:].strip():
            stop = end
        spans.append(span_of(text, start, stop, line, counter))
        line += text.count("\n", start, stop)
        start = stop
    return spans


def span_of(text: str, start: int, end: int, line: int, counter: Counter) -> Span:
    """The part between two places, the first of which stands in that line. Line breaks at its end are no lines of its own."""
    body = text[start:end]
    return Span(
        start=start,
        end=end,
        tokens=counter(body),
        line=line + (len(body) - len(body.lstrip("\n")) if body.strip() else 0),
        last_line=line + body.rstrip().count("\n"),
    )


def name_spans(spans: list[Span]) -> list[str]:
    """Each part's place, for people: "tokens 1–3,000 of 12,480 (lines 1–210)"."""
    total = sum(span.tokens for span in spans)
    named, before = [], 0
    for span in spans:
        lines = (
            f"line {span.line}" if span.line == span.last_line else f"lines {span.line:,}–{span.last_line:,}"
        )
        named.append(f"tokens {before + 1:,}–{before + span.tokens:,} of {total:,} ({lines})")
        before += span.tokens
    return named
