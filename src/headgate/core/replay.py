"""Replay: what recorded requests would have come to under other settings.

    replay(past, policy, today, known, interval) → Replayed

Each kind of recorded requests is decided anew (`rerun`), by the settings in force and by the new ones; where these differ, what is
different from what was recorded is added up (`tallies`): requests that would come
home or go to the cloud, and dollars. Where a request meets only models that it met, the figures are exact. Where it meets others,
they rest on these models' recorded rates and on the tokens that were recorded, and lie between two ends. What nobody can tell is
counted apart and moves nothing that is expected; but of its quality nobody can be sure. No model is called; this module reads nothing. `docs/replay.md` is the method for people.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.goodness import Answered, Evidence, Good, answer_at, recorded_answer
from headgate.core.goods import Share, nobody_can_tell, share_of
from headgate.core.past import (
    LONG,
    SHORT,
    Asked,
    Interval,
    Longest,
    Past,
    Rate,
    Rates,
    broke_off,
    is_near,
    longest_asked,
)
from headgate.core.policy import Policy
from headgate.core.rerun import NOT_TOLD, End, Rerun, Unknown, ends, rates_needed, rerun, went_out
from headgate.core.tallies import Figures, Part, Sum, Tally
from headgate.core.types import Model


class Move(Struct, frozen=True, kw_only=True):
    """Requests that take another way."""

    route: str
    model: str | None
    to_route: str
    to_model: str | None
    requests: float
    """Expected."""


class Replayed(Struct, frozen=True, kw_only=True):
    """A recorded time under other settings."""

    all: Tally
    by_route: Mapping[str, Tally]
    """By the route that was recorded."""
    by_task: Mapping[str, Tally]
    """By the recorded task; "" is no evidence."""
    moves: tuple[Move, ...]
    """The ways that would be others, those of most requests first."""
    rates: Mapping[Asked, Rate]
    """The rates that the estimates rest on."""
    goods: Mapping[Answered, Good]
    """How good the answers from home are, as far as audits tell."""
    unknown: Mapping[str, int]
    """Why nobody can tell, and of how many requests."""
    drifted: int
    """Requests that today's settings would treat otherwise than they were recorded already: the config has changed since."""


def replay(
    past: Iterable[Past], policy: Policy, today: Policy, known: Mapping[str, Model], interval: Interval
) -> Replayed:
    """Replay recorded requests.

    Args:
        past: what was recorded.
        policy: the settings to replay.
        today: the settings that are in force.
        known: the models as they were described then, for those that are in no config any more.
        interval: says how sure a rate is (`core.intervals.wilson`).
    """
    past, longest = tuple(past), longest_asked(past)
    evidence = Evidence(interval)
    reruns = [Rerunning(one, policy, today, longest) for one in past]
    for each in reruns:
        evidence.take_in(each.one, each.found)
    rates = Rates(past, interval, evidence.passing)
    models = {**known, **policy.models}
    replaying = Replaying(policy, today, models, rates=rates, evidence=evidence, longest=longest)
    for each in reruns:
        replaying.take(each)
    return replaying.result()


class Rerunning:
    """One kind of requests, decided anew by the settings in force and by the new ones."""

    __slots__ = ("found", "one", "unmoved")

    def __init__(self, one: Past, policy: Policy, today: Policy, longest: Longest) -> None:
        self.one = one
        self.unmoved = rerun(one, today, today, longest)
        self.found = rerun(one, policy, today, longest)


