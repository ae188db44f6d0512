"""Learn from rows whose truth is known: P(acceptable | features), as weights that plain Python can serve.

    fit(rows, labels, weights, groups) → Weights

Logistic regression on facts, on curves of the figures, and on hashed words. How much the words may say, and how strongly all is held
back, is chosen by the log loss on parts that were left out; so is the line that makes a probability of the sum. Rows of the same
group (the same prompt, said again) are never on both sides.

Needs scikit-learn (`pip install "headgate[learn]"`). It does not know where rows come from, nor how much evidence is enough.

Sources: the line is Platt's ("Probabilistic Outputs for Support Vector Machines", 1999), with his targets.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from headgate.core.features import FIGURES, SLOTS, Features
from headgate.core.router import PiecewiseLinear, Weights, packed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 5
KNOTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of a figure between which its curve is straight."""

STRENGTHS = (0.03, 0.1, 0.3, 1.0)
"""Inverse of how strongly all weights are held back, that are tried."""
WORDS = (0.0, 1.0, 3.0, 10.0)
"""How much words may say beside facts and figures, that is tried."""


class Setting(NamedTuple):
    """How freely it may learn."""

    strength: float
    words: float


class Fitted(Struct, frozen=True):
    """What was learned, and what it says of each row when the row's group was left out."""

    weights: Weights
    left_out: Floats
    """Calibrated probabilities, one a row; each by weights and a line that had not seen it."""
    setting: Setting


def fit(
    rows: Sequence[Features],
    labels: Sequence[float] | Floats,
    weights: Sequence[float] | Floats | None = None,
    groups: Sequence[int] | Ints | None = None,
    *,
    settings: Sequence[Setting] = (),
    known: Sequence[bool] | None = None,
) -> Fitted:
    """Learn.

    Args:
        rows: what was seen.
        labels: how acceptable each was, 0-1.
        weights: how many requests each row stands for; None is one each.
        groups: rows with the same number are never on both sides; None is every row by itself.
        settings: those to choose from; () is all of `STRENGTHS` and `WORDS`.
        known: the rows whose label is the truth. The others help to learn, but nothing is chosen or calibrated by them. None is all.

    Raises:
        ValueError: the labels say that all is acceptable, or nothing.
    """
    truth = np.asarray(labels, dtype=np.float64)
    mass = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    mass = mass / mass.mean()
    sure = np.ones(len(truth), dtype=bool) if known is None else np.asarray(known, dtype=bool)
    if not 0 < float(mass[sure] @ truth[sure]) < float(mass[sure].sum()):
        raise ValueError("all rows are of one class")
    folds = fold(np.arange(len(truth)) if groups is None else np.asarray(groups))
    table = Table(rows)

    def surprise(sums: Floats) -> float:
        drawn = line(sums[sure], truth[sure], mass[sure])
        return log_loss(truth[sure], mass[sure], apply(drawn, sums[sure]))

    tried = [
        (setting, sums_left_out(table, truth, mass, folds, setting))
        for setting in settings or [Setting(strength, words) for strength in STRENGTHS for words in WORDS]
    ]
    setting, sums = min(tried, key=lambda one: surprise(one[1]))
    slope, offset = line(sums[sure], truth[sure], mass[sure])
    left_out = np.empty(len(truth))
    for part in range(FOLDS):  # the line, too, must not have seen what it is applied to
        inside, outside = folds == part, (folds != part) & sure
        left_out[inside] = apply(line(sums[outside], truth[outside], mass[outside]), sums[inside])
    return Fitted(replace(table.learn(truth, mass, setting), slope=slope, offset=offset), left_out, setting)


class Table:
    """Rows as a sparse table: facts, corners of the figures' curves, words."""

    def __init__(self, rows: Sequence[Features]) -> None:
        self.rows = rows
        self.facts = sorted({fact for row in rows for fact in row.facts})
        figures = np.array([row.figures for row in rows], dtype=np.float64).reshape(len(rows), len(FIGURES))
        self.knots = [np.unique(np.quantile(figures[:, at], KNOTS).round(6)) for at in range(len(FIGURES))]
        self.left = hstack(
            [self._facts(), *[corners(figures[:, at], self.knots[at]) for at in range(len(FIGURES))]]
        )
        self.words = self._words()
        seen = np.asarray((self.words > 0).sum(axis=0)).ravel()
        self.seen = np.flatnonzero(seen)
        self.rarity = np.log((1 + len(rows)) / (1 + seen[self.seen])) + 1
        self.words = self.words[:, self.seen] @ diags(self.rarity)

    def _facts(self) -> csr_matrix:
        number = {fact: at for at, fact in enumerate(self.facts)}
        return ones([[number[fact] for fact in row.facts] for row in self.rows], len(self.facts))

    def _words(self) -> csr_matrix:
        table = ones([row.words for row in self.rows], SLOTS)
        several = np.array([max(1, len(row.words)) for row in self.rows])
        return diags(1 / np.sqrt(several)) @ table

    def matrix(self, setting: Setting) -> csr_matrix:
        """The table with its words as loud as the setting wants."""
        if not setting.words:
            return csr_matrix(self.left)
        return csr_matrix(hstack([self.left, self.words * (setting.words / 10)]))

    def learn(self, truth: Floats, mass: Floats, setting: Setting) -> Weights:
        """Weights from all rows, without a line."""
        found, base = regress(self.matrix(setting), truth, mass, setting)
        curves, at = [], len(self.facts)
        for knots in self.knots:
            curves.append(
                PiecewiseLinear(tuple(map(float, knots)), tuple(map(float, found[at : at + len(knots)])))
            )
            at += len(knots)
        worth = found[at:] * self.rarity * (setting.words / 10) if setting.words else np.zeros(len(self.seen))
        slots, packed_worth = packed(dict(zip(map(int, self.seen), map(float, worth), strict=True)))
        return Weights(
            base=base,
            facts={fact: float(found[number]) for number, fact in enumerate(self.facts)},
            curves=tuple(curves),
            slots=slots,
            worth=packed_worth,
        )


