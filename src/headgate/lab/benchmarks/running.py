"""Run the benchmarks of a folder, or of one folder on what was fitted on another.

    run(Asked(folder=…)) → Benchmarked

By default each set is cross-validated within the folder. With a second folder, everything is fitted on the first and scored on the
second, sets matched by name. A set of the second that the first has not is unknown: nothing is fitted for it, and everything goes to
the strong model; what is known about it are its bounds and what the length of its prompts tells.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.errors import UsageError
from headgate.lab.benchmarks import tracks
from headgate.lab.benchmarks.leaving_out import LeftOut, has_kinds, leave_out, unseen
from headgate.lab.benchmarks.prepared import Ready, like, prepare, splits
from headgate.lab.benchmarks.published import Published, best_of, read_published
from headgate.lab.benchmarks.sets import Benchmark, read_folder
from headgate.lab.benchmarks.tracks import Row

FOLDS, DRAWS = 5, 1_000
SMALL, SMALL_FOLDS = 1_000, 10
"""Prompts below which a set is cut into more folds: it cannot spare a fifth of what it can be learned from."""
CROSS_VALIDATION = "cross-validation"
QUICK_FOLDS, QUICK_DRAWS = 2, 100

Say = Callable[[str], None]


class Asked(Struct, frozen=True):
    """What to run."""

    folder: Path
    """That is fitted on."""
    score: Path | None = None
    """That is scored; None cross-validates within `folder`."""
    names: tuple[str, ...] = ()
    """Sets to run; all by default."""
    track: str = ""
    """"predictive" or "cascade"; both by default."""
    seed: int = 0
    quick: bool = False
    """Fewer folds and draws, and no kinds left out: to see that it runs."""


class Scored(Struct, frozen=True):
    """A set and what came of it."""

    name: str
    prompts: int
    fitted: int
    """Prompts that were fitted on, 0 where the fit part lacks this set; in a cross-validation, for each fold on average."""
    folds: int
    """Of the cross-validation; 1 where another folder was scored."""
    contaminated: int
    incomplete: int
    models: tuple[str, ...]
    strong: str
    weak: str
    strong_quality: float
    weak_quality: float
    unit: str
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    published: Published | None = None


class Benchmarked(Struct, frozen=True):
    """All sets that were run."""

    fitted_on: str
    scored_on: str
    """"cross-validation", or the folder that was scored."""
    draws: int
    seed: int
    sets: tuple[Scored, ...]


def run(asked: Asked, say: Say) -> Benchmarked:
    """Run them.

    Args:
        asked: what to run.
        say: is told what is being done, for a person who waits.

    Raises:
        UsageError: a folder or a set cannot be used.
    """
    fitted = read_folder(asked.folder, say)
    scored = fitted if asked.score is None else read_folder(asked.score, say)
    unknown = [name for name in asked.names if name not in scored]
    if unknown:
        raise UsageError(f"there is no set {', '.join(unknown)}", f"sets here: {', '.join(scored)}")
    pairs = [frozenset(each.models) for each in fitted.values() if len(each.models) == 2]
    published = read_published(asked.folder)
    draws = QUICK_DRAWS if asked.quick else DRAWS
    folds = QUICK_FOLDS if asked.quick else FOLDS
    made: list[Scored] = []
    refused: list[UsageError] = []
    for name in asked.names or scored:
        say(f"{name}: {len(scored[name].ids):,} prompts")
        try:
            if asked.score is None:
                one = _cross_validated(prepare(fitted[name], pairs), folds, draws, asked)
            else:
                one = _scored(fitted.get(name), scored[name], pairs, draws, asked)
        except UsageError as error:
            say(f"left out: {error.message}")
            refused.append(error)
            continue
        made.append(_with_track(one, asked.track, best_of(published, name)))
    if not made:
        raise refused[0]
    where = CROSS_VALIDATION if asked.score is None else str(asked.score)
    return Benchmarked(str(asked.folder), where, draws, asked.seed, tuple(made))


def _cross_validated(ready: Ready, folds: int, draws: int, asked: Asked) -> Scored:
    """A set within itself."""
    many = SMALL_FOLDS if len(ready.bodies) < SMALL and not asked.quick else folds
    parts = list(splits(ready, many, asked.seed))
    rows = tracks.judge(parts, asked.seed, draws, with_cascades=asked.track != "predictive")
    left = leave_out(ready, asked.seed, draws) if not asked.quick and has_kinds(ready.set.tasks) else []
    return _as_scored(ready, sum(len(fit.bodies) for fit, _ in parts) // many, rows, left, folds=many)


def _scored(
    fitted: Benchmark | None, other: Benchmark, pairs: list[frozenset[str]], draws: int, asked: Asked
) -> Scored:
    """A set by what was fitted on the same set of another folder, if it has it."""
    fit = None if fitted is None else prepare(fitted, pairs)
    test = None if fit is None else like(fit, other)
    if fit is None or test is None:
        alone = prepare(other, pairs)
        return _as_scored(alone, 0, tracks.unknown(alone, draws, asked.seed), [])
    rows = tracks.judge([(fit, test)], asked.seed, draws, with_cascades=asked.track != "predictive")
    return _as_scored(test, len(fit.bodies), rows, unseen(fit, test, asked.seed, draws))


def _as_scored(ready: Ready, fitted: int, rows: list[Row], left: list[LeftOut], *, folds: int = 1) -> Scored:
    """A set and its rows."""
    quality = ready.set.scores.mean(axis=0)
    return Scored(
        name=ready.set.name,
        prompts=len(ready.bodies),
        fitted=fitted,
        contaminated=ready.set.contaminated,
        incomplete=ready.set.incomplete,
        models=ready.set.models,
        strong=ready.set.models[ready.strong],
        weak=ready.set.models[ready.weak],
        strong_quality=float(quality[ready.strong]),
        weak_quality=float(quality[ready.weak]),
        unit=ready.set.unit,
        folds=folds,
        rows=tuple(rows),
        left_out=tuple(left),
    )


def _with_track(scored: Scored, track: str, published: Published | None) -> Scored:
    """The set with its published row, and of its rows those of one track if one was asked for."""
    rows = tuple(row for row in scored.rows if not track or row.track in (track, "bound"))
    return replace(scored, rows=rows, published=published)
