"""The routers of both tracks on one set, and what they come to.

    rows = judge(parts, seed, many)

`parts` are pairs of a fit part and a test part: the folds of a cross-validation, or one pair where another folder is scored. Every
router is fitted on the fit part, chooses on the test part, and is measured on all test parts together, with the same draws of prompts.
It does not know which paper's figures it is compared with.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headgate.lab.benchmarks import metrics, routing
from headgate.lab.benchmarks.answers import without_marks
from headgate.lab.benchmarks.cascading import AnswerReader, figures_of
from headgate.lab.benchmarks.learner import Learner
from headgate.lab.benchmarks.metrics import Floats
from headgate.lab.benchmarks.novelty import Familiar
from headgate.lab.benchmarks.prepared import Ready, costs_before, joined
from headgate.lab.benchmarks.routing import Choices, Figure, Measured

Parts = Sequence[tuple[Ready, Ready]]

NO_LABELS, SAME, OTHERS = "none", "same benchmark", "other benchmarks"
"""Whose outcomes a router was fitted on."""
FIRSTS = 3
"""Cheap models that are tried as the first of a cascade, alone and in pairs."""
CHEAP = 0.5
"""Of the strong model's cost: a first answer that costs more is not cheap."""


class Picked(Struct, frozen=True):
    """What came of the price that was picked on the fit part, as the cheapest there at the strong model's quality."""

    quality: Figure
    """Of the strong model's."""
    saved: Figure


class Row(Struct, frozen=True):
    """A router on a set."""

    track: str
    router: str
    labels: str
    measured: Measured
    picked: Picked | None = None


class Expected(Struct, frozen=True):
    """What was learned on a fit part, and what it expects of the test part."""

    held: Floats
    """Of the fit part's prompts, each held out."""
    test: Floats
    known: npt.NDArray[np.bool_]
    """Test prompts of a kind that was seen."""


def expect(fit: Ready, test: Ready, seed: int) -> Expected:
    """Learn on the fit part."""
    learner = Learner(seed).learn(fit.bodies, fit.set.scores, fit.set.tasks, fit.groups)
    familiar = Familiar(seed).learn(learner.guesses.view, np.array(fit.set.tasks), fit.groups)
    view = learner.guesses.wording.read(test.bodies)
    return Expected(held=learner.held, test=learner.expect_view(view), known=familiar.sure(view))


def judge(parts: Parts, seed: int, many: int, *, cascade: bool = True) -> list[Row]:
    """The rows of a set: bounds, the predictive track, and the cascade track where there are answers and it is asked for.

    Args:
        parts: fit part and test part, of each fold.
        seed: of folds, learners and draws.
        many: draws of prompts for the intervals.
        cascade: whether the cascade track is run.
    """
    whole = joined([test for _, test in parts])
    weights = metrics.draws(len(whole.set.ids), many, seed)
    expected = [expect(fit, test, seed) for fit, test in parts]
    rows = [*bounds(whole, weights), *predictive(parts, expected, whole, weights)]
    return [*rows, *cascades(parts, expected, whole, weights, seed)] if cascade else rows


def unknown(whole: Ready, weights: Floats) -> list[Row]:
    """The rows of a set on which nothing was fitted: its bounds, what length tells, and everything to the strong model."""
    scores, costs = whole.set.scores, whole.costs
    alone = np.full((1, len(scores)), whole.strong, dtype=np.intp)
    safe = routing.measure_points(*routing.points(alone, scores, costs), scores, costs, whole.strong, weights)
    came = came_of(costs[:, whole.strong], scores[:, whole.strong], whole, weights)
    return [
        *bounds(whole, weights),
        by_length(whole, weights),
        Row("predictive", "unknown set: all to the strong model", NO_LABELS, safe, came),
    ]


def bounds(whole: Ready, weights: Floats) -> list[Row]:
    """Random, zero router and oracle."""
    scores, costs = whole.set.scores, whole.costs
    weak, strong = scores[:, whole.weak], scores[:, whole.strong]
    mixed = routing.measure_mixed(scores, costs, whole.strong, weights)
    level = routing.measure_share(np.zeros(len(weak)), weak, strong, weights)
    best = routing.measure_share(strong - weak, weak, strong, weights)
    pair = np.array([whole.weak, whole.strong])
    random = routing.measure_points(costs[:, pair].T, scores[:, pair].T, scores, costs, whole.strong, weights)
    chosen = routing.choices(scores, costs, routing.prices(costs))
    oracle = routing.measure_points(
        *routing.points(chosen, scores, costs), scores, costs, whole.strong, weights
    )
    return [
        Row("bound", "random, weak or strong", NO_LABELS, routing.together(level, random)),
        Row("bound", "zero router", NO_LABELS, mixed),
        Row("bound", "oracle", NO_LABELS, routing.together(best, oracle)),
    ]


