"""Do two answers name the same label, where the ask offers labels to choose from?

The labels are a subagent's, else those that the ask announces. An answer names a label if it is nothing else, or begins with it and
explains it, or says "Category: billing". Which label is right is not known here: the paid answer is the reference.
"""

import re
from collections.abc import Sequence

from headgate.core.agent_answers import EDGES, unhyphened
from headgate.core.audits import Pair, Said
from headgate.core.checks.material import said
from headgate.core.judges.found import Ruling
from headgate.core.labels import find_labels
from headgate.core.types import Request

_LEAD = re.compile(
    r"^(?:the |die |das |la |le |el )?(?:category|label|class|sentiment|answer|kategorie|klasse|antwort|stimmung|catégorie|réponse"
    r"|categoría|respuesta)\s*(?:is|:|=|ist|est|es)\s*",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[*_`]{1,3}")
_EXPLAINED = re.compile(r"\s*(?:[.:;\n(]|[-–—]\s|,? (?:because|since|as|weil|da|car|porque)\b)")


def label(pair: Pair) -> Ruling | None:
    """As good if both name one label, worse if they name two; None where no labels are offered or one names none."""
    labels = offered(pair.request)
    if not labels or pair.request.format.kind != "text":
        return None
    local, paid = named(pair.local, labels), named(pair.paid, labels)
    if not paid:
        return None
    if local:
        if local == paid:
            return Ruling(True, f"both say “{paid}”", 1.0)
        return Ruling(False, f"the local answer is “{local}”, the paid one “{paid}”", 0.0)
    if mentions(pair.local.text, labels):
        return None  # in a sentence that only a reader understands
    return Ruling(False, f"the local answer names no label, the paid one “{paid}”", 0.0)


def offered(request: Request) -> tuple[str, ...]:
    """The labels to choose from: a subagent's, else those that the last message announces."""
    if request.labels:
        return request.labels
    asks = [message.text for message in request.messages if message.role in ("user", "system", "developer")]
    return next((labels for text in reversed(asks) if (labels := find_labels(text))), ())


def named(answer: Said, labels: Sequence[str]) -> str:
    """The one label that an answer names; "" if it names none, or does so in words of its own."""
    if answer.label:
        return answer.label
    text = _LEAD.sub("", _MARKUP.sub("", said(answer.text)).strip()).strip(EDGES)
    for one in sorted(labels, key=len, reverse=True):  # "not urgent" before "not"
        if unhyphened(text) == unhyphened(one):
            return one
        opening, rest = text[: len(one)], text[len(one) :]
        if unhyphened(opening) == unhyphened(one) and _EXPLAINED.match(rest) and not mentions(rest, labels):
            return one
    return ""


def mentions(text: str, labels: Sequence[str]) -> bool:
    """Whether any label stands anywhere in a text."""
    text = unhyphened(text)
    return any(re.search(rf"(?<!\w){re.escape(unhyphened(one))}(?!\w)", text) for one in labels)
