"""What a learned router looks at: a request as numbers, in some dozens of microseconds.

    features(ask, signals) → Features: facts and figures of the request, and the words of its ask as numbers of slots

Three groups, because they are weighed apart. *Facts* are named and hold or do not: the task, the asked form, the language. *Figures*
are measured, each between 0 and about 1: how long, how many numbers, how many lines. *Words* are hashed, so that nothing that was
learned holds a word of anybody's prompt: single words, their beginnings and ends, pairs of neighbours, and how the ask begins and
ends. Writing without spaces is cut into pairs of letters.

Only the first and the last 2,000 characters of an ask are looked at, and of them only so many words, so a long prompt costs no more
than a short one. This module knows no language, no task and no set of questions; what a feature is worth is learned (`router`).

Source of the hashing: Weinberger and others, "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import log2
from zlib import crc32

from msgspec import Struct

from headgate.core.types import Signals

VERSION = 1
"""Of all that this module measures. A router that was trained on another version cannot be used, and says so."""

SLOTS = 1 << 16
"""Different words that can be told apart; others share a slot."""

LOOKED_AT = 2_000
"""Characters at the beginning, and at the end, of an ask."""

WORDS_AT_MOST = 120
"""Words at the beginning, and at the end, of what is looked at."""

STEM, ENDING = 5, 3
"""Letters of a longer word that are taken for its beginning and its end: they stand in for a stemmer, in any language."""

LONG = 2 * STEM + ENDING
"""From so many letters on, a word may be writing without spaces."""

REMEMBERED = 24
"""Letters of the longest word whose hashes are remembered: what is longer is seldom seen again."""

FIGURES = (
    "tokens",
    "ask",
    "words",
    "long words",
    "different words",
    "numbers",
    "digits",
    "large numbers",
    "capitals",
    "signs",
    "beyond ascii",
    "lines",
    "questions",
    "sentences",
    "commas",
    "brackets",
    "operators",
    "choices",
    "labels",
    "tools",
    "confidence",
)
"""Names of the figures, in order."""

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿豈-﫿\u0e00-\u0e7f]")
_CHOICE = re.compile(r"(?:^|\n)[ \t]*(?:[-*•]|\(?[A-Za-z0-9][.)])[ \t]")
_BRACKETS, _OPERATORS = (
    (b"(", b")", b"[", b"]", b"{", b"}"),
    (b"+", b"*", b"/", b"=", b"<", b">", b"^", b"%", b"$"),
)
_SLOT = SLOTS - 1
"""The bits of a hash that say its slot."""
_NO_MARKS = bytes(code for code in range(128) if chr(code) not in "?.!,;()[]{}+*/=<>^%$")
_NO_DIGITS = bytes(code for code in range(128) if not chr(code).isdecimal())
_NO_CAPITALS = bytes(code for code in range(128) if not chr(code).isupper())


class Features(Struct, frozen=True, gc=False):
    """A request as a router sees it."""

    facts: tuple[str, ...]
    figures: tuple[float, ...]
    words: tuple[int, ...]
    """Slots, each once, from 0 up to `SLOTS`."""


def features(ask: str, signals: Signals) -> Features:
    """Look at a request.

    Args:
        ask: what the human wrote last (`signals.human_ask`).
        signals: what was measured on the request.
    """
    text = ask if len(ask) <= 2 * LOOKED_AT else f"{ask[:LOOKED_AT]}\n{ask[-LOOKED_AT:]}"
    words = _WORD.findall(text.lower())
    return Features(_facts(signals), _figures(ask, text, words, signals), _slots(words))


def _facts(signals: Signals) -> tuple[str, ...]:
    """What holds of it, besides its words."""
    facts = [
        f"task {signals.task}",
        f"form {signals.format}",
        f"language {signals.language}",
        f"task by {signals.task_by}",
        f"length {signals.tokens.bit_length()}",
    ]
    if signals.tools:
        facts.append("tools")
    if signals.images:
        facts.append("images")
    if signals.code_blocks:
        facts.append("code blocks")
    if signals.labels:
        facts.append("labels")
    return tuple(facts)


def _figures(ask: str, text: str, words: Sequence[str], signals: Signals) -> tuple[float, ...]:
    """What is measured of it, in the order of `FIGURES`."""
    characters = len(text) or 1
    several = len(words) or 1
    plain = text.encode("ascii", "ignore")
    has_numbers = len(plain) < len(text) or plain.translate(None, _NO_DIGITS)
    numbers = [word for word in words if word[0].isdecimal()] if has_numbers else []
    marks = plain.translate(None, _NO_MARKS)
    sizes = list(map(len, words))
    return (
        _short(signals.tokens, 16),
        _short(len(ask), 16),
        sum(sizes) / several / 10,
        len([size for size in sizes if size > 8]) / several,
        len(set(words)) / several,
        _short(len(numbers), 6),
        sum([len(number) for number in numbers]) / characters * 4,
        _short(sum([len(number) > 2 for number in numbers]), 6),
        len(plain.translate(None, _NO_CAPITALS)) / characters * 4,
        (characters - sum(sizes) - text.count(" ")) / characters * 2,
        1 - len(plain) / characters if text else 0.0,
        _short(text.count("\n"), 8),
        _short(marks.count(b"?"), 4),
        _short(marks.count(b".") + marks.count(b"!"), 6),
        _short(marks.count(b",") + marks.count(b";"), 6),
        _short(sum(map(marks.count, _BRACKETS)), 7),
        _short(sum(map(marks.count, _OPERATORS)), 6),
        _short(len(_CHOICE.findall(text)) if "\n" in text else 0, 4),
        _short(len(signals.labels), 4),
        _short(signals.tools, 6),
        signals.task_confidence,
    )


def _short(count: float, power: int) -> float:
    """A count on the scale of its logarithm: 1 at 2 to that power."""
    return log2(1 + count) / power


def _slots(words: Sequence[str]) -> tuple[int, ...]:
    """The slots of the words, of their parts and of their neighbours."""
    if len(words) > 2 * WORDS_AT_MOST:
        words = [*words[:WORDS_AT_MOST], *words[-WORDS_AT_MOST:]]
    if max(map(len, words), default=0) >= LONG:
        known = [one for word in words for one in _pieces(word)][: 4 * WORDS_AT_MOST]
    else:
        known = [look_up(word) for word in words]
    if not known:
        return ()
    spelled, seeds, slots = zip(*known, strict=True)
    found = set().union(*slots)
    found.update([pair & _SLOT for pair in map(crc32, spelled[1:], seeds)])
    first = _FIRST
    for beginning in spelled[:3]:
        first = crc32(beginning, first)
        found.add(first & _SLOT)
    found.add(crc32(spelled[-1], _LAST) & _SLOT)
    return tuple(found)


Hashed = tuple[bytes, int, tuple[int, ...]]
"""A word as it is spelled, what its pair with the next word is hashed from, and the slots of itself, its beginning and its end.

