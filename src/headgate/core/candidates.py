"""Settings worth trying, each one small step from where it is, and none further than a bound from where it was.

    steps(policy, today, seen) → the next settings, one by one

A threshold of tokens goes to the next round figure and at most to 1.5 times, or two thirds, of what it is today; the score at which
answers pass moves by 0.05 and at most by 0.1; the confidence that is wanted of a model for a task by a tenth of today's, and at most by
two; a chain changes once, by two models that change places or by one at home that is put first, but none at home takes the place of
another one there. So a proposal can be understood, and what it does wrong is bounded. Nothing is weighed here.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.past import Cuts, cuts_of, logprobs_for
from headgate.core.policy import Policy, Route
from headgate.core.settings import CONFIDENCE_FOR, MODELS, QUALITY, ROUTES, Key, Setting, named_chain
from headgate.core.words import Task

FURTHEST = 1.5
"""How many times as many tokens as today a threshold may be."""

ROUND = (10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90)
"""The first two digits of round figures."""

STEP, FAR = 0.05, 0.1
"""How far a score goes at once, and how far at most."""

LEAST, MOST = 0.05, 0.95
"""Between these a score stays: at 0 and 1 it would be none."""

DOUBT, MOST_DOUBTS = 0.1, 2
"""How far the confidence that is wanted of a model goes at once, by what it is today, and how many times as far at most."""


class Seen(Struct, frozen=True):
    """What the record tells of models, and so what may be tried with them."""

    homes: Mapping[str, frozenset[str]] = {}
    """Those at home that have been audited, by the route of the requests."""
    logprobs: Mapping[str, frozenset[Task]] = {}
    """The tasks for which log-probabilities of a model at home are recorded."""


def steps(policy: Policy, today: Policy, seen: Seen) -> Iterator[Setting]:
    """The settings that are one step from a policy.

    Args:
        policy: where the search is.
        today: the settings in force, from which nothing goes too far.
        seen: what may be tried with which model.
    """
    then = {route.name: route for route in today.routes}
    for route in policy.routes:
        if route.kind == "chat":
            yield from steps_of(route, then[route.name], policy, seen.homes.get(route.name, frozenset()))
    for share in scores_near(policy.task_confidence, today.task_confidence):
        if share > policy.task_confidence:  # below it, what was guessed is not recorded
            yield Setting(QUALITY, "task_confidence", share)
    for name, tasks in seen.logprobs.items():
        for task in sorted(tasks):
            least = policy.models[name].least_confidence(task)
            for other in confidences_near(least, today.models[name].least_confidence(task)):
                yield Setting(f"{MODELS}{name}{CONFIDENCE_FOR}", task, other)


def steps_of(route: Route, today: Route, policy: Policy, homes: frozenset[str]) -> Iterator[Setting]:
    """The steps of one route."""
    table = f"{ROUTES}{route.name}"
    limits: tuple[tuple[Key, int | None, int | None], ...] = (
        ("tokens_over", route.tokens_over, today.tokens_over),
        ("tokens_under", route.tokens_under, today.tokens_under),
    )
    for key, limit, limit_today in limits:
        if limit and limit_today:
            for tokens in tokens_near(limit, limit_today):
                yield Setting(table, key, tokens)
    for score in scores_near(route.pass_at, today.pass_at):
        yield Setting(table, "pass_at", score)
    if route.chain == today.chain:
        for chain in chains_near(route, policy, homes):
            yield Setting(table, "try", chain)


def tokens_near(limit: int, today: int) -> Iterator[int]:
    """The round figures beside a threshold, as far as they are not too far from today's."""
    marks = round_figures(today / FURTHEST, today * FURTHEST)
    below, above = [mark for mark in marks if mark < limit], [mark for mark in marks if mark > limit]
    yield from below[-1:]
    yield from above[:1]


def round_figures(low: float, high: float) -> list[int]:
    """The round figures from one number to another."""
    found: list[int] = []
    power = 1
    while 10 * power <= high:
        found += [figure * power for figure in ROUND if low <= figure * power <= high]
        power *= 10
    return found


def scores_near(score: float, today: float) -> Iterator[float]:
    """The scores beside one, as far as they are not too far from today's."""
    for other in (round(score - STEP, 2), round(score + STEP, 2)):
        if LEAST <= other <= MOST and abs(other - today) <= FAR + 1e-9:
            yield other


def confidences_near(least: float | None, today: float | None) -> Iterator[float]:
    """The thresholds of confidence beside one, as far as they are not too far from today's."""
    if not today or least is None:
        return
    reachable = confidences_of(today)
    at = reachable.index(least)
    yield from reachable[max(0, at - 1) : at]
    yield from reachable[at + 1 : at + 2]


def confidences_of(today: float) -> list[float]:
    """All thresholds of confidence that a search may reach from today's, which is in the middle, the laxest first."""
    return [
        today if not step else round(today * (1.0 - step * DOUBT), 4)
        for step in range(-MOST_DOUBTS, MOST_DOUBTS + 1)
    ]


def chains_near(route: Route, policy: Policy, homes: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The chains that differ by one change.

    No model at home takes the place of another one there: audits compare the answer that went out, so of the other one's nothing is known.
    """
    names = named_chain(route, policy)
    at_home = [policy.models[name].local for name in names]
    for index in range(len(names) - 1):
        if not (at_home[index] and at_home[index + 1]):
            yield (*names[:index], names[index + 1], names[index], *names[index + 2 :])
    if route.tokens_over is None and at_home[:1] != [True]:  # with a limit, that is the finer step
        for name in sorted(homes - set(names)):
            yield (name, *names)


def cuts_for(policy: Policy) -> Cuts:
    """The figures at which any policy that a search may reach makes a difference."""
    cuts = cuts_of((policy,))
    tokens, scores = set(cuts.tokens), set(cuts.scores)
    for route in policy.routes:
        for limit in (route.tokens_over, route.tokens_under):
            if limit:
                tokens.update(round_figures(limit / FURTHEST, limit * FURTHEST))
        scores.update(all_scores(route.pass_at))
    confidences = {*cuts.confidences, *all_scores(policy.task_confidence)}
    today = {
        least
        for model in policy.models.values()
        for least in (model.confidence, *model.confidence_for.values())
        if least
    }
    return replace(
        cuts,
        tokens=tuple(sorted(tokens)),
        scores=tuple(sorted(scores)),
        confidences=tuple(sorted(confidences)),
        logprobs=logprobs_for([other for least in today for other in confidences_of(least)], scores),
    )


def all_scores(today: float) -> set[float]:
    """All scores that a search may reach from today's."""
    found, new = {today}, {today}
    while new:
        new = {other for score in new for other in scores_near(score, today)} - found
        found |= new
    return found
