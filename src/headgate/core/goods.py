"""Quality, added up: how many requests are answered as well as the paid model would, before and after, and how sure that is.

A paid answer counts as good. An answer from home that was audited counts as what was found, the others by what the audits of their like
tell (`goodness`). All answers of one kind rest on the same audits, so they are kept together until the end: kinds that are as good
before as after cancel out of the change. Where no audit tells, the learned router may; where that cannot either, all may be good or none.
"""

from collections.abc import Iterable, Mapping
from math import sqrt

from msgspec import Struct

from headgate.core.goodness import NOBODY_KNOWS, PAID, ROUTER_OFF, Answered, Evidence, Good
from headgate.core.past import Past
from headgate.core.spans import ONE_SIDED, SURE, Reach, Span


class Quality(Struct, frozen=True, kw_only=True):
    """The share of requests whose delivered answer is as good as the paid model's: a paid one is, and of those from home audits tell."""

    before: Span
    """As it was, 0-1."""
    after: Span
    """Under the new settings."""
    sure: float
    """The lower end of a one-sided 95 % interval of `after`: at least this good, 95 % sure."""
    requests: float
    """Those that it is a share of: all but those whose callers left. One that nobody answered is not good."""
    paid: float
    """Of these, expected under the new settings: answered by a paid model."""
    audited: float
    """Answered at home, and this very answer was audited."""
    inferred: float
    """Answered at home, and audits of answers like it tell."""
    modelled: float
    """Answered at home, and only the learned router says how likely they are good."""
    unjudged: float
    """Answered at home, or nobody can tell where, and nobody knows how well: all of them may be good, or none."""


class Share(Struct, frozen=True):
    """Requests, a part of all that are alike, which end in one kind of answer."""

    answered: Answered | None
    """None is a paid answer."""
    requests: float
    good: Good
    audited: float = 0.0
    """Of them: this very answer was audited."""
    audited_good: float = 0.0

    @property
    def others(self) -> float:
        """Those that were not."""
        return self.requests - self.audited

    @property
    def expected(self) -> float:
        """How many are good."""
        return self.audited_good + self.others * self.good.share

    @property
    def variance(self) -> float:
        """Even with a known share, each answer is good or not by itself."""
        return 0.0 if self.good.bound else self.others * self.good.share * (1 - self.good.share)

    @property
    def bounds(self) -> tuple[float, float]:
        """How far what rests on no audit may be below and above what is expected."""
        if not self.good.bound:
            return 0.0, 0.0
        return self.others * (self.good.share - self.good.low), self.others * (
            self.good.high - self.good.share
        )


def share_of(one: Past, answered: Answered | None, chance: float, evidence: Evidence) -> Share:
    """The requests of one kind that end in such an answer.

    Args:
        one: these requests.
        answered: whose answer goes out; None is a paid model's.
        chance: that it does.
        evidence: what audits tell.
    """
    if answered is None:
        return Share(None, chance * one.requests, PAID)
    good = evidence.find(answered) or by_router(one, answered.model)
    audited = good_audited = 0
    if answered.then != "not asked":
        for found in one.found:
            if found.model == answered.model and found.good is not None:
                audited += found.audits
                good_audited += found.audits * found.good
    return Share(answered, chance * one.requests, good, chance * audited, chance * good_audited)


def by_router(one: Past, model: str) -> Good:
    """What the learned router expects of a model's answers; where it does not say, nobody knows."""
    chance = one.chances.get(model)
    if chance is None:
        return NOBODY_KNOWS
    return Good(chance, max(0.0, chance - ROUTER_OFF), min(1.0, chance + ROUTER_OFF), bound=True)


def nobody_can_tell(before: Iterable[Share], requests: float) -> Share:
    """Requests of which nobody can say where they would go: they move nothing that is expected, and may all be good, or none."""
    expected = sum([share.expected for share in before])
    return Share(None, requests, Good(expected / requests, 0.0, 1.0, bound=True))