A pair's hash goes on from that of its first word, so that nothing has to be put together only to be hashed.
"""


def _pieces(word: str) -> list[Hashed]:
    """A word, or the pairs of letters of writing without spaces."""
    if word.isascii() or len(word) < LONG or word.isdecimal() or not _UNSPACED.search(word):
        return [look_up(word) if len(word) <= REMEMBERED else look_up.__wrapped__(word)]
    return [_hashed(word[at : at + 2]) for at in range(len(word) - 1)]


@lru_cache(maxsize=1 << 14)
def look_up(word: str) -> Hashed:
    """A word; which number it is says less than how long it is. Most words of a prompt were in one of those before it."""
    return _hashed(f"0{len(word)}" if word.isdecimal() else word)


def _hashed(word: str) -> Hashed:
    spelled = word.encode()
    own = crc32(spelled)
    if len(word) <= STEM:
        return spelled, own ^ _PAIR, (own & _SLOT,)
    if len(spelled) == len(word):  # a letter is a byte
        beginning, end = spelled[:STEM], spelled[-ENDING:]
    else:
        beginning, end = word[:STEM].encode(), word[-ENDING:].encode()
    return spelled, own ^ _PAIR, (own & _SLOT, crc32(beginning, _STEM) & _SLOT, crc32(end, _ENDING) & _SLOT)


_STEM, _ENDING, _PAIR, _FIRST, _LAST = (
    crc32(what) for what in (b"stem", b"ending", b"pair", b"first", b"last")
)
