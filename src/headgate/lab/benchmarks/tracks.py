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
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

from headgate.lab.benchmarks import metrics, routing
from headgate.lab.benchmarks.answers import without_marks
from headgate.lab.benchmarks.cascading import AnswerReader, figures_of
from headgate.lab.benchmarks.gates_own import foretell, look
from headgate.lab.benchmarks.learner import Learner
from headgate.lab.benchmarks.metrics import Floats
from headgate.lab.benchmarks.novelty import Familiar
from headgate.lab.benchmarks.prepared import Ready, costs_before, joined
from headgate.lab.benchmarks.routing import Came, Choices, Field, Measured
from headgate.lab.learner import Setting

Parts = Sequence[tuple[Ready, Ready]]

LEARNED, TRUSTING = "learned", "learned, unknown kinds not held back"
GATE = "the gate's own features and learner"
ELSEWHERE = "learned elsewhere"
LENGTH = "length of the question"
NO_LABELS, SAME, OTHERS = "none", "same benchmark", "other benchmarks"
PEERS_TOO = "same benchmark, other sets' models too"
"""Whose outcomes a router was fitted on; the last where another set holds the same benchmark (`peers`)."""
FIRSTS = 2
"""Cheap models that are tried as the first of a cascade, alone and in pairs."""
AT_ONCE = 10.0
"""The need of a prompt that goes to the strong model before all others; scores differ by 1 at most."""
MARKED = 0.1
"""Of the answers, that have a calculator's marks, to show what they tell without."""
STIFF = 100.0
"""Of the fit that tells on which prompts asking first pays."""
CHEAP = 0.5
"""Of the strong model's cost: a first answer that costs more is not cheap."""


class Row(Struct, frozen=True):
    """A router on a set."""

    track: str
    router: str
    labels: str
    measured: Measured
    picked: Came | None = None
    """What came of the price that was picked on the fit part, as the cheapest there at the strong model's quality."""
    along: tuple[Came, ...] = ()
    """Of a learned router: what came of each price (`routing.prices`)."""


class Expected(Struct, frozen=True):
    """What was learned on a fit part, and what it expects of the test part."""

    held: Floats
    """Of the fit part's prompts, each held out."""
    test: Floats
    known: npt.NDArray[np.bool_]
    """Test prompts that may be trusted with another model than the strong one, at each price: (prices, prompts)."""


class Learned(Expected, frozen=True):
    """What the learner of this package expects, and as what it sees prompts."""

    dense_held: Floats
    """Figures and directions of the fit part's prompts."""
    dense_test: Floats


def expect(fit: Ready, test: Ready, seed: int) -> Learned:
    """Learn on the fit part."""
    learner = Learner(seed).learn(fit.counted, fit.set.scores, fit.set.tasks, fit.groups)
    seen, view = learner.guesses.view, learner.guesses.wording.read(test.counted)
    prices = routing.prices(fit.costs)
    familiar = Familiar(seed).learn(fit, seen, float(prices[max(pick(fit, learner.held), 0)]))
    return Learned(
        held=learner.held,
        test=learner.expect(view),
        known=familiar.sure(test, view, prices),
        dense_held=seen.dense,
        dense_test=view.dense,
    )


def judge(
    parts: Parts,
    seed: int,
    many: int,
    elsewhere: Floats | None = None,
    *,
    settings: Sequence[Setting] = (),
    with_cascades: bool = True,
) -> list[Row]:
    """The rows of a set: bounds, the predictive track, and the cascade track where there are answers and it is asked for.

    Args:
        parts: fit part and test part, of each fold.
        seed: of folds, learners and draws.
        many: draws of prompts for the intervals.
        elsewhere: by what other benchmarks tell, how much each test prompt needs the strong model, fold after fold.
        settings: how freely the gate's own learner may learn; () is all that it tries.
        with_cascades: whether the cascade track is run.
    """
    whole = joined([test for _, test in parts])
    field = field_of(whole, many, seed)
    expected = [expect(fit, test, seed) for fit, test in parts]
    seen = look(prompt for part in parts[0] for prompt in part.set.prompts)
    own = [
        Expected(
            *foretell(fit, test, seen, settings), np.ones((routing.PRICES, len(test.bodies)), dtype=np.bool_)
        )
        for fit, test in parts
    ]
    rows = [*bounds(field), *without_labels(whole.bodies, elsewhere, field)]
    rows += [routed(GATE, SAME, parts, own, field), *predictive(parts, expected, field)]
    return [*rows, *cascades(parts, expected, field, seed)] if with_cascades else rows


def unknown(whole: Ready, many: int, seed: int, elsewhere: Floats | None = None) -> list[Row]:
    """The rows of a set on which nothing was fitted: its bounds, what length and other benchmarks tell, and all to the strong model."""
    field = field_of(whole, many, seed)
    safe = np.full((1, len(whole.bodies)), whole.strong, dtype=np.intp)
    (came,) = came_of(*routing.points(safe, field.scores, field.costs), field)
    alone = Row(
        "predictive",
        "unknown set: all to the strong model",
        NO_LABELS,
        routing.measure_chosen(safe, field),
        came,
    )
    return [*bounds(field), *without_labels(whole.bodies, elsewhere, field), alone]


