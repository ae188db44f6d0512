"""Each judge by itself on the pairs whose truth is known, so that a user sees how far it can be trusted before he has labelled anything.

In an audit the judges go one after the other, and a model is only asked what no comparison could tell. So models are tried on such
pairs alone: the easy ones would flatter them. An embedding model is tried on those that its threshold was not found on.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from headgate.core.audits import Opinion, Pair
from headgate.core.judges import COMPARISONS, blind, compare, similarity
from headgate.core.judges.agreement import Agreement, Told, agreement
from headgate.core.judges.blind import LONGER
from headgate.core.judges.found import says_as_good
from headgate.lab.judges import Panel, Trouble, judges_of
from headgate.lab.pairs import LabelledPair, labelled_pairs


class Tried(Struct, frozen=True):
    """What came of trying the judges."""

    judges: tuple[Agreement, ...]
    troubles: tuple[Trouble, ...]
    """Judges that could not be asked; each is given up at its first."""
    threshold: float | None
    """The embedding model's, as it was measured; None: it cannot tell, or there is none."""


async def try_judges(panel: Panel, most: int, progress: Callable[[float], None] = lambda _: None) -> Tried:
    """Ask each judge of a panel about the pairs that are shipped.

    Args:
        panel: whom there is to ask; the comparisons are tried as well.
        most: pairs that each model is asked about, at most: a model at home may take seconds for each.
        progress: called with the share that is done.
    """
    told = [one for pair in labelled_pairs() for one in compared(pair)]
    troubles: list[Trouble] = []
    asked = judges_of(panel, at_home=False)
    for at, ask in enumerate(asked):
        of_embedder = panel.embedder is not None and at == 0
        pairs = for_embedder() if of_embedder else evenly(hard_pairs(), most)
        for place, pair in enumerate(pairs):
            progress((at + place / len(pairs)) / len(asked))
            said = await ask(pair.pair, "fallback")
            if isinstance(said, Trouble):
                troubles.append(said)
                break
            if said is not None:
                told.append(told_by(said, pair))
    threshold = None if panel.embedder is None else panel.embedder.threshold
    return Tried(agreement(told), tuple(troubles), threshold)


def compared(pair: LabelledPair) -> list[Told]:
    """What each comparison says of a pair, whatever the others said."""
    found = [(judge, comparison(pair.pair)) for judge, comparison in COMPARISONS.items()]
    return [Told(judge, "", pair.as_good, one.as_good) for judge, one in found if one is not None]


def hard_pairs() -> list[LabelledPair]:
    """Those that no comparison settles, and that are shown to a model at all."""
    return [
        pair
        for pair in labelled_pairs()
        if compare(pair.pair, "fallback") is None and blind.suspicious(pair.pair) is None
    ]


def for_embedder() -> list[LabelledPair]:
    """Those that an embedding may decide, and whose cosine no threshold was found on."""
    return [pair for pair in labelled_pairs() if not pair.fits and similarity.comparable(pair.pair)]


def evenly(pairs: Sequence[LabelledPair], most: int) -> list[LabelledPair]:
    """So many of them, spread evenly over all."""
    return [pairs[at * len(pairs) // most] for at in range(most)] if len(pairs) > most else list(pairs)


def told_by(opinion: Opinion, pair: LabelledPair) -> Told:
    """What a judge said beside the truth."""
    says = says_as_good(opinion.verdict)
    return Told(opinion.judge, opinion.by, pair.as_good, says, spoke_for_longer(pair.pair, says))


def spoke_for_longer(pair: Pair, says: bool | None) -> bool | None:
    """Whether a judge spoke for the longer answer; None where both are about as long, or it did not speak."""
    local, paid = len(pair.local.text), len(pair.paid.text)
    if says is None or max(local, paid) < LONGER * min(local, paid):
        return None
    return says == (local > paid)
