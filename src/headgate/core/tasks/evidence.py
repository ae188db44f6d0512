"""Note the cues of a prompt: the words of its ask (`lexicon`), and the form of its ask and of its paste.

It notes and does not judge: `weights` says what a cue is worth. Form is told by cheap marks, so a paste that only looks
like code, or a choice between more than a few words, is taken for what it looks like, or missed.
"""

import re

from headgate.core.language import detect
from headgate.core.tasks.cues import QUESTIONS, VERBS
from headgate.core.tasks.lexicon import word_cues
from headgate.core.tasks.reading import ARROWS, has_rows, read

LONG_LINE = 200
"""From so many characters on, a single line may be an ask and what it is about without a mark between."""
LOOKED_AT = 300
"""Characters of the ask, and of the paste, in which marks of form are looked for."""

ASKING = frozenset(QUESTIONS) | {f"{verb} first" for verb in VERBS}
"""Cues that show that somebody asks for something."""
OPENING_WORDS = frozenset(QUESTIONS) - {"asks if"}
ON_A_TEXT = frozenset(
    ("translate first", "summarise first", "classify first", "extract first", "rewrite first")
)
"""Orders that are about a text: what follows them is that text."""
ON_CODE = frozenset(("summarise", "translate", "explain", "rewrite", "write", "style"))
"""Cues that mean another thing when the paste is code."""
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

_PREFIX = re.compile(
    r"(?:query|passage|search_query|search_document|clustering|classification|title)\s*:", re.IGNORECASE
)
_CODE_MARKS = (
    "`", "()", "=>", "==", "!=", "::", "{}", "{{", "</", "--", "$", "O(n", "def ", "SELECT", "=IF", "=SUM", "++", "C#", "</", "};",
    ".py", ".js", ".ts", ".php", ".css", ".sh", ".yml", ".yaml", ".json", ".html", ".txt", ".xml", ".sql", ".htaccess", ".NET",
)  # fmt: skip
_SNAKE = re.compile(r"[a-z]_[a-z]")
_PASTED_CODE_MARKS = (
    "def ", "SELECT ", "UPDATE ", "INSERT ", "CREATE ", "import ", "const ", "function", "return ", "();", ") {", "){", "};", ";\n", "=>", "&&",
    "</", "Traceback", "Exception", "Error:", "error:", "#!/", " = ", "<?php", "::", "`", "{\n", "):", "()", "[]", "= [", " * * ", "$(",
)  # fmt: skip
_MAIL_MARKS = ("dear ", "hi ", "hi,", "hello", "subject:", "regards", "sincerely", "cheers", "guten tag", "sehr geehrte", "liebe ", "hallo", "gruß", "grüße",
    "bonjour", "madame", "cordialement", "hola", "saludo", "estimad")  # fmt: skip
_CHOICE_WORDS = (" or ", " oder ", " ou ", " o ", " u ", " vs ", " vs. ")
_SLASHES = re.compile(r"[\w-] ?[/|] ?[\w-]+(?: [\w-]+)? ?[/|] ?[\w-]")
_LISTED = re.compile(r"[(\[:] ?[\w-]+(?: [\w-]+)?(?:, [\w-]+(?: [\w-]+)?){2,}")
_CHOICE_END = re.compile(r"[?)\].:,;\n]|$")
_SCALE = re.compile(r"\d ?(?:\.\.+|-|–|to|bis|a|à) ?[+-]?\d+|/ ?(?:5|10)\b")
_MONEY = re.compile(r"\d ?(?:%|€|\$|£|k\b|eur|usd)|[€$£] ?\d", re.IGNORECASE)
_ARITHMETIC = re.compile(r"\d ?[*+×/^=] ?\d|\d - \d")
_LANGUAGE_CODE = re.compile(r"\b(?:EN|DE|FR|ES|IT|NL|PL|PT|SV|TR)\b")
_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_NUMBER = re.compile(r"\d+")


def notice(prompt: str) -> set[str]:
    """The names of the cues that a prompt holds."""
    if _PREFIX.match(prompt):
        return {"retrieval prefix"}
    ask, paste, mentions, cues = _ask_and_paste(prompt)
    known = any(cue[0] != "'" for cue in cues)
    ask, paste = ask[:LOOKED_AT], paste[:LOOKED_AT]
    asks = "?" in ask or not OPENING_WORDS.isdisjoint(cues)
    pasted = "a paste" if len(paste) >= 12 else "no paste"
    cues.update([f"{cue}, {pasted}" for cue in BY_PASTE & cues])
    cues.add(pasted)
    cues.add(f"{'asks' if asks else 'tells'}, {pasted}")
    if not known and not asks:
        cues.add(f"no word known, {pasted}")
    if mentions:
        cues.add("a word in quotes")
    _note_form(cues, ask, pasted, asks=asks)
    if pasted == "a paste":
        _note_paste(cues, ask, paste, asks=asks)
    return cues


