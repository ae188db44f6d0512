"""Note the cues of a prompt: the words of its ask (`lexicon`), and the form of its ask and of its paste.

It notes and does not judge: `weights` says what a cue is worth. Form is told by cheap marks, so a paste that only looks
like code, or a choice between more than a few words, is taken for what it looks like, or missed.
"""

import re
from string import ascii_letters, digits, whitespace

from headgate.core.tasks.cues import QUESTIONS, VERBS
from headgate.core.tasks.lexicon import split, word_cues
from headgate.core.tasks.reading import ARROWS, read

LONG_LINE = 200
"""From so many characters on, a single line may be an ask and what it is about without a mark between."""
LOOKED_AT = 200
"""Characters of the ask, and of the paste, in which marks of form are looked for."""

FEW_WORDS = 6
"""Words of an ask that says little."""

ASKING = frozenset(QUESTIONS) | {f"{verb} first" for verb in VERBS}
"""Cues that show that somebody asks for something."""
OPENING_WORDS = frozenset(QUESTIONS) - {"asks if"}
ON_A_TEXT = frozenset(
    ("translate first", "summarise first", "classify first", "extract first", "rewrite first")
)
"""Orders that are about a text: what follows them is that text."""
BY_PASTE = frozenset(QUESTIONS) | {
    "a length asked",
    "aggregate",
    "class word",
    "code hint",
    "code word",
    "cost",
    "data field",
    "decision",
    "explain first",
    "feeling",
    "length",
    "lookup",
    "record",
    "style",
    "text product",
}
"""Cues that mean one thing about a pasted text and another without one: noted with ", a paste" or ", no paste" as well."""

_BESIDE = {
    pasted: {
        cue: f"{cue}, {pasted}"
        for cue in (*BY_PASTE, "asks", "tells", "no word known", "few words", "choices", "a scale")
    }
    for pasted in ("a paste", "no paste")
}
"""Cues noted together with whether there is a paste: names that are made once, and not for each prompt."""

_NO_SIGNS = (ascii_letters + digits + whitespace).encode()
_LETTERS = (ascii_letters + whitespace).encode()
_DIGITS = frozenset(digits.encode())
_NUMBERS_ONLY = bytes(byte if chr(byte) in digits else ord(" ") for byte in range(256))


def by_sign(*marks: str) -> dict[int, tuple[str, ...]]:
    """Marks by the first character in them that is no letter, digit or blank; 0 for those without one.

    Most text has few such characters, so few marks need be sought in it.
    """
    found: dict[int, tuple[str, ...]] = {}
    for mark in marks:
        sign = next(iter(mark.encode("ascii", "ignore").translate(None, _NO_SIGNS)), 0)
        found[sign] = (*found.get(sign, ()), mark)
    return found


_PREFIX = re.compile(
    r"(?:query|passage|search_query|search_document|clustering|classification|title)\s*:", re.IGNORECASE
)
_CODE_MARKS = by_sign(
    "`", "()", "=>", "==", "!=", "::", "{}", "{{", "</", "--", "$", "O(n", "def ", "SELECT", "=IF", "=SUM", "++", "C#", "};",
)  # fmt: skip
_CODE_FILE = re.compile(r"\.(?:py|js|ts|php|css|sh|yml|yaml|json|html|txt|xml|sql|htaccess|NET)")
_SNAKE = re.compile(r"[a-z]_[a-z]")
_PASTED_CODE_MARKS = by_sign(
    "def ", "SELECT ", "UPDATE ", "INSERT ", "CREATE ", "import ", "const ", "function", "return ", "();", ") {", "){", "};", ";\n", "=>", "&&",
    "</", "Traceback", "Exception", "Error:", "error:", "#!/", " = ", "<?php", "::", "`", "{\n", "):", "()", "[]", "= [", " * * ", "$(",
)  # fmt: skip
_SIGNS = frozenset((*_CODE_MARKS, *_PASTED_CODE_MARKS)) - {0}
_CHOICE_WORDS = frozenset(("or", "oder", "ou", "o", "u", "vs"))
_SLASHES = re.compile(r"[\w-] ?[/|] ?[\w-]+(?: [\w-]+)? ?[/|] ?[\w-]")
_LISTED = re.compile(r"[(\[:] ?[\w-]+(?: [\w-]+)?(?:, [\w-]+(?: [\w-]+)?){2,}")
_SCALE = re.compile(r"\d ?(?:\.\.+|-|–|to|bis|a|à) ?[+-]?\d+|/ ?(?:5|10)\b")
_MONEY = re.compile(r"\d ?(?:%|€|\$|£|k\b|eur|usd)|[€$£] ?\d", re.IGNORECASE)
_ARITHMETIC = re.compile(r"\d ?[*+×/^=] ?\d|\d - \d")
_CHOICE_END = re.compile(r"[?)\].:,;\n]|$")


