"""Recorded requests as a replay takes them: those that were alike are one value, with their number and their sums.

Of a month's hundred thousand requests a few hundred kinds remain, so a replay costs milliseconds. Two requests are alike when no
setting that is replayed could tell them apart; where its limits lie is said by `Cuts`. This module does not know how rows are read
(`lab.past`) or what would have become of them (`replay`).
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.cascade import passes_with
from headgate.core.checks.confidence import CONFIDENCE, believed, logprob_for
from headgate.core.policy import Policy
from headgate.core.types import Attempt, Model, Outcome
from headgate.core.words import Task

MUCH_LONGER = 1.25
"""How many times as long as all that a model was asked a prompt is, of which nobody knows how the model does with it."""

NEVER = -100.0
"""A log-probability that no answer has."""

SHORT, LONG = 1 / 1.23, 1 / 0.73
"""What a guessed number of tokens has to be multiplied with to be as small, or as large, as the truth may be (`tokens`)."""


Unused = Literal["no answer", "another version", "not by chance", "unclear"]
"""Why an audit does not say how good the answers to other requests are. "no answer": no model at home has answered in it."""


class Found(Struct, frozen=True, kw_only=True):
    """Audits of requests that were alike, as far as they found the same."""

    model: str
    """At home, whose answer was compared with the paid one."""
    good: bool | None
    """Whether it is as good ("good", "unnecessary"), by the word that is in force; None is "unclear"."""
    judge: str = ""
    """Who has judged it; "" where no judge was sure, and only a label tells."""
    judged: bool | None = None
    """What that judge says, whatever a person or a caller said after it."""
    score: float | None = None
    """The lowest score of its checks, or of others between the same two `Cuts.scores`; None without evidence."""
    rejected: tuple[tuple[str, float], ...] = ()
    """Other models at home that have answered then, each with such a score: nobody knows how good their answers are."""
    audits: int = 1
    by_chance: bool = True
    """Whether the requests were chosen so. If not, each stands for itself, and for none that is like it."""
    speaks_for: float = 0.0
    """Requests that they stand for beside themselves: the sum of 1 / probability - 1. One that nobody chose by chance stands for none."""
    squares: float = 0.0
    """The sum of (1 / probability - 1)²: how unevenly they do."""

    @property
    def tells(self) -> bool:
        """Whether it says how good the answers to other requests are."""
        return self.unused is None

    @property
    def unused(self) -> Unused | None:
        """Why it does not."""
        return "not by chance" if not self.by_chance else "unclear" if self.good is None else None


class Past(Struct, frozen=True, kw_only=True):
    """Recorded requests that were alike."""

    example: Outcome
    """One of them."""
    requests: int = 1
    costs: tuple[float | None, ...]
    """Dollars of their first attempts together, of their second ones, and so on; None where any is unknown."""
    prompt: int | None
    """Prompt tokens of the answers that went out, together; None where there was none, or nobody counted."""
    output: int | None
    """Tokens of these answers likewise."""
    longest: int
    """Prompt tokens of the longest of them, as they were measured."""
    found: tuple[Found, ...] = ()
    """What audits of them found."""
    chances: Mapping[str, float] = {}
    """How likely each model's answer is acceptable, by the learned router, on the average of them; where it cannot say, it is missing."""
    older: frozenset[str] = frozenset()
    """Models of which another version lay under the name then: what these answered tells nothing of what they would answer now."""

    @property
    def cost(self) -> float | None:
        """Dollars of all attempts together; None when any part is unknown."""
        known = [cost for cost in self.costs if cost is not None]
        return sum(known) if len(known) == len(self.costs) else None


