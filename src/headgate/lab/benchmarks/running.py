"""Run the benchmarks of a folder, or of one folder on what was fitted on another.

    run(Asked(folder=…)) → Benchmarked

By default each set is cross-validated within the folder. With a second folder, everything is fitted on the first and scored on the
second, sets matched by name, or taken for the same where each folder is itself a set. Of a set only the models are used that both have;
questions that are nearly the same in both are not fitted on, and prompts of kinds that the first has not are scored apart. A set of the
second that the first has not at all is unknown: everything goes to the strong model; what is known about it are its bounds, and what
the length of its prompts and other sets tell.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from threadpoolctl import threadpool_limits

from headgate.core.errors import UsageError
from headgate.lab.benchmarks import tracks
from headgate.lab.benchmarks.elsewhere import Other, compare, foretell
from headgate.lab.benchmarks.leaving_out import LeftOut, has_kinds, leave_out, strange, unseen
from headgate.lab.benchmarks.peers import Peers
from headgate.lab.benchmarks.prepared import Ready, alike, joined, like, prepare, splits, without_copies
from headgate.lab.benchmarks.published import Published, best_of, read_published
from headgate.lab.benchmarks.sets import Benchmark, is_set, read_folder, read_set
from headgate.lab.benchmarks.tracks import Row
from headgate.lab.learner import Setting

FOLDS, DRAWS = 5, 1_000
SMALL, SMALL_FOLDS = 1_000, 10
"""Prompts below which a set is cut into more folds: it cannot spare a fifth of what it can be learned from."""
CROSS_VALIDATION = "cross-validation"
QUICK_FOLDS, QUICK_DRAWS, QUICK_SETTINGS = 2, 100, (Setting(strength=0.1, words=3.0),)

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
    """Fewer folds and draws, no kinds left out, and nothing tried by the gate's learner: to see that it runs."""


class Scored(Struct, frozen=True):
    """A set and what came of it."""

    name: str
    prompts: int
    """Those of kinds that the fit part has not are counted in `left_out`, unless there are no others."""
    strangers: bool
    """Whether there are no others: all rows are of kinds that the fit part has not."""
    fitted: int
    """Prompts that were fitted on, 0 where the fit part lacks this set; in a cross-validation, for each fold on average."""
    folds: int
    """Of the cross-validation; 1 where another folder was scored."""
    contaminated: int
    incomplete: int
    peers: tuple[str, ...]
    """Kinds of other sets that hold the same benchmark, whose models tell something of this one."""
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
    scored = fitted if asked.score is None else _read_scored(asked.folder, asked.score, fitted, say)
    unknown = [name for name in asked.names if name not in scored]
    if unknown:
        raise UsageError(f"there is no set {', '.join(unknown)}", f"sets here: {', '.join(scored)}")
    published = read_published(asked.folder)
    bench = Bench(fitted, asked, QUICK_DRAWS if asked.quick else DRAWS)
    made: list[Scored] = []
    refused: list[UsageError] = []
    for name in asked.names or scored:
        say(f"{name}: {len(scored[name].ids):,} prompts")
        try:
            with threadpool_limits(1):  # several are slower: what is multiplied here is small
                one = bench.cross_validated(name) if asked.score is None else bench.scored(name, scored[name])
        except UsageError as error:
            say(f"left out: {error.message}")
            refused.append(error)
            continue
        made.append(_with_track(one, asked.track, best_of(published, name)))
    if not made:
        raise refused[0]
    where = CROSS_VALIDATION if asked.score is None else str(asked.score)
    return Benchmarked(str(asked.folder), where, bench.draws, asked.seed, tuple(made))


def _read_scored(
    folder: Path, score: Path, fitted: Mapping[str, Benchmark], say: Say
) -> Mapping[str, Benchmark]:
    """The sets of the folder that is scored. Two folders that are each a set are parts of one, whatever they are called."""
    if not (is_set(folder) and is_set(score)):
        return read_folder(score, say, fitted)
    (name, same) = next(iter(fitted.items()))
    return {name: replace(read_set(score, same.models), name=name)}