def notice(prompt: str) -> tuple[set[str], list[str]]:
    """The names of the cues that a prompt holds, and the words of its ask."""
    if _PREFIX.match(prompt):
        return {"retrieval prefix"}, []
    ask, paste, mentions, words, cues = _ask_and_paste(prompt)
    known = bool(cues)
    ask, paste = ask[:LOOKED_AT], paste[:LOOKED_AT]
    asks = "?" in ask or not OPENING_WORDS.isdisjoint(cues)
    pasted = "a paste" if len(paste) >= 12 else "no paste"
    beside = _BESIDE[pasted]
    cues.update([beside[cue] for cue in BY_PASTE & cues])
    cues.add(pasted)
    cues.add(beside["asks" if asks else "tells"])
    if not known and not asks:
        cues.add(beside["no word known"])
    if mentions:
        cues.add("a word in quotes")
    _note_form(cues, ask, words, pasted, asks=asks)
    if paste:
        plain, odd = _odd_bytes(paste)
        if _holds(paste, odd, _PASTED_CODE_MARKS):
            cues.add("pasted code")
        if _count_numbers(plain, odd) > 5:
            cues.add("numbers pasted, asks" if asks else "numbers pasted")
        if len(paste) == LOOKED_AT:
            cues.add("long paste")
    return cues, words


def _ask_and_paste(prompt: str) -> tuple[str, str, int, list[str], set[str]]:
    """What is asked, what is pasted, how many words are quoted, and the words and word cues of what is asked."""
    reading = read(prompt)
    ask, paste, closing = reading.opening, reading.paste, reading.closing
    words = split(ask)
    cues = word_cues(words)
    if closing:
        settled = ask and ("?" in ask or ask.endswith(":") or not ASKING.isdisjoint(cues))
        last = split(closing) if not settled or closing.startswith(ARROWS) or closing.endswith("?") else []
        last_cues = word_cues(last)
        if not ask or not ASKING.isdisjoint(last_cues) or (closing.endswith("?") and len(ask) < LONG_LINE):
            ask = f"{ask}\n{closing}"
            words += last
            cues |= last_cues
        else:
            paste = f"{paste}\n{closing}"
    elif not paste and len(ask) > LONG_LINE:
        first, rest = _first_sentence(ask)
        if rest:
            ordered = split(first)
            ordered_cues = word_cues(ordered)
            if not ON_A_TEXT.isdisjoint(ordered_cues):
                ask, paste, words, cues = first, rest, ordered, ordered_cues
    return ask, paste, reading.mentions, words, cues


def _odd_bytes(text: str) -> tuple[bytes, set[int]]:
    """The text without what is not ASCII, and which of its bytes are neither letters nor blanks."""
    plain = text.encode("ascii", "ignore")
    return plain, set(plain.translate(None, _LETTERS))


def _holds(text: str, odd: set[int], marks: dict[int, tuple[str, ...]]) -> bool:
    """Whether one of the marks stands in the text, whose `odd` bytes are known."""
    for sign in _SIGNS & odd:
        for mark in marks.get(sign, ()):
            if mark in text:
                return True
    for mark in marks[0]:  # noqa: SIM110  # a generator costs more than ten of these
        if mark in text:
            return True
    return False


def _count_numbers(plain: bytes, odd: set[int]) -> int:
    return 0 if _DIGITS.isdisjoint(odd) else len(plain.translate(_NUMBERS_ONLY).split())


def _first_sentence(line: str) -> tuple[str, str]:
    """Part a line behind its first sentence."""
    end = min((at for mark in (". ", "? ", "! ") if (at := line.find(mark)) >= 0), default=-1)
    return (line, "") if end < 0 else (line[: end + 1], line[end + 2 :])


def _note_form(cues: set[str], ask: str, words: list[str], pasted: str, *, asks: bool) -> None:
    """Add the cues that the form of the ask gives."""
    if ask.count(" ") < FEW_WORDS:
        cues.add(_BESIDE[pasted]["few words"])
    plain, odd = _odd_bytes(ask)
    if _holds(ask, odd, _CODE_MARKS) or _CODE_FILE.search(ask) or ("_" in ask and _SNAKE.search(ask)):
        cues.add("code in the ask")
    if _offers_choice(ask, words):
        cues.add(_BESIDE[pasted]["choices"])
    numbers = _count_numbers(plain, odd)
    if not numbers:
        return
    cues.add("a number" if numbers < 3 else "many numbers, asks" if asks else "many numbers")
    if _MONEY.search(ask):
        cues.add("money or percent")
    if numbers >= 2:
        if _SCALE.search(ask):
            cues.add(_BESIDE[pasted]["a scale"])
        if _ARITHMETIC.search(ask):
            cues.add("arithmetic")


def _offers_choice(ask: str, words: list[str]) -> bool:
    """Whether the ask offers to choose: "a or b?", "a / b / c", "(a, b, c)"."""
    for word in _CHOICE_WORDS.intersection(words):
        at = ask.find(f" {word} ")
        if at > 0:
            rest = ask[at + len(word) + 2 : at + len(word) + 52]
            end = _CHOICE_END.search(rest)
            if end and rest.count(" ", 0, end.start()) <= 3:
                return True
    if ("/" in ask or "|" in ask) and _SLASHES.search(ask):
        return True
    return ("(" in ask or ":" in ask or "[" in ask) and _LISTED.search(ask) is not None
