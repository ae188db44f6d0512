"""A simulated request on the road: decided by the real policy, its answers judged by the real cascade, recorded as the ledger would.

    played = Player(policy, works).play(kind)   the route, who answered, for how much, and the request as it is recorded
    recorded(player, week) → Past …             what a week leaves in the ledger

Requests whose recorded scores are alike are one, whatever the truth about their answers: that is not recorded.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from headgate.core.cascade import next_step
from headgate.core.past import Found, Past
from headgate.core.policy import Policy, decide
from headgate.core.prices import cost_of_tokens, rates_for
from headgate.core.types import Attempt, Deliver, FleetView, Model, Outcome, Request, Signals, Try, Usage
from headgate.core.words import Task
from headgate.lab.simulation.world import SCORES, Kind, Work

PAID_SCORE = 1.0
"""The checks' score of a paid answer."""


class Played(Struct, frozen=True):
    """What becomes of a request of one kind."""

    outcome: Outcome
    """As it is recorded."""
    local: bool
    """Whether a model at home has answered."""
    cost: float
    """Dollars."""

    @property
    def route(self) -> str:
        """Its route."""
        return self.outcome.decision.route

    @property
    def model(self) -> str:
        """Who has answered."""
        assert self.outcome.model is not None, "a paid model always answers"
        return self.outcome.model


class Player:
    """Plays requests by one policy, each kind once.

    Args:
        policy: the settings in force.
        works: the agency's tasks.
    """

    def __init__(self, policy: Policy, works: Mapping[Task, Work]) -> None:
        self.policy = policy
        self.works = works
        self._played: dict[tuple[Task, int, int, int], Played] = {}
        self._recorded: dict[tuple[object, ...], Played] = {}

    def play(self, kind: Kind) -> Played:
        """What becomes of a request of this kind."""
        key = kind.task, kind.length, kind.small, kind.large
        played = self._played.get(key)
        if played is None:
            played = self._play(kind)
            scores = tuple([attempt.score for attempt in played.outcome.attempts])
            alike = kind.task, kind.length, *scores
            played = self._played[key] = self._recorded.setdefault(alike, played)
        return played

    def _play(self, kind: Kind) -> Played:
        work = self.works[kind.task]
        tokens = work.tokens(kind.length)
        signals = Signals(
            task=kind.task, task_confidence=1.0, task_by="rules", tokens=tokens, tokens_exact=True
        )
        request = Request(id="simulated", asked="auto", messages=())
        decision = decide(self.policy, FleetView(), request, signals)
        attempts: list[Attempt] = []
        while isinstance(step := next_step(decision, attempts), Try):
            model = self.policy.models[step.model]
            score = SCORES[kind.small if model.name == "small" else kind.large] if model.local else PAID_SCORE
            usage = Usage(input=tokens, output=work.output)
            cost = price_of(model, usage)
            attempts.append(
                Attempt(model=model.name, started=0.0, ended=1.0, usage=usage, cost=cost, score=score)
            )
        assert isinstance(step, Deliver), "somebody answers"
        answered = attempts[step.attempt]
        cost = sum([attempt.cost or 0.0 for attempt in attempts])
        local = self.policy.models[answered.model].local
        outcome = Outcome(
            id=request.id,
            received=0.0,
            asked=request.asked,
            stream=False,
            signals=signals,
            decision=decision,
            attempts=tuple(attempts),
            status="ok" if step.perfect else "imperfect",
            model=answered.model,
            fallback=None if local else "quality check failed" if len(attempts) > 1 else "sent by its route",
            seconds=1.0,
            usage=answered.usage,
            cost=cost,
            baseline="sonnet",
            baseline_cost=None,
        )
        return Played(outcome, local, cost)


def price_of(model: Model, usage: Usage) -> float:
    """Dollars of an answer, by the model's list price."""
    assert model.price is not None, "all models of the simulation have a price"
    cost = cost_of_tokens(usage, rates_for(model.price, usage.prompt))
    assert cost is not None, "all its rates are known"
    return cost


Same = tuple[str, bool | None, str, bool | None, float | None, tuple[tuple[str, float], ...]]


def same(found: Found) -> Same:
    """What audits that are counted together have in common."""
    return found.model, found.good, found.judge, found.judged, found.score, found.rejected


class Recorded:
    """What some weeks leave in the ledger, while they are added up. Requests that are alike are one."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[Played, int]] = {}
        self._found: dict[int, dict[Same, Found]] = {}

    def add(self, played: Played, requests: int) -> None:
        """More requests."""
        _, before = self._requests.get(id(played), (played, 0))
        self._requests[id(played)] = played, before + requests

    def add_audit(self, played: Played, found: Found) -> None:
        """One more audit of such a request."""
        kept = self._found.setdefault(id(played), {})
        key = same(found)
        kept[key] = both(kept[key], found) if key in kept else found

    def past(self) -> Iterable[Past]:
        """As a replay and a search take it."""
        for key, (played, many) in self._requests.items():
            outcome = played.outcome
            usage = outcome.usage
            assert usage is not None, "somebody has answered"
            yield Past(
                example=outcome,
                requests=many,
                costs=tuple([many * (attempt.cost or 0.0) for attempt in outcome.attempts]),
                prompt=many * usage.prompt,
                output=many * usage.output,
                longest=outcome.signals.tokens,
                found=tuple(self._found.get(key, {}).values()),
            )


def both(one: Found, other: Found) -> Found:
    """Audits that found the same, as one."""
    return Found(
        model=one.model,
        good=one.good,
        judge=one.judge,
        judged=one.judged,
        score=one.score,
        rejected=one.rejected,
        audits=one.audits + other.audits,
        speaks_for=one.speaks_for + other.speaks_for,
        squares=one.squares + other.squares,
    )


def together(parts: Iterable[tuple[Past, ...]]) -> tuple[Past, ...]:
    """Several weeks as one record: requests that are alike are one again."""
    found: dict[int, Past] = {}
    for one in [one for part in parts for one in part]:
        before = found.get(id(one.example))
        found[id(one.example)] = one if before is None else joined(before, one)
    return tuple(found.values())


def joined(one: Past, other: Past) -> Past:
    """Requests of two weeks that are alike."""
    kept: dict[Same, Found] = {}
    for found in (*one.found, *other.found):
        key = same(found)
        kept[key] = both(kept[key], found) if key in kept else found
    return Past(
        example=one.example,
        requests=one.requests + other.requests,
        costs=tuple([(a or 0.0) + (b or 0.0) for a, b in zip(one.costs, other.costs, strict=True)]),
        prompt=(one.prompt or 0) + (other.prompt or 0),
        output=(one.output or 0) + (other.output or 0),
        longest=max(one.longest, other.longest),
        found=tuple(kept.values()),
        older=one.older | other.older,
    )
