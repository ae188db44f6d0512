"""The texts that a model judges, quoted so that nothing in them can pass for an order or for the end of the quotation.

Every line begins with "| ", and the lines around a quotation carry a mark made from the texts themselves, which none of them can hold.
An answer that speaks to its judge is noticed all the same (`speaks_to_judge`): small models follow orders wherever they stand.
"""

import re
from hashlib import sha256

from headgate.core.audits import Said
from headgate.core.checks.material import said
from headgate.core.types import Request

ASK = 8_000
"""Characters of the conversation that a judge is shown: its beginning and its end."""
ANSWER = 8_000
"""Characters of each answer, likewise."""

_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules?|above|previous|orders?)\b"
    r"|\b(?:as|you are|dear|note to|attention|hey) (?:an? |the )?(?:ai )?(?:judge|grader|evaluator|rater)\b"
    r"|\b(?:judge|grader|evaluator|rater)s?\b.{0,30}\b(?:must|should|choose|pick|prefer|select|rate|score)\b"
    r"|\b(?:choose|pick|prefer|select|rate|vote for)\b.{0,20}\b(?:this (?:answer|response)|answer [ab12]\b|response [ab12]\b)"
    r"|\b(?:this|my) (?:answer|response) is (?:the )?(?:better|best|superior|correct one)\b"
    r"|[\"']?(?:better|verdict|winner)[\"']?\s*[:=]\s*[\"'](?:a|b|1|2|same|tie)[\"']"
    r"|\bignoriere?\b.{0,40}\b(?:anweisung|regeln)|\bignore[zr]?\b.{0,40}\b(?:consignes|instrucciones)",
    re.IGNORECASE | re.DOTALL,
)


def mark_for(*texts: str) -> str:
    """A word that stands in none of the texts."""
    return sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:10]


def quote(name: str, text: str, mark: str, most: int) -> str:
    """A text between two lines of its name and the mark."""
    lines = "\n".join([f"| {line}" for line in cut(text, most).splitlines()]) or "| (nothing)"
    return f"[{name} {mark}]\n{lines}\n[end of {name} {mark}]"


def cut(text: str, most: int) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n(… {len(text) - most:,} characters are left out …)\n{text[-(most // 2) :]}"


def conversation(request: Request) -> str:
    """What both answers answer."""
    return "\n".join([f"{message.role}: {message.text}" for message in request.messages])


def shown(answer: Said) -> str:
    """An answer with its calls of tools."""
    calls = [f"(calls the tool {call.name} with {call.arguments})" for call in answer.tool_calls]
    return "\n".join([said(answer.text).strip(), *calls]).strip()


def speaks_to_judge(answer: Said, request: Request) -> bool:
    """Whether an answer tries to order its judge about, and not because the ask is about that."""
    return bool(_ORDER.search(said(answer.text))) and not _ORDER.search(conversation(request))