def predictive(parts: Parts, expected: Sequence[Expected], whole: Ready, weights: Floats) -> list[Row]:
    """Routers that see the prompt: its length alone, the learned one, and that one with unknown kinds sent to the strong model."""
    rows = [by_length(whole, weights)]
    for name, guarded in (("learned", False), ("learned, unknown kinds to the strong model", True)):
        plans, picks, needs = [], [], []
        for (fit, test), known in zip(parts, expected, strict=True):
            at = routing.prices(fit.costs)
            chosen = routing.choices(known.test, costs_before(fit, test), at)
            before = routing.choices(known.held, costs_before(fit, fit), at)
            need = known.test[:, fit.strong] - known.test[:, fit.weak]
            if guarded:
                chosen[:, ~known.known] = fit.strong
                need = np.where(known.known, need, np.inf)
            plans.append(chosen)
            picks.append(pick(chosen, before, fit.set.scores, fit.costs, fit.strong))
            needs.append(need)
        rows.append(
            row_of(
                "predictive",
                name,
                np.hstack(plans),
                np.concatenate(picks),
                np.concatenate(needs),
                whole,
                weights,
            )
        )
    return rows


def cascades(
    parts: Parts, expected: Sequence[Expected], whole: Ready, weights: Floats, seed: int
) -> list[Row]:
    """Routers that see first answers and pay for them: one cheap answer, and two where more than two models have prices."""
    if not whole.set.answers:
        return []
    marked = any("<<" in given[whole.weak] for given in whole.set.answers)
    ways = [("one answer", 1, False)]
    ways += [("one answer, without calculator marks", 1, True)] if marked else []
    ways += [("two answers", 2, False)] if len(whole.set.models) > 2 else []
    return [cascade(name, many, plain, parts, expected, whole, weights, seed) for name, many, plain in ways]


def cascade(
    name: str,
    many: int,
    plain: bool,
    parts: Parts,
    expected: Sequence[Expected],
    whole: Ready,
    weights: Floats,
    seed: int,
) -> Row:
    """A cascade whose first models are picked on the fit part."""
    costs, scores, picked_costs, picked_scores, needs = [], [], [], [], []
    for (fit, test), known in zip(parts, expected, strict=True):
        first, reader = _best_first(many, plain, fit, known, seed)
        given = _given(test, first, plain)
        after = reader.expect(figures_of(test.bodies, given), given, known.test)
        at = routing.prices(fit.costs)
        chosen = routing.choices(after, _beyond(costs_before(fit, test), first), at)
        before = routing.choices(reader.held, _beyond(costs_before(fit, fit), first), at)
        cost, score = routing.points(chosen, test.set.scores, _paid(test.costs, first))
        row = routing.cheapest_good(before, fit.set.scores, _paid(fit.costs, first), fit.strong, 1.0)
        costs.append(cost)
        scores.append(score)
        picked_costs.append(cost[row] if row >= 0 else test.costs[:, fit.strong])
        picked_scores.append(score[row] if row >= 0 else test.set.scores[:, fit.strong])
        needs.append(after[:, fit.strong] - after[:, fit.weak])
    spent = routing.measure_points(
        np.hstack(costs), np.hstack(scores), whole.set.scores, whole.costs, whole.strong, weights
    )
    share = by_share(np.concatenate(needs), whole, weights) if len(whole.set.models) == 2 else Measured()
    came = came_of(np.concatenate(picked_costs), np.concatenate(picked_scores), whole, weights)
    return Row("cascade", name, SAME, routing.together(share, spent), came)


def by_length(whole: Ready, weights: Floats) -> Row:
    """The router without any labels: longer questions need the strong model more."""
    length = np.array([len(body) for body in whole.bodies], dtype=np.float64)
    return Row("predictive", "length of the question", NO_LABELS, by_need(length, whole, weights))


