"""What a ledger's requests would have cost at the prices of another day, beside what they did cost.

The ledger is read and never written: every row keeps the price under which it was written. Each attempt's own tokens are
charged anew, an attempt of an hour with a price of its own at the same hour of that day; what has no tokens (a call that never
ran) keeps its cost. Where a list does not know a model on that day, its cost is unknown, unless its provider had said what it
took. This module does not know where prices come from.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, select, true

from headgate.core.prices import cost, uncached
from headgate.core.types import Model, Price, Usage
from headgate.ledger.decode import usage_in
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import attempts, requests
from headgate.ledger.units import MICRO, NANO
from headgate.reports.savings import Money, Savings, savings
from headgate.reports.shown import full_name

PriceOf = Callable[[Model, datetime], Price | None]
"""(a model as the ledger describes it, a moment) → its price then."""

QUARTER = 15 * 60
CHUNK = 5_000
"""Requests read at a time."""


class Side(Struct, frozen=True):
    """What some requests cost under one set of prices."""

    cost: float = 0.0
    """Dollars, as far as they are known."""
    unknown: int = 0
    """Requests whose cost is unknown."""


class ModelLine(Struct, frozen=True):
    """The requests that one model answered; those that nobody answered are under None."""

    shown: str | None
    requests: int
    before: Side
    after: Side


class Repriced(Struct, frozen=True, kw_only=True):
    """A ledger's requests under the prices of their own days and under those of another."""

    as_of: str
    since: float | None
    until: float | None
    requests: int
    models: tuple[ModelLine, ...]
    before: Side
    after: Side
    savings_before: Savings
    savings_after: Savings


def reprice(
    ledger: LedgerReader,
    price_of: PriceOf,
    as_of: date,
    since: float | None = None,
    until: float | None = None,
) -> Repriced:
    """Charge the requests of a ledger anew.

    Args:
        ledger: which one.
        price_of: finds prices.
        as_of: the day of the prices.
        since: Unix time from which on.
        until: Unix time before which.
    """
    with ledger.connect() as db:
        names, described, words = ledger.model_names(db), ledger.described(db), ledger.words(db)
        at = _Prices(described, price_of, as_of)
        lines: dict[str | None, _Both] = defaultdict(_Both)
        everything = _Both()
        for row, calls in _rows(db, since, until):
            shown = None if row.model is None else full_name(described.get(row.model), names[row.model])
            usages = [None if call.input is None else usage_in(call, words) for call in calls]
            after = _cost(row, calls, usages, at)
            told = None if row.answered is None else usages[row.answered]
            baseline = _baseline(row, told, at, described)
            for both in (lines[shown], everything):
                both.count(row, after, baseline)
    order = sorted(lines.items(), key=lambda pair: (-pair[1].requests, pair[0] or ""))
    return Repriced(
        as_of=as_of.isoformat(),
        since=since,
        until=until,
        requests=everything.requests,
        models=tuple(ModelLine(shown, both.requests, both.before, both.after) for shown, both in order),
        before=everything.before,
        after=everything.after,
        savings_before=savings(everything.money_before),
        savings_after=savings(everything.money_after),
    )


class _Both:
    """Sums under both sets of prices, in whole nano-dollars, as the ledger itself sums."""

    def __init__(self) -> None:
        self.requests = 0
        self._cost = [0, 0]
        self._unknown = [0, 0]
        self._compared = [0, 0]
        self._compared_cost = [0, 0]
        self._baseline = [0, 0]

    def count(self, row: Any, cost_after: int | None, baseline_after: int | None) -> None:
        self.requests += 1
        for side, spent, baseline in ((0, row.cost, row.baseline_cost), (1, cost_after, baseline_after)):
            if spent is None:
                self._unknown[side] += 1
                continue
            self._cost[side] += spent
            if baseline is not None or row.model is None:
                self._compared[side] += 1
                self._compared_cost[side] += spent
                self._baseline[side] += baseline or 0  # nobody answered: the rule of reports.savings

    @property
    def before(self) -> Side:
        return Side(self._cost[0] / NANO, self._unknown[0])

    @property
    def after(self) -> Side:
        return Side(self._cost[1] / NANO, self._unknown[1])

    @property
    def money_before(self) -> Money:
        return self._money(0)

    @property
    def money_after(self) -> Money:
        return self._money(1)

    def _money(self, side: int) -> Money:
        compared = self._compared[side]
        return Money(
            requests=compared,
            cost=self._compared_cost[side] / NANO,
            baseline=self._baseline[side] / NANO,
            unknown=self.requests - compared,
            energy_unknown=compared,
            alternative_unknown=compared,
        )


class _Prices:
    """The prices of one day, each looked up once for each quarter of an hour."""

    def __init__(self, described: Any, price_of: PriceOf, as_of: date) -> None:
        self._described = described
        self._price_of = price_of
        self._day = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
        self._known: dict[tuple[int, int], Price | None] = {}

    def of(self, number: int, received: int) -> Price | None:
        """The price of a model at the time of day at which a request came, in microseconds."""
        quarter = received // MICRO % 86_400 // QUARTER
        key = number, quarter
        if key not in self._known:
            model = self._described.get(number)
            moment = self._day + timedelta(seconds=quarter * QUARTER)
            self._known[key] = None if model is None else self._price_of(model, moment)
        return self._known[key]


def _rows(db: Connection, since: float | None, until: float | None) -> Iterator[tuple[Any, list[Any]]]:
    """Requests with their attempts, a piece at a time."""
    within: ColumnElement[bool] = true()
    if since is not None:
        within = and_(within, requests.c.received >= round(since * MICRO))
    if until is not None:
        within = and_(within, requests.c.received < round(until * MICRO))
    last = 0
    r = requests.c
    query = select(
        r.n,
        r.received,
        r.model,
        r.answered,
        r.cost,
        r.baseline,
        r.baseline_cost,
        r.baseline_input,
        r.baseline_output,
    )
    while found := db.execute(query.where(within, r.n > last).order_by(r.n).limit(CHUNK)).all():
        first, last = found[0].n, found[-1].n
        calls: dict[int, list[Any]] = defaultdict(list)
        a = attempts.c
        for call in db.execute(
            select(attempts).where(a.request >= first, a.request <= last).order_by(a.request, a.position)
        ):
            calls[call.request].append(call)
        for row in found:
            yield row, calls[row.n]


def _cost(row: Any, calls: Sequence[Any], usages: Sequence[Usage | None], at: _Prices) -> int | None:
    """What a request costs anew, in nano-dollars."""
    total = 0
    for call, usage in zip(calls, usages, strict=True):
        spent = call.cost
        if usage is not None:
            price = at.of(call.model, row.received)
            spent = _nano(cost(usage if price is None else replace(usage, charged=None), price))
        if spent is None:
            return None
        total += spent
    return total


def _baseline(row: Any, usage: Usage | None, at: _Prices, described: Any) -> int | None:
    model = described.get(row.model)
    if usage is None or (model is not None and model.kind != "chat"):
        return None if row.model is None else row.baseline_cost
    there = uncached(usage)
    prompt, output = row.baseline_input, row.baseline_output
    if prompt is not None or output is not None:  # recounted: nobody knows what of it would have been sound
        there = Usage(
            input=there.input if prompt is None else prompt,
            output=there.output if output is None else output,
            searches=usage.searches,
        )
    return _nano(cost(there, at.of(row.baseline, row.received)))


def _nano(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * NANO)
