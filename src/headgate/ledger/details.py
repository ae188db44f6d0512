"""What a report tells beyond its sums: each day, each task's local models, and what one must know to read it rightly.

It adds to the facts that `facts` counts; what the figures mean is said in `reports.facts`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from msgspec.json import encode
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from headgate.core.policy import ANSWER_ALLOWANCE
from headgate.core.types import Model
from headgate.core.words import FallbackReason
from headgate.ledger.dimensions import NANO
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import MICRO, attempts, names, requests, runs
from headgate.reports.facts import DayFacts, FallbackFacts, TriedFacts, WeeklyFacts
from headgate.reports.shown import full_name

TOO_LONG: Final[FallbackReason] = "token count"
SIZES: Final = tuple(2**power for power in range(11, 26))
"""Tokens of the context windows that a prompt is measured by: 2,048 to 33,554,432, more than the largest body holds."""


def with_details(ledger: LedgerReader, facts: WeeklyFacts, zone: tzinfo) -> WeeklyFacts:
    """The facts with their days, their tasks' local models, and what is odd about them.

    Args:
        ledger: where they were counted.
        facts: what was counted, from midnight to midnight.
        zone: where these midnights are.
    """
    within = and_(
        requests.c.received >= round(facts.since * MICRO), requests.c.received < round(facts.until * MICRO)
    )
    with ledger.connect() as db:
        words, described = ledger.words(db), ledger.described(db)
        shown = {
            number: full_name(described.get(number), name) for number, name in ledger.model_names(db).items()
        }
        tried = _tried(db, within)
        by_task = _by_task(tried, words, shown, described)
        used = {model for _, model, _, _ in tried}
        return replace(
            facts,
            tasks=tuple(replace(task, models=by_task.get(task.task, ())) for task in facts.tasks),
            fallbacks=_with_costs(db, within, facts.fallbacks, words),
            days=_days(db, _midnights(facts, zone), words, shown, described),
            too_long=_too_long(db, within),
            repriced=_repriced(used, shown, described),
            renamed=_renamed(used, shown, described),
            clock_jumps=_clock_jumps(db, facts.since, facts.until),
        )


def _midnights(facts: WeeklyFacts, zone: tzinfo) -> list[tuple[str, float]]:
    """Every day of that time with its first moment, and the first moment after it all."""
    day, midnights = datetime.fromtimestamp(facts.since, zone).date(), []
    while (at := datetime.combine(day, time(), zone).timestamp()) < facts.until:
        midnights.append((day.isoformat(), at))
        day += timedelta(days=1)
    return [*midnights, ("", facts.until)]


def _days(
    db: Connection,
    midnights: Sequence[tuple[str, float]],
    words: Mapping[int, str],
    shown: Mapping[int, str],
    described: Mapping[int, Model],
) -> tuple[DayFacts, ...]:
    r = requests.c
    compared = and_(r.cost.is_not(None), or_(r.baseline_cost.is_not(None), r.model.is_(None)))
    days = []
    for (day, since), (_, until) in pairwise(midnights):
        query = (
            select(
                r.task,
                r.model,
                func.count().label("requests"),
                func.coalesce(func.sum(r.cost), 0).label("cost"),
                func.coalesce(func.sum(case((compared, r.baseline_cost))), 0).label("baseline"),
            )
            .where(r.received >= round(since * MICRO), r.received < round(until * MICRO))
            .group_by(r.task, r.model)
        )
        sums: dict[tuple[str | None, str | None], list[int]] = defaultdict(lambda: [0, 0, 0])
        local: dict[str | None, bool | None] = {}
        for row in db.execute(query):
            name = None if row.model is None else shown[row.model]
            local[name] = described[row.model].local if row.model in described else None
            parts = sums[None if row.task is None else words[row.task], name]
            for place, part in enumerate((row.requests, row.cost, row.baseline)):
                parts[place] += part
        days += [
            DayFacts(
                day=day,
                task=task,
                shown=name,
                local=local[name],
                requests=number,
                cost=cost / NANO,
                baseline=baseline / NANO,
            )
            for (task, name), (number, cost, baseline) in sorted(
                sums.items(), key=lambda item: (item[0][0] or "~", not local[item[0][1]], item[0][1] or "~")
            )
        ]
    return tuple(days)


def _tried(db: Connection, within: ColumnElement[bool]) -> list[tuple[int | None, int, int, int]]:
    """Task, model, calls and failed calls."""
    a = attempts.c
    failed = case((or_(a.failure.is_not(None), a.rejected), 1), else_=0)
    query = (
        select(requests.c.task, a.model, func.count(), func.sum(failed))
        .join_from(requests, attempts, a.request == requests.c.n)
        .where(within)
        .group_by(requests.c.task, a.model)
    )
    return list(db.execute(query).tuples())


def _by_task(
    tried: Iterable[tuple[int | None, int, int, int]],
    words: Mapping[int, str],
    shown: Mapping[int, str],
    described: Mapping[int, Model],
) -> dict[str | None, tuple[TriedFacts, ...]]:
    sums: dict[str | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for task, model, calls, failed in tried:
        if model in described and described[model].local:
            parts = sums[None if task is None else words[task]][shown[model]]
            parts[0] += calls
            parts[1] += failed
    return {
        task: tuple(
            TriedFacts(name, calls, failed)
            for name, (calls, failed) in sorted(models.items(), key=lambda item: (-item[1][0], item[0]))
        )
        for task, models in sums.items()
    }


def _with_costs(
    db: Connection,
    within: ColumnElement[bool],
    fallbacks: Iterable[FallbackFacts],
    words: Mapping[int, str],
) -> tuple[FallbackFacts, ...]:
    r = requests.c
    query = (
        select(r.fallback, r.fallback_limit, func.coalesce(func.sum(r.cost), 0))
        .where(within, r.fallback.is_not(None))
        .group_by(r.fallback, r.fallback_limit)
    )
    costs = {(words[reason], limit): cost / NANO for reason, limit, cost in db.execute(query)}
    return tuple(
        replace(fallback, cost=costs.get((fallback.reason, fallback.limit), 0.0)) for fallback in fallbacks
    )


def _too_long(db: Connection, within: ColumnElement[bool]) -> dict[int, int]:
    r = requests.c
    size = case(*((r.tokens + ANSWER_ALLOWANCE <= size, size) for size in SIZES[:-1]), else_=SIZES[-1])
    reason = select(names.c.id).where(names.c.text == TOO_LONG)
    query = select(size, func.count()).where(within, r.fallback.in_(reason)).group_by(size).order_by(size)
    return dict(db.execute(query).tuples().all())


def _repriced(
    used: Iterable[int], shown: Mapping[int, str], described: Mapping[int, Model]
) -> tuple[str, ...]:
    prices: dict[str, set[bytes]] = defaultdict(set)
    for number in used:
        if number in described:
            price = described[number].price
            # read on another day it is the same price
            same = None if price is None else replace(price, date="", source="", services={})
            prices[shown[number]].add(encode(same))
    return tuple(sorted(name for name, different in prices.items() if len(different) > 1))


def _renamed(
    used: Iterable[int], shown: Mapping[int, str], described: Mapping[int, Model]
) -> tuple[tuple[str, ...], ...]:
    named: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for number in sorted(used):
        if number in described:
            model = described[number]
            named[model.engine, model.id][shown[number]] = None
    return tuple(tuple(different) for different in named.values() if len(different) > 1)


def _clock_jumps(db: Connection, since: float, until: float) -> int:
    """Counted by the runs of that time, and seen where a run began before the one that was started ahead of it."""
    told = db.execute(select(runs.c.started, runs.c.last, runs.c.jumps).order_by(runs.c.id)).all()
    begin, end = round(since * MICRO), round(until * MICRO)
    here = [run.started < end and run.last >= begin for run in told]
    within: int = sum((run.jumps or 0) for run, is_here in zip(told, here, strict=True) if is_here)
    between: int = sum(
        later.started < earlier.started and (was_here or is_here)
        for (earlier, later), (was_here, is_here) in zip(pairwise(told), pairwise(here), strict=True)
    )
    return within + between