def field_of(whole: Ready, draws: int, seed: int) -> Field:
    """What routers are measured on: all test prompts, with the same draws for every router."""
    weights = metrics.draws(len(whole.bodies), draws, seed)
    return Field(whole.set.scores, whole.costs, whole.strong, whole.weak, weights)


def bounds(field: Field) -> list[Row]:
    """Random, zero router and oracle."""
    scores, costs = field.scores, field.costs
    pair = [field.weak, field.strong]
    level = routing.measure_share(np.zeros(len(scores)), field)
    mixed = routing.measure_points(costs[:, pair].T, scores[:, pair].T, field)
    singles = routing.measure_points(costs.T, scores.T, field)
    best = routing.measure_share(scores[:, field.strong] - scores[:, field.weak], field)
    perfect = routing.measure_chosen(routing.choices(scores, costs, routing.prices(costs)), field)
    return [
        Row("bound", "random, weak or strong", NO_LABELS, routing.together(level, mixed)),
        Row("bound", "zero router: single models by chance", NO_LABELS, singles),
        Row("bound", "oracle", NO_LABELS, routing.together(best, perfect)),
    ]


def without_labels(bodies: Sequence[str], elsewhere: Floats | None, field: Field) -> list[Row]:
    """The routers without a label of this benchmark: longer questions need the strong model more; or those that others found hard."""
    rows = [by_need(LENGTH, NO_LABELS, np.array([len(body) for body in bodies], dtype=np.float64), field)]
    return rows if elsewhere is None else [*rows, by_need(ELSEWHERE, OTHERS, elsewhere, field)]


def by_need(name: str, labels: str, need: Floats, field: Field) -> Row:
    """A router that sends the neediest prompts to the strong model and the others to the weak one."""
    order = np.argsort(-need, kind="stable")
    chosen = np.full((routing.PRICES, len(need)), field.weak, dtype=np.intp)
    for row, share in enumerate(np.linspace(0, 1, routing.PRICES)):
        chosen[row, order[: round(share * len(need))]] = field.strong
    measured = routing.together(routing.measure_share(need, field), routing.measure_chosen(chosen, field))
    return Row("predictive", name, labels, measured)


def predictive(parts: Parts, expected: Sequence[Expected], field: Field) -> list[Row]:
    """The learned router, which sees the prompt; and what it would do if it trusted every prompt, where it does not."""
    labels = labels_of(parts)
    rows = [routed(LEARNED, labels, parts, expected, field)]
    if not all(known.known.all() for known in expected):
        trusting = [Expected(known.held, known.test, np.ones_like(known.known)) for known in expected]
        rows.append(routed(TRUSTING, labels, parts, trusting, field))
    return rows


def labels_of(parts: Parts) -> str:
    """Whose outcomes the learned routers are fitted on."""
    return PEERS_TOO if parts[0][0].counted.peers.shape[1] else SAME


def routed(name: str, labels: str, parts: Parts, expected: Sequence[Expected], field: Field) -> Row:
    """A router that chooses by what it expects, and sends to the strong model what it does not know."""
    plans, picks, needs = [], [], []
    for (fit, test), known in zip(parts, expected, strict=True):
        chosen, picked = choose(fit, test, known)
        plans.append(chosen)
        picks.append(picked)
        sure = known.known[max(pick(fit, known.held), 0)]
        needs.append(np.where(sure, known.test[:, fit.strong] - known.test[:, fit.weak], AT_ONCE))
    chosen = np.vstack([np.concatenate(picks), np.hstack(plans)])
    came, *along = came_of(*routing.points(chosen, field.scores, field.costs), field)
    share = routing.measure_share(np.concatenate(needs), field)
    spent = routing.measure_chosen(chosen[1:], field)
    return Row("predictive", name, labels, routing.together(share, spent), came, tuple(along))


def pick(fit: Ready, held: Floats) -> int:
    """The number of the price that was the cheapest at full quality on the fit part; -1 where none was."""
    way = _straight(fit, costs_before(fit, fit), held, routing.prices(fit.costs))
    return routing.cheapest(way.cost, way.score, fit.set.scores[:, fit.strong], 1.0)


def choose(fit: Ready, test: Ready, known: Expected) -> tuple[Choices, npt.NDArray[np.intp]]:
    """The models for each test prompt at every price, and at the one that is picked; unknown prompts go to the strong one."""
    chosen = routing.choices(known.test, costs_before(fit, test), routing.prices(fit.costs))
    chosen[~known.known] = fit.strong
    row = pick(fit, known.held)
    return chosen, chosen[row].copy() if row >= 0 else np.full(len(test.bodies), fit.strong, dtype=np.intp)


def cascades(parts: Parts, expected: Sequence[Learned], field: Field, seed: int) -> list[Row]:
    """Routers that see first answers and pay for them: one cheap answer, and two where more than two models have prices."""
    given = [answers for _, test in parts for answers in test.set.answers]
    if not given or not all(fit.set.answers for fit, _ in parts):
        return []
    kinds = [Kind("one answer", 1)]
    if sum("<<" in answers[field.weak] for answers in given) > MARKED * len(given):
        kinds.append(Kind("one answer, without calculator marks", 1, plain=True))
    if len(given[0]) > 2:
        kinds.append(Kind("two answers", 2))
    return [cascade(kind, parts, expected, field, seed) for kind in kinds]


