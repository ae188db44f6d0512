"""What settings come to, by one part of the record: money, requests at home, and quality with bounds.

    weights = Weights(record, today, known);   weights.effect(policy) → Effect

Requests go where the policy sends them (`rerun`). What became of them there is observed where the answer is recorded. Requests that are
to come home and were never there are stood for by the audited ones among exactly those: these were repeated on the models at home, so
their scores are known, and whether they were good. Each audit stands for 1 / probability requests, and a bound is as wide as the
effective number of audits makes it. Audits of answers from home tell of what was and stays there, audits of fallbacks of what is to come.
What no audit tells of is on the safe side: a task of which none is to come home, and an answer of another model than was audited, may
all be wrong.

Settings differ little from each other, so a request is decided anew only where its route is another one. That makes a search cheap.
"""

from collections.abc import Iterable, Mapping
from math import sqrt

from msgspec import Struct

from headgate.core.bounds import Sample, Share
from headgate.core.past import Asked, Found, Past, longest_asked
from headgate.core.policy import AGENT, Policy, is_auto, match
from headgate.core.rerun import Rerun, Step, Unknown, rerun, signals_under
from headgate.core.settings import named
from headgate.core.spans import Span
from headgate.core.types import Model

ERROR = 0.05
"""How often a one-sided bound may be wrong."""


BY_CHANCE = 3.0
"""Audits that a task must have been expected to have before it is no chance that it has none: exp(-3) is 5 %."""


class Record(Struct, frozen=True, kw_only=True):
    """One part of what was recorded. No request is in two parts."""

    past: tuple[Past, ...]
    """With what their audits found."""
    weeks: float = 1.0
    """How long it took."""

    @property
    def requests(self) -> int:
        """All of them."""
        return sum([one.requests for one in self.past])

    @property
    def audits(self) -> int:
        """Those with a clear verdict."""
        return sum([found.audits for one in self.past for found in one.found if found.good is not None])


class Effect(Struct, frozen=True, kw_only=True):
    """What some settings come to, as one part of the record says. Ends are one-sided 95 % bounds each."""

    requests: int
    """Answered, without what was embedded."""
    weeks: float
    home_before: float
    """Share of requests answered at home as it is recorded, 0-1."""
    home: Span
    """The same under these settings."""
    dollars_before: float
    """A week, as far as costs are known."""
    dollars: Span
    """A week, more or (below zero) fewer. Cash: what is paid to providers, without energy."""
    quality: Span
    """Under these settings, 0-1."""
    moved: int
    """Requests that may be answered by another model than they were."""
    modelled: int
    """Of these: nobody has seen what the other model answers, and audits stand for them."""
    audits: int
    """Audits that it rests on."""
    audits_moved: int
    """Of these: of requests that may be answered by another model."""
    unpriced: int
    """Of those that move: what they cost, or would cost, is unknown, and not in the dollars."""


class Went(Struct, frozen=True, gc=False):
    """Where the requests of one kind go."""

    home: bool = False
    """At home: surely, or perhaps where nobody has seen it."""
    sure: bool = True
    """Whether it is recorded, or else a matter of no chance."""
    same: bool = True
    """Whether the same model answers as is recorded."""
    dollars: float | None = 0.0
    """What they cost together; where they may come home, what they cost as long as none does. None is unknown."""
    audits: tuple[tuple[Found, bool], ...] = ()
    """The audits that tell, and whether their answer goes out."""


