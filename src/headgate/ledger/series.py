"""The ledger's requests over time: for each model and each stretch of time, how many there were and what they cost.

What is summed where is `counting`'s business; what the stretches are, `dash.periods`'.
"""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from headgate.ledger.cells import Days
from headgate.ledger.counting import count
from headgate.ledger.queries import LedgerReader
from headgate.ledger.units import MICRO, NANO
from headgate.reports.shown import full_name


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
        ledger: where the requests are.
        edges: Unix times at which stretches begin, and the end of the last one; each on a quarter of an hour.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    begins = [round(edge) for edge in edges[:-1]]
    places = {begin: place for place, begin in enumerate(begins)}
    counted = count(ledger.path, begins[0] * MICRO, round(edges[-1] * MICRO), Days(begins))
    with ledger.connect() as db:
        names, described = ledger.model_names(db), ledger.described(db)
    sums: dict[tuple[str | None, bool | None], tuple[list[int], list[int]]] = defaultdict(
        lambda: ([0] * len(begins), [0] * len(begins))
    )
    for (begin, _, model), bar in counted.sums.bars.items():
        known = described.get(model)
        shown = full_name(known, names[model]) if model else None
        many, costs = sums[shown, None if known is None else known.local]
        many[places[begin]] += bar.requests
        costs[places[begin]] += bar.cost
    lines = [
        Line(shown, local, tuple(many), tuple(cost / NANO for cost in costs))
        for (shown, local), (many, costs) in sums.items()
    ]
    return tuple(
        sorted(
            lines,
            key=lambda line: (line.shown is None, not line.local, -sum(line.requests), line.shown or ""),
        )
    )
