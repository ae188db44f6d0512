"""What each of several ways of guessing is worth, learned on prompts that they were not fitted on.

    worth, held = stack(fit_and_guess, scores, groups, inner, seed)

Weights are not negative, the same for all models, and drawn to even ones, since few prompts tell little about worth. What counts is
which model does better on which prompt: means of prompts and of models say nothing about a choice and are taken out first.

Sources: Wolpert, "Stacked generalization", 1992; Breiman, "Stacked regressions", 1996.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from headgate.lab.benchmarks.grouping import Rows, folds

Floats = npt.NDArray[np.float64]

EVEN = 0.3
"""How strongly worths are drawn to even ones."""

FitAndGuess = Callable[[Rows, Rows], Floats]
"""Rows to fit on and rows to guess → (ways, rows, models)."""


def stack(
    fit_and_guess: FitAndGuess, scores: Floats, groups: Rows, inner: int, seed: int
) -> tuple[Floats, Floats]:
    """The worth of each way, and what all together expect of each prompt when it is held out: (prompts, models).

    Args:
        fit_and_guess: fits every way on some rows and lets it guess others.
        scores: (prompts, models).
        groups: of prompts that must not be on both sides.
        inner: folds.
        seed: of the folds.
    """
    made: Floats | None = None
    for fit, test in folds(groups, inner, seed):
        guessed = fit_and_guess(fit, test)
        if made is None:
            made = np.zeros((len(guessed), *scores.shape))
        made[:, test] = guessed
    assert made is not None
    ways = len(made)
    rows = _differences(made).reshape(ways, -1).T
    pull = EVEN * np.sqrt((rows**2).sum() / ways)
    left = np.vstack([rows, pull * np.eye(ways)])
    right = np.concatenate([_differences(scores[None]).ravel(), np.full(ways, pull / ways)])
    worth = np.asarray(nnls(left, right)[0], dtype=np.float64)
    return worth, combine(worth, made, scores.mean(axis=0))


def combine(worth: Floats, made: Floats, mean: Floats) -> Floats:
    """What all ways expect together: each adds to the models' means as much as it is worth."""
    return np.asarray(mean + np.tensordot(worth, made - mean, axes=1), dtype=np.float64)


def _differences(scores: Floats) -> Floats:
    """Scores without what is common to all models of a prompt, and to all prompts of a model."""
    between = scores - scores.mean(axis=2, keepdims=True)
    return np.asarray(between - between.mean(axis=1, keepdims=True), dtype=np.float64)
