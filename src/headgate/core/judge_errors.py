"""How a judge of audits errs, as labelled pairs tell, and what its verdicts then count for.

    opinions ── confusions() ──► Confusion ── errors_by_judge() ──► Errors ── corrected(said) ──► what a verdict counts for

A verdict is corrected so that errors cancel out on average (Rogan and Gladen 1978). A label tells more of a judge where it is rarely
seen to err, so people look at some verdicts more often than at others (`alternating`). That does no harm: each label stands for all
verdicts of its group that say the same (Begg and Greenes 1983), as long as chance chose among those. Groups are the two kinds of audits,
which differ in how many answers are bad and not in how a judge errs; together they have one likelihood, whose top and its curvature are
taken. What a caller labels he chooses himself, by what is true: those are a group of which every pair is labelled, and are in no other
one, where labels would tell of what is left when the bad ones are gone.

Verdicts that nobody has labelled tell of a judge, too: of more that say "bad" with the same labels more are wrong. So whoever counts
verdicts and corrects them must not take both for independent: by how much the rates move with one more of these is in `Errors`.

This module does not know who judges, or what.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, log
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.audits import Opinion
from headgate.core.judges.found import says_as_good
from headgate.core.judges.standing import LABELS as LABELLING
from headgate.core.judges.standing import label_of
from headgate.core.linear import inverse
from headgate.core.words import AuditKind, AuditVerdict

LABELS: Final = 5
"""Labelled pairs of either verdict from which on a judge's errors are known well enough to be taken out."""
BETTER_THAN_CHANCE: Final = 0.5
"""What a judge's two rates of being right have to exceed 1 by: below that nothing can be taken out."""
USUAL_ERRORS, USUAL_PAIRS = 0.25, 5.0
"""What is believed of a judge before any label: as if it had erred so often in so many pairs, of which the local answer is good, or bad."""
HALF_A_PAIR: Final = 0.5
"""Of either kind, added to every group: no label that says "bad" is not none."""
Source = AuditKind | Literal["caller"]
"""Where pairs come from: audits of one kind, or callers, who speak of their own accord."""
ROUNDS, CLOSE, STEP = 20_000, 1e-7, 1e-4
"""Of the fit, at most: the smaller the share of verdicts that is labelled, the more it takes; where it ends; and by how much log-odds are moved to see how it is curved."""


class Verdicts(Struct, frozen=True):
    """What a judge said of some pairs, all the same, and what labels say of it."""

    number: int = 0
    labelled: int = 0
    """Of these."""
    right: int = 0
    """Of the labelled ones, those whose label says the same."""


class Group(Struct, frozen=True):
    """What a judge said of pairs of one kind."""

    good: Verdicts
    """Where it called the local answer as good."""
    bad: Verdicts
    """Where it did not."""
    source: Source = "local"


class Confusion(Struct, frozen=True):
    """How often a judge says what labels say of a local answer."""

    groups: tuple[Group, ...] = ()

    @property
    def labelled(self) -> int:
        """Labelled pairs of which it said something sure."""
        return sum([one.labelled for one in self.verdicts])

    @property
    def right(self) -> int:
        """Of these, those of which it said what the label says."""
        return sum([one.right for one in self.verdicts])

    @property
    def known(self) -> bool:
        """Whether labels tell enough of it."""
        either = [(group.good.labelled, group.bad.labelled) for group in self.groups]
        return min([sum(labelled) for labelled in zip(*either, strict=True)], default=0) >= LABELS

    @property
    def verdicts(self) -> list[Verdicts]:
        """All of them."""
        return [verdicts for group in self.groups for verdicts in (group.good, group.bad)]


def confusions(requests: Iterable[Sequence[Opinion]]) -> dict[str, Confusion]:
    """What labels say of each judge, whatever model it asked.

    Args:
        requests: the opinions on each request, labelled or not: a judge's verdicts are counted in both cases.
    """
    tally = Tally()
    for opinions in requests:
        label = label_of(opinions)
        unasked = any(one.judge == "caller" and says_as_good(one.verdict) is not None for one in opinions)
        for one in opinions:
            if one.judge not in LABELLING:
                tally.add(one, label, unasked=unasked)
    return tally.confusions


