"""Prices and usages as they are frozen in rows, those of older ledgers too."""

import sqlite3
from datetime import UTC, datetime

import pytest
from ledger_samples import MODELS, plain
from msgspec.structs import replace

from headgate.config.prices import find_price
from headgate.core.parts import WHOLE
from headgate.core.prices import cost
from headgate.core.types import Usage
from headgate.ledger.queries import LedgerReader


def described(path, name):
    with LedgerReader(path) as ledger:
        return ledger.newest(limit=1)[0].models[name]


@pytest.mark.parametrize("name", ["gpt-6-luna", "gemini-2.5-flash", "gpt-4o"])
def test_a_price_is_kept_with_all_its_rates_bands_and_services(store, name):
    provider = "google" if name.startswith("gemini") else "openai"
    price = find_price(name, provider, on=datetime(2026, 11, 23, tzinfo=UTC))
    assert price.services
    llama = replace(MODELS[0], price=price)
    assert described(store(plain(1), [llama]), "llama").price == price


def test_a_price_of_an_older_ledger_charges_long_prompts_as_it_did(store):
    path = store(plain(1))
    with sqlite3.connect(path) as db:
        db.execute(
            "UPDATE prices SET input = 100000000, output = 500000000, cache_read = 10000000, above = 100000, "
            "input_above = 500000000, output_above = 2500000000"
        )
    price = described(path, "llama").price
    assert cost(Usage(input=1_000_000, output=10), price) == pytest.approx(0.5 + 10 * 2.5e-6)
    assert cost(Usage(cache_read=1_000_000), price) == pytest.approx(0.05)
    assert cost(Usage(input=100_000), price) == pytest.approx(0.01)


@pytest.mark.parametrize(("exact", "estimated"), [(1, 0), (0, WHOLE)])
def test_a_usage_of_an_older_ledger_is_exact_or_estimated_as_a_whole(store, read, exact, estimated):
    path = store(plain(1))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE attempts SET exact = ?, estimated = NULL", (exact,))
    (outcome,) = read()
    assert outcome.usage.estimated == estimated
    assert outcome.usage.exact == bool(exact)
