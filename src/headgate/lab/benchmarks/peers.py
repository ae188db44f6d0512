"""Peers: models of other sets that were asked the same benchmark, and what they would score on a prompt.

    peers = Peers(seed).learn(compare(bodies, sets), many); ready = peers.tell(ready)

The outcomes of many models on a few hundred prompts tell what is hard for weak models and what for strong ones, better than those of two
models do, of which each label is a matter of chance. A kind that has a question in common with the set is learned, without whatever is
nearly the same as one of the set's prompts; what that is worth for the set's own models is learned on its fit part (`learner`). It does
not know which of the set's prompts will be tested: it sees no outcome of any.

Source: Breiman, "Bagging predictors", 1996, for the mean of several learners.
"""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from headgate.lab.benchmarks.elsewhere import FEWEST, Other
from headgate.lab.benchmarks.learner import Learner
from headgate.lab.benchmarks.metrics import Floats
from headgate.lab.benchmarks.prepared import Ready

SHARE = 0.2
"""Of a set's own prompts, that a kind has at least: from fewer there is little to learn that the own do not tell."""
LEARNERS = 3
"""Of a kind, whose mean counts: of few prompts, each says what its folds happen to say."""


class Peers:
    """Learners of kinds of other sets, for what they tell of this one."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, others: Sequence[Other], many: int) -> "Peers":
        """Learn each kind of the same benchmark that is large enough.

        Args:
            others: sets, beside all prompts of the one that is told of.
            many: prompts of it that are fitted on.
        """
        found: list[tuple[str, list[Learner]]] = []
        for other in others:
            for task in np.unique(other.tasks[other.copies]).tolist():
                rows = np.flatnonzero((other.tasks == task) & ~other.copies)
                if len(rows) >= max(FEWEST, SHARE * many):
                    source = f"{other.ready.set.name} {task or 'all'} ({len(rows):,} prompts)"
                    found.append((source, self._learners_of(other.ready.take(rows))))
        self.sources = tuple(source for source, _ in found)
        self._kinds = [learners for _, learners in found]
        return self

    def tell(self, ready: Ready) -> Ready:
        """The same prompts with what each peer would score, by each kind."""
        if not self._kinds:
            return ready
        peers = np.hstack([_mean(learners, ready) for learners in self._kinds])
        return replace(ready, counted=replace(ready.counted, peers=peers))

    def _learners_of(self, kind: Ready) -> list[Learner]:
        """Several, that differ by their folds and trees."""
        return [
            Learner(self._seed + number).learn(kind.counted, kind.set.scores, kind.set.tasks, kind.groups)
            for number in range(LEARNERS)
        ]


def _mean(learners: Sequence[Learner], ready: Ready) -> Floats:
    """What learners expect on average: (prompts, models)."""
    expected = [each.expect(each.guesses.wording.read(ready.counted)) for each in learners]
    return np.asarray(np.mean(expected, axis=0), dtype=np.float64)
