"""How far probabilities can be believed: do they sort, are they as true as they say, and how sure is that?

Rows carry weights (an audited request stands for several), and rows of a group go together in every draw of the bootstrap. The
calibration error is taken over bins of equally many rows, less what chance alone would give: also perfect probabilities differ from
what came true in thirty rows. It does not know what the rows are.

Sources: Bröcker, "Estimating reliability and resolution of probability forecasts through decomposition of the empirical score", 2012,
for the part that chance gives; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headgate.core.router import Bin
from headgate.core.spans import Span

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS = 200
IN_A_BIN = 30
"""Rows that a bin has at least, where there are so many."""
BINS_AT_MOST = 10


class Judged(Struct, frozen=True):
    """Rows whose truth is known, and what was foretold of them."""

    truth: Floats
    chance: Floats
    mass: Floats
    """Requests that each row stands for."""
    group: Ints
    """Rows of the same number are not independent."""


def together(one: Judged, other: Judged) -> Judged:
    """Both, as rows of one table."""
    return Judged(
        np.concatenate([one.truth, other.truth]),
        np.concatenate([one.chance, other.chance]),
        np.concatenate([one.mass, other.mass]),
        np.concatenate([one.group, other.group]),
    )


def auc(rows: Judged) -> Span | None:
    """The probability that a good row was given the better chance, of a good and a bad one; None where one class is missing."""
    expected = _auc(rows.truth, rows.chance, rows.mass)
    if expected is None:
        return None
    return spread(rows, expected, lambda mass: _auc(rows.truth, rows.chance, mass))


def calibration_error(rows: Judged) -> Span:
    """The expected calibration error, less what chance alone would give."""
    bins = _bins(rows.chance)
    return spread(rows, _error(rows, bins, rows.mass, 1.0), lambda mass: _error(rows, bins, mass, 2.0))


def table(rows: Judged) -> tuple[Bin, ...]:
    """What was foretold and what came true, bin by bin."""
    return tuple(
        [
            Bin(
                round(float(np.average(rows.chance[inside], weights=rows.mass[inside])), 4),
                round(float(np.average(rows.truth[inside], weights=rows.mass[inside])), 4),
                len(inside),
            )
            for inside in _bins(rows.chance)
        ]
    )


def spread(rows: Judged, expected: float, figure: Callable[[Floats], float | None]) -> Span:
    """A figure with its 95 % interval: by drawing groups anew.

    Args:
        rows: what is drawn from.
        expected: the figure of all of them.
        figure: the figure with other weights; None where a draw has none.
    """
    _, number = np.unique(rows.group, return_inverse=True)
    many = int(number.max()) + 1
    chance = np.random.default_rng(0)
    draws = [
        found
        for _ in range(DRAWS)
        if (found := figure(rows.mass * chance.multinomial(many, np.full(many, 1 / many))[number]))
        is not None
    ]
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (expected, expected)
    return Span(min(float(low), expected), expected, max(float(high), expected))


def alone(mass: Floats) -> float:
    """How many rows of equal weight would tell as much (Kish)."""
    return float(mass.sum() ** 2 / (mass @ mass)) if mass.any() else 0.0


def _auc(truth: Floats, chance: Floats, mass: Floats) -> float | None:
    good, bad = mass * truth, mass * (1 - truth)
    if not (good.any() and bad.any()):
        return None
    _, rank = np.unique(chance, return_inverse=True)
    at_good, at_bad = np.bincount(rank, good), np.bincount(rank, bad)
    below = np.cumsum(at_bad) - at_bad
    return float(at_good @ (below + at_bad / 2) / (good.sum() * bad.sum()))


def _bins(chance: Floats) -> list[Ints]:
    """The rows in bins of equally many, by their chances."""
    several = max(1, min(BINS_AT_MOST, len(chance) // IN_A_BIN))
    return [
        np.asarray(part, dtype=np.int64)
        for part in np.array_split(np.argsort(chance, kind="stable"), several)
    ]


def _error(rows: Judged, bins: list[Ints], mass: Floats, noise: float) -> float:
    total, error = float(mass.sum()), 0.0
    for inside in bins:
        weight = mass[inside]
        if not weight.any():
            continue
        came = float(np.average(rows.truth[inside], weights=weight))
        off = came - float(np.average(rows.chance[inside], weights=weight))
        by_chance = noise * came * (1 - came) / max(1.0, alone(rows.mass[inside]))
        error += float(weight.sum()) / total * float(np.sqrt(max(0.0, off * off - by_chance)))
    return error
