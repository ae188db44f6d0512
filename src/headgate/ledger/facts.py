"""What a report says of some time, counted from the ledger.

`counting` sums the requests; here the sums become the facts of a report: numbers become words and names, models that are
shown alike become one row. What the figures mean is said in `reports.facts`; how they are judged, in `reports.weekly`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Literal

from msgspec import Struct

from headgate.core.judge_errors import confusions
from headgate.core.judges.agreement import agreements
from headgate.core.types import Model
from headgate.core.words import FallbackReason
from headgate.ledger.audits import read_audits, read_judging
from headgate.ledger.cards import read_cards
from headgate.ledger.cells import Calls, Cell, Days, Ends, Facet, Sums
from headgate.ledger.counting import count, spread
from headgate.ledger.details import count_clock_jumps, count_lost, count_unclosed, find_renamed, find_repriced
from headgate.ledger.findings import populations, read_findings
from headgate.ledger.opinions import opinions_by_request
from headgate.ledger.queries import LedgerReader
from headgate.ledger.rollups import Slot
from headgate.ledger.sketches import Sketch
from headgate.ledger.units import MICRO, NANO
from headgate.reports.facts import (
    AttemptFacts,
    DayFacts,
    FallbackFacts,
    GroupFacts,
    Latency,
    ServedFacts,
    TaskFacts,
    TriedFacts,
    WeeklyFacts,
)
from headgate.reports.savings import Money
from headgate.reports.shown import baseline_name, full_name

TOO_LONG: Final[FallbackReason] = "token count"

Dimension = Literal["model", "task", "route", "key", "team", "status", "fallback"]
"""What requests may be grouped by (`count_by`)."""


class _Names(Struct, frozen=True):
    """What the numbers in sums stand for."""

    words: Mapping[int, str]
    models: Mapping[int, str]
    described: Mapping[int, Model]

    def word(self, number: int) -> str | None:
        return self.words[number] if number else None

    def shown(self, model: int) -> str:
        return full_name(self.described.get(model), self.models[model])

    def local(self, model: int) -> bool | None:
        described = self.described.get(model)
        return None if described is None else described.local

    def baseline(self, model: int) -> str:
        return baseline_name(self.described.get(model), self.models[model])


def count_facts(
    ledger: LedgerReader, since: float, until: float, zone: tzinfo = UTC, *, from_rows: bool = False
) -> WeeklyFacts:
    """The facts of the requests received from `since` until before `until`, in Unix time.

    Args:
        ledger: where they are.
        since: the first moment.
        until: the first moment after.
        zone: where its days begin.
        from_rows: read no rollups (`counting.count`).

    Raises:
        LedgerError: the ledger cannot be read.
    """
    days = _days(since, until, zone)
    counted = count(ledger.path, round(since * MICRO), round(until * MICRO), Days(days), from_rows=from_rows)
    sums = counted.sums
    with ledger.connect() as db:
        names = _Names(ledger.words(db), ledger.model_names(db), ledger.described(db))
        lost, unclosed = count_lost(db, since, until), count_unclosed(db, since, until)
        jumps = count_clock_jumps(db, since, until)
        audits = read_audits(db, since, until, names.words)
        judging = read_judging(db, since, until)
        findings = read_findings(db, since, until)
        said = opinions_by_request(db, until=until)
        measured = read_cards(db, before=until)
    total = _total(sums.cells.values())
    used = {ends.model for ends in sums.calls}
    shown = {number: names.shown(number) for number in used}
    return WeeklyFacts(
        since=since,
        until=until,
        requests=total.requests,
        served=_served(counted, names),
        latency=_latency(counted.seconds, sums.cells.items(), _whole),
        first_token=_latency(counted.first_token, sums.cells.items(), _first),
        tasks=_tasks(sums, names),
        attempts=_attempts(sums.calls, names),
        fallbacks=_fallbacks(sums.cells, names),
        audits=audits,
        findings=findings,
        agreement=agreements(said).judges,
        confusions=confusions(said),
        populations=populations(sums.cells, names.words, names.local),
        judging=judging / NANO,
        days=_bars(sums, days, names),
        too_long=_too_long(sums.cells, names),
        energy=total.energy / MICRO,
        alternatives=_by_word(
            (names.baseline(facet.alternative), cell.requests)
            for facet, cell in sums.cells.items()
            if facet.alternative
        ),
        statuses=_by_word((names.words[facet.status], cell.requests) for facet, cell in sums.cells.items()),
        cost=(total.cost + judging) / NANO,
        cost_unknown=total.cost_unknown,
        money=_money(total) + Money(cost=judging / NANO),
        baselines=_by_word(
            (names.baseline(facet.baseline), cell.requests) for facet, cell in sums.cells.items()
        ),
        estimated=total.estimated,
        imported=total.imported,
        lost=lost,
        unclosed=unclosed,
        clock_jumps=jumps,
        repriced=find_repriced(used, shown, names.described),
        renamed=find_renamed(used, shown, names.described),
        prices_as_of=tuple(sorted({names.words[f.prices_as_of] for f in sums.cells if f.prices_as_of})),
        cards=tuple(measured[key] for key in sorted(measured)),
    )


def count_by(ledger: LedgerReader, since: float, until: float, what: Dimension) -> tuple[GroupFacts, ...]:
    """The requests of some time by one thing, the most frequent first.

    Args:
        ledger: where they are.
        since: Unix time of the first moment.
        until: of the first moment after.
        what: what to group by; a model is named as it is shown.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    counted = count(ledger.path, round(since * MICRO), round(until * MICRO), Days([int(since)]))
    with ledger.connect() as db:
        names = _Names(ledger.words(db), ledger.model_names(db), ledger.described(db))
    groups: defaultdict[str | None, list[Cell]] = defaultdict(list)
    for facet, cell in counted.sums.cells.items():
        number = getattr(facet, what)
        word = names.shown(number) if what == "model" and number else names.word(number)
        groups[word].append(cell)
    totals = {word: _total(cells) for word, cells in groups.items()}
    return tuple(
        GroupFacts(
            name=word,
            requests=cell.requests,
            tried_locally=cell.tried_locally,
            failed_locally=cell.failed_locally,
            cost=cell.cost / NANO,
            cost_unknown=cell.cost_unknown,
            money=_money(cell),
        )
        for word, cell in sorted(totals.items(), key=lambda item: (-item[1].requests, item[0] or ""))
    )