class Kind(Struct, frozen=True):
    """A kind of cascade."""

    name: str
    firsts: int
    """Models that are asked first."""
    plain: bool = False
    """Whether a calculator's marks are taken out of their answers."""


class Way(Struct, frozen=True):
    """What choices at every price cost and got: (prices, prompts)."""

    cost: Floats
    score: Floats

    def worth(self, at: Floats) -> Floats:
        """Scores less what they cost, at every price."""
        return np.asarray(self.score - at[:, None] * self.cost, dtype=np.float64)

    def where(self, asked: npt.NDArray[np.bool_], other: "Way") -> "Way":
        """This way for prompts that are asked, the other one for the rest."""
        return Way(np.where(asked, self.cost, other.cost), np.where(asked, self.score, other.score))


def cascade(kind: Kind, parts: Parts, expected: Sequence[Learned], field: Field, seed: int) -> Row:
    """A cascade whose first models are picked on the fit part; whether asking them first pays for a prompt is learned there as well."""
    made, picked, needs = [], [], []
    for (fit, test), known in zip(parts, expected, strict=True):
        first, reader = _best_first(kind, fit, known, seed)
        given = _given(test, first, kind.plain)
        after = reader.expect(figures_of(test.bodies, given), given, known.test)
        at = routing.prices(fit.costs)
        asking, asked_before = (
            _asking(test, costs_before(fit, test), after, first, at),
            _asking(fit, costs_before(fit, fit), reader.held, first, at),
        )
        straight, held = (
            _straight(test, costs_before(fit, test), known.test, at),
            _straight(fit, costs_before(fit, fit), known.held, at),
        )
        gain = (asked_before.worth(at) - held.worth(at)).T
        free = not fit.costs[:, list(first)].any()  # an answer that costs nothing is always worth a look
        judge = Ridge(STIFF).fit(known.dense_held, gain)
        pays = cross_val_predict(Ridge(STIFF), known.dense_held, gain, cv=3).T > 0
        before = asked_before.where(pays | free, held)
        came = asking.where((judge.predict(known.dense_test).T > 0) | free, straight)
        row = routing.cheapest(before.cost, before.score, fit.set.scores[:, fit.strong], 1.0)
        safe = Way(test.costs[:, fit.strong], test.set.scores[:, fit.strong])
        picked.append(safe if row < 0 else Way(came.cost[row], came.score[row]))
        made.append(came)
        needs.append(after[:, fit.strong] - after[:, fit.weak])
    cost, score = np.hstack([way.cost for way in made]), np.hstack([way.score for way in made])
    spent = routing.measure_points(cost, score, field)
    share = routing.measure_share(np.concatenate(needs), field) if field.scores.shape[1] == 2 else Measured()
    paid, got = (
        np.concatenate([way.cost for way in picked])[None],
        np.concatenate([way.score for way in picked])[None],
    )
    (at_pick,) = came_of(paid, got, field)
    return Row("cascade", kind.name, labels_of(parts), routing.together(share, spent), at_pick)


def _asking(part: Ready, costs: Floats, after: Floats, first: Sequence[int], at: Floats) -> Way:
    """What comes of asking the first models about every prompt, at every price."""
    chosen = routing.choices(after, _beyond(costs, first), at)
    return Way(*routing.points(chosen, part.set.scores, _paid(part.costs, first)))


def _straight(part: Ready, costs: Floats, before: Floats, at: Floats) -> Way:
    """What comes of choosing by the prompt alone."""
    return Way(*routing.points(routing.choices(before, costs, at), part.set.scores, part.costs))


def came_of(cost: Floats, score: Floats, field: Field) -> tuple[Came, ...]:
    """What came of each of several choices a prompt.

    Args:
        cost: what was paid, (choices, prompts).
        score: what was got, (choices, prompts).
        field: what it is measured on.
    """
    every = np.vstack([np.ones(len(field.scores)), field.weights])
    return routing.came_of(cost, score, field.costs[:, field.strong], field.scores[:, field.strong], every)


def _best_first(kind: Kind, fit: Ready, known: Expected, seed: int) -> tuple[tuple[int, ...], AnswerReader]:
    """The first models whose cascade has the highest AIQ on the fit part, each prompt held out."""
    scores, costs = fit.set.scores, fit.costs
    mean, quality = costs.mean(axis=0), scores.mean(axis=0)
    cheap = [
        model for model in range(len(mean)) if model != fit.strong and mean[model] <= CHEAP * mean[fit.strong]
    ] or [fit.weak]
    worthy = sorted(cheap, key=lambda model: -quality[model])[:FIRSTS]
    best: tuple[float, tuple[int, ...], AnswerReader] | None = None
    for first in combinations(worthy, min(kind.firsts, len(worthy))):
        given = _given(fit, first, kind.plain)
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