def row_of(
    track: str,
    name: str,
    chosen: Choices,
    picked: npt.NDArray[np.intp],
    need: Floats,
    whole: Ready,
    weights: Floats,
) -> Row:
    """The row of a router that was fitted on the same benchmark."""
    scores, costs = whole.set.scores, whole.costs
    rows = np.arange(len(picked))
    spent = routing.measure_points(
        *routing.points(chosen, scores, costs), scores, costs, whole.strong, weights
    )
    came = came_of(costs[rows, picked], scores[rows, picked], whole, weights)
    return Row(track, name, SAME, routing.together(by_share(need, whole, weights), spent), came)


def by_need(need: Floats, whole: Ready, weights: Floats) -> Measured:
    """The measures of a router that only ranks prompts by need, with the strong and the weak model."""
    order = np.argsort(-need, kind="stable")
    shares = np.linspace(0, 1, routing.PRICES)
    chosen = np.full((len(shares), len(need)), whole.weak, dtype=np.intp)
    for row, share in enumerate(shares):
        chosen[row, order[: round(share * len(need))]] = whole.strong
    scores, costs = whole.set.scores, whole.costs
    spent = routing.measure_points(
        *routing.points(chosen, scores, costs), scores, costs, whole.strong, weights
    )
    return routing.together(by_share(need, whole, weights), spent)


def by_share(need: Floats, whole: Ready, weights: Floats) -> Measured:
    """APGR and CPT between the weak and the strong model."""
    scores = whole.set.scores
    return routing.measure_share(need, scores[:, whole.weak], scores[:, whole.strong], weights)


def pick(
    chosen: Choices, before: Choices, scores: Floats, costs: Floats, strong: int
) -> npt.NDArray[np.intp]:
    """The models chosen at the price that was the cheapest at full quality on the fit part; the strong one where none was."""
    row = routing.cheapest_good(before, scores, costs, strong, 1.0)
    return chosen[row] if row >= 0 else np.full(chosen.shape[1], strong, dtype=np.intp)


def came_of(cost: Floats, score: Floats, whole: Ready, weights: Floats) -> Picked:
    """Quality and savings of one choice a prompt, of the strong model's."""
    every = np.vstack([np.ones(len(cost)), weights])
    quality = (every @ score) / np.maximum(every @ whole.set.scores[:, whole.strong], 1e-12)
    saved = 1 - (every @ cost) / np.maximum(every @ whole.costs[:, whole.strong], 1e-12)
    return Picked(*(Figure(float(each[0]), *metrics.interval(each[1:])) for each in (quality, saved)))


def _best_first(
    many: int, plain: bool, fit: Ready, known: Expected, seed: int
) -> tuple[tuple[int, ...], AnswerReader]:
    """The first models whose cascade has the highest AIQ on the fit part, each prompt held out."""
    scores, costs = fit.set.scores, fit.costs
    mean, quality = costs.mean(axis=0), scores.mean(axis=0)
    cheap = [
        model for model in range(len(mean)) if model != fit.strong and mean[model] <= CHEAP * mean[fit.strong]
    ] or [fit.weak]
    worthy = sorted(cheap, key=lambda model: -quality[model])[:FIRSTS]
    best: tuple[float, tuple[int, ...], AnswerReader] | None = None
    for first in combinations(worthy, min(many, len(worthy))):
        given = _given(fit, first, plain)
        reader = AnswerReader(seed).learn(
            figures_of(fit.bodies, given), given, known.held, scores, fit.groups
        )
        chosen = routing.choices(reader.held, _beyond(costs_before(fit, fit), first), routing.prices(costs))
        cost, score = routing.points(chosen, scores, _paid(costs, first))
        worth = metrics.aiq(
            metrics.hull(cost.mean(axis=1), score.mean(axis=1)), float(mean.min()), float(mean.max())
        )
        if best is None or worth > best[0]:
            best = worth, first, reader
    assert best is not None
    return best[1], best[2]


def _given(part: Ready, first: Sequence[int], plain: bool) -> list[tuple[str, ...]]:
    """The first answers to every prompt."""
    taken = [tuple(given[model] for model in first) for given in part.set.answers]
    return [tuple(map(without_marks, given)) for given in taken] if plain else taken


def _beyond(costs: Floats, first: Sequence[int]) -> Floats:
    """What each model costs once the first have answered."""
    beyond = costs.copy()
    beyond[:, list(first)] = 0.0
    return beyond


def _paid(costs: Floats, first: Sequence[int]) -> Floats:
    """What delivering each model costs in all, the first answers included."""
    return np.asarray(
        _beyond(costs, first) + costs[:, list(first)].sum(axis=1, keepdims=True), dtype=np.float64
    )
