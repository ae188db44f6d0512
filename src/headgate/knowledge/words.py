"""A question as FTS5 is asked for it.

    "How do I use os.path.join?" → "use" OR "os path join" OR "os" OR "path" OR "join"

Every word is quoted, so nothing that somebody types is an operator. Words that nearly every text has are left out, unless
there are no others.
"""

import re
import sqlite3
from itertools import pairwise
from typing import Final

from headgate.knowledge.schema import UNSPACED, apart

WORDS_AT_MOST: Final = 64
"""Of a question; a longer one is a pasted text, whose first words tell enough."""

WEIGHTS: Final = (1.0, 1.0, 1.0)
"""Of a word in the file's name, in the headings above, in the text. Measured: more for headings finds less (docs/knowledge.md)."""

_PIECE: Final = re.compile(r"\w+(?:[^\w\s]+\w+)*")
"""What stands between two blanks, without marks at its ends: "os.path.join", "well-known", "don't"."""
_WORD: Final = re.compile(r"[^\W_]+")

_SMALL_WORDS: Final = (
    "a an the of and or to in on at by for with from as is are was were be been do does did done can could should would will shall "
    "may might must has have had it its this that these those there i you he she we they me my your his her our their what which who "
    "whom when where why how if then than so not no nor but about into over up out s t "
    "der die das den dem des ein eine einen einem einer und oder ist sind war waren im in zu zum zur mit von vom für auf an am bei als "
    "wie was wer wo wann warum welche welcher welches ich du er sie es wir ihr man nicht kein keine kann können wird werden hat haben "
    "le la les un une des du de et ou est sont dans pour par sur avec que qui quoi comment quand où pourquoi je tu il elle nous vous "
    "el los las una unos unas del y o es son en para por con que qué quién cómo cuándo dónde se su"
)
"""English, German, French, Spanish."""
_SMALL: Final = frozenset(_SMALL_WORDS.split())


def query_of(question: str) -> str | None:
    """The question in FTS5's language; None if there is no word in it."""
    phrases: dict[str, None] = {}
    small: dict[str, None] = {}
    for piece in _PIECE.findall(question):
        words = _WORD.findall(apart(piece))
        if len(words) > 1 and not UNSPACED.search(piece):
            phrases[" ".join(words)] = None
        elif len(words) > 1:
            phrases.update(dict.fromkeys(" ".join(pair) for pair in pairwise(words)))
        for word in words:
            (small if word.lower() in _SMALL else phrases)[word] = None
        if len(phrases) > WORDS_AT_MOST:
            break
    chosen = phrases or small
    return " OR ".join(f'"{phrase}"' for phrase in chosen) if chosen else None


def match(db: sqlite3.Connection, query: str, at_most: int) -> list[tuple[int, float]]:
    """Chunks by their words, best first: id and BM25 (higher is better).

    Args:
        db: with the table `words`.
        query: in FTS5's language.
        at_most: how many.
    """
    return db.execute(
        "SELECT rowid, -bm25(words, ?, ?, ?) AS score FROM words WHERE words MATCH ? ORDER BY score DESC LIMIT ?",
        (*WEIGHTS, query, at_most),
    ).fetchall()
