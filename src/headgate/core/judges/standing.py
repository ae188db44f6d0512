"""Which of several opinions on one request is in force.

    person ─► caller ─► exact, label, fields ─► cloud model, decisions ─► local model ─► facts ─► similarity

Whoever is concerned goes before whoever compares: a person who looked at both answers knows what was needed, and the caller knows at
least what he got. Of the others, those that prove something (the same text, another label) go before those that weigh, and abler models
before smaller ones. An unclear opinion counts only where nobody is sure. This module does not know where opinions are kept.
"""

from collections.abc import Iterable

from headgate.core.audits import Opinion
from headgate.core.judges.found import says_as_good
from headgate.core.words import Judge

RANKS: tuple[tuple[Judge, ...], ...] = (
    ("person",),
    ("caller",),
    ("exact", "label", "fields"),
    ("cloud model", "decisions"),
    ("local model",),
    ("facts",),
    ("similarity",),
)
"""Who goes before whom."""
LABELS: frozenset[Judge] = frozenset({"person", "caller"})
"""Whose opinions the others are measured against."""

_RANK = {judge: rank for rank, judges in enumerate(RANKS) for judge in judges}


def in_force(opinions: Iterable[Opinion]) -> Opinion | None:
    """The one that counts; None of nothing. Of two with the same right, the first that is given counts."""
    return min(opinions, key=lambda one: (one.verdict == "unclear", _RANK[one.judge]), default=None)


def label_of(opinions: Iterable[Opinion]) -> Opinion | None:
    """The label of a request: a person's word, else a caller's; None where neither has a clear one."""
    labels = [one for one in opinions if one.judge in LABELS and one.verdict != "unclear"]
    return in_force(labels)


def contradictory(opinions: Iterable[Opinion]) -> bool:
    """Whether the labels of one request contradict each other."""
    said = {says_as_good(one.verdict) for one in opinions if one.judge in LABELS}
    return {True, False} <= said
