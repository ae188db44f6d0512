"""Do two answers mean the same, by the angle between their embeddings?

Two texts of which one says the contrary of the other have embeddings that hardly differ: so figures, denials, opposites, names and who
does what are compared first (`meaning`), and what differs in them is never decided here. An angle means something else with every
embedding model. So its threshold is measured for each, on pairs whose truth is known (`threshold_from`); without one, this judge abstains.
It never says that an answer is worse: what is far apart may be good all the same.
"""

import re
from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

from headgate.core.audits import Opinion, Pair
from headgate.core.checks.material import said
from headgate.core.judges.found import Ruling, opinion_from
from headgate.core.judges.meaning import (
    Sense,
    difference,
    has_more_words,
    in_order,
    lacking,
    sense_of,
    turned,
)
from headgate.core.words import AuditKind

LONGEST = 220
"""Words: one vector says too little of more."""
SHORTEST = 3
APART = 2.0
"""How many times as long one answer may be as the other."""
NEW = 0.5
"""Share of an answer's words that may stand in no form in the other."""
LIKE = 0.75
"""Share of words in common from which on their order has to be the same: what differs may be only who does what."""
LEAST = 8
"""Good pairs that must lie above a threshold before it is believed."""

_NAME = re.compile(r"(?<![.!?:\n] )(?<!^)(?<!\w)[A-ZÄÖÜÉ][\w'’-]+", re.MULTILINE)
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|nicht|ein|eine)\b", re.IGNORECASE)


def comparable(pair: Pair) -> bool:
    """Whether an embedding may decide a pair: prose of much the same length, and no plain difference."""
    if (
        pair.local.tool_calls
        or pair.paid.tool_calls
        or pair.request.format.kind != "text"
        or pair.task == "code"
    ):
        return False
    local, paid = said(pair.local.text).strip(), said(pair.paid.text).strip()
    if "```" in local or "```" in paid or has_more_words(local, LONGEST) or has_more_words(paid, LONGEST):
        return False
    one, other = sense_of(local), sense_of(paid)
    lengths = sorted((one.length, other.length))
    if lengths[0] < SHORTEST or lengths[1] > APART * lengths[0] + SHORTEST:
        return False
    if difference(one, other) or not same_names(local, paid, one, other):
        return False
    mine, theirs = lacking(one.words, other.words), lacking(other.words, one.words)
    if len(mine) > NEW * len(one.words) or len(theirs) > NEW * len(other.words):
        return False
    alike = 1 - (len(mine) + len(theirs)) / max(1, len(one.words) + len(other.words))
    if alike < LIKE:
        return True
    keeps = in_order if one.sequence or other.sequence else turned
    return keeps(one.words, other.words)


def same_names(local: str, paid: str, one: Sense, other: Sense) -> bool:
    """Whether every name of either stands in the other. In German every noun has a capital letter and is held to be a name."""
    return not lacking(names_in(local), other.words) and not lacking(names_in(paid), one.words)


def names_in(text: str) -> list[str]:
    """The words with a capital letter inside sentences, in small letters."""
    if _GERMAN.search(text):
        return []
    return [name.lower() for name in _NAME.findall(text)]


def similarity(
    pair: Pair, kind: AuditKind, cosine: float, threshold: float | None, by: str
) -> Opinion | None:
    """As good if the angle is small enough and nothing speaks against it; else None.

    Args:
        pair: two answers.
        kind: what is audited.
        cosine: of the angle between their embeddings, -1 to 1.
        threshold: measured for this embedding model; None is not measured, or it cannot tell.
        by: the embedding model.
    """
    if threshold is None or cosine < threshold or not comparable(pair):
        return None
    reason = f"they mean the same by {by}: {cosine:.3f}, from {threshold:.3f} on"
    return opinion_from(Ruling(True, reason, 0.9), kind, "similarity", by=by)


def cosine_of(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors; 0.0 where one has no direction."""
    lengths = sqrt(sum(a * a for a in one)) * sqrt(sum(b * b for b in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


class Measured(Struct, frozen=True, gc=False):
    """A pair whose truth is known, as one embedding model sees it."""

    cosine: float
    as_good: bool


def threshold_from(pairs: Sequence[Measured]) -> float | None:
    """The least cosine above which all pairs of known truth are good, halfway to the bad one below it.

    Only pairs that are `comparable` are to be given. None where fewer than `LEAST` good ones lie above the worst bad one: then the
    model cannot tell, and nobody should believe it.
    """
    worst = max([pair.cosine for pair in pairs if not pair.as_good], default=-1.0)
    above = sorted(pair.cosine for pair in pairs if pair.as_good and pair.cosine > worst)
    return (worst + above[0]) / 2 if len(above) >= LEAST else None
