"""The measures of routing benchmarks, and draws of prompts for their intervals.

    curve = share_curve(order, gain)         PGR over the share of prompts that the strong model answers
    apgr(curve), cpt(curve, 0.5)
    hull(points) → aiq(hull, low, high), saved_at(hull, quality, strong_cost)

Sources: RouteLLM (arXiv 2406.18665) for PGR, APGR and CPT; RouterBench (arXiv 2403.12031) for the non-decreasing hull and AIQ.
Prompts that a router holds for equal are sent in no order, so between the ends of such a group the curve is a straight line: a
router that holds all prompts for equal is the random router, with an APGR of exactly 0.5. It does not know where scores come from.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curve = tuple[Floats, Floats]
"""Two rows of the same length: along (share or cost, rising) and up (PGR or quality)."""


def share_curve(need: Floats, weak: Floats, strong: Floats, weights: Floats | None = None) -> Curve:
    """PGR over the share of prompts that go to the strong model, the neediest first; shares and PGR from 0 to 1.

    Args:
        need: how much each prompt needs the strong model, by the router; only its order counts.
        weak: what the weak model scored on each prompt.
        strong: what the strong model scored.
        weights: how often each prompt counts; once by default.
    """
    order = np.argsort(-need, kind="stable")
    counted = np.ones(len(need)) if weights is None else weights[order]
    gain = np.cumsum((strong - weak)[order] * counted)
    share = np.cumsum(counted)
    ends = np.append(np.flatnonzero(np.diff(need[order])), len(need) - 1)
    total = gain[-1]
    along = np.concatenate([[0.0], share[ends] / share[-1]])
    # Where the strong model is no better there is no gap to recover: every share is as good.
    up = np.concatenate([[0.0], gain[ends] / total]) if total > 0 else along.copy()
    return along, up


def apgr(curve: Curve) -> float:
    """The area under PGR over strong share."""
    along, up = curve
    return float(np.sum(np.diff(along) * (up[1:] + up[:-1]) / 2))


def cpt(curve: Curve, reached: float) -> float:
    """The smallest share of prompts for the strong model, in percent, at which PGR is at least `reached` (0 to 1)."""
    along, up = curve
    first = int(np.argmax(up >= reached - 1e-12))
    if first == 0:
        return 0.0
    rise = up[first] - up[first - 1]
    part = (reached - up[first - 1]) / rise
    return float(100 * (along[first - 1] + part * (along[first] - along[first - 1])))


def hull(cost: Floats, quality: Floats) -> Curve:
    """The non-decreasing convex hull of points: what can be had for a cost when two points may be mixed by chance."""
    kept: list[tuple[float, float]] = []
    for along, up in sorted(
        zip(cost.tolist(), quality.tolist(), strict=True), key=lambda point: (point[0], -point[1])
    ):
        if kept and up <= kept[-1][1]:
            continue
        while len(kept) > 1 and _turns_left(kept[-2], kept[-1], (along, up)):
            kept.pop()
        kept.append((along, up))
    return np.array([point[0] for point in kept]), np.array([point[1] for point in kept])


def _turns_left(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the middle point lies on or below the line between the others."""
    ahead = (middle[0] - first[0]) * (last[1] - first[1])
    return ahead >= (last[0] - first[0]) * (middle[1] - first[1])


def aiq(curve: Curve, low: float, high: float) -> float:
    """The mean height of a hull between two costs: flat after its end, nothing before its beginning."""
    along, up = curve
    inner = along[(along > low) & (along < high)]
    grid = np.concatenate([[low], inner, [high]])
    height = np.interp(grid, along, up, left=0.0)
    begun = grid >= along[0]
    if not begun[0]:  # an edge, not a slope, at the first point
        grid, height = np.insert(grid, begun.argmax(), along[0]), np.insert(height, begun.argmax(), 0.0)
    return float(np.sum(np.diff(grid) * (height[1:] + height[:-1]) / 2) / (high - low))


def saved_at(curve: Curve, quality: float, strong_cost: float) -> float:
    """The share of the strong model's cost that is saved at the cheapest point of this quality; nothing where it is never reached."""
    along, up = curve
    if up[-1] < quality - 1e-12:
        return 0.0
    first = int(np.argmax(up >= quality - 1e-12))
    if first == 0:
        cost = along[0]
    else:
        part = (quality - up[first - 1]) / (up[first] - up[first - 1])
        cost = along[first - 1] + part * (along[first] - along[first - 1])
    return float(1 - cost / strong_cost)


def draws(prompts: int, many: int, seed: int) -> Floats:
    """How often each prompt counts in each of `many` draws with replacement: (draws, prompts). The same for every router: paired."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=many).astype(np.float64)


def interval(values: Sequence[float] | Floats) -> tuple[float, float]:
    """The 95 % interval of drawn values: their 2.5 and 97.5 percentiles."""
    low, high = np.percentile(np.asarray(values), [2.5, 97.5])
    return float(low), float(high)
