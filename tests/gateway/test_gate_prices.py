"""A list price that changes while the gate is open: new rows stand under the new one, old rows keep theirs."""

import asyncio
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from headgate.config.prices import find_price
from headgate.gateway import prices
from headgate.ledger.queries import LedgerReader

HARD = "Say it again. " * 2000


async def test_a_price_that_changes_holds_for_new_requests_and_old_rows_keep_theirs(open_bench, monkeypatch):
    async with open_bench() as bench:
        gate = bench.gate
        old = gate.road.policy.models["claude"].price
        dear = replace(old, input=10 * old.input, output=10 * old.output, date="2027-01-01")
        await bench.ask(HARD)
        await bench.written()

        changed = asyncio.Event()

        def described():
            gate.describe()
            changed.set()

        monkeypatch.setattr(prices, "next_quarter", lambda moment: moment)  # it is time at once
        keeping = asyncio.create_task(
            prices.keep_prices(gate.road, gate.config.prices, described, lambda: nullcontext(lambda *_: dear))
        )
        await asyncio.wait_for(changed.wait(), 10)
        keeping.cancel()
        await bench.ask(HARD)
        first, second = await bench.written(2)
        assert second.cost == pytest.approx(10 * first.cost)
        assert second.baseline_cost != pytest.approx(first.baseline_cost)
        assert second.prices_as_of == datetime.now(UTC).date().isoformat()
        with LedgerReader(bench.ledger) as reader:
            newer, older = reader.newest(limit=2)
        assert (older.models["claude"].price.input, newer.models["claude"].price.input) == (
            old.input,
            dear.input,
        )
        assert gate.road.policy.models["llama"].price.source == "local"


async def test_prices_that_stay_are_described_once(open_bench, monkeypatch):
    async with open_bench() as bench:
        told = []
        monkeypatch.setattr(prices, "next_quarter", lambda moment: moment)
        seen = asyncio.Event()
        looked = 0

        @contextmanager
        def open_list():
            nonlocal looked
            looked += 1
            yield find_price
            if looked > 2:
                seen.set()

        keeping = asyncio.create_task(
            prices.keep_prices(bench.gate.road, bench.gate.config.prices, lambda: told.append(1), open_list)
        )
        await asyncio.wait_for(seen.wait(), 10)
        keeping.cancel()
        assert told == []


@pytest.mark.parametrize(
    ("now", "next_one"),
    [
        (datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)),
        (datetime(2026, 11, 23, 16, 15, tzinfo=UTC), datetime(2026, 11, 23, 16, 30, tzinfo=UTC)),
        (datetime(2026, 11, 23, 16, 29, 59, 999_999, tzinfo=UTC), datetime(2026, 11, 23, 16, 30, tzinfo=UTC)),
    ],
)
def test_prices_are_looked_up_at_every_quarter_and_so_at_midnight(now, next_one):
    assert prices.next_quarter(now) == next_one
