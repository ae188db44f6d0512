"""Each judge by itself on the pairs whose truth is known, so that one sees how far it can be trusted before anybody has labelled anything.

In an audit the judges go one after the other, and a model is only asked what no comparison could tell. So models are tried on such
pairs alone: the easy ones would flatter them. An embedding model is tried on those that its threshold was not found on. What a model has
said before is not asked again. It is not known here where that is kept, nor what follows from it (`core.judges.trust`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from hashlib import sha256
from itertools import chain, zip_longest

from msgspec import Struct

from headgate.core.audits import Opinion, Pair
from headgate.core.judges import COMPARISONS, blind, compare, similarity
from headgate.core.judges.agreement import Agreement, Told, agreement
from headgate.core.judges.blind import LONGER
from headgate.core.judges.found import says_as_good
from headgate.core.words import Judge
from headgate.lab.judges import Asking, Panel, Trouble, judges_of
from headgate.lab.pairs import LabelledPair, labelled_pairs

Saying = Mapping[str, bool | None]
"""What a model says of pairs, by their ids: whether the local answer is as good; None: it cannot say."""


class Tried(Struct, frozen=True):
    """What came of trying the judges."""

    judges: tuple[Agreement, ...]
    troubles: tuple[Trouble, ...]
    """Judges that could not be asked; each is given up at its first."""
    threshold: float | None
    """The embedding model's, as it was measured; None: it cannot tell, or there is none."""


class Memory(Struct, frozen=True):
    """What a model has said of these pairs before, and who remembers what it says now."""

    said: Saying
    keep: Callable[[Saying], Awaitable[None]]
    """Told after each answer all that was said."""


async def forget(_said: Saying) -> None:
    """Remember nothing."""


NOTHING_SAID = Memory({}, forget)


async def try_judges(
    panel: Panel,
    most: int,
    progress: Callable[[float], None] = lambda _: None,
    memory: Memory = NOTHING_SAID,
) -> Tried:
    """Ask each judge of a panel about the pairs that are shipped.

    Args:
        panel: whom there is to ask; the comparisons are tried as well.
        most: pairs that each model is asked about, at most.
        progress: called with the share that is done.
        memory: of the panel's model.
    """
    told = [one for pair in labelled_pairs() for one in compared(pair)]
    troubles: list[Trouble] = []
    models = models_of(panel)
    asked = judges_of(panel, at_home=False)
    if panel.embedder is not None:
        pairs = for_embedder()
        for place, pair in enumerate(pairs):
            progress(place / len(pairs) / len(asked))
            said = await asked[0](pair.pair, "fallback")
            if isinstance(said, Trouble):
                troubles.append(said)
                break
            if said is not None:
                told.append(told_by(said, pair))
    for place, (judge, by) in enumerate(models, len(asked) - len(models)):
        show = partial(_show, progress, place, len(asked))
        said_by_it, trouble = await try_model(asked[place], most, memory, show)
        told += told_of(said_by_it, judge, by)
        troubles += [trouble] if trouble is not None else []
    threshold = None if panel.embedder is None else panel.embedder.threshold
    return Tried(agreement(told), tuple(troubles), threshold)


def _show(progress: Callable[[float], None], before: int, of: int, share: float) -> None:
    progress((before + share) / of)


async def try_model(
    ask: Asking,
    most: int,
    memory: Memory,
    progress: Callable[[float], None] = lambda _: None,
    enough: Callable[[Saying], bool] = lambda _: False,
) -> tuple[Saying, Trouble | None]:
    """Ask a model about the pairs that it has not seen; all that it said, and why it could not be asked on, if it could not.

    Args:
        ask: asks it about a pair.
        most: pairs that it is asked about, at most.
        memory: what it said before, and who is told what it says now.
        progress: called with the share that is done.
        enough: whether what it has said so far tells all that is wanted.
    """
    said = dict(memory.said)
    pairs = (await asyncio.to_thread(hard_pairs))[:most]  # a tenth of a second, at first
    for place, pair in enumerate(pairs):
        progress(place / len(pairs))
        if pair.pair.request.id in said:
            continue
        if enough(said):
            break
        heard = await ask(pair.pair, "fallback")
        if isinstance(heard, Trouble):
            return said, heard
        said[pair.pair.request.id] = None if heard is None else says_as_good(heard.verdict)
        await memory.keep(said)
    return said, None


def models_of(panel: Panel) -> list[tuple[Judge, str]]:
    """The models of a panel that judge, as judges and by name, in the order in which they are asked."""
    found: list[tuple[Judge, str]] = []
    for judge, model in (
        ("local model", panel.local),
        ("decisions", panel.decider),
        ("cloud model", panel.cloud),
    ):
        if model is not None:
            found.append((judge, model.model))  # type: ignore[arg-type]  # of the closed list
    return found


def compared(pair: LabelledPair) -> list[Told]:
    """What each comparison says of a pair, whatever the others said."""
    found = [(judge, comparison(pair.pair)) for judge, comparison in COMPARISONS.items()]
    return [Told(judge, "", pair.as_good, one.as_good) for judge, one in found if one is not None]


@cache
def hard_pairs() -> tuple[LabelledPair, ...]:
    """Those that no comparison settles, and that are shown to a model at all: good ones and bad ones in turn, of all kinds mixed.

    So the first of them tell nearly as much as all.
    """
    hard = [
        pair
        for pair in labelled_pairs()
        if compare(pair.pair, "fallback") is None and blind.suspicious(pair.pair) is None
    ]
    hard.sort(key=lambda pair: sha256(pair.pair.request.id.encode()).digest())
    good, bad = ([pair for pair in hard if pair.as_good is kind] for kind in (True, False))
    return tuple([pair for pair in chain.from_iterable(zip_longest(good, bad)) if pair is not None])


def for_embedder() -> list[LabelledPair]:
    """Those that an embedding may decide, and whose cosine no threshold was found on."""
    return [pair for pair in labelled_pairs() if not pair.fits and similarity.comparable(pair.pair)]


def told_of(said: Saying, judge: Judge, by: str) -> list[Told]:
    """What a model said beside the truth."""
    known = {pair.pair.request.id: pair for pair in labelled_pairs()}
    return [
        Told(judge, by, pair.as_good, says, spoke_for_longer(pair.pair, says))
        for id_, says in said.items()
        if (pair := known.get(id_)) is not None
    ]


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