class Replaying:
    """A replay under way.

    Args:
        policy: the settings to replay.
        today: the settings that are in force.
        models: all that are named.
        rates: how often their answers pass.
        evidence: how good they are.
        longest: what each model was asked.
    """

    def __init__(
        self,
        policy: Policy,
        today: Policy,
        models: Mapping[str, Model],
        *,
        rates: Rates,
        evidence: Evidence,
        longest: Longest,
    ) -> None:
        self.evidence, self.longest = evidence, longest
        self.policy, self.today, self.models, self.rates = policy, today, models, rates
        self.all = Sum()
        self.by_route: dict[str, Sum] = {}
        self.by_task: dict[str, Sum] = {}
        self.moves: dict[tuple[str, str | None, str, str | None], float] = {}
        self.unknown: dict[str, int] = {}
        self.used: dict[Asked, Rate] = {}
        self.drifted = 0
        self.new_limits = tuple(set(policy.token_limits) - set(today.token_limits))

    def take(self, each: Rerunning) -> None:
        """One kind of requests."""
        one, found, unmoved = each.one, each.found, each.unmoved
        outcome, requests = one.example, one.requests
        route, task = outcome.decision.route, outcome.signals.task or ""
        sums = (self.all, self.by_route.setdefault(route, Sum()), self.by_task.setdefault(task, Sum()))
        for sum_ in sums:
            sum_.count("requests", requests)
            sum_.count("home_before", requests * self.is_home(outcome.model))
            sum_.paid += one.cost or 0.0
        if isinstance(unmoved, Rerun) and (unmoved.route != route or not unmoved.stays):
            self.drifted += requests
        if found == unmoved and found != NOT_TOLD and not tuple(self.others(one, found)):
            counted = ["unchanged"]
            self.keep(one, found, sums)
        else:
            counted = self.judge(one, found, sums)
        for sum_ in sums:
            for what in counted:
                sum_.count(what, requests)

    def judge(self, one: Past, found: Rerun | Unknown, sums: tuple[Sum, ...]) -> list[str]:
        """What comes of requests that the new settings touch; what they are counted as."""
        why = found.why if isinstance(found, Unknown) else self.what_is_missing(found)
        if why or isinstance(found, Unknown):
            self.unknown[why] = self.unknown.get(why, 0) + one.requests
            before = self.before(one, found)
            self.take_goods(one, before, (nobody_can_tell(before, one.requests),), sums, stays=False)
            return ["unknown"]
        return self.weigh(one, found, sums)

    def keep(self, one: Past, found: Rerun | Unknown, sums: tuple[Sum, ...]) -> None:
        """Requests that end as they did: they are as good as they were."""
        before = self.before(one, found)
        self.take_goods(one, before, before, sums, stays=True)

    def take_goods(
        self,
        one: Past,
        before: tuple[Share, ...],
        after: tuple[Share, ...],
        sums: tuple[Sum, ...],
        *,
        stays: bool,
    ) -> None:
        """Add how good requests are, unless their callers left without an answer to judge."""
        if not broke_off(one.example):
            for sum_ in sums:
                sum_.goods.take(one.requests, before, after, stays=stays)

    def before(self, one: Past, found: Rerun | Unknown) -> tuple[Share, ...]:
        """How good these requests were."""
        model = one.example.model
        if model is None:
            return ()
        answered = recorded_answer(one, found, model) if self.is_home(model) else None
        return (share_of(one, answered, 1.0, self.evidence),)

    def after(self, one: Past, found: Rerun, answered: Iterable[End]) -> tuple[Share, ...]:
        """How good they would be."""
        return tuple(
            [
                share_of(
                    one,
                    answer_at(one, found, end) if self.is_home(end.model) else None,
                    end.chance,
                    self.evidence,
                )
                for end in answered
                if end.model is not None
            ]
        )

    def what_is_missing(self, found: Rerun) -> str:
        """The rate that nobody knows, as a sentence; "" where all are known."""
        for asked in () if found.stays else rates_needed(found):
            rate = self.rates.find(asked)
            if rate is None:
                return f"{asked.model} was never asked for {asked.task or 'what has no task'}"
            self.used[asked] = rate
        return ""

    def weigh(self, one: Past, found: Rerun, sums: tuple[Sum, ...]) -> list[str]:
        """Add what these requests come to; what they are counted as."""
        others = tuple(self.others(one, found))
        counted = [kind_of(one, found), *flips(one, found)]
        answered: tuple[End, ...]
        if found.stays:
            self.keep(one, found, sums)
            answered = (End(1.0, one.example.model, one.cost),)
            expected = variance = Figures()
            at_ends: dict[Asked, tuple[Figures, ...]] = {}
            ways = [Figures()]
        else:
            answered = ends(found, self.share)
            self.take_goods(one, self.before(one, found), self.after(one, found, answered), sums, stays=False)
            expected, variance = self.figures(one, found, answered)
            at_ends = {asked: self.at_ends(one, found, asked) for asked in rates_needed(found)}
            possible = ends(found, lambda _: 0.5)
            ways = [self.figures(one, found, (replace(end, chance=1.0),))[0] for end in possible]
            if one.cost is None or any(end.cost is None for end in answered):
                counted.append("unpriced")
        part = Part(
            expected=expected,
            variance=variance,
            by_rate={asked: figures for asked, figures in at_ends.items() if not self.used[asked].bound},
            ways=(*ways, *others),
            bounds=(others, *[figures for asked, figures in at_ends.items() if self.used[asked].bound]),
        )
        if others:
            counted.append("unsure")
        for sum_ in sums:
            sum_.add(part)
        self.note(one, found.route, answered)
        return counted

    def figures(self, one: Past, found: Rerun, answered: Iterable[End]) -> tuple[Figures, Figures]:
        """What these requests come to, and the variances of that: each request ends by itself."""
        answered = tuple(answered)
        was_home = self.is_home(one.example.model)
        was_cloud = one.example.model is not None and not was_home
        many = one.requests
        home = sum([end.chance for end in answered if self.is_home(end.model)])
        cloud = sum([end.chance for end in answered if end.model is not None and not self.is_home(end.model)])
        dollars = spread = 0.0
        costs = [(end.chance, end.cost) for end in answered if end.cost is not None]
        if one.cost is not None and len(costs) == len(answered):
            mean = sum([chance * cost for chance, cost in costs])
            dollars = mean - one.cost
            spread = sum([chance * (cost - mean) ** 2 for chance, cost in costs]) / many
        good = 0.0
        if not broke_off(one.example):
            good = sum([share.expected for share in self.after(one, found, answered)])
            good -= sum([share.expected for share in self.before(one, found)])
        return (
            Figures(
                home=many * (home - was_home),
                to_home=0.0 if was_home else many * home,
                to_cloud=0.0 if was_cloud else many * cloud,
                dollars=dollars,
                good=good,
            ),
            Figures(
                home=many * home * (1 - home),
                to_home=0.0 if was_home else many * home * (1 - home),
                to_cloud=0.0 if was_cloud else many * cloud * (1 - cloud),
                dollars=spread,
            ),
        )

    def at_ends(self, one: Past, found: Rerun, asked: Asked) -> tuple[Figures, Figures]:
        """What they come to with one rate at its lower and at its upper end."""
        rate = self.used[asked]

        def with_rate(share: float) -> Figures:
            answered = ends(found, lambda which: share if which == asked else self.share(which))
            return self.figures(one, found, answered)[0]

        return with_rate(rate.low), with_rate(rate.high)

    def others(self, one: Past, found: Rerun | Unknown) -> Iterable[Figures]:
        """What they come to if their prompts are as short, or as long, as a guess allows; nothing where that is all the same."""
        signals = one.example.signals
        if signals.tokens_exact or not is_near(signals.tokens, self.new_limits):
            return
        for factor in (SHORT, LONG):
            other = rerun(one, self.policy, self.today, self.longest, round(signals.tokens * factor))
            if (
                isinstance(other, Unknown)
                or isinstance(found, Unknown)
                or other.route == found.route
                or self.what_is_missing(other)
            ):
                continue
            yield Figures() if other.stays else self.figures(one, other, ends(other, self.share))[0]

    def note(self, one: Past, route: str, answered: Iterable[End]) -> None:
        """Note the ways that are others than they were."""
        before = one.example.decision.route, one.example.model
        for end in answered:
            if (route, end.model) != before:
                way = (*before, route, end.model)
                self.moves[way] = self.moves.get(way, 0.0) + end.chance * one.requests

    def share(self, asked: Asked) -> float:
        """A model's rate, as it was counted."""
        return self.used[asked].share

    def is_home(self, model: str | None) -> bool:
        """Whether a model is one of the user's own."""
        return model is not None and model in self.models and self.models[model].local

    def result(self) -> Replayed:
        """All that was added up."""
        moves = [
            Move(route=way[0], model=way[1], to_route=way[2], to_model=way[3], requests=many)
            for way, many in self.moves.items()
        ]
        return Replayed(
            all=self.all.tally(),
            by_route={name: sum_.tally() for name, sum_ in self.by_route.items()},
            by_task={name: sum_.tally() for name, sum_ in self.by_task.items()},
            moves=tuple(sorted(moves, key=lambda move: -move.requests)),
            rates=self.used,
            goods=self.evidence.told,
            unknown=self.unknown,
            drifted=self.drifted,
        )


def kind_of(one: Past, found: Rerun) -> str:
    """How much is known of what becomes of these requests."""
    if found.stays:
        return "unchanged" if found.route == one.example.decision.route else "exact"
    guessed = any(step.recorded is None or not isinstance(step.passes, bool) for step in found.steps)
    return "estimated" if guessed else "exact"


def flips(one: Past, found: Rerun) -> list[str]:
    """Whether an answer that was rejected would pass now, or the reverse."""
    flipped = set()
    for index, attempt in enumerate(one.example.attempts):
        step = next((step for step in found.steps if step.recorded is attempt), None)
        if step is not None and isinstance(step.passes, bool) and step.passes != went_out(one.example, index):
            flipped.add("now_passing" if step.passes else "now_rejected")
    return sorted(flipped)