def sums_left_out(table: Table, truth: Floats, mass: Floats, folds: Ints, setting: Setting) -> Floats:
    """The sum of each row, by weights that were learned without its fold."""
    matrix, sums = table.matrix(setting), np.zeros(len(truth))
    for part in range(FOLDS):
        inside = folds == part
        if not inside.any():
            continue
        found, base = regress(matrix[~inside], truth[~inside], mass[~inside], setting)
        sums[inside] = matrix[inside] @ found + base
    return sums


def regress(matrix: Any, truth: Floats, mass: Floats, setting: Setting) -> tuple[Floats, float]:
    """Weights and base. A label between 0 and 1 is a row of each class, shared out."""
    good, bad = truth > 0, truth < 1
    rows = np.concatenate([np.flatnonzero(good), np.flatnonzero(bad)])
    said = np.concatenate([np.ones(int(good.sum())), np.zeros(int(bad.sum()))])
    shares = np.concatenate([(truth * mass)[good], ((1 - truth) * mass)[bad]])
    if len(np.unique(said)) < 2:
        return np.zeros(matrix.shape[1]), 4.0 if good.any() else -4.0
    model = LogisticRegression(C=setting.strength, solver="lbfgs", max_iter=200)
    # On a machine that serves, several would spend most of their time waiting for each other.
    with threadpool_limits(1):
        model.fit(matrix[rows], said, sample_weight=shares)
    return model.coef_[0], float(model.intercept_[0])


def line(sums: Floats, truth: Floats, mass: Floats) -> tuple[float, float]:
    """Slope and offset that make probabilities of sums. It never turns the order round."""
    good, bad = float(mass @ truth), float(mass @ (1 - truth))
    target = truth * (good + 1) / (good + 2) + (1 - truth) / (bad + 2)
    slope, offset = 1.0, 0.0
    for _ in range(50):  # Newton's method; the log loss has one valley
        chance = apply((slope, offset), sums)
        off, spread = mass * (chance - target), mass * chance * (1 - chance) + 1e-9
        gradient = np.array([off @ sums, off.sum()])
        bend = np.array(
            [[spread @ (sums * sums), spread @ sums], [spread @ sums, spread.sum()]]
        ) + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, gradient)
        step /= max(1.0, float(np.abs(step).max()) / 2)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-6:
            break
    if slope <= 0:
        share = min(max(good / (good + bad), 1e-3), 1 - 1e-3)
        return 0.0, float(np.log(share / (1 - share)))
    return slope, offset


def apply(found: tuple[float, float], sums: Floats) -> Floats:
    """Probabilities of sums."""
    slope, offset = found
    return 1 / (1 + np.exp(-np.clip(slope * sums + offset, -30, 30)))


def log_loss(truth: Floats, mass: Floats, chance: Floats) -> float:
    """The mean surprise, in nats."""
    sure = np.clip(chance, 1e-6, 1 - 1e-6)
    return float(-(mass @ (truth * np.log(sure) + (1 - truth) * np.log(1 - sure))) / mass.sum())


def fold(groups: Ints) -> Ints:
    """Which part each row is in; a group is in one part, and the same rows give the same parts."""
    _, number = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(int(number.max()) + 1)
    return np.asarray(order[number] % FOLDS, dtype=np.int64)


def ones(columns: Sequence[Sequence[int]], width: int) -> csr_matrix:
    """A sparse table with a 1 in these columns of each row."""
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.fromiter((column for row in columns for column in row), dtype=np.int64, count=int(ends[-1]))
    return csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(columns), width))


def corners(figures: Floats, knots: Floats) -> csr_matrix:
    """How near each figure is to each knot: 1 at it, 0 at the next one."""
    if len(knots) == 1:
        return csr_matrix(np.ones((len(figures), 1)))
    inside = np.clip(figures, knots[0], knots[-1])
    below = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    share = (inside - knots[below]) / (knots[below + 1] - knots[below])
    table = np.zeros((len(figures), len(knots)))
    table[np.arange(len(figures)), below] = 1 - share
    table[np.arange(len(figures)), below + 1] += share
    return csr_matrix(table)
