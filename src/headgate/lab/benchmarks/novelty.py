"""Whether a prompt is of a kind that was seen enough to be trusted with a cheaper model; what is not goes to the strong one.

    familiar = Familiar(seed).learn(fit, view, price); familiar.sure(test, its_view, prices)

The rule is learned by playing both cases on the fit part: each prompt once among others of its kind, and once with its whole kind left
out (`nearness` measures how near it is to what was seen then, and what is expected of it). Two judges, a line and trees, learn from
that who may be trusted. What a prompt counts for is what is at stake: the money that trusting it saves, or the quality that was lost
when its kind was unknown.

The threshold is the lowest at which kinds that the judges have not seen, in either play, keep `SAFE` of the strong model's quality, and
at which the oddest of the seen prompts are held back as well: others may be odder than all that were played. With fewer than `FEWEST_KINDS` kinds, or with so many
that they are subjects of one task, there is nothing to play, and everything is held for seen.

That is the threshold at the price of quality which was picked. Where a dollar is worth more than there, so is what trusting a prompt
saves, beside what may be lost: the odds that it is of a seen kind may be lower by as much. Where it is worth less, nothing is let in
that was not let in before; and where the price that was picked is 0, nothing at any other one.

Source: Elkan, "The foundations of cost-sensitive learning", 2001.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from headgate.lab.benchmarks.grouping import Rows, folds
from headgate.lab.benchmarks.nearness import Seen
from headgate.lab.benchmarks.prepared import Ready, costs_before
from headgate.lab.benchmarks.wording import View

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

SAFE = 0.995
"""Of the strong model's quality, that kinds which were left out must keep: half of the percent that may be lost, because what is lost is
estimated by way of neighbours, and the next kind may be worse than those that were played."""
FEWEST = 20
"""Prompts that make a kind."""
FEWEST_KINDS, MOST_KINDS = 3, 30
"""Kinds of task that a set has, for them to be kinds of task."""
GROUPS = 5
"""Of kinds that are judged by judges who have not seen them."""
ODD = 0.02
"""Of the prompts of seen kinds, held back at least."""
LOSS = 2.0
"""What a point of quality lost on a stranger counts, beside the strong model's cost saved on a prompt that is none."""
STRANGE, TRACE = 0.1, 0.02
"""What a stranger counts on which nothing was lost, and a prompt that is none on which nothing was saved."""
TREES, LEAF, TRIED = 100, 15, 0.3


class Cases(Struct, frozen=True):
    """Prompts of both plays."""

    measures: Floats
    stake: Floats
    """What it counts for that they are trusted, or that they are not."""
    kind: npt.NDArray[np.str_]

    def take(self, rows: Marks) -> "Cases":
        """Some of them."""
        return Cases(self.measures[rows], self.stake[rows], self.kind[rows])


