"""The ledger's requests over time: for each model and each stretch of time, how many there were and what they cost.

Rows are summed by quarters of an hour, of which every hour and every day of every time zone is made. It does not know what the
stretches are (`dash.periods`).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import and_, func, select

from headgate.ledger.dimensions import NANO
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import MICRO, requests
from headgate.reports.shown import full_name

QUARTER = 900 * MICRO


class Line(Struct, frozen=True):
    """One model over time."""

    shown: str | None
    """The model as reports name it; None is nobody: requests that were not answered."""
    local: bool | None
    requests: tuple[int, ...]
    """For each stretch."""
    cost: tuple[float, ...]
    """Dollars, as far as it is known."""


def count_lines(ledger: LedgerReader, edges: Sequence[float]) -> tuple[Line, ...]:
    """The lines of all models, those at home first, the busiest first.

    Args:
        ledger: where the rows are.
        edges: Unix times at which stretches begin, and the end of the last one; multiples of 15 minutes.
    """
    r = requests.c
    quarter = (r.received // QUARTER).label("quarter")
    query = (
        select(quarter, r.model, func.count(), func.coalesce(func.sum(r.cost), 0))
        .where(and_(r.received >= round(edges[0] * MICRO), r.received < round(edges[-1] * MICRO)))
        .group_by(quarter, r.model)
    )
    counted: dict[tuple[str | None, bool | None], tuple[list[int], list[int]]] = defaultdict(
        lambda: ([0] * (len(edges) - 1), [0] * (len(edges) - 1))
    )
    with ledger.connect() as db:
        rows = db.execute(query).all()
        names, described = ledger.model_names(db), ledger.described(db)
    for at, model, number, cost in rows:
        known = None if model is None else described.get(model)
        shown = None if model is None else full_name(known, names[model])
        many, costs = counted[shown, None if known is None else known.local]
        stretch = bisect_right(edges, at * QUARTER / MICRO) - 1
        many[stretch] += number
        costs[stretch] += cost
    lines = [
        Line(shown, local, tuple(many), tuple(cost / NANO for cost in costs))
        for (shown, local), (many, costs) in counted.items()
    ]
    return tuple(
        sorted(
            lines,
            key=lambda line: (line.shown is None, not line.local, -sum(line.requests), line.shown or ""),
        )
    )
