"""The charts of the report's page as geometry: what stands where, in the units of an SVG's view box.

They are drawn here and not by a script in the page, so that the file opens offline, in a mail's preview and on paper, and
shows the same everywhere. How a shape looks is the page's business; each has a title, which is its figure in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import ceil, floor, log10
from typing import Final

from msgspec import Struct

from headgate.core.curves import Curve
from headgate.reports.facts import DayFacts, Latency
from headgate.reports.shown import count, dollars, milliseconds, percent

WIDTH: Final = 960.0
HEIGHT: Final = 240.0
LEFT: Final = 48.0
"""Room for the axis' figures."""
BOTTOM: Final = 26.0
TOP: Final = 12.0
NOBODY: Final = "nobody"
HOME_COLOURS: Final = 4
PAID_COLOURS: Final = 3


class Box(Struct, frozen=True):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    """The name of its colour on the page."""
    title: str


class Tick(Struct, frozen=True):
    """A figure beside an axis."""

    at: float
    text: str


class Bars(Struct, frozen=True):
    """Bars side by side, each a stack."""

    boxes: tuple[Box, ...]
    ticks: tuple[Tick, ...]
    """Of the upright axis, with lines across."""
    labels: tuple[Tick, ...]
    """Below the bars."""
    totals: tuple[tuple[float, float, str], ...]
    """Above the bars: x, y, figure."""


def colours(served: Iterable[tuple[str, bool | None]]) -> dict[str | None, str]:
    """A colour for each model: cool ones at home, warm ones for what is paid; beyond those there are, the last serves."""
    named: dict[str | None, str] = {None: NOBODY}
    home = paid = 0
    for shown, local in served:
        if local:
            home += 1
            named.setdefault(shown, f"home-{min(home, HOME_COLOURS)}")
        else:
            paid += 1
            named.setdefault(shown, f"paid-{min(paid, PAID_COLOURS)}")
    return named


def legend(colour: Mapping[str | None, str]) -> list[tuple[str, str]]:
    """Each colour in use with its models in words: "model-4 (Ollama) and 36 more" where several share it."""
    shared: dict[str, list[str]] = {}
    for shown, name in colour.items():
        if shown is not None:
            shared.setdefault(name, []).append(shown)
    return [
        (name, models[0] + (f" and {len(models) - 1:,} more" if models[1:] else ""))
        for name, models in shared.items()
    ]


def by_day(week: Sequence[date], facts: Iterable[DayFacts], colour: Mapping[str | None, str]) -> Bars:
    """The requests of each day, stacked by who answered."""
    counted: dict[str, dict[str | None, int]] = {day.isoformat(): {} for day in week}
    for fact in facts:
        models = counted.setdefault(fact.day, {})
        models[fact.shown] = models.get(fact.shown, 0) + fact.requests
    top = max((sum(models.values()) for models in counted.values()), default=0)
    steps = scale(top)
    high, floor_at = steps[-1], HEIGHT - BOTTOM
    unit = (floor_at - TOP) / high
    slot = (WIDTH - LEFT) / max(1, len(counted))
    boxes, labels, totals = [], [], []
    order = list(colour)
    for place, (day, models) in enumerate(sorted(counted.items())):
        x, y = LEFT + place * slot + slot * 0.18, floor_at
        for shown in sorted(models, key=lambda name: order.index(name) if name in order else len(order)):
            height = models[shown] * unit
            y -= height
            title = f"{day}, {shown or 'nobody'}: {count(models[shown], 'request')}"
            boxes.append(
                Box(
                    round(x, 2),
                    round(y, 2),
                    round(slot * 0.64, 2),
                    round(height, 2),
                    colour.get(shown, NOBODY),
                    title,
                )
            )
        middle = round(x + slot * 0.32, 2)
        when = date.fromisoformat(day)
        labels.append(Tick(middle, f"{when:%a} {when.day}"))
        if models:
            totals.append((middle, round(y - 4, 2), f"{sum(models.values()):,}"))
    ticks = tuple(Tick(round(floor_at - step * unit, 2), f"{step:,.0f}") for step in steps)
    return Bars(tuple(boxes), ticks, tuple(labels), tuple(totals))


