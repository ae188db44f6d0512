"""How many requests are answered less well than the paid model would have, by what judges said of a sample of them.

    side.add(requests, task, audits, errors) …;   most_lost((stays, comes), errors, error) → requests

A judge's verdict counts for its corrected value (`judge_errors`). Two things are unknown, and both are in the ends. What is true of the
requests that nobody audited: the share that was called bad has an exact bound (`bounds`), stretched by what the correction stretches.
And how often the judge errs: that is the same for all of its verdicts, on whichever side they are, so it is added once for each judge.
No rate is above 1, so where few labels tell, a judge is not believed much less than at its word. These two are not independent: where
chance made a judge call more good answers bad than usual, it looks more prone to that, too, and as many more are taken out.

People look at some verdicts more often than at others, so a label only tells of its judge. Where too little is known of that, or no judge
was sure, it is the truth of its own audit. What nobody chose by chance, a caller's word above all, stands for itself and for nothing else.
A task of which nothing is audited may all be lost. This module does not know which requests are on a side, or why.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import copysign, sqrt
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.bounds import Sample, Share, deviations
from headgate.core.judge_errors import Errors
from headgate.core.past import Found
from headgate.core.spans import Span
from headgate.core.words import AuditKind

BY_CHANCE = 3.0
"""Audits that a task must have been expected to have before it is no chance that it has none: exp(-3) is 5 %."""

JudgeErrors = Mapping[str, Errors]
"""How judges err at finding bad answers: a hit is one that they call bad. A judge of whom too little is known is missing, and believed;
one that is hardly better than chance has said nothing."""
BELIEVED: Final[JudgeErrors] = {}
"""All of them are."""


class Said(Struct, gc=False):
    """What one judge said of answers that go out, by the requests that they stand for."""

    out: float = 0.0
    """All of them."""
    bad: float = 0.0
    """Those that it called bad."""
    squares: float = 0.0
    """Of what each of the latter stands for, together."""

    def lost(self, errors: Errors | None) -> float:
        """How many of them are bad, by what was said and how its judge errs; None is not at all."""
        if errors is None:
            return self.bad
        if errors.power <= 0.0:
            return self.out
        return min(self.out, (self.bad - (1.0 - errors.miss) * self.out) / errors.power)


class Side:
    """Requests that are, or may be, answered at home, and the audits that tell how well.

    Args:
        kind: of these audits.
    """

    __slots__ = ("audits", "bad", "by_judge", "by_task", "certain", "certain_bad", "kind", "requests")

    def __init__(self, kind: AuditKind) -> None:
        self.kind = kind
        self.requests = self.audits = 0
        self.bad = Sample()
        """Of the audited ones, those whose answer goes out and was called bad."""
        self.certain = self.certain_bad = 0
        """Requests of which somebody spoke unasked, which are none of the audited ones; and of these, those whose bad answer goes out."""
        self.by_judge: dict[str, Said] = {}
        self.by_task: dict[str, tuple[int, int]] = {}
        """Requests that are not certain, and audits of these."""

    def add(
        self, requests: int, task: str, audits: Iterable[tuple[Found, bool]], errors: JudgeErrors
    ) -> None:
        """Requests that are alike, and their audits, each with whether its answer goes out."""
        many = certain = 0
        for found, goes_out in audits:
            if found.good is None:
                continue
            if not found.by_chance:
                certain += found.audits
                self.certain_bad += found.audits * (goes_out and not found.good)
                continue
            known = found.judge in errors
            if known and errors[found.judge].weak:
                continue
            many += found.audits
            called_bad = goes_out and not (found.judged if known else found.good)
            self.bad.add(found, called_bad)
            if goes_out:
                said = self.by_judge.setdefault(found.judge if known else "", Said())
                weight = found.audits + found.speaks_for
                said.out += weight
                said.bad += weight * called_bad
                said.squares += (found.audits + 2 * found.speaks_for + found.squares) * called_bad
        self.requests += requests
        self.audits += many
        self.certain += certain
        before = self.by_task.get(task, (0, 0))
        self.by_task[task] = before[0] + requests - certain, before[1] + many

    def take(self, other: "Side") -> None:
        """All of another one."""
        self.requests += other.requests
        self.audits += other.audits
        self.certain += other.certain
        self.certain_bad += other.certain_bad
        self.bad.take(other.bad)
        for judge, said in other.by_judge.items():
            own = self.by_judge.setdefault(judge, Said())
            own.out += said.out
            own.bad += said.bad
            own.squares += said.squares
        for task, (requests, audits) in other.by_task.items():
            before = self.by_task.get(task, (0, 0))
            self.by_task[task] = before[0] + requests, before[1] + audits

    @property
    def rest(self) -> int:
        """The requests that others have to stand for."""
        return self.requests - self.certain

    @property
    def each(self) -> float:
        """Requests for which one of those that were audited stands."""
        return self.rest / self.bad.whole if self.bad.whole else 0.0

    def expected(self, errors: JudgeErrors) -> float:
        """How many of these requests are lost, as far as is known."""
        lost = sum([said.lost(errors.get(judge)) for judge, said in self.by_judge.items()])
        return self.certain_bad + self.each * lost

    def more(self, errors: JudgeErrors, error: float, evidence: float) -> float:
        """How many more it may be, since only some were audited; without those of which nothing tells (`bare`)."""
        share = self.bad.share(evidence)
        return self.stretch(errors) * (self.rest - self.bare) * (share.upper(error) - share.share)

    def fewer(self, errors: JudgeErrors, error: float, evidence: float) -> float:
        """How many fewer."""
        share = self.bad.share(evidence)
        return self.stretch(errors) * (self.rest - self.bare) * (share.share - share.lower(error))

    @property
    def bare(self) -> int:
        """The requests of which nothing tells: of tasks that should have had audits, and have none; all where there is none at all."""
        if not self.audits:
            return self.rest
        tasks = self.by_task.values()
        chosen = self.audits / self.rest if self.rest else 0.0
        return sum([many for many, audits in tasks if not audits and many * chosen >= BY_CHANCE])

    def stretch(self, errors: JudgeErrors) -> float:
        """How many times as much a verdict counts once errors are taken out: those that a bound rests on.

        Which are the ones that were called bad, by whichever judge, and one more that may have been missed, by any of them.
        """
        out = sum([said.out for said in self.by_judge.values()])
        if not out:
            return 1.0
        times = {judge: 1.0 / errors[judge].power if judge in errors else 1.0 for judge in self.by_judge}
        average = sum([said.out * times[judge] for judge, said in self.by_judge.items()]) / out
        more = (self.bad.squares / self.bad.whole) ** 2
        squares = sum([said.squares for said in self.by_judge.values()]) + more
        seen = sum([said.squares * times[judge] ** 2 for judge, said in self.by_judge.items()])
        return sqrt((seen + more * average**2) / squares)

    def deviation(self, errors: JudgeErrors) -> float:
        """The standard deviation of how many are expected to be lost, since only some were audited."""
        powers = {judge: errors[judge].power if judge in errors else 1.0 for judge in self.by_judge}
        return self.each * sqrt(
            sum([said.squares / powers[judge] ** 2 for judge, said in self.by_judge.items()])
        )

    def pull(self, judge: str, errors: JudgeErrors) -> tuple[float, float]:
        """How many more are expected to be lost, on average, where chance makes either rate of a judge look one standard deviation higher.

        Its rates are known by these very verdicts, among others.
        """
        one, said = errors[judge], self.by_judge[judge]
        if not said.bad or self.kind not in one.influence:
            return 0.0, 0.0
        varies = self.each * said.bad * (1.0 - said.bad / said.out) / one.power
        hit, miss = one.influence[self.kind]
        return varies * hit / sqrt(one.hit_variance), varies * miss / sqrt(one.miss_variance)


def expected_losses(sides: Iterable[Side], errors: JudgeErrors) -> float:
    """How many requests of all sides are lost, as far as is known. No request is on two of them."""
    return max(0.0, sum([side.expected(errors) for side in sides]))


class Evidence(Struct, frozen=True):
    """As if there were so many times as many, that found the same."""

    audits: float = 1.0
    labels: float = 1.0


AS_IT_IS: Final = Evidence()


def most_lost(
    sides: Sequence[Side], errors: JudgeErrors, error: float, evidence: Evidence = AS_IT_IS
) -> float:
    """How many it may be at most, but with a chance of `error`. No request is on two of the sides."""
    more = sum_of_squares(sides, errors, error, evidence, more=True)
    return expected_losses(sides, errors) + sqrt(more) + sum([side.bare for side in sides])


def least_lost(
    sides: Sequence[Side], errors: JudgeErrors, error: float, evidence: Evidence = AS_IT_IS
) -> float:
    """How many it may be at least."""
    fewer = sum_of_squares(sides, errors, error, evidence, more=False)
    return expected_losses(sides, errors) - sqrt(fewer)


def sum_of_squares(
    sides: Sequence[Side], errors: JudgeErrors, error: float, evidence: Evidence, *, more: bool
) -> float:
    """How many more requests may be lost than is expected, or fewer: the square of it (MOVER for what is correlated, Zou 2008).

    Args:
        sides: where judges have judged.
        errors: as they are thought to be.
        error: with which chance there may be more.
        evidence: how much there is.
        more: or else fewer.
    """
    sure = deviations(error)
    reaches = [
        side.more(errors, error, evidence.audits) if more else -side.fewer(errors, error, evidence.audits)
        for side in sides
    ]
    total = sum([reach * reach for reach in reaches])
    # where an exact bound is further off than a normal one would be, the rest of it has nothing in common with a judge
    usual = [
        copysign(min(abs(reach) / deviation, sure / sqrt(evidence.audits)), reach) if deviation else 0.0
        for reach, deviation in zip(reaches, [side.deviation(errors) for side in sides], strict=True)
    ]
    for judge, one in errors.items():
        said = [(side, off) for side, off in zip(sides, usual, strict=True) if judge in side.by_judge]
        if not said:
            continue
        thought = sum([side.each * side.by_judge[judge].lost(one) for side, _ in said])
        far = sure / sqrt(evidence.labels)
        rates = others(one, far, more=more)
        hit, miss = [
            sum([side.each * side.by_judge[judge].lost(other) for side, _ in said]) - thought
            for other in rates
        ]
        total += hit * hit + miss * miss - 2.0 * correlation(one) * hit * miss
        # a rate that has come to its end there goes no further along with the audits
        hit *= share_of(abs(rates[0].hit - one.hit), far * sqrt(one.hit_variance))
        miss *= share_of(abs(rates[1].miss - one.miss), far * sqrt(one.miss_variance))
        for side, off in said:
            hits, misses = side.pull(judge, errors)
            total += 2.0 * off * (misses * miss - hits * hit)
    return max(0.0, total)


def share_of(part: float, whole: float) -> float:
    """Its share, where there is any."""
    return part / whole if whole else 1.0


def correlation(errors: Errors) -> float:
    """How far both rates of a judge are off together."""
    spread = sqrt(errors.hit_variance * errors.miss_variance)
    return errors.covariance / spread if spread else 0.0


def others(errors: Errors, sure: float, *, more: bool) -> tuple[Errors, Errors]:
    """The errors with either rate as far off as it may be, so that more requests are lost, or fewer.

    More are lost where a judge overlooks more bad answers than is thought, or calls fewer good ones bad.
    """
    hit, miss = sure * sqrt(errors.hit_variance), sure * sqrt(errors.miss_variance)
    if more:
        hit, miss = max(0.0, errors.hit - hit), min(1.0, errors.miss + miss)
    else:
        hit, miss = min(1.0, errors.hit + hit), max(0.0, errors.miss - miss)
    return replace(errors, hit=hit), replace(errors, miss=miss)


def span_of(share: Share, whole: float, error: float) -> Span:
    """A share of something."""
    return Span(whole * share.lower(error), whole * share.share, whole * share.upper(error))
