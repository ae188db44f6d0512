"""Read a prompt as its sender meant it: what is asked, and what is only pasted.

The ask is normally the first line, or the last one when the prompt opens with a pasted mail. What stands in quotation
marks, behind a colon, in a code fence or in further paragraphs is pasted, and its words say nothing about the task.
Only the opening and the close of a long prompt are read. It goes by form alone, so it is wrong when somebody asks in
the middle of a long text, or pastes without any mark between.
"""

import re
from dataclasses import dataclass

OPENING = 600
"""Characters read at the start of a prompt."""
CLOSING = 300
"""Characters read at its end."""
SHORT = 160
"""The longest last paragraph, in characters, that can still be an ask."""
MENTION = 25
"""Up to so many characters in quotation marks are a word talked about, not a pasted text."""

_PARAGRAPH = re.compile(r"\n[ \t]*(?:-{3,}|={3,}|_{3,})?[ \t]*\n|\n(?:-{3,}|={3,})\n")
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
_ARROW = ("->", "=>", "→", "⇒", ">>")
_LINE_ITEM = re.compile(r"^\s*(?:[-*•–>]|\(?\w{1,2}[.):])\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt taken apart. `ask` is what the sender says himself; `paste` is the opening of what he says it about."""

    ask: str
    paste: str
    mentions: int
    """Short quoted words left out of the ask."""


def read(prompt: str) -> Reading:
    """Part the ask from the paste. Either may be "" (a bare stack trace, a plain question)."""
    text = prompt if len(prompt) <= OPENING + CLOSING else prompt[:OPENING] + "\n\n" + prompt[-CLOSING:]
    pasted: list[str] = []
    mentions = 0

    def lift(match: re.Match[str]) -> str:
        nonlocal mentions
        piece = match.group()
        if len(piece) <= MENTION:
            mentions += 1
        else:
            pasted.append(piece)
        return " § "

    text = (
        _QUOTED.sub(lift, text).strip()
        if '"' in text or "```" in text or not text.isascii()
        else text.strip()
    )
    paragraphs = [piece for part in _PARAGRAPH.split(text) if (piece := part.strip())]
    if not paragraphs:
        return Reading("", " ".join(pasted), mentions)
    first, _, rest = paragraphs[0].partition("\n")
    middle, last = paragraphs[1:], ""
    if not middle and rest:
        rest, _, tail = rest.rpartition("\n")
        if len(tail) <= SHORT and tail.startswith(_ARROW):
            last = tail
        else:
            rest = f"{rest}\n{tail}"
    elif middle and len(middle[-1]) <= SHORT:
        last = middle[-1]
    opens_pasted = first.startswith(_MARKUP) or (bool(middle or rest) and _MAIL.match(first) is not None)
    asks: list[str] = []
    if opens_pasted and last:
        pasted += [first, rest, *middle[:-1]]
        asks = [last]
    else:
        head, tail = _cut(first)
        asks = [head]
        pasted += [tail, rest]
        if last.startswith(_ARROW) or (last and last.endswith("?") and "\n" not in last):
            asks.append(last)
            pasted += middle[:-1]
        else:
            pasted += middle
    return Reading("\n".join(asks), "\n".join(piece for piece in pasted if piece), mentions)


def _cut(line: str) -> tuple[str, str]:
    """Part "Summarize this: Dear Sirs, …" at its colon; a question at the very end stays with the ask."""
    head, colon, tail = line.partition(": ")
    if not colon or len(tail) < 40 or " " not in head:
        return line, ""
    if tail.endswith("?"):
        cut = max(tail.rfind(". "), tail.rfind("! "), tail.rfind("; "))
        if cut > 0:
            return f"{head}. {tail[cut + 2 :]}", tail[:cut]
    return head, tail


def has_rows(paste: str) -> bool:
    """Whether the paste is a list: three lines or more with a bullet or a number."""
    return len(_LINE_ITEM.findall(paste)) >= 3
