"""Whether a prompt is of a kind that was seen: what is not goes to the strong model, whatever anybody expects of it.

    familiar = Familiar(seed).learn(view, kinds, groups); familiar.sure(other_view)

How near a prompt is to the seen ones is measured in several ways (`Seen`): by its neighbours, whether they are of one kind and as near
as these are to their own, by how sure two classifiers are of its kind, and by its distance to the nearest kind. How these tell seen
from unseen is learned by playing both: each prompt once among others of its kind, and once with its whole kind left out. The threshold
is set on kinds that the judge was not fitted on, so that no kind, once left out, gets more than `LET_IN` of its prompts past it: kinds
that are hard to tell apart make it strict for all. With fewer than `FEWEST_KINDS` kinds, or with so many that they are subjects of one
task, there is nothing to play, and everything is held for seen.

Source: Lee and others, "A simple unified framework for detecting out-of-distribution samples", 2018.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from headgate.lab.benchmarks.grouping import Rows, folds
from headgate.lab.benchmarks.wording import View

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.str_]

LET_IN = 0.02
"""Of the prompts of any one kind, held for seen although it was left out."""
FEWEST = 20
"""Prompts that make a kind."""
FEWEST_KINDS, MOST_KINDS = 3, 30
"""Kinds of task that a set has, for them to be kinds of task."""
SHRINK = 0.1
"""Of the covariance, towards that of independent figures."""
NEAR = 10
"""Neighbours that are looked at."""
STIFF = 10.0
BLOCK = 1_000


class Judge(Struct, frozen=True):
    """Tells seen from unseen by what was measured."""

    scale: StandardScaler
    line: LogisticRegression

    def rate(self, measures: Floats) -> Floats:
        """How much each prompt seems to be of a seen kind; above the threshold it is."""
        return np.asarray(self.line.decision_function(self.scale.transform(measures)), dtype=np.float64)


class Familiar:
    """Tells prompts of a seen kind from others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._judge: Judge | None = None

    def learn(self, view: View, kinds: Kinds, groups: Rows) -> "Familiar":
        """Fit on these prompts."""
        names, many = np.unique(kinds, return_counts=True)
        kept = names[many >= FEWEST]
        if not len(kept) >= FEWEST_KINDS or len(names) > MOST_KINDS:
            return self
        self._seen = Seen(view, kinds)
        inside = np.zeros((len(kinds), Seen.measures))
        for fit, test in folds(groups, 5, self._seed):
            inside[test] = Seen(view.take(fit), kinds[fit]).measure(view.take(test))
        outside = np.zeros((len(kinds), Seen.measures))
        for name in kept:
            rest, own = np.flatnonzero(kinds != name), np.flatnonzero(kinds == name)
            outside[own] = Seen(view.take(rest), kinds[rest]).measure(view.take(own))
        played = np.isin(kinds, kept)
        self._threshold = -np.inf
        for name in kept:
            own = kinds == name
            rated = _judge(inside, outside, kinds, played & ~own).rate(outside[own])
            self._threshold = max(self._threshold, float(np.quantile(rated, 1 - LET_IN)))
        self._judge = _judge(inside, outside, kinds, played)
        return self

    def sure(self, view: View) -> npt.NDArray[np.bool_]:
        """Which prompts are of a seen kind."""
        if self._judge is None:
            return np.ones(len(view.known), dtype=np.bool_)
        return np.asarray(self._judge.rate(self._seen.measure(view)) > self._threshold, dtype=np.bool_)


def _judge(inside: Floats, outside: Floats, kinds: Kinds, rows: npt.NDArray[np.bool_]) -> Judge:
    """A judge fitted on some prompts, in both plays; each kind counts the same."""
    names, where, many = np.unique(kinds[rows], return_inverse=True, return_counts=True)
    weights = len(where) / len(names) / many[where]
    measures = np.vstack([inside[rows], outside[rows]])
    scale = StandardScaler().fit(measures)
    line = LogisticRegression(max_iter=2000)
    seen = np.concatenate([np.ones(len(where)), np.zeros(len(where))])
    line.fit(scale.transform(measures), seen, sample_weight=np.concatenate([weights, weights]))
    return Judge(scale, line)


class Seen:
    """Prompts that were seen, to measure others against."""

    measures = 11

    def __init__(self, view: View, kinds: Kinds) -> None:
        names, self._where = np.unique(kinds, return_inverse=True)
        self._many = len(names)
        self._directions = view.directions
        self._own = _nearest(view.directions, view.directions, itself=True)[0][:, -1]
        of_kind = [self._own[self._where == kind] for kind in range(self._many)]
        self._usual = np.array([(np.median(own), own.std() + 1e-3) for own in of_kind])
        centres = np.array([view.dense[self._where == kind].mean(axis=0) for kind in range(self._many)])
        apart = view.dense - centres[self._where]
        spread = apart.T @ apart / max(len(apart) - 1, 1)
        spread = (1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread)) + 1e-6 * np.eye(len(spread))
        self._half = np.linalg.inv(np.linalg.cholesky(spread))
        self._centres = centres @ self._half.T
        self._line = LogisticRegression(max_iter=100, tol=1e-3).fit(view.dense, self._where)
        self._each = Ridge(STIFF).fit(view.dense, np.eye(self._many)[self._where])

    def measure(self, view: View) -> Floats:
        """How near prompts are to the seen ones: (prompts, measures)."""
        alike, nearest = _nearest(view.directions, self._directions)
        votes = np.stack([(self._where[nearest] == kind).mean(axis=1) for kind in range(self._many)], axis=1)
        kind = votes.argmax(axis=1)
        chance = self._line.predict_proba(view.dense).max(axis=1).clip(1e-9, 1 - 1e-9)
        strength = np.atleast_2d(self._line.decision_function(view.dense).T).T.max(axis=1)
        each = np.sort(self._each.predict(view.dense), axis=1)
        apart = ((view.dense @ self._half.T)[:, None, :] - self._centres[None, :, :]) ** 2
        return np.stack(
            [
                alike[:, 0],
                alike[:, -1],
                votes.max(axis=1),
                alike[:, -1] - self._own[nearest].mean(axis=1),
                (alike[:, -1] - self._usual[kind, 0]) / self._usual[kind, 1],
                np.log(chance / (1 - chance)),
                strength,
                each[:, -1],
                each[:, -2],
                (self._each.predict(view.dense).argmax(axis=1) == kind).astype(np.float64),
                np.sqrt(apart.sum(axis=2).min(axis=1)),
            ],
            axis=1,
        )


def _nearest(asked: Floats, seen: Floats, *, itself: bool = False) -> tuple[Floats, Rows]:
    """The cosines and the numbers of each prompt's nearest neighbours, nearest first; without itself where both are the same."""
    many = min(NEAR, len(seen) - 1)
    cosines, numbers = [], []
    for start in range(0, len(asked), BLOCK):
        alike = asked[start : start + BLOCK] @ seen.T
        if itself:
            alike[np.arange(len(alike)), start + np.arange(len(alike))] = -1.0
        top = np.argpartition(-alike, many - 1, axis=1)[:, :many]
        near = np.take_along_axis(alike, top, axis=1)
        order = np.argsort(-near, axis=1)
        cosines.append(np.take_along_axis(near, order, axis=1))
        numbers.append(np.take_along_axis(top, order, axis=1))
    return np.concatenate(cosines), np.concatenate(numbers)
