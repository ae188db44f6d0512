"""What home cost beside its requests: idle energy of one gate and of two, and a break-even that outlives the rows."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from ledger_samples import MONDAY, plain
from msgspec.structs import replace
from test_ledger_rollups import DAY, audit, facts_of, tend

from headgate.config.energy import EnergySettings
from headgate.core.power import PowerRow
from headgate.core.purchase import Purchase
from headgate.ledger.home import break_even_of, home_of
from headgate.ledger.power import keep_power
from headgate.ledger.queries import LedgerReader
from headgate.ledger.retention import Keep

KWH = 3_600_000 * 1_000_000
HOUR = int(MONDAY) // 3600 * 3600


def read(path, gates, energy=KWH // 10, given=KWH // 100):
    """An hour in which a machine drew so much, as each of so many gates has read it."""
    for _ in range(gates):
        row = PowerRow(source="gpu", hour=HOUR, seconds=3600, energy=energy, requests_energy=given)
        keep_power(path, [row])


def idle_cost(path, **settings):
    with LedgerReader(path) as ledger:
        return home_of(ledger, EnergySettings(price_per_kwh=1.0, **settings), HOUR, HOUR + 3600).idle_cost


@pytest.mark.parametrize(("gates", "idle"), [(1, 0.09), (2, 0.08), (3, 0.07)])
def test_what_a_machine_draws_is_counted_once_however_many_gates_read_it(store, path, gates, idle):
    store(plain(1))
    read(path, gates)
    assert idle_cost(path) == pytest.approx(idle)
    assert idle_cost(path, idle_watts=50.0) == pytest.approx(0.05)


def bought_a_card(path, now):
    purchase = Purchase(1000.0, datetime.fromtimestamp(MONDAY - 30 * DAY, UTC).date(), 4.0)
    with LedgerReader(path) as ledger:
        return break_even_of(ledger, EnergySettings(price_per_kwh=1.0, purchase=purchase), now)


def test_the_break_even_stays_when_the_rows_are_gone(store, path):
    store(
        replace(outcome, received=MONDAY + number * DAY / 2, cost=0.0, baseline_cost=1.0, energy_cost=0.0)
        for number, outcome in enumerate(plain(80))
    )
    now = MONDAY + 40 * DAY
    before = bought_a_card(path, now)
    assert before.day is not None
    tend(path, Keep(rows=5 * DAY), now)
    assert bought_a_card(path, now).day == before.day


def test_what_audits_cost_stays_a_cost_when_their_rows_are_gone(store, path):
    store(plain(20))
    audit(path, ["good", "good", "missed"])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE audits SET cost = 5000000 + request")
    before = facts_of(path)
    assert before.cost > 0.015
    tend(path, Keep(rows=DAY), MONDAY + 100 * DAY)
    after = facts_of(path)
    assert after.audits == before.audits
    assert (after.cost, after.money) == (before.cost, before.money)
