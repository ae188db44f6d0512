"""Counting the ledger for a report, in SQL.

One scan groups the requests by all that the report counts by, which leaves some hundred cells to add up here, however
many requests there are. Percentiles come from a histogram of milliseconds. What the figures mean is said in
`reports.facts`; how they are judged, in `reports.weekly`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from headgate.core.types import Model
from headgate.ledger.cards import read_cards
from headgate.ledger.decode import Row
from headgate.ledger.dimensions import NANO
from headgate.ledger.queries import LedgerReader
from headgate.ledger.runs import is_alive
from headgate.ledger.schema import MICRO, attempts, audits, requests, runs
from headgate.reports.facts import AttemptFacts, FallbackFacts, Latency, ServedFacts, TaskFacts, WeeklyFacts
from headgate.reports.savings import Money
from headgate.reports.shown import baseline_name, full_name

Histogram = Mapping[int, int]
"""Requests by milliseconds."""


def count_facts(ledger: LedgerReader, since: float, until: float) -> WeeklyFacts:
    """The facts of the requests received from `since` until before `until`, in Unix time."""
    within = and_(requests.c.received >= round(since * MICRO), requests.c.received < round(until * MICRO))
    with ledger.connect() as db:
        cells = _cells(db, within)
        whole = _histograms(db, within, requests.c.seconds)
        first = _histograms(db, within, requests.c.first_token)
        calls = _calls(db, within)
        judging = _judging(db, within)
        lost, unclosed = _lost(db, since, until), _unclosed(db, since, until)
        measured = read_cards(db, before=until)
        words, names, described = ledger.words(db), ledger.model_names(db), ledger.described(db)

    def shown(number: int) -> str:
        return full_name(described.get(number), names[number])

    return WeeklyFacts(
        since=since,
        until=until,
        requests=sum(cell.requests for cell in cells),
        served=_served(cells, whole, first, {number: shown(number) for number in names}, described),
        latency=_latency(whole.values(), [cell for cell in cells if cell.model is not None], "seconds"),
        first_token=_latency(
            first.values(), [cell for cell in cells if cell.model is not None], "first_token"
        ),
        tasks=_tasks(cells, words),
        attempts=_attempts(calls, {number: shown(number) for number in names}, described, words),
        fallbacks=_fallbacks(cells, words),
        statuses=_sums((words[cell.status], cell.requests) for cell in cells),
        cost=(sum(cell.cost for cell in cells) + judging) / NANO,
        cost_unknown=sum(cell.cost_unknown for cell in cells),
        money=Money(
            requests=sum(cell.compared for cell in cells),
            cost=(sum(cell.compared_cost for cell in cells) + judging) / NANO,
            baseline=sum(cell.compared_baseline for cell in cells) / NANO,
            unknown=sum(cell.requests - cell.compared for cell in cells),
            energy_cost=sum(cell.energy_cost for cell in cells) / NANO,
            energy_unknown=sum(cell.energy_cost_unknown for cell in cells),
            alternative=sum(cell.alternative_cost for cell in cells) / NANO,
            alternative_unknown=sum(cell.alternative_unknown for cell in cells),
        ),
        energy=sum(cell.energy for cell in cells) / MICRO,
        alternatives=_sums(
            (names[cell.alternative], cell.requests) for cell in cells if cell.alternative is not None
        ),
        baselines=_sums(
            (baseline_name(described.get(cell.baseline), names[cell.baseline]), cell.requests)
            for cell in cells
        ),
        estimated=sum(cell.estimated for cell in cells),
        lost=lost,
        unclosed=unclosed,
        prices_as_of=tuple(
            sorted({words[cell.prices_as_of] for cell in cells if cell.prices_as_of is not None})
        ),
        cards=tuple(measured[key] for key in sorted(measured)),
    )


def _cells(db: Connection, within: ColumnElement[bool]) -> list[Row]:
    r = requests.c
    groups = (
        r.model,
        r.task,
        r.status,
        r.fallback,
        r.fallback_limit,
        r.baseline,
        r.prices_as_of,
        r.alternative,
    )
    # the rule of reports.savings: a request without an answer has a baseline of zero, not an unknown one
    compared = and_(r.cost.is_not(None), or_(r.baseline_cost.is_not(None), r.model.is_(None)))
    query = select(
        *groups,
        func.count().label("requests"),
        _count_where(r.cost.is_(None)).label("cost_unknown"),
        _total(r.cost).label("cost"),
        _count_where(compared).label("compared"),
        _total(case((compared, r.cost))).label("compared_cost"),
        _total(case((compared, r.baseline_cost))).label("compared_baseline"),
        _total(r.energy).label("energy"),
        _total(case((compared, r.energy_cost))).label("energy_cost"),
        _count_where(and_(compared, r.energy_cost.is_(None))).label("energy_cost_unknown"),
        _total(case((compared, r.alternative_cost))).label("alternative_cost"),
        _count_where(and_(compared, r.alternative_cost.is_(None))).label("alternative_unknown"),
        _total(r.seconds).label("seconds"),
        _total(r.first_token).label("first_token"),
        _count_where(r.tried_locally).label("tried_locally"),
        _count_where(r.failed_locally).label("failed_locally"),
        _count_where(r.estimated).label("estimated"),
    )
    return list(db.execute(query.where(within).group_by(*groups)))


def _histograms(
    db: Connection, within: ColumnElement[bool], column: ColumnElement[Any]
) -> dict[int, Histogram]:
    """For each model that answered, its answers by whole milliseconds."""
    milliseconds = ((column + 500) // 1000).label("milliseconds")
    query = select(requests.c.model, milliseconds, func.count()).where(
        within, requests.c.model.is_not(None), column.is_not(None)
    )
    histograms: dict[int, dict[int, int]] = defaultdict(dict)
    for model, bucket, number in db.execute(query.group_by(requests.c.model, milliseconds)):
        histograms[model][bucket] = number
    return dict(histograms)


def _calls(db: Connection, within: ColumnElement[bool]) -> list[Row]:
    a = attempts.c
    prompt = a.input + a.cache_read + a.cache_write_5m + a.cache_write_1h
    query = select(
        a.model,
        a.failure,
        func.count().label("attempts"),
        _count_where(a.rejected).label("rejected"),
        _total(prompt).label("input"),
        _total(a.output).label("output"),
        _total(a.cost).label("cost"),
        _count_where(a.cost.is_(None)).label("cost_unknown"),
    )
    joined = query.join_from(requests, attempts, a.request == requests.c.n)
    return list(db.execute(joined.where(within).group_by(a.model, a.failure)))


def _judging(db: Connection, within: ColumnElement[bool]) -> int:
    """What it cost to audit these requests, in nano-dollars."""
    query = select(_total(audits.c.cost)).join_from(audits, requests, audits.c.request == requests.c.n)
    return int(db.execute(query.where(within)).scalar_one())


def _lost(db: Connection, since: float, until: float) -> int:
    query = select(func.coalesce(func.sum(runs.c.lost), 0))
    return int(db.execute(query.where(_ran(since, until))).scalar_one())


def _unclosed(db: Connection, since: float, until: float) -> int:
    """Runs that were killed: the ones that a later start found so, and the ones whose process is gone."""
    query = select(runs.c.pid, runs.c.clean).where(_ran(since, until), runs.c.clean.is_not(True))
    return sum(run.clean is not None or is_alive(run.pid) is False for run in db.execute(query))


def _ran(since: float, until: float) -> ColumnElement[bool]:
    return and_(
        runs.c.started < round(until * MICRO),
        func.coalesce(runs.c.ended, runs.c.last) >= round(since * MICRO),
    )


def _served(
    cells: Iterable[Row],
    whole: Mapping[int, Histogram],
    first: Mapping[int, Histogram],
    shown: Mapping[int, str],
    described: Mapping[int, Model],
) -> tuple[ServedFacts, ...]:
    """One row for each name as it is shown: other prices of the same model do not make another row."""
    by_name: dict[str, list[Row]] = defaultdict(list)
    for cell in cells:
        if cell.model is not None:
            by_name[shown[cell.model]].append(cell)
    served = []
    for name, own in by_name.items():
        numbers = {cell.model for cell in own}
        model = described.get(max(numbers))
        served.append(
            ServedFacts(
                shown=name,
                local=None if model is None else model.local,
                requests=sum(cell.requests for cell in own),
                latency=_latency((whole[n] for n in numbers if n in whole), own, "seconds"),
                first_token=_latency((first[n] for n in numbers if n in first), own, "first_token"),
                cost=sum(cell.cost for cell in own) / NANO,
                cost_unknown=sum(cell.cost_unknown for cell in own),
            )
        )
    # the user's order: what ran at home first, then what was paid for; the busiest first
    return tuple(sorted(served, key=lambda row: (not row.local, -row.requests, row.shown)))


def _latency(histograms: Iterable[Histogram], cells: Iterable[Row], column: str) -> Latency:
    merged: Counter[int] = Counter()
    for histogram in histograms:
        merged.update(histogram)
    total = merged.total()
    if not total:
        return Latency()
    mean = sum(getattr(cell, column) for cell in cells) / MICRO / total
    return Latency(total, mean, _percentile(merged, total, 0.50), _percentile(merged, total, 0.95))


def _percentile(histogram: Histogram, total: int, share: float) -> float:
    """The smallest duration, in seconds, that at least this share of the requests kept within."""
    below, wanted = 0, ceil(share * total)
    for milliseconds in sorted(histogram):
        below += histogram[milliseconds]
        if below >= wanted:
            return milliseconds / 1000
    raise AssertionError("a histogram holds all of its requests")


def _tasks(cells: Iterable[Row], words: Mapping[int, str]) -> tuple[TaskFacts, ...]:
    by_task: dict[str | None, list[Row]] = defaultdict(list)
    for cell in cells:
        by_task[None if cell.task is None else words[cell.task]].append(cell)
    tasks = [
        TaskFacts(
            task=task,
            requests=sum(cell.requests for cell in own),
            tried_locally=sum(cell.tried_locally for cell in own),
            failed_locally=sum(cell.failed_locally for cell in own),
        )
        for task, own in by_task.items()
    ]
    return tuple(sorted(tasks, key=lambda row: (row.task is None, -row.requests, row.task or "")))


def _attempts(
    calls: Iterable[Row], shown: Mapping[int, str], described: Mapping[int, Model], words: Mapping[int, str]
) -> tuple[AttemptFacts, ...]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for call in calls:
        by_name[shown[call.model]].append(call)
    tried = []
    for name, own in by_name.items():
        model = described.get(max(call.model for call in own))
        tried.append(
            AttemptFacts(
                shown=name,
                local=None if model is None else model.local,
                attempts=sum(call.attempts for call in own),
                rejected=sum(call.rejected for call in own),
                failures=_sums(
                    (words[call.failure], call.attempts) for call in own if call.failure is not None
                ),
                input=sum(call.input for call in own),
                output=sum(call.output for call in own),
                cost=sum(call.cost for call in own) / NANO,
                cost_unknown=sum(call.cost_unknown for call in own),
            )
        )
    return tuple(sorted(tried, key=lambda row: (not row.local, -row.attempts, row.shown)))


def _fallbacks(cells: Iterable[Row], words: Mapping[int, str]) -> tuple[FallbackFacts, ...]:
    reasons: Counter[tuple[str, int | None]] = Counter()
    for cell in cells:
        if cell.fallback is not None:
            reasons[words[cell.fallback], cell.fallback_limit] += cell.requests
    return tuple(FallbackFacts(reason, limit, number) for (reason, limit), number in reasons.most_common())


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Pairs of a word and a number, summed by word, the largest first."""
    sums: Counter[str] = Counter()
    for word, number in pairs:
        sums[word] += number
    return dict(sums.most_common())


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _total(column: ColumnElement[Any]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)