def _days(since: float, until: float, zone: tzinfo) -> dict[int, str]:
    """Each day of that time by its first moment."""
    day = datetime.fromtimestamp(since, zone).date()
    days = {int(since): day.isoformat()}
    while (moment := _midnight(day := day + timedelta(days=1), zone)) < until:
        days[int(moment)] = day.isoformat()
    return days


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def _total(cells: Iterable[Cell]) -> Cell:
    return Cell(*map(sum, zip(Cell(), *cells, strict=True)))


def _money(cell: Cell) -> Money:
    return Money(
        requests=cell.compared,
        cost=cell.compared_cost / NANO,
        baseline=cell.compared_baseline / NANO,
        unknown=cell.requests - cell.compared,
        energy_cost=cell.compared_energy_cost / NANO,
        energy_unknown=cell.compared_energy_unknown,
        alternative=cell.compared_alternative / NANO,
        alternative_unknown=cell.compared_alternative_unknown,
    )


def _served(counted: Slot, names: _Names) -> tuple[ServedFacts, ...]:
    """One row for each name as it is shown: other prices of the same model do not make another row."""
    by_name: defaultdict[str, list[tuple[Facet, Cell]]] = defaultdict(list)
    for facet, cell in counted.sums.cells.items():
        if facet.model:
            by_name[names.shown(facet.model)].append((facet, cell))
    served = []
    for name, own in by_name.items():
        total = _total(cell for _, cell in own)
        served.append(
            ServedFacts(
                shown=name,
                local=names.local(max(facet.model for facet, _ in own)),
                requests=total.requests,
                latency=_latency(counted.seconds, own, _whole),
                first_token=_latency(counted.first_token, own, _first),
                cost=total.cost / NANO,
                cost_unknown=total.cost_unknown,
            )
        )
    # the user's order: what ran at home first, then what was paid for; the busiest first
    return tuple(sorted(served, key=lambda row: (not row.local, -row.requests, row.shown)))


def _whole(cell: Cell) -> int:
    return cell.seconds


def _first(cell: Cell) -> int:
    return cell.first_token


def _latency(
    sketches: Mapping[int, Sketch], cells: Iterable[tuple[Facet, Cell]], summed: Callable[[Cell], int]
) -> Latency:
    """Of the answered requests among these."""
    answered = [(facet.model, cell) for facet, cell in cells if facet.model]
    found = spread(sketches, {model for model, _ in answered})
    if found is None:
        return Latency()
    mean = sum(summed(cell) for _, cell in answered) / MICRO / found.number
    return Latency(found.number, mean, found.p50 / MICRO, found.p95 / MICRO)


