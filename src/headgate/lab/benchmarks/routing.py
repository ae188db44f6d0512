"""From what a router expects to what it costs and yields: choices at every price of quality, and their measures with intervals.

    plan = choices(expected, costs)                       a row of chosen models for each price
    measured = measure_chosen(plan, field)

A price says how many points of quality a dollar is worth; at each, a prompt goes to the model that is expected to be worth the most.
Two prices may be mixed by chance, so measures are those of the hull. It does not know where expectations come from.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headgate.lab.benchmarks import metrics
from headgate.lab.benchmarks.metrics import Curve, Floats, interval

FLOORS: Final = (1.0, 0.99, 0.98, 0.95)
"""Of the strong model's quality."""
PRICES: Final = 60
"""At which choices are made."""

Choices = npt.NDArray[np.intp]
"""(prices, prompts): the model that is chosen."""


class Field(Struct, frozen=True):
    """What routers are measured on."""

    scores: Floats
    """Of all models, (prompts, models)."""
    costs: Floats
    """(prompts, models)."""
    strong: int
    """The number of the strong model."""
    weak: int
    weights: Floats
    """How often each prompt counts, (draws, prompts): for intervals."""


class Figure(Struct, frozen=True):
    """A measure and its 95 % interval over prompts."""

    value: float
    low: float
    high: float


class Came(Struct, frozen=True):
    """What came of one price."""

    quality: Figure
    """Of the strong model's."""
    saved: Figure | None
    """Of the strong model's cost; None where that is nothing."""


class Measured(Struct, frozen=True):
    """What a router comes to on a set. A measure that makes no sense for it is None."""

    apgr: Figure | None = None
    cpt50: Figure | None = None
    cpt80: Figure | None = None
    aiq: Figure | None = None
    saved: tuple[Figure, ...] = ()
    """In the order of `FLOORS`, shares of the strong model's cost."""


def prices(costs: Floats) -> Floats:
    """Prices from "only quality counts" to "only cost counts", in points of quality for the dearest model's mean cost."""
    return np.concatenate([[0.0], np.geomspace(1e-3, 1e2, PRICES - 1)]) / max(
        float(costs.mean(axis=0).max()), 1e-12
    )


def choices(expected: Floats, costs: Floats, at: Floats) -> Choices:
    """The model of the greatest worth for each prompt, at each price.

    Args:
        expected: scores, (prompts, models).
        costs: as known before the call, (prompts, models).
        at: prices.
    """
    return np.stack([(expected - price * costs).argmax(axis=1) for price in at])


def points(chosen: Choices, scores: Floats, costs: Floats) -> tuple[Floats, Floats]:
    """Cost and score of every prompt at every price: two of (prices, prompts)."""
    rows = np.arange(chosen.shape[1])
    return costs[rows, chosen], scores[rows, chosen]


def measure_points(cost: Floats, score: Floats, field: Field) -> Measured:
    """AIQ and savings of a router's points, with intervals.

    Args:
        cost: what it paid, (points, prompts).
        score: what it got, (points, prompts).
        field: what it is measured on.
    """
    # The strong model for everything is a router's way out at any time.
    cost, score = (
        np.vstack([cost, field.costs[:, field.strong]]),
        np.vstack([score, field.scores[:, field.strong]]),
    )
    every = np.vstack([np.ones(len(field.scores)), field.weights])
    total = every.sum(axis=1, keepdims=True)
    along, up, each = every @ cost.T / total, every @ score.T / total, every @ field.costs / total
    drawn = [
        _of_curve(metrics.hull(along[row], up[row]), up[row, -1], along[row, -1], each[row])
        for row in range(len(every))
    ]
    figures = [_figure(column) for column in np.array(drawn).T]
    return Measured(aiq=figures[0], saved=tuple(figures[1:]))


def measure_chosen(chosen: Choices, field: Field) -> Measured:
    """The same of models chosen at several prices."""
    return measure_points(*points(chosen, field.scores, field.costs), field)


def measure_share(need: Floats, field: Field) -> Measured:
    """APGR and CPT of a router that sends the neediest prompts to the strong model, with intervals."""
    weak, strong = field.scores[:, field.weak], field.scores[:, field.strong]
    drawn = []
    for counted in (None, *field.weights):
        curve = metrics.share_curve(need, weak, strong, counted)
        drawn.append((metrics.apgr(curve), metrics.cpt(curve, 0.5), metrics.cpt(curve, 0.8)))
    area, half, most = (_figure(column) for column in np.array(drawn).T)
    return Measured(apgr=area, cpt50=half, cpt80=most)


def together(share: Measured, spent: Measured) -> Measured:
    """The measures by share and those by cost as one."""
    return Measured(apgr=share.apgr, cpt50=share.cpt50, cpt80=share.cpt80, aiq=spent.aiq, saved=spent.saved)


def came_of(
    cost: Floats, score: Floats, strong_cost: Floats, strong_score: Floats, every: Floats
) -> tuple[Came, ...]:
    """What came of each of several choices a prompt.

    Args:
        cost: what was paid, (choices, prompts).
        score: what was got, (choices, prompts).
        strong_cost: of the strong model, for each prompt.
        strong_score: likewise.
        every: how often each prompt counts, (1 + draws, prompts); the first are all of them, once.
    """
    quality = (every @ score.T) / np.maximum(every @ strong_score, 1e-12)[:, None]
    dear = every @ strong_cost
    some = dear > 0
    saved = 1 - (every[some] @ cost.T) / dear[some, None]
    return tuple(
        [
            Came(_figure(got), _figure(spared) if some[0] else None)
            for got, spared in zip(quality.T, saved.T, strict=True)
        ]
    )


def cheapest(cost: Floats, score: Floats, strong: Floats, floor: float) -> int:
    """The number of the price that is cheapest among those of at least `floor` × the strong model's quality; -1 for none.

    Args:
        cost: (prices, prompts).
        score: (prices, prompts).
        strong: what the strong model scored.
        floor: of its mean.
    """
    spent, got = cost.mean(axis=1), score.mean(axis=1)
    good = np.flatnonzero(got >= floor * strong.mean())
    return int(good[spent[good].argmin()]) if len(good) else -1


def _of_curve(curve: Curve, quality: float, cost: float, each: Floats) -> Sequence[float]:
    """AIQ over the costs of single models, and the savings at every floor."""
    low, high = float(each.min()), float(each.max())
    return metrics.aiq(curve, low, high), *(
        metrics.saved_at(curve, floor * quality, cost) for floor in FLOORS
    )


def _figure(column: Floats) -> Figure:
    """The first value is that of all prompts, the others are draws."""
    low, high = interval(column[1:]) if len(column) > 1 else (column[0], column[0])
    return Figure(float(column[0]), low, high)
