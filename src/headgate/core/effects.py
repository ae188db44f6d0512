"""What settings come to, by one part of the record: money, requests at home, and quality with bounds.

    weights = Weights(record, today, known);   weights.effect(policy) → Effect

Requests go where the policy sends them (`rerun`). What became of them there is observed where the answer is recorded. Requests that are
to come home and were never there are stood for by the audited ones among exactly those: these were repeated on the models at home, so
their scores are known, and whether they were good. Each audit stands for 1 / probability requests, and a bound is as wide as the
effective number of audits makes it. Audits of answers from home tell of what was and stays there, audits of fallbacks of what is to come.
What no audit tells of is on the safe side: a task of which none is to come home, and an answer of another model than was audited, may
all be wrong. How it is added up: `sums`.

Settings differ little from each other, so a request is decided anew only where its route is another one, and a kind of requests added up
anew only where anything that may touch it has changed. That makes a search cheap.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from headgate.core.cascade import passes_with
from headgate.core.losses import AS_IT_IS, BELIEVED, Evidence, JudgeErrors
from headgate.core.past import Asked, Found, Past, longest_asked
from headgate.core.policy import AGENT, Policy, is_auto, match
from headgate.core.rerun import Step, Unknown, rerun, signals_under
from headgate.core.settings import named
from headgate.core.sums import Effect, Glance, Money, Sums, Went, Whole
from headgate.core.types import Model

ERROR = 0.05
"""How often a one-sided bound may be wrong."""


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
        """Those that chance chose, with a clear verdict."""
        return sum([found.audits for one in self.past for found in one.found if found.tells])


class Weights:
    """A part of the record, ready to be weighed under many settings.

    Args:
        record: the requests, with their audits.
        today: the settings in force.
        known: the models as they were described then.
        errors: of the judges, as labels tell; one of whom they tell nothing is taken at its word.
    """

    def __init__(
        self,
        record: Record,
        today: Policy,
        known: Mapping[str, Model] = {},
        errors: JudgeErrors = BELIEVED,
    ) -> None:
        self.today, self.errors = today, errors
        self.models = {**known, **today.models}
        self.past = [one for one in record.past if one.example.model in self.models and is_chat(one)]
        self.longest = longest_asked(record.past)
        self.requests = sum([one.requests for one in self.past])
        self._in_force = {id(one): self._follow(one, today) for one in self.past}
        self.unpriced = self._unpriced()
        self._whole = Whole(
            self.requests,
            record.weeks,
            self._dollars_in_force() / record.weeks,
            sum(self.unpriced.values()),
        )
        self._kinds = [Kind(past) for past in together(self.past, kind_of)]

    def effect(self, policy: Policy, error: float = ERROR) -> Effect:
        """What these settings come to.

        Args:
            policy: the settings.
            error: how often each bound may be wrong.
        """
        return self._add_up(policy).effect(self._whole, self.errors, error)

    def glance(self, policy: Policy, error: float = ERROR, evidence: Evidence = AS_IT_IS) -> Glance:
        """What a search looks at of that: it takes a third of the time.

        Args:
            policy: the settings.
            error: how often the bound may be wrong.
            evidence: how much there is.
        """
        return self._add_up(policy).glance(self._whole, self.errors, error, evidence)

    def _dollars_in_force(self) -> float:
        """What all requests would have cost under the settings in force, as is expected."""
        money = Money()
        for one in self.past:
            went = self._in_force[id(one)]
            if one.cost is not None and went.dollars is not None:
                money.add(one.requests, went, Went())
        return money.expected

    def _unpriced(self) -> dict[str, int]:
        """How many requests there are whose cost is unknown, as it is recorded or under the settings in force, by the model that is to blame."""
        found: dict[str, int] = {}
        for one in self.past:
            went = self._in_force[id(one)]
            if one.cost is not None and went.dollars is not None:
                continue
            asked = [
                attempt.model
                for attempt, cost in zip(one.example.attempts, one.costs, strict=True)
                if cost is None
            ]
            model = named(asked[-1] if asked else went.model)
            found[model] = found.get(model, 0) + one.requests
        return found

    def _add_up(self, policy: Policy) -> Sums:
        """All requests under these settings."""
        sums = Sums()
        held = [model for model in policy.models.values() if model.held_to_confidence]
        for kind in self._kinds:
            key = what_may_decide(kind.example, policy, held)
            if key not in kind.known:
                kind.known[key] = self._add_up_kind(kind, policy, held)
            sums.take(kind.known[key])
        return sums

    def _add_up_kind(self, kind: "Kind", policy: Policy, held: list[Model]) -> Sums:
        """The requests of one kind under these settings."""
        sums = Sums()
        for alike, known in kind.parts:
            key = what_decides(alike[0], policy, held)
            if key not in known:
                known[key] = self._sum(alike, policy)
            sums.take(known[key])
        return sums

    def _sum(self, alike: Iterable[Past], policy: Policy) -> Sums:
        """What requests that are decided alike come to."""
        sums = Sums()
        for one in alike:
            went = self._follow(one, policy)
            was_home = self.models[one.example.model or ""].local
            sums.add(one, went, self._in_force[id(one)], self.errors, was_home=was_home)
        return sums

    def _follow(self, one: Past, policy: Policy) -> Went:
        """Where requests go under some settings. What nobody can tell is as it was, and so is what a policy that has changed since decided."""
        found = rerun(one, policy, self.today, self.longest)
        model = one.example.model or ""
        home = self.models[model].local
        if isinstance(found, Unknown) or found.stays or not found.steps:
            known, audits = not isinstance(found, Unknown), told(one, model) if home else ()
            return Went(model, home=home, told=known, dollars=one.cost, audits=audits)
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
            return Went(model, home=home, same=same, dollars=spent, audits=told(one, model) if home else ())
        if home:  # whoever answers, it is one at home; of whom there are no audits, nothing is known
            asked = {named(step.model) for step in unseen if as_audited(step) is not None}
            audits = tuple([(found, True) for found in one.found if named(found.model) in asked])
            return Went(model, home=True, same=False, dollars=spent, audits=audits)
        audited = [(found, goes_out(found, unseen)) for found in one.found]
        # of an answer from home an audit compares what was recorded, and asks no other model there
        anew = not self.models[one.example.model or ""].local
        return Went(
            model,
            home=True,
            sure=False,
            same=False,
            dollars=spent,
            audits=tuple([(found, out) for found, out in audited if out is not None]),
            others=tuple([found for found, out in audited if out is None and anew]),
        )


def goes_out(found: Found, unseen: Iterable[Step]) -> bool | None:
    """Whether the answer that an audit compared goes out where these models are asked in turn; None where another one at home may.

    False says that none at home does: all of them have answered, and none well enough.
    """
    known = {**{named(model): score for model, score in found.rejected}, named(found.model): found.score}
    for step in unseen:
        name, asked = named(step.model), as_audited(step)
        if asked is None or name not in known:
            return None
        if passes_with(known[name], asked.pass_at):
            return True if name == named(found.model) else None
    return False


def as_audited(step: Step) -> Asked | None:
    """What is asked of a model, where the score that an audit has kept is of the same: as much confidence as was wanted then."""
    asked = step.passes
    return asked if isinstance(asked, Asked) and asked.least is None else None


class Kind:
    """Requests that only differ in how long they are, in how sure their task is, and in what was answered.

    Args:
        past: these requests.
    """

    __slots__ = ("example", "known", "parts")

    def __init__(self, past: list[Past]) -> None:
        self.example = past[0]
        self.known: dict[object, Sums] = {}
        """What they come to, by what decides it (`what_may_decide`), as far as it was asked for."""
        self.parts: list[tuple[list[Past], dict[object, Sums]]] = [
            (alike, {}) for alike in together(past, length_of)
        ]
        """Those that only differ in what was answered, which are decided alike; with the same of them (`what_decides`)."""


def together(past: Iterable[Past], key: Callable[[Past], object]) -> list[list[Past]]:
    """The requests that have the same key, put together."""
    found: dict[object, list[Past]] = {}
    for one in past:
        found.setdefault(key(one), []).append(one)
    return list(found.values())


def kind_of(one: Past) -> object:
    """What makes requests one kind."""
    outcome = one.example
    signals = outcome.signals
    return (outcome.asked, signals.task, signals.task_by, signals.format, signals.language)


def length_of(one: Past) -> object:
    """What makes requests of one kind decided alike."""
    signals = one.example.signals
    return (signals.tokens, signals.task_confidence)


def told(one: Past, model: str) -> tuple[tuple[Found, bool], ...]:
    """The audits of an answer that goes out."""
    return tuple([(found, True) for found in one.found if named(found.model) == named(model)])


def is_chat(one: Past) -> bool:
    """Whether the requests had answers: an embedding is neither good nor bad."""
    return one.example.signals.task != "embedding"


def what_may_decide(one: Past, policy: Policy, held: Iterable[Model]) -> object:
    """The same as `what_decides`, however long the requests are and however sure their task is: a search changes little of it at a time."""
    task = one.example.signals.task
    routes = [
        (route.name, route.tokens_over, route.tokens_under, route.chain, route.pass_at)
        for route in policy.routes
        if route.tasks is None or task in route.tasks or route is policy.routes[-1]
    ]
    wanted = [(model.name, model.confidence, model.least_confidence(task)) for model in held]
    return (policy.task_confidence, *routes, *wanted)


def what_decides(one: Past, policy: Policy, held: Iterable[Model]) -> object:
    """All of a policy on which it depends where requests of this kind go; `held` are its models of which confidence is wanted."""
    outcome = one.example
    signals = signals_under(policy, outcome.signals)
    last = policy.routes[-1]
    if isinstance(signals, Unknown):
        return None
    common = (last.pass_at, last.chain, *[model.least_confidence(signals.task) for model in held])
    if not is_auto(outcome.asked):
        return common
    route, _ = match(policy, "chat", signals)
    thresholds = (outcome.asked.startswith(AGENT), signals.task)
    return (route.name, route.chain, route.pass_at, *common, *thresholds)
