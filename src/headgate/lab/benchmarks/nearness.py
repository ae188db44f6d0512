"""How near a prompt is to prompts that were seen, measured in several ways, and what is expected of it by them.

    seen = Seen(view, counted, kinds, scores); measures, expected = seen.measure(other_view, other_counted)

By its neighbours: are they of one kind, and as near as these are to their own? By two classifiers: how sure are they of its kind? By
its distance to the nearest kind. And by its language: how usual are its words, and pieces of words, in the kind that it is most like, beside
what is usual everywhere, and how many were ever seen? It does not know who may be trusted (`novelty`).

Sources: Lee and others, "A simple unified framework for detecting out-of-distribution samples", 2018, for the distance; Jelinek and
Mercer, 1980, for mixing what a kind says with what all say.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from headgate.lab.benchmarks.grouping import Rows
from headgate.lab.benchmarks.wording import Counted, View

Floats = npt.NDArray[np.float64]

SHRINK = 0.1
"""Of the covariance, towards that of independent figures."""
NEAR, EXPECTING = 10, 30
"""Neighbours that are looked at, and those whose scores are expected."""
STIFF = 10.0
SHARED = 300.0
"""Words that everybody says, mixed into what a kind says."""
BLOCK = 1_000


class Seen:
    """Prompts that were seen, to measure others against."""

    measures = 19

    def __init__(self, view: View, counted: Counted, kinds: npt.NDArray[np.str_], scores: Floats) -> None:
        names, self._where = np.unique(kinds, return_inverse=True)
        self._many = len(names)
        self._directions, self._scores = view.directions, scores
        self._own = _nearest(view.directions, view.directions, NEAR, itself=True)[0][:, -1]
        of_kind = [self._own[self._where == kind] for kind in range(self._many)]
        self._usual = np.array([(np.median(own), own.std() + 1e-3) for own in of_kind])
        self._by_kind = np.array([scores[self._where == kind].mean(axis=0) for kind in range(self._many)])
        centres = np.array([view.dense[self._where == kind].mean(axis=0) for kind in range(self._many)])
        apart = view.dense - centres[self._where]
        spread = apart.T @ apart / max(len(apart) - 1, 1)
        spread = (1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread)) + 1e-6 * np.eye(len(spread))
        self._half = np.linalg.inv(np.linalg.cholesky(spread))
        self._centres = centres @ self._half.T
        self._line = LogisticRegression(max_iter=100, tol=1e-3).fit(view.dense, self._where)
        self._each = Ridge(STIFF).fit(view.dense, np.eye(self._many)[self._where])
        self._said = [Said(counts, self._where, self._many) for counts in (counted.words, counted.pieces)]

    def measure(self, view: View, counted: Counted) -> tuple[Floats, Floats]:
        """How near prompts are, (prompts, measures), and what each model is expected to score, (prompts, models)."""
        cosines, numbers = _nearest(view.directions, self._directions, EXPECTING)
        near, alike = numbers[:, :NEAR], cosines[:, :NEAR]
        votes = np.stack([(self._where[near] == kind).mean(axis=1) for kind in range(self._many)], axis=1)
        kind = votes.argmax(axis=1)
        chances = self._line.predict_proba(view.dense)
        chance = chances.max(axis=1).clip(1e-9, 1 - 1e-9)
        sides = self._line.decision_function(view.dense)
        # Of two kinds it is one figure, for the second and against the first by half of it.
        strength = np.abs(sides) / 2 if sides.ndim == 1 else sides.max(axis=1)
        each = self._each.predict(view.dense)
        ranked = np.sort(each, axis=1)
        apart = ((view.dense @ self._half.T)[:, None, :] - self._centres[None, :, :]) ** 2
        measures = [
            alike[:, 0],
            alike[:, -1],
            votes.max(axis=1),
            alike[:, -1] - self._own[near].mean(axis=1),
            (alike[:, -1] - self._usual[kind, 0]) / self._usual[kind, 1],
            np.log(chance / (1 - chance)),
            strength,
            ranked[:, -1],
            ranked[:, -2],
            (each.argmax(axis=1) == kind).astype(np.float64),
            np.sqrt(apart.sum(axis=2).min(axis=1)),
        ]
        for said, counts in zip(self._said, (counted.words, counted.pieces), strict=True):
            measures += said.measure(counts)
        expected = (self._scores[numbers].mean(axis=1) + chances @ self._by_kind) / 2
        return np.stack(measures, axis=1), np.asarray(expected, dtype=np.float64)


class Said:
    """What each kind says, as shares of its words."""

    def __init__(self, counts: "sparse.csr_matrix", where: Rows, many: int) -> None:
        plain = _often(counts)
        member = sparse.csr_matrix((np.ones(len(where)), (where, np.arange(len(where)))), (many, len(where)))
        by_kind = np.asarray((member @ plain).todense())
        self._seen: npt.NDArray[np.bool_] = by_kind.sum(axis=0) > 0
        usual = by_kind.sum(axis=0) + 0.05
        usual /= usual.sum()
        mixed = (by_kind + SHARED * usual) / (by_kind.sum(axis=1, keepdims=True) + SHARED)
        self._kinds, self._usual = np.log(mixed).T, np.log(usual)

    def measure(self, counts: "sparse.csr_matrix") -> list[Floats]:
        """The share of words seen before; how usual they are in the likeliest kind; beside everywhere; and beside the next kind."""
        there = sparse.csr_matrix(
            (self._seen[counts.indices].astype(np.float64), counts.indices, counts.indptr), counts.shape
        )
        known = np.asarray(there.sum(axis=1)).ravel() / np.maximum(np.diff(counts.indptr), 1)
        plain = _often(counts)
        long = np.maximum(np.asarray(plain.sum(axis=1)).ravel(), 1)
        kinds = np.sort(plain @ self._kinds / long[:, None], axis=1)
        everywhere = plain @ self._usual / long
        return [known, kinds[:, -1], kinds[:, -1] - everywhere, kinds[:, -1] - kinds[:, -2]]


def _often(counts: "sparse.csr_matrix") -> "sparse.csr_matrix":
    """How often each word stands there; `Counted` has the logarithm."""
    return sparse.csr_matrix(
        (np.exp(counts.data.astype(np.float64) - 1), counts.indices, counts.indptr), counts.shape
    )


def _nearest(asked: Floats, seen: Floats, near: int, *, itself: bool = False) -> tuple[Floats, Rows]:
    """The cosines and the numbers of each prompt's nearest neighbours, nearest first; without itself where both are the same."""
    many = min(near, len(seen) - 1)
    cosines, numbers = [], []
    for start in range(0, len(asked), BLOCK):
        alike = asked[start : start + BLOCK] @ seen.T
        if itself:
            alike[np.arange(len(alike)), start + np.arange(len(alike))] = -1.0
        top = np.argpartition(-alike, many - 1, axis=1)[:, :many]
        near_ones = np.take_along_axis(alike, top, axis=1)
        order = np.argsort(-near_ones, axis=1)
        cosines.append(np.take_along_axis(near_ones, order, axis=1))
        numbers.append(np.take_along_axis(top, order, axis=1))
    return np.concatenate(cosines), np.concatenate(numbers)
