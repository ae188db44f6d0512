"""Note the cues of a prompt: which words of which table it holds, and what its ask and its paste look like.

Word cues come from `cues`; the cues of form are named here. A verb at the head of a clause is noted a second time, as
"… first". It notes and does not judge: `weights` says what a cue is worth.
"""

import re
from collections.abc import Iterable

from headgate.core.language import detect
from headgate.core.tasks.cues import DEFINITE, INTO, LANGUAGES, NOUNS, POINTING, POLITE, QUESTIONS, VERBS
from headgate.core.tasks.reading import has_rows, read

WORDS_AT_MOST = 90
"""Words of the ask that are looked up."""
LONG_LINE = 200
"""From so many characters on, a single line may be an ask and what it is about without a mark between."""
STEM = 4
"""The least length of a stem ("fass*" is the shortest kind)."""

_FOLDS = tuple(
    zip("äàáâãöóôüùúûéèêëíîïñçœß", ["a", "a", "a", "a", "a", "o", "o", "o", "u", "u", "u", "u", "e", "e", "e", "e", "i", "i", "i", "n", "c", "oe", "ss"], strict=True)
)
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+|[.?!:;,\n§(]")
_BREAKS = frozenset(".?!:;\n§")
_PREFIX = re.compile(
    r"(?:query|passage|search_query|search_document|clustering|classification|title)\s*:", re.IGNORECASE
)
_CODE = re.compile(
    r"`|\b\w+\(\)|\b[a-z]+_[a-z_]+\b|\b[a-z]+[A-Z]\w+\(|=>|[=!]=|::|\{\w*\}|;\s*$|\bdef |\bSELECT\b|</?\w+>|\b\w+\.(?:py|js|ts|php|css|sh|ya?ml|json|html|txt|xml|sql)\b|O\(n|--\w|\b[cC]\+\+|\bC#|\.NET|\.htaccess|-{2}\w+|\$\w",
    re.MULTILINE,
)
_PASTED_CODE = re.compile(
    r"^\s*(?:def|class|import|from \w+ import|const|let|var|function|public|return|SELECT|UPDATE|INSERT|CREATE|#include|#!|<\?php|func|fn|if \(|for \(|for \w+ in|while|\$|@|\.\w+ \{|\w+ = )"
    r"|[;{]\s*$|Traceback|Exception|Error:|error:|\bat \w+[.(]|</\w+>|=>|&&|\w+\(\w*\)",
    re.MULTILINE,
)
_OFFERED = re.compile(
    r"[\w-]+(?: [\w-]+)?(?:, (?:an? )?[\w-]+(?: [\w-]+)?)*,? (?:or|oder|ou|o|u|vs\.?) (?:an? )?[\w-]+(?: [\w-]+)?\s*[?)\].:]|[\w-]+ ?[/|] ?[\w-]+(?: ?[/|] ?[\w-]+)+"
    r"|[(\[:] ?[\w-]+(?:, [\w-]+(?: [\w-]+)?){2,}(?: (?:or|oder|ou|o|and|und|et|y) \w+)?[)\].\n]|[\w-]+, (?:or|oder|ou|o) [\w-]+"
)
_SCALE = re.compile(r"-?\d+ ?(?:\.\.+|-|–|to|bis|a|à) ?\+?-?\d+|/ ?(?:5|10)\b")
_MONEY = re.compile(r"\d ?(?:%|€|\$|£|k\b|eur|usd)|[€$£] ?\d", re.IGNORECASE)
_KEYED = re.compile(r"\{ ?\"|\{\w+ ?,|\": ?\?|\w+ \| \w+ \|")
_LANGUAGE_CODE = re.compile(r"\b(?:EN|DE|FR|ES|IT|NL|PL|PT|SV|TR)\b")
_TABLE = re.compile(r"\|[^\n|]*\|")
_MAIL_WORD = re.compile(
    r"\b(?:dear|regards|subject:|cheers|sincerely|sehr geehrte|liebe|grüße|gruß|cordialement|madame|saludos|hola|hi)\b",
    re.IGNORECASE,
)


def fold(text: str) -> str:
    """Lower case without accents: "Übersetzt" and "ubersetzt" are one word."""
    text = text.lower()
    if not text.isascii():
        for letter, plain in _FOLDS:
            text = text.replace(letter, plain)
    return text


Table = dict[str, tuple[tuple[str, str], ...]]


def _index(tables: Iterable[dict[str, str]]) -> tuple[Table, Table]:
    """Two look-up tables: first word → (rest of the phrase, cue), and first letters → (stem, cue)."""
    words: dict[str, list[tuple[str, str]]] = {}
    stems: dict[str, list[tuple[str, str]]] = {}
    for table in tables:
        for cue, listing in table.items():
            for entry in listing.split(","):
                phrase = entry.strip()
                first, _, rest = phrase.partition(" ")
                if not rest and phrase.endswith("*"):
                    stems.setdefault(phrase[:STEM], []).append((phrase[:-1], cue))
                else:
                    # A phrase is looked for as " its words ", a stem at its end as " its words".
                    words.setdefault(first, []).append(
                        (f" {phrase[:-1]}" if phrase.endswith("*") else f" {phrase} " if rest else "", cue)
                    )
    return (
        {key: tuple(dict.fromkeys(values)) for key, values in words.items()},
        {key: tuple(dict.fromkeys(values)) for key, values in stems.items()},
    )


_WORDS, _STEMS = _index((VERBS, NOUNS))
_OPENERS, _ = _index((QUESTIONS,))
_VERBS = frozenset(VERBS)
_OPENING_WORDS = frozenset(QUESTIONS) - {"asks if"}
_ASKING = frozenset(QUESTIONS) | {f"{verb} first" for verb in VERBS}
"""Cues that show that somebody asks for something."""
_ARROW = ("->", "=>", "→", "⇒", ">>")
_ON_A_TEXT = frozenset(("translate first", "summarise first", "classify first", "extract first", "rewrite first"))
_SPLIT = frozenset(("text product", "style", "data field", "code word", "record", "length", "feeling", "class word", "code hint", "aggregate", "lookup", "decision", "cost", "explain first", *QUESTIONS))
"""Cues that mean one thing about a pasted text and another without one."""
_SUM = re.compile(r"\d ?[*+×/^=] ?\d|\d - \d")
_LENGTH = re.compile(
    r"(?:\d+|one|two|three|four|five|einem|zwei|drei|vier|fünf|une|un|deux|trois|quatre|cinq|una|dos|tres|few|couple of|quelques) ?(?:\w+ )?"
    r"(?:words?|sentences?|bullets?|lines?|points?|paragraphs?|satz|sätzen?|wort|worten?|wörtern?|zeilen?|zeichen|stichpunkten?|phrases?|lignes?|mots?|"
    r"frases?|l[ií]neas?|palabras?|puntos?|párrafos?|char\w*|seconds)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_LANGUAGES = frozenset(LANGUAGES.split())
_OURSELVES = frozenset("i we my our me us ich wir mein meine unser unsere mich je j nous notre mon ma mi nos nuestro nuestra yo estoy tengo".split())
_YOU = frozenset("you your yours du dein deine dich tu ton ta te toi vous eres".split())
_CONDITION = frozenset("if when wenn falls si cuando quand obwohl although unless".split())
_INTO = frozenset(INTO.split())
_POLITE = frozenset(POLITE.split())
_POINTING = frozenset(POINTING.split())
_DEFINITE = frozenset(DEFINITE.split())


def notice(prompt: str) -> set[str]:
    """The names of the cues that a prompt holds."""
    if _PREFIX.match(prompt):
        return {"retrieval prefix"}
    reading = read(prompt)
    ask, paste = reading.opening, reading.paste
    cues = _words(fold(ask))
    if reading.closing:
        if ask and (_ASKING & cues or "?" in ask or ask.endswith(":")) and not reading.closing.startswith(_ARROW):
            last = set()
        else:
            last = _words(fold(reading.closing))
        if not ask or last & _ASKING or (reading.closing.endswith("?") and len(ask) < 200):
            ask = f"{ask}\n{reading.closing}"
            cues |= last
        else:
            paste = f"{paste}\n{reading.closing}"
    if not paste and len(ask) > LONG_LINE:
        first, rest = _first_sentence(ask)
        if rest and _ON_A_TEXT & (cues_first := _words(fold(first))):
            ask, paste, cues = first, rest, cues_first
    said = any(not cue.startswith("'") for cue in cues)
    asks = "?" in ask or not _OPENING_WORDS.isdisjoint(cues)
    pasted = len(paste) >= 25
    words = ask.count(" ") + 1
    numbers = len(_NUMBER.findall(ask))
    if pasted:
        cues.add("a paste")
        if _PASTED_CODE.search(paste):
            cues.add("pasted code")
        if has_rows(paste):
            cues.add("pasted rows")
        if len(_TABLE.findall(paste)) >= 2:
            cues.add("pasted table")
        if _MAIL_WORD.search(paste):
            cues.add("pasted mail")
        if len(paste) > 250:
            cues.add("long paste")
        if words <= 5:
            cues.add("few words and a paste")
        cues.add("asks, a paste" if asks else "tells, a paste")
        if not said:
            cues.add("no word known, a paste")
    else:
        cues.add("no paste")
        if words <= 6:
            cues.add("few words, no paste")
        cues.add("asks, no paste" if asks else "tells, no paste")
        if not said and not asks:
            cues.add("no word known, no paste")
    if pasted and "a paste" in cues:
        about = detect(paste[:200])[0]
        own = detect(ask)[0]
        if about and own and about != own:
            cues.add("a paste in another language")
        elif not about and len(paste) > 40 and "pasted code" not in cues:
            cues.add("a paste in no known language")
    if _SUM.search(ask):
        cues.add("arithmetic")
    for cue in _SPLIT & cues:
        cues.add(f"{cue}, {'a paste' if pasted else 'no paste'}")
    if reading.mentions:
        cues.add("a word in quotes")
    if "!" in ask:
        cues.add("exclamation")
    if _CODE.search(ask):
        cues.add("code in the ask")
    if _OFFERED.search(ask):
        cues.add("choices, a paste" if pasted else "choices, no paste")
    if _SCALE.search(ask):
        cues.add("a scale, a paste" if pasted else "a scale")
    if _MONEY.search(ask):
        cues.add("money or percent")
    if _KEYED.search(ask):
        cues.add("keys to fill")
    if _LANGUAGE_CODE.search(ask) or ("a language" in cues and words <= 4):
        cues.add("hardly more than a language")
    if numbers >= 3:
        cues.add("many numbers, asks" if asks else "many numbers")
    elif numbers:
        cues.add("a number")
    if _LENGTH.search(ask):
        cues.add("a length asked, a paste" if pasted else "a length asked, no paste")
    if words > 35:
        cues.add("long ask")
    if not ask.isascii() and max(ask) > "\u2600":
        cues.add("emoji")
    return cues


def _first_sentence(line: str) -> tuple[str, str]:
    """Part a line behind its first sentence."""
    end = min((at for mark in (". ", "? ", "! ") if (at := line.find(mark)) >= 0), default=-1)
    return (line, "") if end < 0 else (line[: end + 1], line[end + 2 :])


def _words(ask: str) -> set[str]:
    """The cues among the words of a folded ask."""
    tokens = _TOKEN.findall(ask)[:WORDS_AT_MOST]
    line = (
        f" {' '.join([token for token in tokens if token not in _BREAKS and token != ',' and token != '('])} "
    )
    cues: set[str] = set()
    at_head = True
    before = ["", "", ""]
    for token in tokens:
        if token in _BREAKS:
            at_head = True
            continue
        if token in {",", "("}:
            continue
        if token[0] > "9":
            cues.add(f"'{token}'")
        found = _WORDS.get(token, ())
        stems = _STEMS.get(token[:STEM], ())
        for phrase, cue in found:
            if not phrase or phrase in line:
                _note(cues, cue, at_head=at_head, before=before)
        for stem, cue in stems:
            if token.startswith(stem):
                _note(cues, cue, at_head=at_head, before=before)
        if at_head and token in _OPENERS:
            for phrase, cue in _OPENERS[token]:
                if not phrase or phrase in line:
                    cues.add(cue)
        if token in _OURSELVES:
            cues.add("I or we")
        if token in _CONDITION:
            cues.add("a condition")
        if token in _YOU:
            cues.add("you")
        if token in _LANGUAGES:
            cues.add("a language")
            if before[2] in _INTO or before[1] in _INTO:
                cues.add("into a language")
        if token not in _POLITE:
            at_head = False
        before = [before[1], before[2], token]
    return cues


def _note(cues: set[str], cue: str, *, at_head: bool, before: list[str]) -> None:
    cues.add(cue)
    if cue in _VERBS:
        if at_head:
            cues.add(f"{cue} first")
    elif cue == "text product":
        if not _POINTING.isdisjoint(before):
            cues.add("this text product")
        elif before[2] in _DEFINITE or before[1] in _DEFINITE:
            cues.add("the text product")
        else:
            cues.add("a text product")