class Weights:
    """A part of the record, ready to be weighed under many settings.

    Args:
        record: the requests, with their audits.
        today: the settings in force.
        known: the models as they were described then.
    """

    def __init__(self, record: Record, today: Policy, known: Mapping[str, Model] = {}) -> None:
        self.today, self.weeks = today, record.weeks
        self.models = {**known, **today.models}
        self.past = [one for one in record.past if one.example.model in self.models and is_chat(one)]
        self.longest = longest_asked(record.past)
        self.was_home = [self.models[one.example.model or ""].local for one in self.past]
        self.requests = sum([one.requests for one in self.past])
        self.costs = [one.cost for one in self.past]
        self._alike, self._asked = by_what_was_asked(self.past)
        self._went: list[dict[object, Went]] = [{} for _ in self.past]

    def effect(self, policy: Policy, error: float = ERROR, evidence: float = 1.0) -> Effect:
        """What these settings come to.

        Args:
            policy: the settings.
            error: how often each bound may be wrong.
            evidence: as if there were so many times as many audits that found the same.
        """
        sums = Sums()
        keys = [what_decides(one, policy) for one in self._asked]
        for index, one in enumerate(self.past):
            went = self.went(index, policy, keys[self._alike[index]])
            sums.add(one, went, cost=self.costs[index], was_home=self.was_home[index])
        return sums.effect(self.requests, self.weeks, error, evidence)

    def went(self, index: int, policy: Policy, key: object) -> Went:
        """Where the requests of one kind go; `key` is what of the policy decides it."""
        one = self.past[index]
        went = self._went[index].get(key)
        if went is None:
            found = rerun(one, policy, self.today, self.longest)
            went = self._went[index][key] = self._follow(one, found)
        return went

    def _follow(self, one: Past, found: Rerun | Unknown) -> Went:
        """Where a rerun leads. What nobody can tell is as it was, and so is what a policy that has changed since decided."""
        model = one.example.model or ""
        home = self.models[model].local
        if isinstance(found, Unknown) or found.stays or not found.steps:
            return Went(home=home, dollars=one.cost, audits=told(one, model) if home else ())
        unseen: list[Step] = []
        spent: float | None = 0.0
        for step in found.steps:
            if isinstance(step.passes, Asked) and self.models[step.model].local:
                unseen.append(step)
                continue
            spent = None if spent is None or step.cost is None else spent + step.cost
            if isinstance(step.passes, Asked) or step.passes:
                return self._end(one, unseen, step.model, spent)
        last = found.steps[-1]
        return self._end(one, unseen[:-1] if last in unseen else unseen, last.model, spent)

    def _end(self, one: Past, unseen: list[Step], model: str, spent: float | None) -> Went:
        """An end: what a model answers for certain, unless one that nobody has seen is asked before it and does."""
        same, home = model == one.example.model, self.models[model].local
        if not unseen:
            return Went(home=home, same=same, dollars=spent, audits=told(one, model) if home else ())
        asked = {named(step.model): step.passes for step in unseen if isinstance(step.passes, Asked)}
        audits = [
            (found, found.score is None or found.score >= asked[named(found.model)].pass_at)
            for found in one.found
            if named(found.model) in asked
        ]
        if home:  # whoever answers, it is one at home; of whom there are no audits, nothing is known
            audits = [(found, True) for found, _ in audits] or list(told(one, model))
        return Went(home=True, sure=home, same=False, dollars=spent, audits=tuple(audits))


def by_what_was_asked(past: Iterable[Past]) -> tuple[list[int], list[Past]]:
    """Requests that only differ in what was answered are decided alike: for each its place among those that differ, and these."""
    places: dict[object, int] = {}
    different: list[Past] = []
    alike = []
    for one in past:
        outcome = one.example
        signals = outcome.signals
        asked = (
            outcome.asked,
            signals.task,
            signals.task_confidence,
            signals.task_by,
            signals.tokens,
            signals.format,
            signals.language,
        )
        if asked not in places:
            places[asked] = len(different)
            different.append(one)
        alike.append(places[asked])
    return alike, different


def told(one: Past, model: str) -> tuple[tuple[Found, bool], ...]:
    """The audits of an answer that goes out."""
    return tuple([(found, True) for found in one.found if named(found.model) == named(model)])


def is_chat(one: Past) -> bool:
    """Whether the requests had answers: an embedding is neither good nor bad."""
    return one.example.signals.task != "embedding"


def what_decides(one: Past, policy: Policy) -> object:
    """All of a policy on which it depends where requests of this kind go."""
    outcome = one.example
    signals = signals_under(policy, outcome.signals)
    last = policy.routes[-1]
    common = (last.pass_at, last.chain)
    if isinstance(signals, Unknown):
        return None
    if not is_auto(outcome.asked):
        return common
    route, _ = match(policy, "chat", signals)
    thresholds = (outcome.asked.startswith(AGENT), signals.task)
    return (route.name, route.chain, route.pass_at, *common, *thresholds)


