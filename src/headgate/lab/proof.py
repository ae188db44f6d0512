"""The pre-adoption proof: what last month's calls say about a gate that was not there yet.

    PastCall, Judged ── Proving.add() ──► Tallies ── prove(tallies, rates) ──► Proof

How many calls are simple is known within the classifier's own error; what their answers from home would have been worth, only
by measuring. So every figure is a range, whose ends say what they assume:

    low    every doubtful call goes to the cloud, and answers from home pass as seldom as what was measured allows
    high   every doubtful call goes home, and they pass as often as it allows; where nothing was measured, always

A call whose answer does not pass costs what it has cost. Nothing here reads files or asks models.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ddsketch import DDSketch
from msgspec import Struct

from headgate.core.types import Usage
from headgate.lab.imports.calls import PastCall
from headgate.lab.judging import Judged
from headgate.reports.intervals import wilson
from headgate.reports.savings import Money, savings

RIGHT: Final = (187, 219)
"""Held prompts of which the classifier names the task rightly (docs/classifier.md)."""

Priced = Callable[[str, str | None, float | None, Usage | None], float | None]
"""(model, provider, Unix time, usage) → dollars, None where the price is unknown."""

SIZES: Final = (500, 2_000, 8_000, 32_000, 128_000)
"""Prompt tokens up to which calls are put together as a kind."""

MONTH: Final = 365.25 / 12 * 86_400
"""Seconds."""
ENOUGH: Final = 5 * 86_400.0
"""Seconds of calls from which on a month is reckoned."""

MOST_NAMES: Final = 10_000
"""Users and minutes that are told apart; more are counted together."""


class Sum(Struct):
    """Some calls."""

    calls: int = 0
    cost: float = 0.0
    """Dollars, as far as they are known."""
    unknown: int = 0
    """Calls whose cost is unknown."""

    def add(self, calls: int, cost: float | None) -> None:
        """Count calls and what they cost."""
        self.calls += calls
        if cost is None:
            self.unknown += calls or 1
        else:
            self.cost += cost


class Rate(Struct, frozen=True):
    """How many answers from home passed, of those that were tried."""

    passed: int
    of: int
    source: str
    """Where it was measured: "the ledger", "a sample of this export"."""

    @property
    def interval(self) -> tuple[float, float]:
        """The rate's 95 % interval."""
        return wilson(self.passed, self.of) or (0.0, 1.0)


class Kind(Struct, frozen=True):
    """Calls that are alike."""

    task: str
    size: str
    model: str


