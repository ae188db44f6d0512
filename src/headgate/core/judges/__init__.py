"""The judges: is the local answer as good as the paid one? The cheapest that is sure decides, and none guesses.

    opinion = compare(pair, kind)                        exact → label → fields → facts: no model is asked
    opinion = compare_vectors(pair, kind, local, paid, threshold)
    questions = blind.questions(pair, …)                 for a model, in both orders; blind.read(…) puts its answers together
    asked = deciding.questions(pair)                     for OpenAI's Decisions API

A judge that cannot tell abstains (None). The paid answer is the reference: what contradicts its labels, fields or figures is worse.
It does not know who asks a model, or what asking costs (`lab.judges`).
"""

from headgate.core.audits import Opinion, Pair
from headgate.core.judges.exact import exact
from headgate.core.judges.found import Found, opinion_from
from headgate.core.words import AuditKind

__all__ = ["compare"]


def compare(pair: Pair, kind: AuditKind) -> Opinion | None:
    """What the comparisons that cost nothing say of a pair; None where none of them is sure."""
    found: Found | None = exact(pair)
    return None if found is None else opinion_from(found, kind, "exact")