def _ask_and_paste(prompt: str) -> tuple[str, str, int, set[str]]:
    """What is asked, what is pasted, how many words are quoted, and the word cues of what is asked."""
    reading = read(prompt)
    ask, paste, closing = reading.opening, reading.paste, reading.closing
    cues = word_cues(ask)
    if closing:
        settled = ask and ("?" in ask or ask.endswith(":") or not ASKING.isdisjoint(cues))
        last = (
            word_cues(closing)
            if not settled or closing.startswith(ARROWS) or closing.endswith("?")
            else set()
        )
        if not ask or not ASKING.isdisjoint(last) or (closing.endswith("?") and len(ask) < LONG_LINE):
            ask = f"{ask}\n{closing}"
            cues |= last
        else:
            paste = f"{paste}\n{closing}"
    elif not paste and len(ask) > LONG_LINE:
        first, rest = _first_sentence(ask)
        ordered = word_cues(first) if rest else set()
        if not ON_A_TEXT.isdisjoint(ordered):
            ask, paste, cues = first, rest, ordered
    return ask, paste, reading.mentions, cues


def _holds(text: str, marks: tuple[str, ...]) -> bool:
    """Whether one of the marks stands in the text; a plain loop, since it is the quickest of all ways here."""
    for mark in marks:  # noqa: SIM110 - any() over a generator takes twice as long
        if mark in text:
            return True
    return False


def _first_sentence(line: str) -> tuple[str, str]:
    """Part a line behind its first sentence."""
    end = min((at for mark in (". ", "? ", "! ") if (at := line.find(mark)) >= 0), default=-1)
    return (line, "") if end < 0 else (line[: end + 1], line[end + 2 :])


def _note_form(cues: set[str], ask: str, pasted: str, *, asks: bool) -> None:
    """Add the cues that the form of the ask gives."""
    words = ask.count(" ") + 1
    if words <= 6:
        cues.add(f"few words, {pasted}")
    elif words > 35:
        cues.add("long ask")
    if "!" in ask:
        cues.add("exclamation")
    if _holds(ask, _CODE_MARKS) or ("_" in ask and _SNAKE.search(ask)):
        cues.add("code in the ask")
    if _offers_choice(ask):
        cues.add(f"choices, {pasted}")
    if '{"' in ask or "{ §" in ask or "|" in ask:
        cues.add("keys to fill")
    if words <= 4 and ("a language" in cues or _LANGUAGE_CODE.search(ask)):
        cues.add("hardly more than a language")
    if "definition" in cues and "code word" in cues:
        cues.add("definition, code word")
    if not ask.isascii() and _EMOJI.search(ask):
        cues.add("emoji")
    numbers = len(_NUMBER.findall(ask))
    if not numbers:
        return
    cues.add("a number" if numbers < 3 else "many numbers, asks" if asks else "many numbers")
    if _MONEY.search(ask):
        cues.add("money or percent")
    if numbers >= 2:
        if _SCALE.search(ask):
            cues.add(f"a scale, {pasted}")
        if _ARITHMETIC.search(ask):
            cues.add("arithmetic")


def _note_paste(cues: set[str], ask: str, paste: str, *, asks: bool) -> None:
    """Add the cues that the form of the paste gives."""
    if _holds(paste, _PASTED_CODE_MARKS):
        cues.add("pasted code")
        cues.update([f"{cue}, pasted code" for cue in ON_CODE & cues])
    elif len(paste) > 40:
        language = detect(paste[:200])[0]
        own = detect(ask)[0] if language else ""
        if own and own != language:
            cues.add("a paste in another language")
        elif not language:
            cues.add("a paste in no known language")
    if len(_NUMBER.findall(paste)) > 5:
        cues.add("numbers pasted, asks" if asks else "numbers pasted")
    if has_rows(paste):
        cues.add("pasted rows")
    if paste.count("|") >= 4:
        cues.add("pasted table")
    start = paste[:80].lower()
    if _holds(start, _MAIL_MARKS):
        cues.add("pasted mail")
    if len(paste) > 250:
        cues.add("long paste")


def _offers_choice(ask: str) -> bool:
    """Whether the ask offers to choose: "a or b?", "a / b / c", "(a, b, c)"."""
    for word in _CHOICE_WORDS:
        at = ask.find(word)
        if at > 0:
            rest = ask[at + len(word) : at + len(word) + 50]
            end = _CHOICE_END.search(rest)
            if end and rest.count(" ", 0, end.start()) <= 3:
                return True
    if ask.count("/") + ask.count("|") >= 2 and _SLASHES.search(ask):
        return True
    return ask.count(",") >= 2 and _LISTED.search(ask) is not None
