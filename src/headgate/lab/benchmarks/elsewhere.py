"""What other benchmarks tell of how much a prompt needs the strong model: a router without one label of the same benchmark.

    need = foretell(target, (fitted, …), others, seed)

Learned is how hard prompts are: what the models of a set score on a prompt, less what they score on the set. A kind of another set is
left out whole if it has a question in common with this one: it is then taken for the same benchmark under another name. It does not
know how much better this set's strong model is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from headgate.lab.benchmarks.grouping import near_identical
from headgate.lab.benchmarks.learner import LEAF, STIFF, TREES, TRIED
from headgate.lab.benchmarks.prepared import Ready
from headgate.lab.benchmarks.wording import Wording, together

Floats = npt.NDArray[np.float64]

FEWEST = 100
"""Prompts of other benchmarks, without which nothing is learned."""


def foretell(target: Ready, same: Sequence[Ready], others: Sequence[Ready], seed: int) -> Floats | None:
    """How much each prompt needs the strong model; only its order counts. None where the others have too few prompts.

    Args:
        target: prompts that are judged.
        same: other parts of the same benchmark, of which nothing may be learned.
        others: sets that may be learned from.
        seed: of the learners.
    """
    if not others:
        return None
    own = [body for part in (target, *same) for body in part.bodies]
    groups = near_identical([*own, *[body for part in others for body in part.bodies]])
    ours = np.isin(groups[len(own) :], groups[: len(own)])
    kinds = np.array([f"{part.set.name} {task}" for part in others for task in part.set.tasks])
    rows = np.flatnonzero(~np.isin(kinds, kinds[ours]))
    if len(rows) < FEWEST:
        return None
    ease = np.concatenate([part.set.scores.mean(axis=1) - part.set.scores.mean() for part in others])[rows]
    counted = together([part.counted for part in others]).take(rows)
    wording = Wording(seed).learn(counted)
    view, asked = wording.read(counted), wording.read(target.counted)
    line = Ridge(STIFF, solver="sparse_cg", tol=1e-2).fit(view.sparse, ease)
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_features=TRIED, random_state=seed)
    trees.fit(view.dense, ease)
    return np.asarray(-line.predict(asked.sparse) - trees.predict(asked.dense), dtype=np.float64)