class Cuts(Struct, frozen=True, kw_only=True):
    """The figures at which decisions change: requests between the same two of them are alike in that."""

    tokens: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    confidences: tuple[float, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Mean log-probabilities from which on an answer reaches a score; none where all settings want the same of every model."""
    chances: tuple[float, ...] = ()
    """Below which a learned router's word lets a model be passed by."""
    languages: bool = False
    """Whether any route asks for a language."""
    verdicts: bool = False
    """Whether routes differ in their checks, so that each verdict matters and not only the lowest."""


def cuts_of(policies: Iterable[Policy], known: Iterable[Model] = ()) -> Cuts:
    """The figures at which any of these policies, or a price, makes a difference."""
    policies = tuple(policies)
    tokens: set[int] = set()
    scores: set[float] = set()
    confidences: set[float] = set()
    chances: set[float] = set()
    checks: set[tuple[tuple[str, tuple[str, ...]], ...]] = set()
    languages = False
    models = list(known)
    for policy in policies:
        tokens.update(policy.token_limits)
        confidences.add(policy.task_confidence)
        chances.add(policy.learning.skip_below)
        models += policy.models.values()
        for route in policy.routes:
            scores.add(route.pass_at)
            languages = languages or route.languages is not None
            checks.add(tuple(sorted(route.checks.items())))
    tokens.update(band.above for model in models if model.price is not None for band in model.price.bands)
    return Cuts(
        tokens=tuple(sorted(tokens)),
        scores=tuple(sorted(scores)),
        confidences=tuple(sorted(confidences)),
        logprobs=logprobs_for(thresholds_that_differ(policies), scores),
        chances=tuple(sorted(chances)),
        languages=languages,
        verdicts=len(checks) > 1,
    )


def thresholds_that_differ(policies: Iterable[Policy]) -> frozenset[float]:
    """The thresholds of confidence that not all of these policies have for the same model and task.

    Where they want other confidence of the classifier, a request may have a task by one of them and none by another.
    """
    policies = tuple(policies)
    found: dict[tuple[str, Task | None], set[float | None]] = {}
    models = [(name, model) for policy in policies for name, model in policy.models.items()]
    tasks = {task for _, model in models for task in model.confidence_for}
    may_be_none = len({policy.task_confidence for policy in policies}) > 1
    for name, model in models:
        for task in (None, *tasks):
            wanted = found.setdefault((name, task), set())
            wanted.add(model.least_confidence(task))
            if may_be_none:
                wanted.add(model.confidence)
    return frozenset(
        [least for all_ in found.values() if len(all_) > 1 for least in all_ if least is not None]
    )


def logprobs_for(thresholds: Iterable[float], scores: Iterable[float]) -> tuple[float, ...]:
    """The log-probabilities from which on an answer is believed as much as any of these scores, by any of these thresholds."""
    scores = tuple(scores)
    found = {logprob_for(score, least) for least in thresholds for score in scores}
    return tuple(sorted([logprob for logprob in found if logprob > NEVER]))


def is_near(tokens: int, limits: Iterable[int]) -> bool:
    """Whether a guessed number of tokens may lie on the other side of any of these limits."""
    return any(tokens * SHORT <= limit <= tokens * LONG for limit in limits)


class Rate(Struct, frozen=True):
    """How often a model's answers have passed, with a 95 % interval."""

    passed: float
    tried: float
    """Where it rests on audits: as many as would tell as much if all had had the same chance to be chosen."""
    low: float
    high: float
    bound: bool = False
    """Whether an end of it is only what cannot be excluded, and says nothing of how likely that is."""
    audited: bool = False
    """Whether it rests on audits, for which the model was asked afterwards."""

    @property
    def share(self) -> float:
        """The rate itself."""
        return self.passed / self.tried


class Interval(Protocol):
    """Hits and total → the ends of a 95 % interval; None of nothing (`core.intervals.wilson`)."""

    def __call__(self, hits: float, total: float, /) -> tuple[float, float] | None:
        """Both ends in 0-1."""


class Asked(Struct, frozen=True):
    """Whose rate: a model that is asked for a task, and has to reach a score."""

    model: str
    task: Task | None
    pass_at: float
    after: bool
    """Whether another model's answer to the same request was not good enough. These requests are harder."""
    longer: bool
    """Whether the prompts are much longer than all that the model was asked for this task."""
    least: float | None = None
    """The confidence that is wanted of it, where that is another one than today (`least_now`)."""


Longest = Mapping[tuple[str, Task | None], int]
"""Prompt tokens of the longest that each model was asked for each task."""


def longest_asked(past: Iterable[Past]) -> Longest:
    """The longest prompts that were asked."""
    found: dict[tuple[str, Task | None], int] = {}
    for one in past:
        for attempt in one.example.attempts:
            key = attempt.model, one.example.signals.task
            found[key] = max(one.longest, found.get(key, 0))
    return found


class Rates:
    """How often each model's recorded answers would pass, task by task. Attempts that their callers broke off do not count.

    Where a model was only asked after others, its rate is too low for whoever is asked first, so that its upper end is 1; and the
    other way round, its lower end is 0. The lower end is 0, too, for prompts that are much longer than all it was asked.

    Where all that is recorded gives no more than such a bound, and audits have asked the model for just these requests, they tell.

    Args:
        past: all recorded requests.
        interval: says how sure a rate is.
        audited: how many answers would pass of those that audits have asked for, and of how many, where there are any.
    """

    def __init__(
        self,
        past: Iterable[Past],
        interval: Interval,
        audited: Callable[[Asked], tuple[float, float] | None] = lambda _: None,
    ) -> None:
        self._interval, self._audited = interval, audited
        self._attempts: dict[tuple[str, Task | None, bool], list[tuple[Attempt, int]]] = {}
        self._found: dict[Asked, Rate | None] = {}
        for one in past:
            outcome = one.example
            task, after = outcome.signals.task, False
            for attempt in outcome.attempts[:-1] if broke_off(outcome) else outcome.attempts:
                if attempt.model not in one.older:
                    self._attempts.setdefault((attempt.model, task, after), []).append(
                        (attempt, one.requests)
                    )
                after = after or attempt.failure is None

    def find(self, asked: Asked) -> Rate | None:
        """The rate; None when this model was never asked for this task."""
        if asked not in self._found:
            self._found[asked] = self._widened(asked)
        return self._found[asked]

    def _widened(self, asked: Asked) -> Rate | None:
        rate = self._count(asked, after=asked.after)
        if rate is None:
            rate = self._count(asked, after=not asked.after)
            if rate is not None:
                rate = (
                    replace(rate, low=0.0, bound=True) if asked.after else replace(rate, high=1.0, bound=True)
                )
        if rate is not None and asked.longer:
            rate = replace(rate, low=0.0, bound=True)
        if rate is None or rate.bound:
            return self._by_audits(asked) or rate
        return rate

    def _by_audits(self, asked: Asked) -> Rate | None:
        passed, tried = self._audited(asked) or (0.0, 0.0)
        ends = self._interval(passed, tried)
        return None if ends is None else Rate(passed, tried, *ends, audited=True)

    def _count(self, asked: Asked, *, after: bool) -> Rate | None:
        passed = tried = 0
        for attempt, requests in self._attempts.get((asked.model, asked.task, after), ()):
            tried += requests
            if would_pass(attempt, asked):
                passed += requests
        ends = self._interval(passed, tried)
        return None if ends is None else Rate(passed, tried, *ends)


def least_now(
    model: str, tasks: tuple[Task | None, Task | None], policy: Policy, today: Policy
) -> float | None:
    """The confidence that a policy wants of a model, where that is another one than today; minus infinity is none.

    Args:
        model: that is asked.
        tasks: for which one by the policy, and for which one as it is recorded.
        policy: the settings to replay.
        today: the settings that are in force.
    """
    if model not in today.models:
        return None
    least, before = [
        which.models[model].least_confidence(task) for which, task in zip((policy, today), tasks, strict=True)
    ]
    return None if least == before else -inf if least is None else least


def scores_of(attempt: Attempt, least: float | None) -> dict[str, float]:
    """What each check says of an answer, where the confidence that is wanted of its model may be another one.

    An answer whose log-probability nobody has told is as confident as it was.
    """
    scores = {verdict.check: verdict.score for verdict in attempt.verdicts if verdict.score is not None}
    if least is None or attempt.logprob is None or all(v.check != CONFIDENCE for v in attempt.verdicts):
        return scores
    scores.pop(CONFIDENCE, None)
    return scores if least == -inf else {**scores, CONFIDENCE: believed(attempt.logprob, least)}


def would_pass(attempt: Attempt, asked: Asked) -> bool:
    """Whether a recorded answer reaches what is asked of it."""
    if attempt.failure is not None:
        return False
    lowest = (
        attempt.score if asked.least is None else min(scores_of(attempt, asked.least).values(), default=None)
    )
    return passes_with(lowest, asked.pass_at)


def without_second_answers(outcome: Outcome) -> Outcome:
    """The outcome without the attempts that were made to confirm others; what they said is among the others' verdicts."""
    if not any(attempt.confirms for attempt in outcome.attempts):
        return outcome
    return replace(outcome, attempts=tuple([a for a in outcome.attempts if not a.confirms]))


def broke_off(outcome: Outcome) -> bool:
    """Whether the request ended before its cascade did: its caller hung up, or its stream broke after the first byte."""
    return outcome.status in ("cancelled", "broken")
