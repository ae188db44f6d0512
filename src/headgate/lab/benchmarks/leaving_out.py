"""Whole kinds of task left out: what becomes of prompts of a kind that the fit part has never seen.

Unknown must go to the strong model. Each kind is left out once: everything is fitted on the others, without what is nearly the same as
a prompt of this kind; the price is picked there, and the kind's prompts are routed as they come. A set needs three kinds of `KIND`
prompts, and has at most `MOST_KINDS` of them: subjects of one exam are not kinds of task.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from headgate.lab.benchmarks import metrics, routing
from headgate.lab.benchmarks.grouping import Rows, by_task
from headgate.lab.benchmarks.metrics import Floats
from headgate.lab.benchmarks.novelty import FEWEST_KINDS, MOST_KINDS
from headgate.lab.benchmarks.prepared import Ready
from headgate.lab.benchmarks.routing import Came, Figure
from headgate.lab.benchmarks.tracks import choose, expect

KIND = 40
ALL = "all of them"


class LeftOut(Struct, frozen=True):
    """A kind that was left out."""

    task: str
    prompts: int
    to_strong: float
    """The share of its prompts that went to the strong model."""
    quality: Figure
    """Of the strong model's quality on the same prompts."""
    saved: Figure | None
    """Of the strong model's cost; None where that is nothing."""
    along: tuple[Came, ...] = ()
    """Of all kinds together: what came of each price (`routing.prices`)."""


def has_kinds(tasks: Sequence[str]) -> bool:
    """Whether a set has kinds of task that can be left out."""
    many = np.unique(np.array(tasks), return_counts=True)[1]
    return int((many >= KIND).sum()) >= FEWEST_KINDS and len(many) <= MOST_KINDS


def leave_out(ready: Ready, seed: int, draws: int) -> list[LeftOut]:
    """Each kind of a set in turn, and all of them together as the last row."""
    routed = []
    for task, rest, own in by_task(ready.set.tasks):
        if not task:
            continue
        others = rest[~np.isin(ready.groups[rest], ready.groups[own])]
        routed.append(_route(task, ready.take(others), ready.take(own), seed))
    return _rows(routed, seed, draws)


def strange(fit: Ready, test: Ready) -> npt.NDArray[np.bool_]:
    """Which test prompts are of a kind that the fit part has not; none where its kinds are subjects, or the kind is not said."""
    kinds = set(fit.set.tasks)
    if not has_kinds(fit.set.tasks):
        return np.zeros(len(test.bodies), dtype=np.bool_)
    return np.array([bool(task) and task not in kinds for task in test.set.tasks], dtype=np.bool_)


def unseen(fit: Ready, part: Ready, seed: int, draws: int) -> list[LeftOut]:
    """Prompts of kinds that the fit part has not, routed by what was fitted there."""
    whole = _route(ALL, fit, part, seed)
    return _rows([whole.take(task, own) for task, _, own in by_task(part.set.tasks)], seed, draws)


class Routed(Struct, frozen=True):
    """Prompts of a kind and what became of them: what was paid and scored, and what the strong model would have."""

    task: str
    paid: Floats
    """(1 + prices, prompts): first at the price that was picked, then at each."""
    got: Floats
    """Likewise."""
    dear: Floats
    best: Floats
    strong: npt.NDArray[np.bool_]
    """Which went to the strong model, at the price that was picked."""

    def take(self, task: str, rows: Rows) -> "Routed":
        """Some of them, as a kind of their own."""
        return Routed(
            task, self.paid[:, rows], self.got[:, rows], self.dear[rows], self.best[rows], self.strong[rows]
        )

    def picked(self) -> "Routed":
        """The same at the price that was picked alone."""
        return replace(self, paid=self.paid[:1], got=self.got[:1])


def _route(task: str, fit: Ready, test: Ready, seed: int) -> Routed:
    """Route test prompts at the price that was picked on the fit part and at every other, unknown ones to the strong model."""
    chosen, picked = choose(fit, test, expect(fit, test, seed))
    paid, got = routing.points(np.vstack([picked, chosen]), test.set.scores, test.costs)
    best, dear = test.set.scores[:, fit.strong], test.costs[:, fit.strong]
    return Routed(task, paid, got, dear, best, picked == fit.strong)


def _rows(routed: Sequence[Routed], seed: int, draws: int) -> list[LeftOut]:
    """What became of each kind, and of all together."""
    columns = [
        np.concatenate([getattr(each, name) for each in routed], axis=-1)
        for name in ("paid", "got", "dear", "best", "strong")
    ]
    kinds = [_row(each.picked(), seed, draws) for each in routed]
    return [*kinds, _row(Routed(ALL, *columns), seed, draws)]


def _row(routed: Routed, seed: int, draws: int) -> LeftOut:
    """What became of one kind, or of all together."""
    many = len(routed.dear)
    every = np.vstack([np.ones(many), metrics.draws(many, draws, seed)])
    picked, *along = routing.came_of(routed.paid, routed.got, routed.dear, routed.best, every)
    return LeftOut(
        task=routed.task,
        prompts=many,
        to_strong=float(routed.strong.mean()),
        quality=picked.quality,
        saved=picked.saved,
        along=tuple(along),
    )