class Tally:
    """Counts what judges say, and what labels say of that."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, Source, bool], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, opinion: Opinion, label: Opinion | None, *, unasked: bool = False) -> None:
        """What a judge says of one request.

        Args:
            opinion: the judge's.
            label: the label that the request has.
            unasked: its caller gave one of his own accord.
        """
        said = says_as_good(opinion.verdict)
        if said is None:
            return
        counts = self._counts[opinion.judge, "caller" if unasked else kind_of(opinion.verdict), said]
        counts[0] += 1
        counts[1] += label is not None
        counts[2] += label is not None and says_as_good(label.verdict) is said

    @property
    def confusions(self) -> dict[str, Confusion]:
        """By judge."""
        found: defaultdict[str, list[Group]] = defaultdict(list)
        for judge, source in sorted({(judge, source) for judge, source, _ in self._counts}):
            good, bad = (Verdicts(*self._counts.get((judge, source, said), ())) for said in (True, False))
            found[judge].append(Group(good, bad, source))
        return {judge: Confusion(tuple(groups)) for judge, groups in found.items()}


def kind_of(verdict: AuditVerdict) -> AuditKind:
    """Which kind of audit a clear verdict is of."""
    return "fallback" if verdict in ("unnecessary", "necessary") else "local"


class Errors(Struct, frozen=True):
    """How a judge errs: Rogan and Gladen 1978."""

    hit: float
    """How often it calls a hit one."""
    miss: float
    """How often it calls none one that is none."""
    hit_variance: float
    miss_variance: float
    covariance: float = 0.0
    """Of both rates: the same labels tell them."""
    influence: Mapping[Source, tuple[float, float]] = {}
    """How far either rate, as it is estimated, moves with one pair of a source that the judge calls bad in place of good; a source of which
    labels confirm too few of these is missing."""

    @property
    def power(self) -> float:
        """How much of a difference in truth is one in what it says."""
        return self.hit + self.miss - 1.0

    @property
    def weak(self) -> bool:
        """Whether the judge is hardly better than chance, so that they cannot be taken out."""
        return self.power < BETTER_THAN_CHANCE

    def corrected(self, said: float) -> float:
        """What a verdict, 1 or 0, counts for, so that errors cancel out on average."""
        return (said + self.miss - 1.0) / self.power


def errors_by_judge(
    confusions: Mapping[str, Confusion], kind: AuditKind, *, weak_too: bool = False
) -> dict[str, Errors]:
    """The errors of each judge of which labels tell enough, and that is better than chance; others are missing.

    Args:
        confusions: by judge.
        kind: of audits, which says what a hit is: of fallbacks an answer that is as good, of local answers one that is not.
        weak_too: those, too, that are hardly better than chance, for whoever does not want to believe these.
    """
    found = {judge: errors_of(confusion, kind) for judge, confusion in confusions.items()}
    return {
        judge: errors
        for judge, errors in found.items()
        if errors is not None and (weak_too or not errors.weak)
    }


def errors_of(confusion: Confusion, kind: AuditKind) -> Errors | None:
    """Those of one judge; None where too few labels tell or they fit together badly."""
    if not confusion.known:
        return None
    good, bad, covariance, influence = rates_of(confusion.groups)
    if min(good[1], bad[1]) <= 0.0:
        return None  # there is no top: two stories are as likely
    hit, miss = (good, bad) if kind == "fallback" else (bad, good)
    # alarms of which labels confirm fewer may have been so few by chance, and then most of what a judge calls bad seems wrong
    by_source = {
        group.source: (of_good, of_bad) if kind == "fallback" else (of_bad, of_good)
        for group, (of_good, of_bad) in zip(confusion.groups, influence, strict=True)
        if group.bad.right >= LABELS
    }
    return Errors(hit[0], miss[0], hit[1], miss[1], covariance, by_source)


# ── The likelihood ───────────────────────────────────────────────────────────────────────────────────────────────────


class Rates(NamedTuple):
    """How often a judge is right about good local answers, and about bad ones."""

    good: tuple[float, float]
    """With its variance."""
    bad: tuple[float, float]
    covariance: float
    influence: list[tuple[float, float]]
    """By group: how far either moves with one pair that the judge calls bad in place of good."""


def rates_of(groups: Sequence[Group]) -> Rates:
    """How often a judge is right, where that is likeliest.

    The log-odds of both errors, and of a bad answer in each group, are where the likelihood of all verdicts and labels is highest. They are
    found by expecting what nobody has labelled (Dempster, Laird and Rubin 1977).
    """
    at = [logit(USUAL_ERRORS / USUAL_PAIRS)] * 2
    at += [logit((one.bad.number + HALF_A_PAIR) / (one.bad.number + one.good.number + 1.0)) for one in groups]
    for _ in range(ROUNDS):
        told = _expect(groups, at)
        after = [logit(errors / pairs) for errors, pairs in told]
        moved = max([abs(new - old) for new, old in zip(after, at, strict=True)])
        at = after
        if moved < CLOSE:
            break
    spread = inverse(_curvature(groups, at))
    rates = [expit(one) for one in at[:2]]
    steep = [rate * (1.0 - rate) for rate in rates]
    good, bad = [
        (1.0 - rates[one], _variance(rates[one], 1.0 / (spread[one][one] * steep[one]))) for one in (0, 1)
    ]
    influence = []
    for pull in _pulls(groups, at):
        of_good, of_bad = [
            -steep[one] * sum([along * by for along, by in zip(spread[one], pull, strict=True)])
            for one in (0, 1)
        ]
        influence.append((of_good, of_bad))
    return Rates(good, bad, steep[0] * steep[1] * spread[0][1], influence)


def _variance(rate: float, pairs: float) -> float:
    """Of a rate of errors in so many pairs; with one more, so that never having erred is not taken for never erring."""
    more = (rate * pairs + 1.0) / (pairs + 1.0)
    return more * (1.0 - more) / pairs


def _expect(groups: Sequence[Group], at: Sequence[float]) -> list[tuple[float, float]]:
    """What is to be expected if that is true: errors of how many good ones, of how many bad ones, and bad ones of how many in each group."""
    false_bad, false_good = expit(at[0]), expit(at[1])
    good, bad = [USUAL_ERRORS, USUAL_PAIRS], [USUAL_ERRORS, USUAL_PAIRS]
    shares = []
    for group, odds in zip(groups, at[2:], strict=True):
        share = expit(odds)
        called_bad, called_good = group.bad, group.good
        wrongly = (1.0 - share) * false_bad
        wrong_bad = float(called_bad.labelled - called_bad.right)
        wrong_bad += (called_bad.number - called_bad.labelled) * (
            wrongly / (wrongly + share * (1.0 - false_good))
        )
        wrongly = share * false_good
        wrong_good = float(called_good.labelled - called_good.right)
        wrong_good += (called_good.number - called_good.labelled) * (
            wrongly / (wrongly + (1.0 - share) * (1.0 - false_bad))
        )
        truly_bad = called_bad.number - wrong_bad + wrong_good
        whole = called_bad.number + called_good.number
        good[0] += wrong_bad
        good[1] += whole - truly_bad
        bad[0] += wrong_good
        bad[1] += truly_bad
        shares.append((truly_bad + HALF_A_PAIR, whole + 2.0 * HALF_A_PAIR))
    return [(good[0], good[1]), (bad[0], bad[1]), *shares]


def _slope(groups: Sequence[Group], at: Sequence[float]) -> list[float]:
    """Of the likelihood, along each of the log-odds."""
    told = _expect(groups, at)
    return [errors - pairs * expit(one) for (errors, pairs), one in zip(told, at, strict=True)]


def _curvature(groups: Sequence[Group], at: Sequence[float]) -> list[list[float]]:
    """By how much the slope of the likelihood falls with each of the log-odds."""

    def slope(place: int, step: float) -> list[float]:
        return _slope(groups, [one + step * (here == place) for here, one in enumerate(at)])

    return [
        [(down - up) / (2.0 * STEP) for up, down in zip(slope(one, STEP), slope(one, -STEP), strict=True)]
        for one in range(len(at))
    ]


def _pulls(groups: Sequence[Group], at: Sequence[float]) -> Iterator[list[float]]:
    """By how much the slope of the likelihood rises with one pair of each group that is called bad in place of good."""
    before = _slope(groups, at)
    for place, group in enumerate(groups):
        good, bad = group.good, group.bad
        other = replace(
            group, good=replace(good, number=good.number - 1), bad=replace(bad, number=bad.number + 1)
        )
        after = _slope([*groups[:place], other, *groups[place + 1 :]], at)
        yield [new - old for new, old in zip(after, before, strict=True)]


def logit(share: float) -> float:
    """Its log-odds."""
    return log(share / (1.0 - share))


def expit(odds: float) -> float:
    """The share of some log-odds."""
    return 1.0 / (1.0 + exp(-odds))
