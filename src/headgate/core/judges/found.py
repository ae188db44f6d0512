"""What a judge found of a pair, before it is said in the words of an audit.

A judge compares two answers; which word that leads to depends on what was audited: of a fallback, paying was unnecessary where the
local answer is as good; of a local answer, it was good.
"""

from msgspec import Struct

from headgate.core.audits import Opinion
from headgate.core.words import AuditKind, AuditVerdict, Judge


class Ruling(Struct, frozen=True, gc=False):
    """Whether the local answer is as good as the paid one, and why a judge says so."""

    as_good: bool | None
    """None: it looked at both and cannot say. A judge that has nothing to go by gives no `Ruling` at all."""
    reason: str
    score: float | None = None
    """How sure it is that the local answer is as good, 0-1; None where it does not say."""


def opinion_from(
    found: Ruling, kind: AuditKind, judge: Judge, *, by: str = "", cost: float | None = 0.0
) -> Opinion:
    """What was found, as an audit of this kind says it.

    Args:
        found: by a judge.
        kind: what was audited.
        judge: who found it.
        by: the model, person or key.
        cost: dollars for asking; None is unknown.
    """
    return Opinion(
        verdict=verdict_for(kind, as_good=found.as_good),
        judge=judge,
        by=by,
        score=found.score,
        reason=found.reason,
        cost=cost,
    )


def verdict_for(kind: AuditKind, *, as_good: bool | None) -> AuditVerdict:
    """The word for it."""
    if as_good is None:
        return "unclear"
    if kind == "fallback":
        return "unnecessary" if as_good else "necessary"
    return "good" if as_good else "missed"


def says_as_good(verdict: AuditVerdict) -> bool | None:
    """Whether a verdict says that the local answer is as good as the paid one; None where it is unclear."""
    return None if verdict == "unclear" else verdict in ("unnecessary", "good")
