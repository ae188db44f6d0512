"""A router that has learned: how likely each model's answer is acceptable, before it is asked.

    Router → prepare() → Prepared.judge(ask, signals) → Foretold(chances, trusted)

What was learned of a model is a sum: what each fact of a request is worth, a curve for each figure, and a number for each slot of
words (`features`). The sum becomes a probability by a line that was fitted on requests that the sum had not seen. All of it is
plain Python, because a gate need not have numpy to be quick.

Where too little was seen, a router says nothing of a model: a task with too few audited requests, a prompt much longer than any that
was audited, words that are mostly new, a model that is another one now. Then the rules decide, as they would without it.
This module does not know how anything is learned (`lab.learning`), nor what is done with a probability (`policy`).
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import exp, sqrt
from operator import itemgetter
from struct import pack, unpack

from msgspec import Struct

from headgate.core.expecting import Learning
from headgate.core.features import SLOTS, VERSION, Features, features
from headgate.core.types import Model, Signals
from headgate.core.versions import Versions, is_other

LONGER = 1.25
"""Prompts up to so many times as long as the longest that were audited are still taken to be like them."""

FAR = 30.0
"""Sums beyond this are certain as far as a double can tell."""


class PiecewiseLinear(Struct, frozen=True):
    """What a figure is worth, by straight lines between points; beyond the ends, what it is worth there."""

    at: tuple[float, ...]
    worth: tuple[float, ...]


class Weights(Struct, frozen=True, kw_only=True):
    """What was learned: the sum, and the line that makes a probability of it."""

    base: float
    facts: Mapping[str, float]
    curves: tuple[PiecewiseLinear, ...] = ()
    """One for each figure; none where figures are not used."""
    slots: bytes = b""
    """The slots of words that were seen, as 16-bit numbers."""
    worth: bytes = b""
    """What each of them is worth, as 16-bit floats."""
    slope: float = 1.0
    offset: float = 0.0


class Bin(Struct, frozen=True):
    """Some requests of a reliability table: what was foretold of them, and what came true."""

    foretold: float
    """The mean probability."""
    true: float
    """The share, by weight, that was acceptable."""
    rows: int


class Learned(Struct, frozen=True, kw_only=True):
    """What is known of one model."""

    model: str
    engine: str
    id: str
    """What the engine called it then: under the same name it may be another model now."""
    digest: str = ""
    """Of the files that lay under that name; "" where nobody knows."""
    weights: Weights
    words: bool = True
    """Whether it learned from what humans wrote; without, from signals alone."""
    tasks: Mapping[str, int]
    """Audited requests, by task; only tasks of which there are enough. "" is requests without a task."""
    longest: int
    """Tokens of the longest prompt among them."""
    familiar: float = 0.0
    """The least share of words seen before that a prompt must have."""
    home_at: float | None = None
    """From this probability on, answers at home were good as often as was asked for; None where that was not shown."""
    reliability: tuple[Bin, ...] = ()


class Router(Struct, frozen=True, kw_only=True):
    """What `headgate learn` has made, as the ledger keeps it."""

    features: int = VERSION
    learned: tuple[Learned, ...]
    learning: Learning
    """What it might do when it was compared with the rules."""


class Foretold(Struct, frozen=True, gc=False):
    """What a router says of a request. Models of which it says nothing are missing."""

    chances: Mapping[str, float]
    """Model → probability that its answer is acceptable."""
    trusted: tuple[str, ...] = ()
    """Models whose answers to such requests were shown to be good often enough, the likeliest first."""


NOTHING = Foretold({})


Line = tuple[float, float]
"""What a figure is worth between two points: at zero, and per unit."""


Pick = Callable[[Sequence[float]], tuple[float, ...]]
"""Takes what the slots of one request are worth out of a list of all."""


def picker(slots: Sequence[int]) -> Pick:
    """Takes these slots out of a list."""
    return itemgetter(*slots) if len(slots) > 1 else lambda worth: tuple([worth[slot] for slot in slots])


class Scorer:
    """Weights, ready to be used."""

    __slots__ = ("curves", "weights", "words")

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.curves = [(curve.at, lines_of(curve)) for curve in weights.curves]
        self.words = [0.0] * SLOTS
        for slot, worth in zip(*unpacked(weights), strict=True):
            self.words[slot] = worth

    def judge(self, seen: Features, pick: Pick | None = None) -> tuple[float, float]:
        """The probability, 0-1, and the share of its words that were seen before; 1 where there are none.

        Args:
            seen: the request.
            pick: `picker(seen.words)`, where several are asked about the same request.
        """
        weights = self.weights
        total = weights.base
        for fact in seen.facts:
            total += weights.facts.get(fact, 0.0)
        for (at, lines), figure in zip(self.curves, seen.figures, strict=False):
            low, rise = lines[bisect_right(at, figure)]
            total += low + rise * figure
        familiar = 1.0
        if seen.words:
            worth = (pick or picker(seen.words))(self.words)
            total += sum(worth) / sqrt(len(worth))
            familiar = 1 - worth.count(0.0) / len(worth)
        return logistic(weights.slope * total + weights.offset), familiar


def lines_of(curve: PiecewiseLinear) -> list[Line]:
    """The lines of a curve: before its first point, between each two, and after its last."""
    lines: list[Line] = [(curve.worth[0], 0.0)]
    points = list(zip(curve.at, curve.worth, strict=True))
    for (left, low), (right, high) in pairwise(points):
        rise = (high - low) / (right - left)
        lines.append((low - rise * left, rise))
    return [*lines, (curve.worth[-1], 0.0)]


class Prepared:
    """A router, ready to be asked.

    Args:
        router: what was learned.
        models: the config's. What was learned of a model that is gone, or is another one now, is left out.
        versions: which version of each lies under its name; of another one nothing is known.
    """

    __slots__ = ("known",)

    def __init__(self, router: Router, models: Mapping[str, Model], versions: Versions) -> None:
        self.known = tuple(
            [
                (one, Scorer(one.weights))
                for one in router.learned
                if (model := models.get(one.model)) is not None
                and (model.engine, model.id) == (one.engine, one.id)
                and not is_other(one.digest, model, versions)
            ]
        )

    def judge(self, ask: str, signals: Signals) -> Foretold:
        """What it says of a request whose human wrote `ask`."""
        task = signals.task or ""
        able = [
            pair
            for pair in self.known
            if task in pair[0].tasks and signals.tokens <= pair[0].longest * LONGER
        ]
        if not able or signals.images:  # what a picture shows is in no feature
            return NOTHING
        seen: dict[bool, tuple[Features, Pick]] = {}
        chances: dict[str, float] = {}
        trusted: list[str] = []
        for learned, scorer in able:
            looked = seen.get(learned.words)
            if looked is None:
                found = features(ask if learned.words else "", signals)
                looked = seen[learned.words] = found, picker(found.words)
            sure, familiar = scorer.judge(*looked)
            if familiar < learned.familiar:
                continue
            chance = chances[learned.model] = round(sure, 4)
            if learned.home_at is not None and chance >= learned.home_at:
                trusted.append(learned.model)
        trusted.sort(key=lambda model: -chances[model])
        return Foretold(chances, tuple(trusted))


def usable(router: Router) -> bool:
    """Whether it was trained on what this version measures."""
    return router.features == VERSION


NOT_COMPARED = "was compared with the rules before [learn] let it do more, and is not asked"
"""What to say of one that was not."""


def compared(router: Router, learning: Learning) -> bool:
    """Whether all that a router may do now was compared with the rules when it was made: to do less is never wrong."""
    then = router.learning
    home = not learning.brings_home or (then.brings_home and then.floor >= learning.floor)
    return home and learning.skip_below <= then.skip_below


def packed(worth: Mapping[int, float]) -> tuple[bytes, bytes]:
    """What slots are worth, as `Weights.slots` and `Weights.worth`. A slot that is worth nothing keeps a trace, because it was seen."""
    slots = sorted(worth)
    values = [value if abs(value := worth[slot]) > TRACE else TRACE for slot in slots]
    return pack(f"<{len(slots)}H", *slots), pack(f"<{len(slots)}e", *values)


TRACE = 1e-6
"""Worth of a slot that was seen and says nothing: no double zero, and nothing beside the others."""


def unpacked(weights: Weights) -> tuple[Sequence[int], Sequence[float]]:
    """The slots and what they are worth."""
    several = len(weights.slots) // 2
    return unpack(f"<{several}H", weights.slots), unpack(f"<{several}e", weights.worth)


def logistic(total: float) -> float:
    """A sum of evidence as a probability."""
    return 1 / (1 + exp(-max(-FAR, min(FAR, total))))
