"""What each model will score on a prompt, learned from prompts on which that is known.

    learned = Learner(seed).learn(counted, scores, tasks, groups)
    expected = learned.expect(learned.guesses.wording.read(others))

Five ways of guessing, each for all models at once: a linear fit (ridge) on words by how rare they are, one by how often they stand
there, the nearest prompts, extremely random trees on figures and directions, and the kind of task (how models did on each kind, by how
likely the prompt is of it). Where other sets' models were asked the same benchmark (`peers`), a linear fit on what they would score is the
sixth. What each is worth is learned as well (`stacking`): where prompts are of many kinds, rare words tell most; where all are of one
kind, how often usual words stand there. Kinds are the fit part's `task` labels; a prompt that is judged has none.

Source: Geurts and others, "Extremely randomized trees", 2006.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headgate.lab.benchmarks.grouping import Rows
from headgate.lab.benchmarks.stacking import combine, stack
from headgate.lab.benchmarks.wording import Counted, View, Wording

Floats = npt.NDArray[np.float64]

STIFF, STIFF_OFTEN, STIFF_PEERS = 20.0, 10.0, 100.0
"""Of the linear fits: the penalty on their weights."""
NEAR = 100
"""Prompts that are asked as neighbours, at most a tenth of all."""
TREES, LEAF, TRIED = 100, 8, 0.3
"""Trees, the fewest prompts in a leaf, and the share of features that a split may choose from."""
INNER = 3
"""Folds of the fit part on which the worth of each guess is learned."""
BLOCK = 1_000
"""Prompts whose neighbours are looked up at once."""


class Learner:
    """Expected scores of all models, from a prompt."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, counted: Counted, scores: Floats, tasks: Sequence[str], groups: Rows) -> "Learner":
        """Fit on these prompts.

        Args:
            counted: the prompts, without what many begin with.
            scores: (prompts, models).
            tasks: what kind each prompt is of.
            groups: of prompts that are nearly the same.
        """
        kinds = np.array(tasks)

        def fit_and_guess(fit: Rows, test: Rows) -> Floats:
            part = Guesses(self._seed).learn(counted.take(fit), scores[fit], kinds[fit])
            return part.expect(part.wording.read(counted.take(test)))

        self._mean = scores.mean(axis=0)
        self.worth, self.held = stack(fit_and_guess, scores, groups, INNER, self._seed)
        self.guesses = Guesses(self._seed).learn(counted, scores, kinds)
        return self

    def expect(self, view: View) -> Floats:
        """What each model will score on each prompt, as `guesses.wording` reads it: (prompts, models)."""
        return combine(self.worth, self.guesses.expect(view), self._mean)


GUESSES = ("words", "often", "neighbours", "trees", "kinds", "peers")
"""Ways of guessing, in the order of their worths; the last only where there are peers."""


class Guesses:
    """The ways of guessing, fitted on the same prompts."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, counted: Counted, scores: Floats, kinds: npt.NDArray[np.str_]) -> "Guesses":
        """Fit all of them."""
        self.wording = Wording(self._seed).learn(counted)
        self.view = view = self.wording.read(counted)
        self._mean = scores.mean(axis=0)
        self._scores, self._directions = scores - self._mean, view.directions
        self._words = Ridge(STIFF, solver="sparse_cg", tol=1e-2).fit(view.sparse, self._scores)
        self._often = Ridge(STIFF_OFTEN, solver="sparse_cg", tol=1e-2).fit(view.often, self._scores)
        self._trees = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=TRIED, random_state=self._seed
        )
        self._trees.fit(view.dense, self._scores)
        names, where = np.unique(kinds, return_inverse=True)
        self._by_kind = np.array([self._scores[where == kind].mean(axis=0) for kind in range(len(names))])
        self._kinds = LogisticRegression(max_iter=100, tol=1e-3) if len(names) > 1 else None
        if self._kinds is not None:
            self._kinds.fit(view.dense, where)
        self._peers = make_pipeline(StandardScaler(), Ridge(STIFF_PEERS)) if view.peers.shape[1] else None
        if self._peers is not None:
            self._peers.fit(view.peers, self._scores)
        return self

    def expect(self, view: View) -> Floats:
        """What each way guesses: (ways, prompts, models)."""
        shape = (len(view.known), len(self._mean))
        words = self._words.predict(view.sparse).reshape(shape)
        often = self._often.predict(view.often).reshape(shape)
        trees = self._trees.predict(view.dense).reshape(shape)
        kinds = (
            np.zeros(shape) if self._kinds is None else self._kinds.predict_proba(view.dense) @ self._by_kind
        )
        made = [words, often, self._nearest(view), trees, kinds]
        if self._peers is not None:
            made.append(self._peers.predict(view.peers).reshape(shape))
        return np.asarray(np.stack(made) + self._mean, dtype=np.float64)

    def _nearest(self, view: View) -> Floats:
        """The mean score of the nearest prompts, the nearer the more it counts."""
        many = max(1, min(NEAR, len(self._scores) // 10))
        found = []
        for start in range(0, len(view.directions), BLOCK):
            alike = view.directions[start : start + BLOCK] @ self._directions.T
            nearest = np.argpartition(-alike, many - 1, axis=1)[:, :many]
            counts = np.take_along_axis(alike, nearest, axis=1).clip(0) ** 4 + 1e-9
            found.append(
                np.einsum("pn,pnm->pm", counts, self._scores[nearest]) / counts.sum(axis=1, keepdims=True)
            )
        return np.concatenate(found)