def scale(top: float, *, whole: bool = True) -> list[float]:
    """Round figures from 0 to at least `top`, four to six of them; of what comes in pieces, whole ones."""
    if top <= 0:
        return [0.0, 1.0]
    step = 10.0 ** floor(log10(top / 4)) if top > 4 or not whole else 1.0
    for factor in (1, 2, 5, 10):
        if step * factor * 5 >= top:
            step *= factor
            break
    return [number * step for number in range(ceil(top / step) + 1)]


class Span(Struct, frozen=True):
    """A rate and its interval on a short axis of 100 units; shares of the axis' end."""

    low: float
    high: float
    at: float
    limit: float
    title: str


def span(rate: float, interval: tuple[float, float], limit: float, end: float) -> Span:
    """Where a rate lies on an axis from 0 to `end`, with the limit that it is compared with."""
    low, high = interval
    title = f"{percent(rate)}, 95% interval {percent(low)} to {percent(high)}; the limit is {limit:.0%}"
    low, high, at, limit = (round(min(1.0, part / end) * 100, 2) for part in (low, high, rate, limit))
    return Span(low, high, at, limit, title)


class Dot(Struct, frozen=True):
    """One threshold on a curve."""

    x: float
    y: float
    text: str
    """The threshold."""
    title: str


class CurveChart(Struct, frozen=True):
    """A check's curve: failures upward, dollars to the right."""

    check: str
    judged: int
    dots: tuple[Dot, ...]
    line: str
    """Through the dots: the points of an SVG polyline."""
    band: str
    """Between the ends of the 95 % intervals: the points of a polygon."""
    ticks: tuple[Tick, ...]
    """Of the upright axis."""
    labels: tuple[Tick, ...]
    """Below."""


CURVE_WIDTH: Final = 460.0
CURVE_HEIGHT: Final = 200.0
CURVE_RIGHT: Final = 20.0


def curve_chart(curve: Curve) -> CurveChart:
    """Where a curve runs, in a box of `CURVE_WIDTH` by `CURVE_HEIGHT`. Its dollars are known (`Curve.priced`)."""
    across = scale(max(point.dollars or 0.0 for point in curve.points), whole=False)
    upward = scale(max(point.failures.high for point in curve.points))
    floor_at = CURVE_HEIGHT - BOTTOM
    unit_x = (CURVE_WIDTH - LEFT - CURVE_RIGHT) / across[-1]
    unit_y = (floor_at - TOP) / upward[-1]

    def at(dollars_: float | None, failures: float) -> tuple[float, float]:
        return round(LEFT + (dollars_ or 0.0) * unit_x, 1), round(floor_at - failures * unit_y, 1)

    dots = []
    for point in curve.points:
        low, expected, high = point.failures.low, point.failures.expected, point.failures.high
        title = (
            f"pass at {point.pass_at:.1f}: {expected:,.0f} of {point.at_home:,.0f} answers at home not good "
            f"({low:,.0f} to {high:,.0f}), {dollars(point.dollars)} for the others"
        )
        dots.append(Dot(*at(point.dollars, expected), f"{point.pass_at:.1f}", title))
    above = [at(point.dollars, point.failures.high) for point in curve.points]
    below = [at(point.dollars, point.failures.low) for point in reversed(curve.points)]
    return CurveChart(
        curve.check,
        curve.judged,
        tuple(dots),
        _points((dot.x, dot.y) for dot in dots),
        _points((*above, *below)),
        tuple(Tick(round(floor_at - step * unit_y, 1), f"{step:,.0f}") for step in upward),
        tuple(Tick(round(LEFT + step * unit_x, 1), f"${step:,.4g}") for step in across),
    )


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def latency_bar(latency: Latency, longest: float) -> tuple[float, float, str]:
    """The median and the 95th percentile on an axis of 100 units that ends at `longest` seconds."""
    p50, p95 = latency.p50 or 0.0, latency.p95 or 0.0
    title = f"p50 {milliseconds(latency.p50)}, p95 {milliseconds(latency.p95)}"
    if not longest:
        return 0.0, 0.0, title
    return round(p50 / longest * 100, 2), round(p95 / longest * 100, 2), title
