"""The pre-adoption proof: what last month's calls say about a gate that was not there yet.

    PastCall, Placed ── Proving.add() ──► sums ── prove(sums, rates) ──► Proof

How many calls are simple is known within the classifier's own error; what their answers from home would have been worth, only
by measuring. So every figure is a range, whose ends say what they assume:

    low    every doubtful call goes to the cloud, and answers from home pass as seldom as what was measured allows
    high   every doubtful call goes home, and they pass as often as it allows; where nothing was measured, always

A call whose answer does not pass costs what it has cost. Nothing here reads files or asks models.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from headgate.core.intervals import wilson
from headgate.lab.rates import Rate, spared_at_least, spared_at_most
from headgate.lab.tally import MOST_MINUTES, OTHERS, Proving, Sum
from headgate.reports.savings import Money, savings
from headgate.reports.shown import task_name

RIGHT: Final = (187, 219)
"""Held prompts of which the classifier names the task rightly (docs/classifier.md)."""

MONTH: Final = 365.25 / 12 * 86_400
"""Seconds."""
ENOUGH: Final = 5 * 86_400.0
"""Seconds of calls from which on a month is reckoned."""

SHOWN: Final = 10
"""Lines of a table; the others are one line together."""


class Range(Struct, frozen=True):
    """A figure between two ends."""

    low: float
    high: float


class Line(Struct, frozen=True, kw_only=True):
    """Some calls, for a table."""

    name: str
    calls: int
    cost: float
    cost_unknown: int


class TaskLine(Line, frozen=True, kw_only=True):
    """The calls of one task that would have gone home."""

    rate: Rate | None
    """How many answers from home pass; None where nothing was measured."""


class Peak(Struct, frozen=True):
    """The busiest minute of the calls that would have gone home."""

    calls: int
    tokens: int
    """Written in the minute in which most are written."""


class CheapCloud(Struct, frozen=True, kw_only=True):
    """The same calls, each on the cheapest cloud model that could have taken it: the honest competitor of home."""

    calls: int
    """That could be compared."""
    paid: float
    """Dollars that these have cost."""
    cost: float
    """Dollars that they would have cost there."""
    model: str
    """The one that would have taken most of them."""


class Proof(Struct, frozen=True, kw_only=True):
    """What the calls say. Money is dollars over the time of the export."""

    calls: int
    cost: float
    cost_unknown: int
    """Calls whose cost is unknown; they are in no sum of money."""
    billed: int
    """Calls whose cost the export says; of the others it is the list price of their day."""
    failed: int
    others: Line
    """Calls for embeddings, pictures and speech; they are in no other figure."""
    doubles: int
    unread: int
    since: float | None
    until: float | None
    month: float | None
    """What the figures have to be multiplied by to stand for a month; None where too few days are there to say."""
    simple: Range
    """The share of calls that the policy sends home, 0-1."""
    simple_cost: Range
    """What these cost."""
    saved: Range
    """What a gate would have saved in cash, answers that do not pass taken into account."""
    cheap_cloud: CheapCloud | None
    """None where no such model is known, or no call could be compared."""
    energy_cost: float | None
    """What the calls that go home would take of energy there; None where no sample was measured. It is not in `saved`."""
    per_tenth: float
    """What each further tenth of answers from home that passes is worth."""
    measured: bool
    """Some rate was measured; without one, `saved` begins at nothing."""
    settled: int
    """Calls whose way does not depend on their task."""
    tasks: tuple[TaskLine, ...]
    home: tuple[Line, ...]
    """By route and model."""
    cloud: tuple[Line, ...]
    """By the reason why they go there."""
    unknown: tuple[Line, ...]
    """By the reason why nobody can say."""
    models: tuple[Line, ...]
    people: tuple[Line, ...]
    kinds: tuple[Line, ...]
    """The dearest kinds of calls."""
    window: tuple[int, int, int] | None
    """Tokens of prompt and answer of calls at home: half of them, 95 %, the longest."""
    peak: Peak | None


def prove(
    proving: Proving, rates: Mapping[str | None, Rate], unread: int = 0, energy: float | None = None
) -> Proof:
    """What the calls say, given what was measured of answers from home.

    Args:
        proving: the calls.
        rates: by task, as far as they were measured; None is the task that nobody recognised.
        unread: records that could not be read.
        energy: dollars of energy at home for a token; None is unknown.
    """
    sure_low, _ = wilson(*RIGHT) or (0.0, 1.0)
    low_calls, high_calls = _ends(proving, sure_low, lambda total: float(total.calls))
    low_cost, high_cost = _ends(proving, sure_low, lambda total: total.cost)
    beyond = sum(total.cost for (way, flag, _), total in proving.ways.items() if way == "unknown" and flag)
    saved = Range(
        _saved(proving, spared_at_least(low_cost, rates)),
        _saved(proving, spared_at_most(high_cost, rates) + beyond),
    )
    number = proving.all.calls or 1
    span = 0.0 if proving.first is None or proving.last is None else proving.last - proving.first
    home = {key: total for key, total in proving.ways.items() if key[0] == "home"}
    return Proof(
        calls=proving.all.calls,
        cost=proving.all.cost,
        cost_unknown=proving.all.unknown,
        billed=proving.billed,
        failed=proving.failed,
        others=_line("embeddings, pictures, speech", proving.others),
        doubles=proving.doubles,
        unread=unread,
        since=proving.first,
        until=proving.last,
        month=MONTH / span if span >= ENOUGH else None,
        simple=Range(
            sum(low_calls.values()) / number,
            (
                sum(high_calls.values())
                + sum(
                    total.calls for (way, flag, _), total in proving.ways.items() if way == "unknown" and flag
                )
            )
            / number,
        ),
        simple_cost=Range(sum(low_cost.values()), sum(high_cost.values()) + beyond),
        saved=saved,
        cheap_cloud=_cheap_cloud(proving),
        energy_cost=None if energy is None else energy * proving.home_tokens,
        per_tenth=sum(total.cost for total in home.values()) / 10,
        measured=bool(rates),
        settled=sum(
            total.calls for (way, flag, _), total in proving.ways.items() if flag and way != "unknown"
        ),
        tasks=_tasks(home, rates),
        home=_lines((f"{route} -> {model}", total) for (route, model), total in proving.routes.items()),
        cloud=_lines((why, total) for (way, why), total in proving.whys.items() if way == "cloud"),
        unknown=_lines((why, total) for (way, why), total in proving.whys.items() if way == "unknown"),
        models=_dearest(_lines(proving.models.items())),
        people=_dearest(_lines(proving.people.items())),
        kinds=_dearest(
            _lines(
                (f"{kind.task}, {kind.size} tokens, {kind.model}", total)
                for kind, total in proving.kinds.items()
            )
        ),
        window=_window(proving),
        peak=_peak(proving),
    )


def _ends(
    proving: Proving, right: float, of: Callable[[Sum], float]
) -> tuple[dict[str | None, float], dict[str | None, float]]:
    """How much of what can be judged goes home at least and at most, by task, if so many tasks are named rightly."""
    low: dict[str | None, float] = defaultdict(float)
    high: dict[str | None, float] = defaultdict(float)
    for (way, flag, task), total in proving.ways.items():
        figure = of(total)
        if way == "home":
            low[task] += figure if flag else figure * right
            high[task] += figure
        elif way == "cloud" and not flag:
            high[task] += figure * (1 - right)
    return low, high


def _cheap_cloud(proving: Proving) -> CheapCloud | None:
    if not proving.compared.calls:
        return None
    return CheapCloud(
        calls=proving.compared.calls,
        paid=proving.compared.cost,
        cost=proving.alternative,
        model=max(proving.cheap, key=lambda name: proving.cheap[name]),
    )


def _saved(proving: Proving, spared: float) -> float:
    """What is saved when so many dollars of the bill are spared, by the rule of all savings."""
    paid = proving.all.cost
    return savings(Money(requests=proving.all.calls, cost=paid - spared, baseline=paid)).saved


def _tasks(
    home: Mapping[tuple[str, bool, str | None], Sum], rates: Mapping[str | None, Rate]
) -> tuple[TaskLine, ...]:
    by_task: dict[str | None, Sum] = defaultdict(Sum)
    for (_, _, task), total in home.items():
        by_task[task].calls += total.calls
        by_task[task].cost += total.cost
        by_task[task].unknown += total.unknown
    lines = [
        TaskLine(
            name=task_name(task),
            calls=total.calls,
            cost=total.cost,
            cost_unknown=total.unknown,
            rate=rates.get(task),
        )
        for task, total in by_task.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.cost, -line.calls)))


def _line(name: str, total: Sum) -> Line:
    return Line(name=name, calls=total.calls, cost=total.cost, cost_unknown=total.unknown)


def _lines(sums: Iterable[tuple[str, Sum]]) -> tuple[Line, ...]:
    """The dearest first."""
    lines = [_line(name, total) for name, total in sums]
    return tuple(sorted(lines, key=lambda line: (-line.cost, -line.calls, line.name)))


def _dearest(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The first few, and the others as one, so that the sum stays."""
    shown = [line for line in lines[:SHOWN] if line.name != OTHERS]
    rest = [line for line in lines if line not in shown]
    if not rest:
        return tuple(shown)
    others = Line(
        name=OTHERS,
        calls=sum(line.calls for line in rest),
        cost=sum(line.cost for line in rest),
        cost_unknown=sum(line.cost_unknown for line in rest),
    )
    return (*shown, others)


def _window(proving: Proving) -> tuple[int, int, int] | None:
    if not proving.windows.count:
        return None
    half, most = (round(proving.windows.get_quantile_value(share) or 0.0) for share in (0.5, 0.95))
    return min(half, proving.longest), min(most, proving.longest), proving.longest


def _peak(proving: Proving) -> Peak | None:
    if not 0 < len(proving.minutes) <= MOST_MINUTES:
        return None
    both = proving.minutes.values()
    return Peak(max(calls for calls, _ in both), max(written for _, written in both))
