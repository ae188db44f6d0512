"""How far a judge can be trusted: how often it says what a label says, and how sure that is.

A label is the word of a person or of a caller, or the truth of a pair that is shipped. The rate of agreement flatters where nearly all
answers are good; Cohen's kappa takes off what a judge would agree by chance (0 is chance, 1 is always). A judge that cannot say is
counted apart: it costs coverage, and no trust. This module does not know where labels come from.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from headgate.core.audits import Opinion
from headgate.core.intervals import wilson
from headgate.core.judges.found import says_as_good
from headgate.core.judges.standing import LABELS, contradictory, label_of
from headgate.core.words import JUDGES, Judge

FEW = 20
"""Labelled pairs below which a rate says little, and should be shown with that said."""
BIASED = 0.5
"""Share of a judge's errors in favour of the longer answer; if it is surely more, it prefers what is longer."""


class Told(Struct, frozen=True, gc=False):
    """What a judge said of a pair whose truth is known."""

    judge: Judge
    by: str
    """The model; "" of a comparison."""
    label: bool
    """The local answer is as good."""
    said: bool | None
    """The judge says so; None: it cannot say."""
    longer: bool | None = None
    """It spoke for the longer answer; None where both are about as long, or the lengths are unknown."""


class Agreement(Struct, frozen=True, gc=False, kw_only=True):
    """How a judge agrees with labels."""

    judge: Judge
    by: str
    pairs: int
    """Of which it said something sure."""
    unclear: int
    """Of which it could not say."""
    good: int
    """Of these `pairs`, those whose local answer is as good."""
    agreed: int
    rate: float | None
    """0-1; None of nothing."""
    low: float | None
    high: float | None
    """The ends of the rate's 95 % interval (Wilson)."""
    kappa: float | None
    """Cohen's, -1 to 1; None where label and judge leave no room for chance (all of one kind)."""
    false_good: int
    """Bad answers that it held to be good: they make a gate look better than it is."""
    false_bad: int
    errors_for_longer: int = 0
    """Of its errors, those in favour of the longer answer, where one was longer."""
    errors_with_longer: int = 0
    """Its errors on pairs of which one answer was longer."""

    @property
    def few(self) -> bool:
        """There are too few pairs to say much."""
        return self.pairs < FEW

    @property
    def prefers_longer(self) -> bool:
        """Whether its errors surely go to the longer answer more often than to the shorter one."""
        ends = wilson(self.errors_for_longer, self.errors_with_longer)
        return ends is not None and ends[0] > BIASED


class Agreements(Struct, frozen=True, kw_only=True):
    """How all judges agree with the labels of some requests."""

    judges: tuple[Agreement, ...]
    labelled: int
    """Requests with a clear label."""
    contradictions: int
    """Requests whose labels contradict each other: there, the person's word is taken."""


def agreement(told: Iterable[Told]) -> tuple[Agreement, ...]:
    """How each judge agrees with the labels, the cheapest first; model judges are told apart by their models."""
    by_judge: dict[tuple[Judge, str], list[Told]] = defaultdict(list)
    for one in told:
        by_judge[one.judge, one.by].append(one)
    order = {judge: at for at, judge in enumerate(JUDGES)}
    return tuple(
        [agreement_in(all_told, judge, by) for (judge, by), all_told in sorted(by_judge.items(), key=lambda item: (order[item[0][0]], item[0][1]))]
    )  # fmt: skip


def agreements(requests: Iterable[Sequence[Opinion]]) -> Agreements:
    """How the judges agree with the labels in a ledger.

    Args:
        requests: the opinions on each request, labels among them.
    """
    told: list[Told] = []
    labelled = contradictions = 0
    for opinions in requests:
        contradictions += contradictory(opinions)
        label = label_of(opinions)
        if label is None:
            continue
        labelled += 1
        truth = says_as_good(label.verdict) is True
        told += [
            Told(one.judge, one.by, truth, says_as_good(one.verdict))
            for one in opinions
            if one.judge not in LABELS
        ]
    return Agreements(judges=agreement(told), labelled=labelled, contradictions=contradictions)


def agreement_in(told: Sequence[Told], judge: Judge, by: str) -> Agreement:
    """How one judge agrees with the truth of these pairs."""
    sure = [one for one in told if one.said is not None]
    agreed = count(sure, lambda one: one.said == one.label)
    wrong_by_length = [one for one in sure if one.said != one.label and one.longer is not None]
    ends = wilson(agreed, len(sure))
    return Agreement(
        judge=judge,
        by=by,
        pairs=len(sure),
        unclear=len(told) - len(sure),
        good=count(sure, lambda one: one.label),
        agreed=agreed,
        rate=agreed / len(sure) if sure else None,
        low=None if ends is None else ends[0],
        high=None if ends is None else ends[1],
        kappa=kappa(sure),
        false_good=count(sure, lambda one: one.said is True and not one.label),
        false_bad=count(sure, lambda one: one.said is False and one.label),
        errors_for_longer=count(wrong_by_length, lambda one: one.longer is True),
        errors_with_longer=len(wrong_by_length),
    )


def kappa(told: Sequence[Told]) -> float | None:
    """Cohen's kappa of judge and label; None where their agreement by chance would be certain, or there is nothing."""
    if not told:
        return None
    n = len(told)
    seen = count(told, lambda one: one.said == one.label) / n
    labels, says = count(told, lambda one: one.label) / n, count(told, lambda one: one.said is True) / n
    chance = labels * says + (1 - labels) * (1 - says)
    return None if chance >= 1 else (seen - chance) / (1 - chance)


def count(told: Iterable[Told], holds: Callable[[Told], bool]) -> int:
    """How many of them hold."""
    return sum(map(holds, told))