class Proving:
    """Counts judged calls; its memory does not grow with them.

    Args:
        priced: what a call cost by the list, where the export does not say.
    """

    def __init__(self, priced: Priced) -> None:
        self._priced = priced
        self.all = Sum()
        self.failed = 0
        self.doubles = 0
        self.billed = 0
        """Calls whose cost the export says."""
        self.first: float | None = None
        self.last: float | None = None
        self.ways: dict[tuple[str, bool, str | None], Sum] = defaultdict(Sum)
        """By (way, settled or possible, task)."""
        self.whys: dict[tuple[str, str], Sum] = defaultdict(Sum)
        """By (way, why), of what goes to the cloud or cannot be judged."""
        self.routes: dict[tuple[str, str], Sum] = defaultdict(Sum)
        self.models: dict[str, Sum] = defaultdict(Sum)
        self.people: dict[str, Sum] = defaultdict(Sum)
        self.kinds: dict[Kind, Sum] = defaultdict(Sum)
        self.windows = DDSketch(0.01)
        """Prompt and answer tokens of calls that would have gone home."""
        self.longest = 0
        self.minutes: Counter[int] = Counter()
        self.written: Counter[int] = Counter()
        """Answer tokens at home, by minute."""
        self._seen: set[int] = set()

    def is_double(self, call: PastCall) -> bool:
        """Whether a call with this id was counted before."""
        if not call.id:
            return False
        key = hash((call.id, call.time))
        if key in self._seen:
            self.doubles += 1
            return True
        self._seen.add(key)
        return False

    def add(self, call: PastCall, judged: Judged) -> None:
        """Count a call that brought an answer."""
        cost = call.cost
        if cost is None:
            cost = self._priced(call.model, call.provider, call.time, call.usage)
        else:
            self.billed += call.calls
        number = call.calls
        self.all.add(number, cost)
        flag = judged.possible if judged.way == "unknown" else judged.settled
        self.ways[judged.way, flag, judged.task].add(number, cost)
        self.models[call.model].add(number, cost)
        self.kinds[Kind(judged.task or "unknown", _size(judged.tokens), call.model)].add(number, cost)
        who = call.who or "(nobody named)"
        self.people[who if who in self.people or len(self.people) < MOST_NAMES else "(others)"].add(
            number, cost
        )
        if judged.way == "home":
            self.routes[judged.route, judged.model].add(number, cost)
        else:
            self.whys[judged.way, judged.why.partition(": ")[0]].add(number, cost)
        if call.time is not None:
            self._at(call, judged)

    def _at(self, call: PastCall, judged: Judged) -> None:
        assert call.time is not None
        self.first = call.time if self.first is None else min(self.first, call.time)
        self.last = call.time if self.last is None else max(self.last, call.time)
        if judged.way != "home":
            return
        output = 0 if call.usage is None else call.usage.output
        self.windows.add(judged.tokens + output)
        self.longest = max(self.longest, judged.tokens + output)
        minute = int(call.time // 60)
        self.minutes[minute] += 1
        self.written[minute] += output


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


class TaskLine(Struct, frozen=True, kw_only=True):
    """The calls of one task that would have gone home."""

    task: str
    calls: int
    cost: float
    rate: Rate | None
    """How many answers from home pass; None where nothing was measured."""


class Peak(Struct, frozen=True):
    """The busiest minute of the calls that would have gone home."""

    calls: int
    tokens: int
    """Written in the minute in which most are written."""


class Proof(Struct, frozen=True, kw_only=True):
    """What the calls say. Money is dollars over the time of the export."""

    calls: int
    cost: float
    cost_unknown: int
    """Calls whose cost is unknown; they are in no sum of money."""
    billed: int
    """Calls whose cost the export says; of the others it is the list price of their day."""
    failed: int
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


def prove(proving: Proving, rates: Mapping[str | None, Rate], unread: int = 0) -> Proof:
    """What the calls say, given what was measured of answers from home.

    Args:
        proving: the calls.
        rates: by task; under None that of all tasks, for those that were not measured alone.
        unread: records that could not be read.
    """
    sure_low, _ = wilson(*RIGHT) or (0.0, 1.0)
    low_calls, high_calls = _ends(proving, sure_low, lambda total: float(total.calls))
    low_cost, high_cost = _ends(proving, sure_low, lambda total: total.cost)
    saved = Range(
        _saved(proving, sum(cost * _rate(rates, task)[0] for task, cost in low_cost.items())),
        _saved(proving, sum(cost * _rate(rates, task)[1] for task, cost in high_cost.items())),
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
        doubles=proving.doubles,
        unread=unread,
        since=proving.first,
        until=proving.last,
        month=MONTH / span if span >= ENOUGH else None,
        simple=Range(sum(low_calls.values()) / number, sum(high_calls.values()) / number),
        simple_cost=Range(sum(low_cost.values()), sum(high_cost.values())),
        saved=saved,
        per_tenth=sum(total.cost for total in home.values()) / 10,
        measured=bool(rates),
        settled=sum(
            total.calls for (way, flag, _), total in proving.ways.items() if flag and way != "unknown"
        ),
        tasks=_tasks(home, rates),
        home=_lines((f"{route} -> {model}", total) for (route, model), total in proving.routes.items()),
        cloud=_lines((why, total) for (way, why), total in proving.whys.items() if way == "cloud"),
        unknown=_lines((why, total) for (way, why), total in proving.whys.items() if way == "unknown"),
        models=_lines(proving.models.items()),
        people=_lines(proving.people.items())[:10],
        kinds=_lines(
            (f"{kind.task}, {kind.size} tokens, {kind.model}", total) for kind, total in proving.kinds.items()
        )[:10],
        window=_window(proving),
        peak=_peak(proving),
    )


def _ends(
    proving: Proving, right: float, of: Callable[[Sum], float]
) -> tuple[dict[str | None, float], dict[str | None, float]]:
    """How much goes home at least and at most, by task, if the classifier names so many tasks rightly."""
    low: dict[str | None, float] = defaultdict(float)
    high: dict[str | None, float] = defaultdict(float)
    for (way, flag, task), total in proving.ways.items():
        figure = of(total)
        if way == "home":
            low[task] += figure if flag else figure * right
            high[task] += figure
        elif way == "cloud" and not flag:
            high[task] += figure * (1 - right)
        elif way == "unknown" and flag:
            high[task] += figure
    return low, high


def _rate(rates: Mapping[str | None, Rate], task: str | None) -> tuple[float, float]:
    found = rates.get(task) or rates.get(None)
    return (0.0, 1.0) if found is None else found.interval


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
    lines = [
        TaskLine(
            task=task or "(unrecognised)",
            calls=total.calls,
            cost=total.cost,
            rate=rates.get(task) or rates.get(None),
        )
        for task, total in by_task.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.cost, -line.calls)))


def _lines(sums: Iterable[tuple[str, Sum]]) -> tuple[Line, ...]:
    """The dearest first."""
    lines = [
        Line(name=name, calls=total.calls, cost=total.cost, cost_unknown=total.unknown)
        for name, total in sums
    ]
    return tuple(sorted(lines, key=lambda line: (-line.cost, -line.calls, line.name)))


def _window(proving: Proving) -> tuple[int, int, int] | None:
    if not proving.windows.count:
        return None
    half, most = (round(proving.windows.get_quantile_value(share) or 0.0) for share in (0.5, 0.95))
    return min(half, proving.longest), min(most, proving.longest), proving.longest


def _peak(proving: Proving) -> Peak | None:
    if not proving.minutes:
        return None
    return Peak(max(proving.minutes.values()), max(proving.written.values()))


def _size(tokens: int) -> str:
    for limit in SIZES:
        if tokens <= limit:
            return f"up to {limit:,}"
    return f"over {SIZES[-1]:,}"
