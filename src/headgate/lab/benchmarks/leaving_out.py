"""Whole kinds of task left out: what becomes of prompts of a kind that the fit part has never seen.

Unknown must go to the strong model. Each kind is left out once: everything is fitted on the others, the price is picked there, and the
kind's prompts are routed as they come. A set needs three kinds of `KIND` prompts, and has at most `MOST` of them: subjects of one
exam are not kinds of task.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from headgate.lab.benchmarks import metrics, routing
from headgate.lab.benchmarks.grouping import Rows, by_task
from headgate.lab.benchmarks.metrics import interval
from headgate.lab.benchmarks.prepared import Ready, costs_before
from headgate.lab.benchmarks.routing import Figure
from headgate.lab.benchmarks.tracks import expect, pick

KIND, FEWEST, MOST = 40, 3, 30


class LeftOut(Struct, frozen=True):
    """A kind that was left out."""

    task: str
    prompts: int
    to_strong: float
    """The share of its prompts that went to the strong model."""
    quality: Figure
    """Of the strong model's quality on the same prompts."""
    saved: float
    """Of the strong model's cost."""


def has_kinds(tasks: Sequence[str]) -> bool:
    """Whether a set has kinds of task that can be left out."""
    many = np.unique(np.array(tasks), return_counts=True)[1]
    return FEWEST <= int((many >= KIND).sum()) and len(many) <= MOST


def leave_out(ready: Ready, seed: int, draws: int) -> list[LeftOut]:
    """Each kind of a set in turn, and all of them together as the last row."""
    left, cost, score, at = [], [], [], []
    for task, rest, own in by_task(ready.set.tasks):
        paid, got, rows = _route(ready, rest, own, seed)
        left.append(_row(task, ready, rows, paid, got, seed, draws))
        cost.append(paid)
        score.append(got)
        at.append(rows)
    return [
        *left,
        _row(
            "all of them", ready, np.concatenate(at), np.concatenate(cost), np.concatenate(score), seed, draws
        ),
    ]


def unseen(fit: Ready, test: Ready, seed: int, draws: int) -> list[LeftOut]:
    """Kinds of the test part that the fit part has not, routed by what was fitted there."""
    kinds = set(fit.set.tasks)
    strange = np.flatnonzero([task not in kinds for task in test.set.tasks])
    if not len(strange):
        return []
    part = test.take(strange)
    paid, got = _choose(fit, part, seed)
    rows = []
    for task, _, own in by_task(part.set.tasks):
        rows.append(_row(task, part, own, paid[own], got[own], seed, draws))
    return [*rows, _row("all of them", part, np.arange(len(strange)), paid, got, seed, draws)]


def _route(ready: Ready, rest: Rows, own: Rows, seed: int) -> tuple[metrics.Floats, metrics.Floats, Rows]:
    """Cost and score of a kind's prompts when everything else is known."""
    paid, got = _choose(ready.take(rest), ready.take(own), seed)
    return paid, got, own


def _choose(fit: Ready, test: Ready, seed: int) -> tuple[metrics.Floats, metrics.Floats]:
    """Cost and score of the test prompts at the price that was picked on the fit part, unknown ones by the strong model."""
    known = expect(fit, test, seed)
    at = routing.prices(fit.costs)
    chosen = routing.choices(known.test, costs_before(fit, test), at)
    before = routing.choices(known.held, costs_before(fit, fit), at)
    picked = pick(chosen, before, fit.set.scores, fit.costs, fit.strong)
    picked = np.where(known.known, picked, fit.strong)
    rows = np.arange(len(picked))
    return test.costs[rows, picked], test.set.scores[rows, picked]


def _row(
    task: str, ready: Ready, rows: Rows, paid: metrics.Floats, got: metrics.Floats, seed: int, draws: int
) -> LeftOut:
    """What became of the prompts of a kind."""
    best, dear = ready.set.scores[rows, ready.strong], ready.costs[rows, ready.strong]
    every = np.vstack([np.ones(len(rows)), metrics.draws(len(rows), draws, seed)])
    quality = (every @ got) / np.maximum(every @ best, 1e-12)
    return LeftOut(
        task=task,
        prompts=len(rows),
        to_strong=float(((got == best) & (paid == dear)).mean()),
        quality=Figure(float(quality[0]), *interval(quality[1:])),
        saved=float(1 - paid.sum() / dear.sum()),
    )
