"""Settings worth trying, each one small step from where it is, and none further than a bound from where it was.

    steps(policy, today, tried) → the next settings, one by one

A threshold of tokens goes to the next round figure and at most to 1.5 times, or two thirds, of what it is today; the score at which
answers pass moves by 0.05 and at most by 0.1; a chain changes once, by two models that change places or by one at home that is put
first. So a proposal can be understood, and what it does wrong is bounded. Nothing is weighed here.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from headgate.core.past import Cuts, cuts_of
from headgate.core.policy import Policy, Route
from headgate.core.settings import QUALITY, ROUTES, Key, Setting, named_chain

FURTHEST = 1.5
"""How many times as many tokens as today a threshold may be."""

ROUND = (10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90)
"""The first two digits of round figures."""

STEP, FAR = 0.05, 0.1
"""How far a score goes at once, and how far at most."""

LEAST, MOST = 0.05, 0.95
"""Between these a score stays: at 0 and 1 it would be none."""

Homes = Mapping[str, frozenset[str]]
"""Models at home that have been audited, by the route of the requests."""


def steps(policy: Policy, today: Policy, homes: Homes) -> Iterator[Setting]:
    """The settings that are one step from a policy.

    Args:
        policy: where the search is.
        today: the settings in force, from which nothing goes too far.
        homes: the models that may be put first.
    """
    then = {route.name: route for route in today.routes}
    for route in policy.routes:
        if route.kind == "chat":
            yield from steps_of(route, then[route.name], policy, homes.get(route.name, frozenset()))
    for share in scores_near(policy.task_confidence, today.task_confidence):
        if share > policy.task_confidence:  # below it, what was guessed is not recorded
            yield Setting(QUALITY, "task_confidence", share)


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


def chains_near(route: Route, policy: Policy, homes: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The chains that differ by one change, without any that has no paid model behind where there was one."""
    names = named_chain(route, policy)
    for index in range(len(names) - 1):
        swapped = (*names[:index], names[index + 1], names[index], *names[index + 2 :])
        yield swapped
    if route.tokens_over is None:  # else its limit is the finer step
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
    return replace(
        cuts,
        tokens=tuple(sorted(tokens)),
        scores=tuple(sorted(scores)),
        confidences=tuple(sorted(confidences)),
    )


def all_scores(today: float) -> set[float]:
    """All scores that a search may reach from today's."""
    found, new = {today}, {today}
    while new:
        new = {other for score in new for other in scores_near(score, today)} - found
        found |= new
    return found
