"""Whether a prompt is of a kind that was seen: what is not goes to the strong model, whatever anybody expects of it.

    familiar = Familiar(seed).learn(view, kinds, groups); familiar.sure(other_view)

How near a prompt is to the seen ones is measured in four ways: its nearest neighbour and its tenth, the distance to the nearest kind
by its figures (Mahalanobis), how sure a classifier is of the kind, and how many of its words are known. How these tell seen from
unseen is learned by playing both: each prompt once among others of its kind, and once with its whole kind left out. The threshold lets
`LET_IN` of the unseen pass, on average over kinds. With one kind only there is nothing to play, and everything is held for seen.

Source: Lee and others, "A simple unified framework for detecting out-of-distribution samples", 2018.
"""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from headgate.lab.benchmarks.grouping import Rows, folds
from headgate.lab.benchmarks.wording import View

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.str_]

LET_IN = 0.01
"""Of prompts of an unseen kind, held for seen."""
FEWEST = 20
"""Prompts that make a kind."""
MOST_KINDS = 40
"""Beyond these, the rarest are one kind: they only show what is seen."""
SHRINK = 0.1
"""Of the covariance, towards that of independent figures."""
TENTH = 10
BLOCK = 1_000


class Familiar:
    """Tells prompts of a seen kind from others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._judge: LogisticRegression | None = None

    def learn(self, view: View, kinds: Kinds, groups: Rows) -> "Familiar":
        """Fit on these prompts."""
        names, many = np.unique(kinds, return_counts=True)
        kept = names[np.argsort(-many)][:MOST_KINDS]
        kept = kept[[bool((kinds == name).sum() >= FEWEST) for name in kept]]
        self._seen = Seen(view, kinds)
        if len(kept) < 3:
            return self
        inside = np.zeros((len(kinds), self._seen.figures))
        for fit, test in folds(groups, 5, self._seed):
            inside[test] = Seen(view.take(fit), kinds[fit]).measure(view.take(test))
        outside, of = [], []
        for name in kept:
            rest, own = np.flatnonzero(kinds != name), np.flatnonzero(kinds == name)
            outside.append(Seen(view.take(rest), kinds[rest]).measure(view.take(own)))
            of += [1 / len(own)] * len(own)
        strange = np.concatenate(outside)
        self._scale = StandardScaler().fit(np.vstack([inside, strange]))
        weights = np.concatenate([np.full(len(inside), len(kept) / len(inside)), of])
        self._judge = LogisticRegression(C=1.0, max_iter=1000)
        self._judge.fit(
            self._scale.transform(np.vstack([inside, strange])),
            np.concatenate([np.ones(len(inside)), np.zeros(len(strange))]),
            sample_weight=weights * len(inside) / len(kept),
        )
        passed = self._judge.predict_proba(self._scale.transform(strange))[:, 1]
        order = np.argsort(-passed)
        let_in = np.cumsum(np.array(of)[order]) / len(kept)
        self._threshold = float(passed[order][min(int((let_in <= LET_IN).sum()), len(order) - 1)])
        return self

    def sure(self, view: View) -> npt.NDArray[np.bool_]:
        """Which prompts are of a seen kind."""
        if self._judge is None:
            return np.ones(len(view.known), dtype=np.bool_)
        chance = self._judge.predict_proba(self._scale.transform(self._seen.measure(view)))[:, 1]
        return np.asarray(chance > self._threshold, dtype=np.bool_)


class Seen:
    """Prompts that were seen, to measure others against."""

    figures = 5
    """That are measured."""

    def __init__(self, view: View, kinds: Kinds) -> None:
        self._directions = view.directions
        names, where = np.unique(kinds, return_inverse=True)
        self._centres = np.array([view.dense[where == kind].mean(axis=0) for kind in range(len(names))])
        apart = view.dense - self._centres[where]
        spread = apart.T @ apart / max(len(apart) - 1, 1)
        spread = (1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread)) + 1e-6 * np.eye(len(spread))
        self._half = np.linalg.inv(np.linalg.cholesky(spread))

    def measure(self, view: View) -> Floats:
        """How near prompts are to the seen ones: (prompts, figures)."""
        many = min(TENTH, len(self._directions))
        nearest = []
        for start in range(0, len(view.directions), BLOCK):
            alike = view.directions[start : start + BLOCK] @ self._directions.T
            top = -np.partition(-alike, many - 1, axis=1)[:, :many]
            nearest.append(np.stack([top.max(axis=1), top.min(axis=1)], axis=1))
        there, centres = view.dense @ self._half.T, self._centres @ self._half.T
        apart = np.sqrt(((there[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2))
        least = apart.min(axis=1)
        near = np.exp(-0.5 * (apart**2 - least[:, None] ** 2))
        sure = 1 / near.sum(axis=1)
        return np.hstack([np.concatenate(nearest), np.stack([least, sure, view.known], axis=1)])
