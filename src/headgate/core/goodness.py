"""How good the answers of models at home are, as far as audits tell: of answers that passed, of rejected ones, of those never given.

    evidence = Evidence(interval)           take_in(past, rerun) for each kind of requests
    evidence.find(Answered("small", "chat", "accepted", now=True)) → Good | None

Audits are chosen by known chances. One that was chosen with probability p stands for itself and for 1 / p - 1 others that were not
chosen; so what is known of those that nobody audited is weighed by that. Where a setting would ask a model that was not asked, the
audits of exactly those requests that it would be asked tell how it does there: whether its answers would pass, and how good they are.
What many requests add up to is said by `goods`.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from headgate.core.cascade import passes, passes_with
from headgate.core.past import Asked, Found, Interval, Past
from headgate.core.rerun import End, Rerun, Unknown
from headgate.core.types import Attempt
from headgate.core.words import Task

ENOUGH = 20
"""Audits of answers that some settings pass, or reject, from which on they are told apart from all that were accepted, or rejected."""

ROUTER_OFF = 0.1
"""How far the learned router may be off, up or down: twice the calibration error that it is allowed."""

Then = Literal["accepted", "rejected", "not asked"]
"""What became of a model's answer as it is recorded."""


class Answered(Struct, frozen=True):
    """Whose answers: a model's for a task, by what became of them, and what would."""

    model: str
    task: Task | None
    then: Then
    now: bool | None
    """Whether they pass under the new settings; None where that does not matter, or nobody looks at them."""


class Good(Struct, frozen=True):
    """How many answers are as good as the paid model's, with a 95 % interval."""

    share: float
    low: float
    high: float
    audits: int = 0
    """It rests on so many; 0 is the learned router, or nothing."""
    bound: bool = False
    """Whether its ends are what cannot be excluded, and not a matter of chance."""


NOBODY_KNOWS = Good(0.5, 0.0, 1.0, bound=True)

PAID = Good(1.0, 1.0, 1.0)
"""By definition: a paid answer is what the others are compared with."""


class WeighedAudits:
    """Audits of one kind of answers, added up."""

    __slots__ = ("audits", "good", "speaks_for", "squares")

    def __init__(self) -> None:
        self.audits = 0
        self.good = self.speaks_for = self.squares = 0.0

    def add(self, found: Found, *, hit: bool) -> None:
        """Some more audits that found the same."""
        self.audits += found.audits
        self.good += found.speaks_for * hit
        self.speaks_for += found.speaks_for
        self.squares += found.squares

    @property
    def share(self) -> float:
        """Of the requests that they speak for; 0 where they speak for none."""
        return self.good / self.speaks_for if self.speaks_for else 0.0

    @property
    def worth(self) -> float:
        """As many audits as would tell as much if all had had the same chance to be chosen (Kish 1965)."""
        return self.speaks_for**2 / self.squares if self.squares else 0.0


class Evidence:
    """What audits tell of answers.

    Args:
        interval: says how sure a share is.
    """

    def __init__(self, interval: Interval) -> None:
        self._interval = interval
        self._answers: dict[Answered, WeighedAudits] = {}
        self._passing: dict[Asked, WeighedAudits] = {}
        self._known: dict[Answered, Good | None] = {}

    def take_in(self, one: Past, rerun: Rerun | Unknown) -> None:
        """The audits of one kind of requests, which the new settings would treat so."""
        for found in one.found:
            for answered in self._answered_by(one, rerun, found):
                if found.good is not None:
                    self._answers.setdefault(answered, WeighedAudits()).add(found, hit=found.good)
            for model, score in ((found.model, found.score), *found.rejected):
                for asked in asked_anew(rerun, model):
                    passing = self._passing.setdefault(asked, WeighedAudits())
                    passing.add(found, hit=passes_with(score, asked.pass_at))

    def _answered_by(self, one: Past, rerun: Rerun | Unknown, found: Found) -> Iterator[Answered]:
        """Under which kinds of answers an audit counts."""
        if attempt_of(one, found.model) is not None:
            answered = recorded_answer(one, rerun, found.model)
            yield answered
            if answered.now is not None:
                yield Answered(answered.model, answered.task, answered.then, None)
            return
        task = one.example.signals.task
        for asked in asked_anew(rerun, found.model):
            yield Answered(found.model, task, "not asked", would_pass(found, asked))
            yield Answered(found.model, task, "not asked", None)

    def find(self, answered: Answered) -> Good | None:
        """How good these answers are; None where no audit tells."""
        if answered not in self._known:
            self._known[answered] = self._look_up(answered)
        return self._known[answered]

    def _look_up(self, answered: Answered) -> Good | None:
        weighed = self._answers.get(answered)
        if answered.then != "not asked" and (weighed is None or weighed.audits < ENOUGH):
            weighed = self._answers.get(Answered(answered.model, answered.task, answered.then, None))
        ends = None if weighed is None else self._interval(weighed.share * weighed.worth, weighed.worth)
        return None if weighed is None or ends is None else Good(weighed.share, *ends, audits=weighed.audits)

    @property
    def told(self) -> dict[Answered, Good]:
        """All that was asked for and of which audits tell."""
        return {answered: good for answered, good in self._known.items() if good is not None}

    def passing(self, asked: Asked) -> tuple[float, float] | None:
        """How many of the model's answers would pass, of how many that audits asked for; None where none did."""
        weighed = self._passing.get(asked)
        return (
            None if weighed is None or not weighed.worth else (weighed.share * weighed.worth, weighed.worth)
        )


def asked_anew(rerun: Rerun | Unknown, model: str) -> list[Asked]:
    """As what the new settings would ask a model that was not asked, as far as audits tell of that.

    An audit knows its answer's lowest score, but not what other confidence than today's would make of it.
    """
    if isinstance(rerun, Unknown):
        return []
    return [
        step.passes
        for step in rerun.steps
        if step.model == model
        and step.recorded is None
        and isinstance(step.passes, Asked)
        and step.passes.least is None
    ]


def would_pass(found: Found, asked: Asked) -> bool:
    """Whether the audited answer reaches the bar."""
    return passes_with(found.score, asked.pass_at)


def attempt_of(one: Past, model: str) -> Attempt | None:
    """What a model answered then."""
    return next((attempt for attempt in one.example.attempts if attempt.model == model), None)


def recorded_answer(one: Past, rerun: Rerun | Unknown, model: str) -> Answered:
    """Under which kind of answers one counts that a model has given."""
    outcome, attempt = one.example, attempt_of(one, model)
    accepted = attempt is not None and passes(attempt, outcome.decision.pass_at)
    steps = () if isinstance(rerun, Unknown) else rerun.steps
    step = next((step for step in steps if step.model == model and step.recorded is not None), None)
    now = step.passes if step is not None and isinstance(step.passes, bool) else None
    return Answered(model, outcome.signals.task, "accepted" if accepted else "rejected", now)


def answer_at(one: Past, rerun: Rerun, end: End) -> Answered:
    """Whose answer goes out at one end of a rerun."""
    assert end.model is not None, "somebody answers"
    if attempt_of(one, end.model) is not None:
        return recorded_answer(one, rerun, end.model)
    return Answered(end.model, one.example.signals.task, "not asked", end.passed)
