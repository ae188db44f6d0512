"""Find the word cues of an ask: its words and phrases that stand in a table of `cues`, and how they stand there.

A word of asking at the head of a clause ("Please summarize …") is noted a second time, as "… first", because there it
orders and elsewhere it may only be mentioned. A wanted text ("a mail") is told from a pasted one ("this mail") by the
words before it. It knows letters without accents only: words in other scripts are passed over.
"""

from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import NamedTuple

from msgspec import Struct

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

WORDS_AT_MOST = 28
"""Words of an ask that are looked up."""
CHARACTERS_AT_MOST = 224
"""Characters in which so many words are sought: eight a word, space included."""
REMEMBERED = 8192
"""Words that are remembered with what the tables say of them; then it begins anew."""
STEM = 4
"""The least length of a stem in the tables."""
BREAK = "."
"""Stands between the words of two clauses."""

_FOLDS = (
    *zip("äàáâãóôòöúûùüéèêëíîïñç", "aaaaaoooouuuueeeeiiinc", strict=True),
    ("œ", "oe"),
    ("ß", "ss"),
    ("§", BREAK),
    *((mark, " ") for mark in "’–—“”„«»…\xa0\u202f"),
)
_SEPARATED = bytes(
    ord(letter) if letter in ascii_lowercase + digits else ord(BREAK) if letter in ".?!:;\n" else ord(" ")
    for letter in map(chr, range(256))
)
"""For `bytes.translate`, which does 500 characters in a third of a microsecond: all marks become breaks or blanks."""


def fold(text: str) -> str:
    """Lower case without accents: "Übersetzt" and "ubersetzt" are one word."""
    text = text.lower()
    if not text.isascii():
        for letter, plain in _FOLDS:
            if letter in text:
                text = text.replace(letter, plain)
    return text


def split(ask: str) -> list[str]:
    """The first words of an ask, folded, with a `BREAK` between clauses."""
    plain = fold(ask[:CHARACTERS_AT_MOST]).encode("ascii", "ignore").translate(_SEPARATED).decode("ascii")
    return plain.replace(BREAK, f" {BREAK} ").split(None, WORDS_AT_MOST)[:WORDS_AT_MOST]


class _Entry(NamedTuple):
    """What one word or phrase of the tables says."""

    words: list[str]
    cue: str
    first: str
    """What it says at the head of a clause: of questions nothing else counts, and `cue` is ""."""


class _Known(Struct, frozen=True):
    """What the tables say of one word, whatever stands around it."""

    cues: tuple[str, ...]
    first: tuple[str, ...]
    """Further cues if it stands at the head of a clause."""
    phrases: dict[str, list[_Entry]]
    """Phrases that begin with it, by their second word."""
    language: bool
    """It is the name of a language."""


def _entries() -> Iterator[_Entry]:
    """All entries of the tables of cues."""
    for table, cue_is, first_is in ((VERBS, "{}", "{} first"), (NOUNS, "{}", ""), (QUESTIONS, "", "{}")):
        for name, listing in table.items():
            for entry in listing.split(","):
                yield _Entry(entry.split(), cue_is.format(name), first_is.format(name))
    for name, words in (("I or we", OURSELVES), ("a condition", CONDITION), ("you", YOU)):
        for word in words.split():
            yield _Entry([word], name, "")


_WORDS: dict[str, list[_Entry]] = {}
_STEMS: dict[str, list[_Entry]] = {}
"""By their first letters, `STEM` of them."""
_PHRASES: dict[str, dict[str, list[_Entry]]] = {}
for _entry in _entries():
    _word, *_further = _entry.words
    if _further:
        _PHRASES.setdefault(_word, {}).setdefault(_further[0], []).append(_entry)
    elif _word.endswith("*"):
        _STEMS.setdefault(_word[:STEM], []).append(_entry._replace(words=[_word[:-1]]))
    else:
        _WORDS.setdefault(_word, []).append(_entry)

_LANGUAGES = frozenset(LANGUAGES.split())
_COUNTS = frozenset(COUNTS.split())
_INTO = frozenset(INTO.split())
_PLAIN = frozenset(PLAIN.split())
_POLITE = frozenset(POLITE.split())
_POINTING = frozenset(POINTING.split())
_DEFINITE = frozenset(DEFINITE.split())


class _Remembered(dict[str, _Known | None]):
    """What the tables say of each word that was met, because people use the same words: the one state of this module."""

    def __missing__(self, word: str) -> _Known | None:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[word] = _look_up(word)
        return found


def _look_up(word: str) -> _Known | None:
    """Look a word up in all tables."""
    entries = _WORDS.get(word, []) + [
        entry for entry in _STEMS.get(word[:STEM], ()) if word.startswith(entry.words[0])
    ]
    phrases = _PHRASES.get(word, {})
    language = word in _LANGUAGES
    if not (entries or phrases or language):
        return None
    cues = dict.fromkeys(entry.cue for entry in entries if entry.cue)
    first = dict.fromkeys(entry.first for entry in entries if entry.first)
    return _Known(tuple(cues), tuple(first), phrases, language)


_KNOWN = _Remembered()


def word_cues(words: list[str]) -> set[str]:
    """The cues among the words that `split` gives."""
    noted: set[str] = set()
    around = [
        *words,
        BREAK,
        BREAK,
    ]  # the breaks stand behind the last word and, counted from the end, before the first
    for at, known in enumerate(map(_KNOWN.__getitem__, words)):
        if known is None:
            continue
        cues, first = known.cues, known.first
        if known.phrases and (begun := known.phrases.get(around[at + 1])):
            for entry in begun:
                if around[at : at + len(entry.words)] == entry.words:
                    if entry.cue:
                        cues += (entry.cue,)
                    if entry.first:
                        first += (entry.first,)
        if first and _at_head(around, at):
            noted.update(first)
        if cues:
            noted.update(cues)
            if "text product" in cues:
                noted.add(_whose(around[at - 1], around[at - 2]))
            if "length" in cues and _counted(around[at - 1], around[at - 2]):
                noted.add("a length asked")
        if known.language and around[at - 1] not in _PLAIN:
            noted.add("a language")
            if around[at - 1] in _INTO or around[at - 2] in _INTO:
                noted.add("into a language")
    return noted


def _at_head(words: list[str], at: int) -> bool:
    """Whether only polite words stand between a word and the break before it."""
    while words[at - 1] in _POLITE:
        at -= 1
    return words[at - 1] == BREAK


def _counted(before: str, further: str) -> bool:
    return before in _COUNTS or further in _COUNTS or before[0] <= "9"


def _whose(before: str, further: str) -> str:
    """Tell "this mail" (pasted) from "the mail" (either) and "a mail" (wanted) by the two words before it."""
    if before in _POINTING or further in _POINTING:
        return "this text product"
    if before in _DEFINITE or further in _DEFINITE:
        return "the text product"
    return "a text product"