class Side:
    """One side of the comparison, being added up: as it was, or as it would be."""

    def __init__(self) -> None:
        self.expected = self.variance = self.fall = self.rise = 0.0
        self.by_answer: dict[Answered, tuple[Good, float]] = {}
        self.paid = self.audited = self.inferred = self.modelled = self.unjudged = 0.0

    def add(self, share: Share) -> None:
        """Requests that end in one kind of answer."""
        good, others = share.good, share.others
        below, above = share.bounds
        self.expected += share.expected
        self.variance += share.variance
        self.fall += below
        self.rise += above
        self.audited += share.audited
        if good is PAID:
            self.paid += others
        elif good.bound:
            if good.low > 0.0 or good.high < 1.0:
                self.modelled += others
            else:
                self.unjudged += others
        elif share.answered is not None:
            self.inferred += others
            _, already = self.by_answer.get(share.answered, (good, 0.0))
            self.by_answer[share.answered] = good, others + already


class Goods:
    """Quality, being added up for some of the requests."""

    def __init__(self) -> None:
        self.requests = 0.0
        self.before, self.after = Side(), Side()
        self._variance = self._fall = self._rise = 0.0
        """Of the change: of the requests that end otherwise."""

    def take(self, requests: int, before: Iterable[Share], after: Iterable[Share], *, stays: bool) -> None:
        """Requests that ended so, and would end so; those that are in no share get no answer."""
        self.requests += requests
        for side, other, shares in ((self.before, -1, before), (self.after, 1, after)):
            for share in shares:
                side.add(share)
                if not stays:
                    below, above = share.bounds[::other]
                    self._variance += share.variance
                    self._fall += below
                    self._rise += above

    def change(self, reach: Reach) -> Span:
        """More requests that are answered well; `reach` is how far the unknown ways they take may lead it."""
        expected = self.after.expected - self.before.expected
        down, up = spread(self.by_both(), self._variance)
        low = expected - sqrt(down + reach.down) - reach.fall - self._fall
        high = expected + sqrt(up + reach.up) + reach.rise + self._rise
        return Span(max(-self.requests, low), expected, min(self.requests, high))

    def by_both(self) -> dict[Answered, tuple[Good, float]]:
        """Of each kind of answers, how many more there are than before."""
        both = dict(self.after.by_answer)
        for answered, (good, requests) in self.before.by_answer.items():
            both[answered] = good, (both[answered][1] if answered in both else 0.0) - requests
        return both

    def quality(self, reach: Reach) -> Quality:
        """The shares before and after."""
        after = self.after
        return Quality(
            before=self.as_share(self.before, Reach()),
            after=self.as_share(after, reach),
            sure=self.as_share(after, reach, ONE_SIDED).low,
            requests=self.requests,
            paid=after.paid,
            audited=after.audited,
            inferred=after.inferred,
            modelled=after.modelled,
            unjudged=after.unjudged,
        )

    def as_share(self, side: Side, reach: Reach, z: float = SURE) -> Span:
        """One side as a share of all requests."""
        many = self.requests
        if not many:
            return Span(0.0, 1.0, 1.0)
        down, up = spread(side.by_answer, side.variance)
        scale = z / SURE
        low = side.expected - scale * sqrt(down + reach.down) - reach.fall - side.fall
        high = side.expected + scale * sqrt(up + reach.up) + reach.rise + side.rise
        return Span(max(0.0, low / many), min(1.0, side.expected / many), min(1.0, high / many))


def spread(by_answer: Mapping[Answered, tuple[Good, float]], variance: float) -> tuple[float, float]:
    """The squares of how far a sum may be below and above what is expected (MOVER)."""
    chance = SURE * SURE * variance
    down = up = chance
    for good, requests in by_answer.values():
        below, above = requests * (good.share - good.low), requests * (good.high - good.share)
        down += (below if requests > 0 else above) ** 2
        up += (above if requests > 0 else below) ** 2
    return down, up
