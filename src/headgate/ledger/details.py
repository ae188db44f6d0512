"""What one must know to read a report rightly: what changed meanwhile, what was lost, and whether the clock was set back.

What the figures mean is said in `reports.facts`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, func, select

from headgate.core.types import Model, Price
from headgate.ledger.runs import is_alive
from headgate.ledger.schema import runs
from headgate.ledger.units import MICRO


def count_lost(db: Connection, since: float, until: float) -> int:
    """Requests that the runs of that time could not write."""
    query = select(func.coalesce(func.sum(runs.c.lost), 0))
    return int(db.execute(query.where(_ran(since, until))).scalar_one())


def count_unclosed(db: Connection, since: float, until: float) -> int:
    """Runs that were killed: the ones that a later start found so, and the ones whose process is gone."""
    query = select(runs.c.pid, runs.c.clean).where(_ran(since, until), runs.c.clean.is_not(True))
    return sum(run.clean is not None or is_alive(run.pid) is False for run in db.execute(query))


def find_repriced(
    used: Iterable[int], shown: Mapping[int, str], described: Mapping[int, Model]
) -> tuple[str, ...]:
    """The models that were called at more than one price, as they are shown.

    Args:
        used: the numbers of the models that were called.
        shown: how each is shown.
        described: how each was described.
    """
    prices: dict[str, list[Price | None]] = defaultdict(list)
    for number in used:
        if number in described:
            price = described[number].price
            # read on another day it is the same price
            same = None if price is None else replace(price, date="", source="", services={})
            if same not in prices[shown[number]]:
                prices[shown[number]].append(same)
    return tuple(sorted(name for name, different in prices.items() if len(different) > 1))


def find_renamed(
    used: Iterable[int], shown: Mapping[int, str], described: Mapping[int, Model]
) -> tuple[tuple[str, ...], ...]:
    """The names of each model that was shown under more than one; the arguments are those of `find_repriced`."""
    named: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for number in sorted(used):
        if number in described:
            model = described[number]
            named[model.engine, model.id][shown[number]] = None
    return tuple(tuple(different) for different in named.values() if len(different) > 1)


def count_clock_jumps(db: Connection, since: float, until: float) -> int:
    """How often the clock was set back: counted by the runs of that time, and seen where a run began before the one that was started ahead of it."""
    told = db.execute(select(runs.c.started, runs.c.last, runs.c.jumps).order_by(runs.c.id)).all()
    begin, end = round(since * MICRO), round(until * MICRO)
    here = [run.started < end and run.last >= begin for run in told]
    within: int = sum((run.jumps or 0) for run, is_here in zip(told, here, strict=True) if is_here)
    between: int = sum(
        later.started < earlier.started and (was_here or is_here)
        for (earlier, later), (was_here, is_here) in zip(pairwise(told), pairwise(here), strict=True)
    )
    return within + between


def _ran(since: float, until: float) -> ColumnElement[bool]:
    return and_(
        runs.c.started < round(until * MICRO),
        func.coalesce(runs.c.ended, runs.c.last) >= round(since * MICRO),
    )
