"""What the machines at home cost over some time, beside what is counted by request: idle energy, hardware, the break-even.

    idle        what the table `power` has that no request got; or the user's own idle watts, for as long as the gate was open
    hardware    the straight-line share of its price
    break-even  from what has been saved since the purchase, by the same count and the same function as any report

Prices of energy are today's here; those of requests were frozen in their rows.
"""

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from headgate.config.energy import EnergySettings
from headgate.core.power import MICROJOULES, energy_cost
from headgate.core.purchase import BreakEven, break_even, used_up
from headgate.ledger.cells import HOUR, QUARTER
from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import power, requests, rollups
from headgate.ledger.units import MICRO
from headgate.reports.facts import WeeklyFacts
from headgate.reports.savings import Home, savings


def with_home(ledger: LedgerReader, energy: EnergySettings, facts: WeeklyFacts, now: float) -> WeeklyFacts:
    """The facts with what home cost meanwhile, and when the hardware has paid for itself.

    Args:
        ledger: where the facts were counted.
        energy: the config's.
        facts: what was counted.
        now: Unix time; of a week under way, no more of the hardware is used up than until now.
    """
    until = min(facts.until, now)
    home = home_of(ledger, energy, facts.since, until)
    found = break_even_of(ledger, energy, now)
    if found is None:
        return replace(facts, home=home)
    return replace(facts, home=home, break_even=found.day, break_even_why=found.why)


def home_of(ledger: LedgerReader, energy: EnergySettings, since: float, until: float) -> Home:
    """What home cost between two Unix times, beside requests."""
    with ledger.connect() as db:
        joules = _idle(db, energy.idle_watts, since, until)
    return Home(
        idle_cost=energy_cost(joules, energy.price_per_kwh),
        hardware_cost=used_up(energy.purchase, since, until),
    )


def break_even_of(ledger: LedgerReader, energy: EnergySettings, now: float) -> BreakEven | None:
    """When the hardware has paid for itself; None when none was bought."""
    bought = energy.purchase
    if bought is None:
        return None
    since = bought.begins
    with ledger.connect() as db:
        first = _first_request(db, since)
    if first is None:
        return break_even(bought, None, None, now)
    money = count_facts(ledger, since, now).money
    saved = savings(money, replace(home_of(ledger, energy, since, now), hardware_cost=None)).net_of_energy
    return break_even(bought, saved, first, now)


def _first_request(db: Connection, since: float) -> float | None:
    """Unix time of the first request from then on; of those whose rows are gone, to the quarter of an hour."""
    kept = select(func.min(requests.c.received)).where(requests.c.received >= round(since * MICRO))
    summed = select(func.min(rollups.c.start)).where(rollups.c.span == QUARTER, rollups.c.start >= since)
    row, quarter = db.execute(kept).scalar_one(), db.execute(summed).scalar_one()
    found = [moment for moment in (None if row is None else row / MICRO, quarter) if moment is not None]
    return min(found, default=None)


def _idle(db: Connection, watts: float | None, since: float, until: float) -> float | None:
    """Joules that were drawn for nobody; None when nothing was read.

    An hour that was read for longer than an hour was read by several gates on this machine: each has read all of it.
    """
    query = select(power.c.hour, power.c.seconds, power.c.energy, power.c.requests_energy).where(
        power.c.hour > round((since - HOUR) * MICRO), power.c.hour < round(until * MICRO)
    )
    rows = db.execute(query).all()
    if not rows:
        return None
    if watts is not None:
        open_: dict[int, int] = {}
        for hour, seconds, *_ in rows:
            open_[hour] = max(open_.get(hour, 0), min(seconds, HOUR))
        return watts * float(sum(open_.values()))
    idle = [max(0.0, drawn * min(1.0, HOUR / max(1, seconds)) - given) for _, seconds, drawn, given in rows]
    return float(sum(idle)) / MICROJOULES