def _tasks(sums: Sums, names: _Names) -> tuple[TaskFacts, ...]:
    by_task: defaultdict[int, list[Cell]] = defaultdict(list)
    for facet, cell in sums.cells.items():
        by_task[facet.task].append(cell)
    tasks = []
    for number, own in by_task.items():
        total = _total(own)
        tasks.append(
            TaskFacts(
                task=names.word(number),
                requests=total.requests,
                tried_locally=total.tried_locally,
                failed_locally=total.failed_locally,
                models=_tried(number, sums.calls, names),
            )
        )
    return tuple(sorted(tasks, key=lambda row: (row.task is None, -row.requests, row.task or "")))


def _tried(task: int, ended: Mapping[Ends, Calls], names: _Names) -> tuple[TriedFacts, ...]:
    """The local models that were called for a task, the busiest first."""
    by_name: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for ends, calls in ended.items():
        if ends.task == task and names.local(ends.model):
            parts = by_name[names.shown(ends.model)]
            parts[0] += calls.attempts
            parts[1] += calls.attempts if ends.failure else calls.rejected
    in_order = sorted(by_name.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(TriedFacts(name, attempts, failed) for name, (attempts, failed) in in_order)


def _attempts(ended: Mapping[Ends, Calls], names: _Names) -> tuple[AttemptFacts, ...]:
    by_name: defaultdict[str, list[tuple[Ends, Calls]]] = defaultdict(list)
    for ends, calls in ended.items():
        by_name[names.shown(ends.model)].append((ends, calls))
    tried = []
    for name, own in by_name.items():
        total = Calls(*map(sum, zip(*(calls for _, calls in own), strict=True)))
        tried.append(
            AttemptFacts(
                shown=name,
                local=names.local(max(ends.model for ends, _ in own)),
                attempts=total.attempts,
                rejected=total.rejected,
                failures=_by_word(
                    (names.words[ends.failure], calls.attempts) for ends, calls in own if ends.failure
                ),
                input=total.input,
                output=total.output,
                cost=total.cost / NANO,
                cost_unknown=total.cost_unknown,
            )
        )
    return tuple(sorted(tried, key=lambda row: (not row.local, -row.attempts, row.shown)))


def _fallbacks(cells: Mapping[Facet, Cell], names: _Names) -> tuple[FallbackFacts, ...]:
    reasons: defaultdict[tuple[str, int | None], list[Cell]] = defaultdict(list)
    for facet, cell in cells.items():
        if facet.fallback:
            limit = None if facet.fallback_limit < 0 else facet.fallback_limit
            reasons[names.words[facet.fallback], limit].append(cell)
    fallbacks = []
    for (reason, limit), own in reasons.items():
        total = _total(own)
        fallbacks.append(FallbackFacts(reason, limit, total.requests, total.cost / NANO))
    return tuple(
        sorted(fallbacks, key=lambda row: (-row.requests, row.reason, -1 if row.limit is None else row.limit))
    )


def _too_long(cells: Mapping[Facet, Cell], names: _Names) -> dict[int, int]:
    sizes: Counter[int] = Counter()
    for facet, cell in cells.items():
        if facet.size and names.word(facet.fallback) == TOO_LONG:
            sizes[2**facet.size] += cell.requests
    return dict(sorted(sizes.items()))


def _bars(sums: Sums, days: Mapping[int, str], names: _Names) -> tuple[DayFacts, ...]:
    by_name: defaultdict[tuple[str, str | None, str | None, bool | None], list[int]] = defaultdict(
        lambda: [0, 0, 0]
    )
    for (start, task, model), bar in sums.bars.items():
        who = (names.shown(model), names.local(model)) if model else (None, None)
        parts = by_name[(days[start], names.word(task), *who)]
        for place, part in enumerate(bar):
            parts[place] += part
    facts = [
        DayFacts(
            day=day,
            task=task,
            shown=shown,
            local=local,
            requests=number,
            cost=cost / NANO,
            baseline=baseline / NANO,
        )
        for (day, task, shown, local), (number, cost, baseline) in by_name.items()
    ]
    return tuple(sorted(facts, key=lambda row: (row.day, row.task or "~", not row.local, row.shown or "~")))


def _by_word(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Pairs of a word and a number, summed by word, the largest first."""
    sums: Counter[str] = Counter()
    for word, number in pairs:
        sums[word] += number
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
