"""What each model will score once some cheap answers are seen, and what that comes to: the cascade track.

    reader = AnswerReader(first, seed).learn(prompts, answers, before, scores, groups); expected = reader.expect(...)

`first` are the models that are asked at once, one or two. Their answers are paid for in any case; delivering one of them costs nothing
more, another model costs its own price. Features are those of `answers`, whether two answers come to the same, the words of the
answers, and what was expected of the prompt before. It does not know what the right answer is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from headgate.lab.benchmarks.answers import answer_figures, said_last
from headgate.lab.benchmarks.grouping import Rows
from headgate.lab.benchmarks.stacking import combine, stack
from headgate.lab.benchmarks.wording import WORD_OR_SIGN

Floats = npt.NDArray[np.float64]
Answers = Sequence[Sequence[str]]
"""For each prompt an answer of each of the first models."""

INNER = 4
TREES, LEAF, TRIED = 100, 5, 0.3
STIFF_WORDS, STIFF_FIGURES = 10.0, 50.0


def figures_of(prompts: Sequence[str], answers: Answers) -> Floats:
    """Figures of the first answers, and whether two come to the same: (prompts, figures)."""
    rows = []
    for prompt, given in zip(prompts, answers, strict=True):
        row = [figure for answer in given for figure in answer_figures(prompt, answer)]
        last = [said_last(answer) for answer in given]
        rows.append([*row, *(float(one == last[0]) for one in last[1:])])
    made = np.array(rows)
    return np.asarray(np.sign(made) * np.log1p(np.abs(made)), dtype=np.float64)


class AnswerReader:
    """Expected scores of all models, from a prompt and the first answers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(
        self, figures: Floats, answers: Answers, before: Floats, scores: Floats, groups: Rows
    ) -> "AnswerReader":
        """Fit on prompts whose outcomes are known.

        Args:
            figures: of the answers (`figures_of`).
            answers: of the first models.
            before: what was expected of each prompt while it was held out, (prompts, models).
            scores: (prompts, models).
            groups: of prompts that are nearly the same.
        """
        texts = [" | ".join(given) for given in answers]

        def fit_and_guess(fit: Rows, test: Rows) -> Floats:
            part = Readings(self._seed).learn(
                figures[fit], [texts[row] for row in fit], before[fit], scores[fit]
            )
            return part.expect(figures[test], [texts[row] for row in test], before[test])

        self._mean = scores.mean(axis=0)
        self.worth, self.held = stack(fit_and_guess, scores, groups, INNER, self._seed)
        self._readings = Readings(self._seed).learn(figures, texts, before, scores)
        return self

    def expect(self, figures: Floats, answers: Answers, before: Floats) -> Floats:
        """What each model will score: (prompts, models)."""
        texts = [" | ".join(given) for given in answers]
        return combine(self.worth, self._readings.expect(figures, texts, before), self._mean)


class Readings:
    """Ways of reading the first answers, fitted on the same prompts: their words, their figures (linear, trees), and the prompt alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, figures: Floats, texts: Sequence[str], before: Floats, scores: Floats) -> "Readings":
        """Fit all of them."""
        self._mean = scores.mean(axis=0)
        self._vocabulary = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD_OR_SIGN, max_features=40_000)
        self._words = Ridge(STIFF_WORDS, solver="sparse_cg", tol=1e-2)
        self._words.fit(self._vocabulary.fit_transform(texts), scores - self._mean)
        self._scale = StandardScaler().fit(figures)
        plain = self._scale.transform(figures)
        self._linear = Ridge(STIFF_FIGURES).fit(plain, scores - self._mean)
        self._trees = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=TRIED, random_state=self._seed
        )
        self._trees.fit(np.hstack([plain, before]), scores - self._mean)
        return self

    def expect(self, figures: Floats, texts: Sequence[str], before: Floats) -> Floats:
        """What each way guesses: (ways, prompts, models)."""
        plain = self._scale.transform(figures)
        words = self._words.predict(self._vocabulary.transform(texts))
        trees = self._trees.predict(np.hstack([plain, before]))
        made = [
            each.reshape(before.shape) + self._mean for each in (words, self._linear.predict(plain), trees)
        ]
        return np.asarray(np.stack([*made, before]), dtype=np.float64)
