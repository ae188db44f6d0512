"""A set made ready: models that can be compared, what they cost, the strong and the weak one, bodies and groups.

    ready = prepare(benchmark, pairs); for fit, test in splits(ready, folds, seed): …

A set whose models have no price is reduced to a pair, and its cost is counted in calls of the strong model: what is saved is then a share
of these calls. The pair is one that another set consists of, where this set has both; or else the best model and the median one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from scipy.optimize import nnls

from headgate.core.errors import UsageError
from headgate.lab.benchmarks.grouping import Rows, folds, near_identical, openings, without_openings
from headgate.lab.benchmarks.metrics import Floats
from headgate.lab.benchmarks.sets import FEWEST, Benchmark
from headgate.lab.benchmarks.wording import Counted, count, together

CALLS = "calls of the strong model"
NOTHING_TO_ROUTE = "there is nothing to route; leave this set out with --set"
DIFFERENT = 20
"""Prompts that are not nearly the same, below which a set cannot be cut into parts."""


class Ready(Struct, frozen=True):
    """A set on which routers can be compared."""

    set: Benchmark
    costs: Floats
    """(prompts, models)."""
    bodies: tuple[str, ...]
    counted: Counted
    """The words of the bodies."""
    groups: Rows
    strong: int
    """The number of the model of the best mean score."""
    weak: int
    """The number of the model that a pair's measures are taken against: the cheapest of those worth their cost."""

    def take(self, rows: Rows) -> "Ready":
        """The same set with these prompts only."""
        bodies = tuple(self.bodies[row] for row in rows.tolist())
        return replace(
            self,
            set=self.set.take(rows),
            costs=self.costs[rows],
            bodies=bodies,
            counted=self.counted.take(rows),
            groups=self.groups[rows],
        )


def prepare(benchmark: Benchmark, pairs: Sequence[frozenset[str]]) -> Ready:
    """Make a set ready.

    Args:
        benchmark: the set.
        pairs: of models that other sets consist of.

    Raises:
        UsageError: no model is cheaper than the best one, or nearly all prompts are the same.
    """
    if benchmark.costs is None:
        benchmark = _pair_of(benchmark, pairs)
    quality = benchmark.scores.mean(axis=0)
    strong = int(quality.argmax())
    costs = np.zeros(benchmark.scores.shape) if benchmark.costs is None else benchmark.costs
    if benchmark.costs is None:
        costs[:, strong] = 1.0
    mean = costs.mean(axis=0)
    others = [model for model in range(len(quality)) if model != strong]
    if not _has_cheaper(mean, strong):
        raise UsageError(
            f"in {benchmark.name}, {benchmark.models[strong]} is the best model and no other is cheaper",
            NOTHING_TO_ROUTE,
        )
    bodies = without_openings(benchmark.prompts, openings(benchmark.prompts))
    groups = near_identical(bodies)
    if (many := len(np.unique(groups))) < DIFFERENT:
        raise UsageError(
            f"{benchmark.name} has {many} prompts that are not nearly the same",
            f"at least {DIFFERENT} are needed; leave this set out with --set",
        )
    weak = min(others, key=lambda model: (mean[model], -quality[model]))
    return Ready(
        set=replace(benchmark, unit=benchmark.unit or CALLS),
        costs=costs,
        bodies=tuple(bodies),
        counted=count(bodies),
        groups=groups,
        strong=strong,
        weak=weak,
    )


def alike(fitted: Benchmark, other: Benchmark) -> Benchmark | None:
    """The set that is fitted on with those of its models that another part has as well; None where these are no two."""
    shared = [column for column, model in enumerate(fitted.models) if model in other.models]
    return _with_models(fitted, shared) if len(shared) > 1 else None


def without_copies(fitted: Benchmark, other: Benchmark) -> Benchmark:
    """The set that is fitted on without questions that are nearly the same as one of another part.

    Raises:
        UsageError: hardly any are left.
    """
    shared, many = openings(fitted.prompts), len(fitted.prompts)
    groups = near_identical(without_openings([*fitted.prompts, *other.prompts], shared))
    own = np.flatnonzero(~np.isin(groups[:many], groups[many:]))
    if len(own) < FEWEST:
        raise UsageError(
            f"of the {many} prompts of {fitted.name} that are fitted on, {many - len(own)} are scored as well",
            "score other prompts than those that are fitted on, or cross-validate within one folder",
        )
    return fitted if len(own) == many else fitted.take(own)


