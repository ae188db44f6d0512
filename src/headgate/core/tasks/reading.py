"""Read a prompt as its sender meant it: what is asked, and what is only pasted.

The ask is normally the first line, or the last one when the prompt opens with a pasted mail. What stands in quotation
marks, behind a colon, in a code fence or in further paragraphs is pasted, and its words say nothing about the task.
Only the opening and the close of a long prompt are read. It goes by form alone, so it is wrong when somebody asks in
the middle of a long text, or pastes without any mark between.
"""

import re

from msgspec import Struct

OPENING = 400
"""Characters read at the start of a prompt."""
CLOSING = 240
"""Characters read at its end."""
SHORT = 160
"""The longest last paragraph, in characters, that can still be an ask."""
MENTION = 25
"""Up to so many characters in quotation marks are a word talked about, not a pasted text."""

_PARAGRAPH = re.compile(r"\n[ \t]*(?:-{3,}|={3,}|_{3,})?[ \t]*\n")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|```.*?(?:```|$)", re.DOTALL)
_MAIL = re.compile(
    r"(?:dear|hi|hello|hey|hallo|liebe|lieber|sehr geehrte|guten tag|bonjour|madame|monsieur|chere?|estimad|hola|buen|"
    r"subject|from|to|betreff|von|an|objet|asunto|de|date|re)\b[^\n]{0,40}(?:,|:|!)?\s*$|(?:subject|from|betreff|objet|asunto|body)\s*:",
    re.IGNORECASE,
)
_MARKUP = (
    "{",
    "[",
    "<",
    "|",
    ">",
    "`",
    "#!",
    "def ",
    "SELECT ",
    "import ",
    "function ",
    "const ",
    "- ",
    "* ",
    "• ",
    "//",
    "http",
)
ARROWS = ("->", "=>", "→", "⇒", ">>")


class Reading(Struct, frozen=True, gc=False):
    """A prompt taken apart: what the sender says at its opening and at its close, and what he says it about."""

    opening: str
    """The first line, without what is quoted in it or stands behind its colon; "" when a pasted mail opens the prompt."""
    closing: str
    """The last sentence or paragraph if it is short enough to be an ask; "" otherwise."""
    paste: str
    mentions: int
    """Short quoted words left out of the ask."""


def read(prompt: str) -> Reading:
    """Part what is asked from what is pasted. All parts may be ""."""
    text = prompt if len(prompt) <= OPENING + CLOSING else f"{prompt[:OPENING]}\n\n{prompt[-CLOSING:]}"
    pasted: list[str] = []
    mentions = 0
    if '"' in text or "`" in text or not text.isascii():
        text, mentions = _lift_quotes(text, pasted)
    blocks = [
        lines
        for block in _PARAGRAPH.split(text)
        if (lines := [line for part in block.split("\n") if (line := part.strip())])
    ]
    if not blocks:
        return Reading("", "", "\n".join(pasted), mentions)
    first, *rest = blocks[0]
    later = blocks[1:]
    closing = ""
    if later and len(later[-1]) <= 2 and len(later[-1][-1]) <= SHORT:
        closing = " ".join(later.pop())
    elif (
        len(blocks) == 1
        and rest
        and (rest[-1].startswith(ARROWS) or len(rest) == 1)
        and len(rest[-1]) <= SHORT
    ):
        closing = rest.pop()
    whole = not (pasted or rest or later or closing)
    if whole:
        first, paste, closing = _cut(first)
        pasted.append(paste)
    elif first.startswith(_MARKUP) or ((rest or later or closing) and _MAIL.match(first) is not None):
        pasted.append(first)
        first = ""
        if not closing and rest and len(rest[-1]) <= SHORT and not rest[-1].startswith(_MARKUP):
            closing = rest.pop()
    pasted += rest
    pasted += ["\n".join(lines) for lines in later]
    return Reading(first, closing, "\n".join(filter(None, pasted)), mentions)


def _lift_quotes(text: str, pasted: list[str]) -> tuple[str, int]:
    """The text without what is quoted in it, and how many short quotes were left out; what is pasted is added to `pasted`."""
    mentions = 0

    def lift(match: re.Match[str]) -> str:
        nonlocal mentions
        piece = match.group()
        if len(piece) > MENTION or piece.count(" ") > 2 or "\n" in piece:
            pasted.append(piece)
            return " "
        mentions += 1
        return " § "

    text = _QUOTED.sub(lift, text)
    if mentions > 2:  # a list of quoted scraps is something to work on, not words talked about
        pasted.append(" § " * mentions)
    return text, mentions


def _cut(line: str) -> tuple[str, str, str]:
    """Part "Summarize this: Dear Sirs, …" at its colon; the last sentence behind it may still be an ask."""
    head, colon, tail = line.partition(": ")
    if not colon or len(tail) < 30 or " " not in head or (tail.endswith("?") and len(tail) <= SHORT):
        return line, "", ""
    cut = max(tail.rfind(". "), tail.rfind("! "), tail.rfind("; "), tail.rfind("? "))
    if cut < 0 or len(tail) - cut > SHORT:
        return head, tail, ""
    return head, tail[:cut], tail[cut + 2 :]
