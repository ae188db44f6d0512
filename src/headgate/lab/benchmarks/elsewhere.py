"""What other sets have in common with a set, and what they tell of it: a router without one label of the same benchmark.

    others = compare(bodies, sets); need = foretell(target, others, seed)

A kind of another set that has a question in common with this one is taken for the same benchmark under another name. `foretell` leaves
such kinds out whole; what they tell is learned in `peers`. Learned here is how hard prompts are: what the models of a set score on a prompt,
less what they score on the set. It does not know how much better this set's strong model is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from headgate.lab.benchmarks.grouping import near_identical
from headgate.lab.benchmarks.learner import LEAF, STIFF, TREES, TRIED
from headgate.lab.benchmarks.prepared import Ready
from headgate.lab.benchmarks.wording import Wording, together

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

FEWEST = 100
"""Prompts of other sets, without which nothing is learned."""


class Other(Struct, frozen=True):
    """Another set, beside the one that is looked at."""

    ready: Ready
    tasks: npt.NDArray[np.str_]
    """The kind of each prompt."""
    copies: Marks
    """Which prompts are nearly the same as one of the set that is looked at."""

    @property
    def same(self) -> Marks:
        """Which prompts are of a kind that has a question in common: of the same benchmark under another name."""
        return np.isin(self.tasks, self.tasks[self.copies])


def compare(bodies: Sequence[str], sets: Sequence[Ready]) -> list[Other]:
    """What each of the other sets has in common with these prompts."""
    if not sets:
        return []
    groups = near_identical([*bodies, *[body for each in sets for body in each.bodies]])
    own, rest = groups[: len(bodies)], groups[len(bodies) :]
    ends = np.cumsum([len(each.bodies) for each in sets])[:-1]
    return [
        Other(each, np.array(each.set.tasks), np.isin(theirs, own))
        for each, theirs in zip(sets, np.split(rest, ends), strict=True)
    ]


def foretell(target: Ready, others: Sequence[Other], seed: int) -> Floats | None:
    """How much each prompt needs the strong model; only its order counts. None where the others have too few prompts.

    Args:
        target: prompts that are judged.
        others: sets that may be learned from, but for kinds of the same benchmark.
        seed: of the learners.
    """
    strange = [(each.ready, np.flatnonzero(~each.same)) for each in others]
    if sum(len(rows) for _, rows in strange) < FEWEST:
        return None
    ease = np.concatenate(
        [part.set.scores[rows].mean(axis=1) - part.set.scores.mean() for part, rows in strange]
    )
    counted = together([part.counted.take(rows) for part, rows in strange])
    wording = Wording(seed).learn(counted)
    view, asked = wording.read(counted), wording.read(target.counted)
    line = Ridge(STIFF, solver="sparse_cg", tol=1e-2).fit(view.sparse, ease)
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_features=TRIED, random_state=seed)
    trees.fit(view.dense, ease)
    return np.asarray(-line.predict(asked.sparse) - trees.predict(asked.dense), dtype=np.float64)