def like(ready: Ready, other: Benchmark) -> Ready:
    """Another part of a set that has all models of the fit part, with the same roles.

    Where it does not know what they cost, that is what the fit part says of such prompts.

    Raises:
        UsageError: by its own costs no model is cheaper than the strong one.
    """
    part = _with_models(other, [other.models.index(model) for model in ready.set.models])
    bodies = without_openings(part.prompts, openings(ready.set.prompts))
    costs, unit = part.costs, part.unit
    if ready.set.costs is None or costs is None:
        costs, unit = _costs_like(ready, part.prompts), ready.set.unit
    if not _has_cheaper(costs.mean(axis=0), ready.strong):
        raise UsageError(
            f"in the part of {part.name} that is scored, no model is cheaper than {part.models[ready.strong]}",
            NOTHING_TO_ROUTE,
        )
    return Ready(
        set=replace(part, costs=costs, unit=unit),
        costs=costs,
        bodies=tuple(bodies),
        counted=count(bodies),
        groups=near_identical(bodies),
        strong=ready.strong,
        weak=ready.weak,
    )


def splits(ready: Ready, many: int, seed: int) -> Iterator[tuple[Ready, Ready]]:
    """Fit parts and test parts; each prompt is tested once, and nearly the same ones are on one side."""
    for fit, test in folds(ready.groups, many, seed):
        yield ready.take(fit), ready.take(test)


def joined(parts: Sequence[Ready]) -> Ready:
    """Test parts one after the other, as one."""
    first = parts[0]
    sets = [part.set for part in parts]
    whole = replace(
        first.set,
        ids=tuple(each for one in sets for each in one.ids),
        prompts=tuple(each for one in sets for each in one.prompts),
        tasks=tuple(each for one in sets for each in one.tasks),
        scores=np.concatenate([one.scores for one in sets]),
        costs=None,
        answers=tuple(each for one in sets for each in one.answers),
    )
    return replace(
        first,
        set=whole,
        costs=np.concatenate([part.costs for part in parts]),
        bodies=tuple(each for part in parts for each in part.bodies),
        counted=together([part.counted for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
    )


def costs_before(fit: Ready, test: Ready) -> Floats:
    """What each model will cost on each test prompt, as can be known before the call: a base and a rate by length, never negative."""
    return _costs_like(fit, test.set.prompts)


def _has_cheaper(mean: Floats, strong: int) -> bool:
    """Whether the strong model costs anything, and another one less."""
    return bool(mean[strong] > 0 and mean.min() < mean[strong])


def _costs_like(fit: Ready, prompts: Sequence[str]) -> Floats:
    """What each model costs on prompts of these lengths, by a fit part: (prompts, models)."""
    lengths, asked = (
        np.array([len(prompt) for prompt in each], dtype=np.float64) for each in (fit.set.prompts, prompts)
    )
    known = np.stack([np.ones(len(lengths)), lengths / lengths.mean()], axis=1)
    wanted = np.stack([np.ones(len(asked)), asked / lengths.mean()], axis=1)
    return np.stack([wanted @ nnls(known, column)[0] for column in fit.costs.T], axis=1)


def _pair_of(benchmark: Benchmark, pairs: Sequence[frozenset[str]]) -> Benchmark:
    """The set with two of its models."""
    if len(benchmark.models) == 2:
        return benchmark
    short = [_short(model) for model in benchmark.models]
    for pair in pairs:
        wanted = sorted(_short(model) for model in pair)
        if set(wanted) <= set(short):
            return _with_models(benchmark, [short.index(model) for model in wanted])
    ranked = np.argsort(benchmark.scores.mean(axis=0))
    return _with_models(benchmark, [int(ranked[len(ranked) // 2]), int(ranked[-1])])


def _with_models(benchmark: Benchmark, columns: Sequence[int]) -> Benchmark:
    """The set with some of its models, in this order."""
    return replace(
        benchmark,
        models=tuple(benchmark.models[column] for column in columns),
        scores=benchmark.scores[:, columns],
        costs=None if benchmark.costs is None else benchmark.costs[:, columns],
        answers=tuple(tuple(given[column] for column in columns) for given in benchmark.answers),
    )


def _short(model: str) -> str:
    """A model's name without its maker, which sources write or leave out."""
    return model.rsplit("/", 1)[-1]
