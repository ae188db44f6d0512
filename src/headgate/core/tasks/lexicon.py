"""Find the word cues of an ask: its words and phrases that stand in a table of `cues`, and how they stand there.

A word of asking at the head of a clause ("Please summarize …") is noted a second time, as "… first", because there it
orders and elsewhere it may only be mentioned. A wanted text ("a mail") is told from a pasted one ("this mail") by the
words before it. Every word is noted on its own, too, in single quotes, for what `weights` has learned of it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from headgate.core.tasks.cues import (
    CONDITION,
    COUNTS,
    DEFINITE,
    INTO,
    LANGUAGES,
    NOUNS,
    OURSELVES,
    PLAIN,
    POINTING,
    POLITE,
    QUESTIONS,
    VERBS,
    YOU,
)

WORDS_AT_MOST = 60
"""Words of an ask that are looked up."""
STEM = 4
"""The least length of a stem in the tables."""

_FOLDS = (
    *zip("äàáâãóôòöúûùüéèêëíîïñç", "aaaaaoooouuuueeeeiiinc", strict=True),
    ("œ", "oe"),
    ("ß", "ss"),
)
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+|[.?!:;\n§]")
_BREAKS = frozenset(".?!:;\n§")

Table = dict[str, tuple[tuple[str, str], ...]]


def fold(text: str) -> str:
    """Lower case without accents: "Übersetzt" and "ubersetzt" are one word."""
    text = text.lower()
    if not text.isascii():
        for letter, plain in _FOLDS:
            if letter in text:
                text = text.replace(letter, plain)
    return text


def _index(tables: Iterable[dict[str, str]]) -> tuple[Table, Table]:
    """Two look-up tables: a word, or the first two of a phrase → (the phrase, cue); first letters → (stem, cue).

    A phrase of three words or more is kept as it must stand in a line of words, " so and so "; a shorter one is "".
    """
    words: dict[str, dict[tuple[str, str], None]] = {}
    stems: dict[str, dict[tuple[str, str], None]] = {}
    for table in tables:
        for cue, listing in table.items():
            for entry in listing.split(","):
                phrase = entry.strip()
                parts = phrase.split()
                if len(parts) == 1 and phrase.endswith("*"):
                    stems.setdefault(phrase[:STEM], {})[phrase[:-1], cue] = None
                elif len(parts) <= 2:
                    words.setdefault(phrase, {})["", cue] = None
                else:
                    words.setdefault(f"{parts[0]} {parts[1]}", {})[f" {phrase} ", cue] = None
    return {key: tuple(found) for key, found in words.items()}, {
        key: tuple(found) for key, found in stems.items()
    }


_WORDS, _STEMS = _index((VERBS, NOUNS))
_OPENERS, _ = _index((QUESTIONS,))
_SAID: dict[str, str] = {
    **dict.fromkeys(OURSELVES.split(), "I or we"),
    **dict.fromkeys(CONDITION.split(), "a condition"),
    **dict.fromkeys(YOU.split(), "you"),
    **dict.fromkeys(LANGUAGES.split(), "a language"),
}
_COUNTS = frozenset(COUNTS.split())
_INTO = frozenset(INTO.split())
_PLAIN = frozenset(PLAIN.split())
_POLITE = frozenset(POLITE.split())
_POINTING = frozenset(POINTING.split())
_DEFINITE = frozenset(DEFINITE.split())


class _Word(NamedTuple):
    """What the tables say of one word, whatever stands around it."""

    quoted: str
    """The word as a cue of its own; "" for numbers."""
    cues: tuple[tuple[str, str], ...]
    """(phrase that must stand in the line or "", cue)."""
    pairs: bool
    """Some phrase of the tables begins with it."""
    opens: bool
    """Some question begins with it."""
    said: str | None


_PAIRS = frozenset(key.partition(" ")[0] for key in _WORDS if " " in key)
_OPENS = frozenset(key.partition(" ")[0] for key in _OPENERS)


@lru_cache(maxsize=8192)
def _look_up(token: str) -> _Word:
    """Look a word up in all tables. Cached, because people use the same words: the one state of this module."""
    stems = tuple([("", cue) for stem, cue in _STEMS.get(token[:STEM], ()) if token.startswith(stem)])
    return _Word(
        quoted=f"'{token}'" if token[0] > "9" else "",
        cues=(*[found for found in _WORDS.get(token, ()) if not found[0]], *stems),
        pairs=token in _PAIRS,
        opens=token in _OPENS,
        said=_SAID.get(token),
    )


def word_cues(ask: str) -> set[str]:
    """The cues among the first words of an ask."""
    tokens = _TOKEN.findall(fold(ask))[:WORDS_AT_MOST]
    cues: set[str] = set()
    looked_up: set[str] = set()
    at_head = True
    before = further = line = ""
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if token in _BREAKS:
            at_head = True
            continue
        if token in looked_up and not at_head:
            before, further = token, before
            continue
        word = _look_up(token)
        if (word.pairs or (at_head and word.opens)) and not line:
            line = f" {' '.join([token for token in tokens if token not in _BREAKS])} "
        if at_head and word.opens:
            _note_phrases(cues, _OPENERS, token, following, line)
        looked_up.add(token)
        if word.quoted:
            cues.add(word.quoted)
        if word.cues or word.pairs:
            here = [cue for _, cue in word.cues]
            if word.pairs:
                pairs = _WORDS.get(f"{token} {following}", ())
                here += [cue for phrase, cue in pairs if not phrase or phrase in line]
            cues.update(here)
            if at_head:
                cues.update([f"{cue} first" for cue in here if cue in VERBS])
            if "text product" in here:
                cues.add(_whose(before, further))
            if "length" in here and (before in _COUNTS or further in _COUNTS or before[:1].isdecimal()):
                cues.add("a length asked")
        if word.said is not None and before not in _PLAIN:
            cues.add(word.said)
            if word.said == "a language" and (before in _INTO or further in _INTO):
                cues.add("into a language")
        at_head = at_head and token in _POLITE
        before, further = token, before
    return cues


def _note_phrases(cues: set[str], table: Table, token: str, following: str, line: str) -> None:
    for key in (token, f"{token} {following}"):
        for phrase, cue in table.get(key, ()):
            if not phrase or phrase in line:
                cues.add(cue)


def _whose(before: str, further: str) -> str:
    """Tell "this mail" (pasted) from "the mail" (either) and "a mail" (wanted) by the two words before it."""
    if before in _POINTING or further in _POINTING:
        return "this text product"
    if before in _DEFINITE or further in _DEFINITE:
        return "the text product"
    return "a text product"