class Sums:
    """What is added up, kind by kind."""

    def __init__(self) -> None:
        self.home_before = self.home = self.paid = self.dollars = 0.0
        self.moved = self.modelled = self.unpriced = 0
        self.stays, self.comes, self.perhaps = Side(), Side(), Side()
        self.perhaps_home, self.perhaps_paid = Sample(), Sample()
        self.perhaps_dollars = 0.0

    def add(self, one: Past, went: Went, *, cost: float | None, was_home: bool) -> None:
        """The requests of one kind, and what they cost as it was."""
        many = one.requests
        self.home_before += many * was_home
        self.paid += cost or 0.0
        if not went.same or not went.sure:
            self.moved += many
            self.unpriced += many * (cost is None or went.dollars is None)
        if cost is not None and went.dollars is not None:
            self.dollars += went.dollars - cost
        if not went.home:
            return
        side = self.perhaps if not went.sure else self.stays if was_home and went.same else self.comes
        side.add(one, went.audits)
        if went.sure:
            self.home += many
            return
        self.modelled += many
        dollars = went.dollars or 0.0
        self.perhaps_dollars += dollars
        for found, goes_out in went.audits:
            self.perhaps_home.add(found, goes_out)
            self.perhaps_paid.add(found, goes_out, dollars / many)

    def effect(self, requests: int, weeks: float, error: float, evidence: float) -> Effect:
        """All that was added."""
        many, sides = max(requests, 1), (self.stays, self.comes, self.perhaps)
        losses = [side.loss(error, evidence) for side in sides]
        lost = sum([loss.expected for loss in losses])
        more = lost + sqrt(sum([(loss.high - loss.expected) ** 2 for loss in losses]))
        fewer = lost - sqrt(sum([(loss.expected - loss.low) ** 2 for loss in losses]))
        home = span_of(self.perhaps_home.share(evidence), self.perhaps.requests, error)
        saved = span_of(self.perhaps_paid.share(evidence), self.perhaps_dollars, error)
        return Effect(
            requests=requests,
            weeks=weeks,
            home_before=self.home_before / many,
            home=Span(*[(self.home + end) / many for end in (home.low, home.expected, home.high)]),
            dollars_before=self.paid / weeks,
            dollars=Span(*[(self.dollars - end) / weeks for end in (saved.high, saved.expected, saved.low)]),
            quality=Span(max(0.0, 1 - more / many), 1 - lost / many, min(1.0, 1 - fewer / many)),
            moved=self.moved,
            modelled=self.modelled,
            audits=sum([side.audits for side in sides]),
            audits_moved=self.comes.audits + self.perhaps.audits,
            unpriced=self.unpriced,
        )


class Side:
    """Requests that are, or may be, answered at home, and the audits that tell how well."""

    def __init__(self) -> None:
        self.requests = self.audits = 0
        self.bad = Sample()
        self.by_task: dict[str, list[int]] = {}

    def add(self, one: Past, audits: Iterable[tuple[Found, bool]]) -> None:
        """The requests of one kind."""
        self.requests += one.requests
        task = self.by_task.setdefault(one.example.signals.task or "", [0, 0])
        task[0] += one.requests
        for found, goes_out in audits:
            if found.good is not None:
                self.audits += found.audits
                task[1] += found.audits
                self.bad.add(found, goes_out and not found.good)

    def loss(self, error: float, evidence: float) -> Span:
        """Requests that are answered less well than the paid model would have."""
        share = self.bad.share(evidence)
        chosen = self.audits / self.requests if self.requests else 0.0
        bare = sum(
            [many for many, audits in self.by_task.values() if not audits and many * chosen >= BY_CHANCE]
        )
        told = span_of(share, self.requests - bare, error)
        return Span(told.low, told.expected + bare * share.share, told.high + bare)


def span_of(share: Share, whole: float, error: float) -> Span:
    """A share of something."""
    return Span(whole * share.lower(error), whole * share.share, whole * share.upper(error))
