"""The judges: is the local answer as good as the paid one? The cheapest that is sure decides, and none guesses.

    opinion = compare(pair, kind)                exact → label → fields → facts: nobody is asked
    similarity.similarity(pair, kind, …)         with their embeddings
    blind.questions(pair, …), blind.read(…)      with a model that reads both, in both orders
    deciding.questions(pair, …), deciding.read(…)   with OpenAI's Decisions API

A judge that cannot tell abstains (None). The paid answer is the reference: what plainly contradicts its label, fields or figures is
worse, and what only differs from it is for the next judge. It does not know who asks a model, or what asking costs (`lab.judges`).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from headgate.core.audits import Opinion, Pair
from headgate.core.judges.exact import exact
from headgate.core.judges.facts import facts
from headgate.core.judges.fields import fields
from headgate.core.judges.found import Ruling, opinion_from
from headgate.core.judges.label import label
from headgate.core.words import AuditKind, Judge

__all__ = ["COMPARISONS", "compare"]

COMPARISONS: Mapping[Judge, Callable[[Pair], Ruling | None]] = MappingProxyType(
    {"exact": exact, "label": label, "fields": fields, "facts": facts}
)
"""The judges that ask nobody, the cheapest first."""


def compare(pair: Pair, kind: AuditKind) -> Opinion | None:
    """What the comparisons that cost nothing say of a pair; None where none of them is sure."""
    for judge, comparison in COMPARISONS.items():
        if (found := comparison(pair)) is not None:
            return opinion_from(found, kind, judge)
    return None