class Familiar:
    """Tells prompts that may be trusted from others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._judge: Judge | None = None

    def learn(self, fit: Ready, view: View, price: float) -> "Familiar":
        """Fit on these prompts.

        Args:
            fit: with the outcomes.
            view: the same prompts.
            price: of quality, at which models are chosen.
        """
        kinds = np.array(fit.set.tasks)
        names, many = np.unique(kinds, return_counts=True)
        kept = [str(name) for name in names[many >= FEWEST] if name]
        if len(kept) < FEWEST_KINDS or len(names) > MOST_KINDS:
            return self
        self._price = price
        self._fit, self._seen = fit, Seen(view, fit.counted, kinds, fit.set.scores)
        among, strangers, lost = self._play(view, kinds, kept)
        self._threshold = self._strict_enough(among, strangers, lost, kept)
        self._judge = Judge(self._seed).learn(among, strangers)
        return self

    def sure(self, test: Ready, view: View, prices: Floats) -> Marks:
        """Which prompts may be trusted, at each price: (prices, prompts)."""
        if self._judge is None:
            return np.ones((len(prices), len(view.known)), dtype=np.bool_)
        measures, _ = self._measure(self._seen, view, test, costs_before(self._fit, test))
        dearer = (
            np.log(np.maximum(prices, self._price) / self._price) if self._price else np.zeros(len(prices))
        )
        thresholds = self._threshold - self._judge.step * dearer
        return np.asarray(self._judge.rate(measures) > thresholds[:, None], dtype=np.bool_)

    def _play(
        self, view: View, kinds: npt.NDArray[np.str_], kept: Sequence[str]
    ) -> tuple[Cases, Cases, Floats]:
        """Every prompt among its kind, and without it; of the latter also what was lost, as a share of the strong model's quality."""
        fit, costs = self._fit, costs_before(self._fit, self._fit)
        played = np.isin(kinds, kept)
        dear = np.maximum(fit.costs[:, fit.strong].mean(), 1e-12)
        measures, without = np.zeros((len(kinds), MEASURES)), np.zeros((len(kinds), MEASURES))
        saved, lost = np.zeros(len(kinds)), np.zeros(len(kinds))
        for part, own, inside in _plays(kinds, kept, fit.groups, self._seed):
            seen = Seen(view.take(part), fit.counted.take(part), kinds[part], fit.set.scores[part])
            test = fit.take(own)
            figures, picked = self._measure(seen, view.take(own), test, costs[own])
            rows = np.arange(len(own))
            if inside:
                measures[own] = figures
                saved[own] = (test.costs[:, fit.strong] - test.costs[rows, picked]) / dear
            else:
                without[own] = figures
                lost[own] = test.set.scores[:, fit.strong] - test.set.scores[rows, picked]
        even = _even(kinds[played])
        among = Cases(measures[played], even * saved[played].clip(TRACE), kinds[played])
        stake = even * (LOSS * lost[played].clip(0) + STRANGE)
        strangers = Cases(without[played], stake, kinds[played])
        return among, strangers, lost[played] / max(float(fit.set.scores[played, fit.strong].sum()), 1e-12)

    def _measure(self, seen: Seen, view: View, part: Ready, costs: Floats) -> tuple[Floats, Rows]:
        """How near prompts are to the seen ones and what is at stake, and the models that would be chosen for them."""
        near, expected = seen.measure(view, part.counted)
        picked = (expected - self._price * costs).argmax(axis=1)
        strong = expected[:, part.strong]
        chosen = expected[np.arange(len(picked)), picked]
        stakes = [chosen - strong, strong, expected.std(axis=1), (picked == part.strong).astype(np.float64)]
        return np.hstack([near, np.stack(stakes, axis=1)]), picked

    def _strict_enough(self, among: Cases, strangers: Cases, lost: Floats, kept: Sequence[str]) -> float:
        """The lowest threshold that is safe, by judges of kinds that they have not seen."""
        order = np.random.default_rng(self._seed).permutation(len(kept))
        several = min(GROUPS, len(kept))
        rated, usual = np.zeros(len(lost)), np.zeros(len(lost))
        for group in range(several):
            own = np.isin(strangers.kind, [kept[at] for at in order[group::several]])
            judge = Judge(self._seed).learn(among.take(~own), strangers.take(~own))
            rated[own], usual[own] = judge.rate(strangers.measures[own]), judge.rate(among.measures[own])
        falling = np.argsort(-rated, kind="stable")
        gone = np.maximum.accumulate(np.cumsum(lost[falling]))
        allowed = int(np.searchsorted(gone, 1 - SAFE, side="right"))
        safe = float(rated[falling[allowed]]) if allowed < len(falling) else -np.inf
        return max(safe, float(np.quantile(usual, ODD)))


MEASURES = Seen.measures + 4


class Judge:
    """Who may be trusted, by what was measured: a line and trees, together."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, among: Cases, strangers: Cases) -> "Judge":
        """Fit on prompts of both plays."""
        measures = np.vstack([among.measures, strangers.measures])
        trusted = np.arange(len(measures)) < len(among.measures)
        stake = np.concatenate([among.stake, strangers.stake])
        self._scale = StandardScaler().fit(measures)
        self._line = LogisticRegression(max_iter=3000)
        self._line.fit(self._scale.transform(measures), trusted, sample_weight=stake)
        self._trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=LEAF, max_features=TRIED, random_state=self._seed
        )
        self._trees.fit(measures, trusted, sample_weight=stake)
        self._spread = self._two(measures).std(axis=1, keepdims=True) + 1e-9
        return self

    @property
    def step(self) -> float:
        """By how much a rate is higher where both give odds that are e times as high."""
        return float((1 / self._spread).sum())

    def rate(self, measures: Floats) -> Floats:
        """How far each prompt may be trusted; above the threshold it is."""
        return np.asarray((self._two(measures) / self._spread).sum(axis=0), dtype=np.float64)

    def _two(self, measures: Floats) -> Floats:
        """What each of the two says: (2, prompts)."""
        chance = self._trees.predict_proba(measures)[:, 1]
        line = self._line.decision_function(self._scale.transform(measures))
        return np.stack([line, np.log((chance + TRACE) / (1 - chance + TRACE))])


def _plays(
    kinds: npt.NDArray[np.str_], kept: Sequence[str], groups: Rows, seed: int
) -> Iterator[tuple[Rows, Rows, bool]]:
    """Prompts that are seen, prompts that are asked, and whether their kind is among the seen."""
    for fit, test in folds(groups, 5, seed):
        yield fit, test, True
    for name in kept:
        yield np.flatnonzero(kinds != name), np.flatnonzero(kinds == name), False


def _even(kinds: npt.NDArray[np.str_]) -> Floats:
    """Weights by which every kind counts the same, 1 on average."""
    names, where, many = np.unique(kinds, return_inverse=True, return_counts=True)
    return np.asarray(len(where) / len(names) / many[where], dtype=np.float64)