class Bench:
    """The sets that are fitted on.

    Args:
        fitted: by name.
        asked: what to run.
        draws: of prompts, for the intervals.
    """

    def __init__(self, fitted: Mapping[str, Benchmark], asked: Asked, draws: int) -> None:
        self._fitted, self._asked, self.draws = fitted, asked, draws
        self._pairs = [frozenset(each.models) for each in fitted.values() if len(each.models) == 2]
        self._ready: dict[str, Ready] = {}

    def cross_validated(self, name: str) -> Scored:
        """A set within itself."""
        asked, ready = self._asked, self._prepared(name)
        many = QUICK_FOLDS if asked.quick else FOLDS if len(ready.bodies) >= SMALL else SMALL_FOLDS
        others = self._compared(name, ready)
        peers = Peers(asked.seed).learn(others, len(ready.bodies))
        parts = list(splits(peers.tell(ready), many, asked.seed))
        rows = self._judged(parts, others)
        # Without peers: they would tell of the kind that is left out.
        left = (
            leave_out(ready, asked.seed, self.draws) if not asked.quick and has_kinds(ready.set.tasks) else []
        )
        fitted = sum(len(fit.bodies) for fit, _ in parts) // many
        return _as_scored(ready, fitted, rows, left, peers.sources, folds=many)

    def scored(self, name: str, other: Benchmark) -> Scored:
        """A set by what was fitted on the same set of the other folder, if it has it."""
        same = alike(self._fitted[name], other) if name in self._fitted else None
        if same is None:
            alone = prepare(other, self._pairs)
            need = foretell(alone, self._compared(name, alone), self._asked.seed)
            return _as_scored(alone, 0, tracks.unknown(alone, self.draws, self._asked.seed, need), [])
        fit = prepare(without_copies(same, other), self._pairs)
        test = like(fit, other)
        strangers = strange(fit, test)
        left = (
            unseen(fit, test.take(np.flatnonzero(strangers)), self._asked.seed, self.draws)
            if strangers.any()
            else []
        )
        seen = test if strangers.all() else test.take(np.flatnonzero(~strangers))
        others = self._compared(name, seen)
        peers = Peers(self._asked.seed).learn(others, len(fit.bodies))
        rows = self._judged([(peers.tell(fit), peers.tell(seen))], others)
        return _as_scored(seen, len(fit.bodies), rows, left, peers.sources, strangers=bool(strangers.all()))

    def _judged(self, parts: tracks.Parts, others: Sequence[Other]) -> list[Row]:
        """The rows of a set."""
        return tracks.judge(
            parts,
            self._asked.seed,
            self.draws,
            foretell(joined([test for _, test in parts]), others, self._asked.seed),
            settings=QUICK_SETTINGS if self._asked.quick else (),
            with_cascades=self._asked.track != "predictive",
        )

    def _compared(self, name: str, target: Ready) -> list[Other]:
        """The other sets that are fitted on, beside all prompts of this one."""
        sets = []
        for each in self._fitted:
            try:
                if each != name:
                    sets.append(self._prepared(each))
            except UsageError:  # nothing to route in it, so there is no set to learn from
                continue
        fitted = self._prepared(name).bodies if name in self._fitted else ()
        return compare(tuple(dict.fromkeys([*target.bodies, *fitted])), sets)

    def _prepared(self, name: str) -> Ready:
        """A set that is fitted on, made ready once.

        Raises:
            UsageError: there is nothing to route in it.
        """
        if name not in self._ready:
            self._ready[name] = prepare(self._fitted[name], self._pairs)
        return self._ready[name]


def _as_scored(
    ready: Ready,
    fitted: int,
    rows: list[Row],
    left: list[LeftOut],
    peers: tuple[str, ...] = (),
    *,
    folds: int = 1,
    strangers: bool = False,
) -> Scored:
    """A set and its rows."""
    quality = ready.set.scores.mean(axis=0)
    return Scored(
        name=ready.set.name,
        prompts=len(ready.bodies),
        strangers=strangers,
        fitted=fitted,
        contaminated=ready.set.contaminated,
        incomplete=ready.set.incomplete,
        peers=peers,
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
