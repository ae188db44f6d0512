"""`headgate ledger reprice`: other prices beside the ones of the day, and the ledger as it was."""

import json
import sqlite3

import pytest
from click.testing import CliRunner
from ledger_samples import MONDAY, plain
from msgspec.structs import replace

from headgate.cli.main import command
from headgate.config.prices import find_price
from headgate.core.prices import cost
from headgate.core.types import Attempt, Model, Usage
from headgate.ledger.queries import LedgerReader

PAGE = """
[engines.openai]
kind = "openai"
key = "env:NO_SUCH_KEY"
[engines.ollama]
kind = "ollama"
[models.llama]
engine = "ollama"
id = "llama3.1:8b"
[models.sol]
engine = "openai"
id = "gpt-5.6-sol"
{contract}
[[routes]]
name = "everything else"
try = ["llama", "sol"]
[report]
baseline = "openai/gpt-5.6-sol"
timezone = "utc"
[ledger]
path = "{path}"
"""
USAGE = Usage(input=1_000_000, cache_read=1_000, output=100_000)
OLD = Model(name="sol", engine="openai", engine_kind="openai", id="gpt-5.6-sol", local=False)
BASELINE = Model(
    name="openai/gpt-5.6-sol", engine="", engine_kind="openai", id="openai/gpt-5.6-sol", local=False
)


@pytest.fixture
def ledger(store, path):
    """Two requests: one at home, one that was paid for at the price of the day before it fell."""
    from datetime import UTC, datetime

    price = find_price("gpt-5.6-sol", "openai", on=datetime(2026, 8, 20, tzinfo=UTC))
    home, away = plain(2)
    home = replace(home, baseline=BASELINE.name, baseline_cost=cost(home.usage, price))
    attempt = Attempt(model="sol", started=0.0, ended=1.0, usage=USAGE, cost=cost(USAGE, price))
    away = replace(
        away,
        model="sol",
        attempts=(attempt,),
        usage=USAGE,
        cost=attempt.cost,
        baseline=BASELINE.name,
        baseline_cost=cost(Usage(input=1_001_000, output=100_000), price),
    )
    llama = Model(name="llama", engine="ollama", engine_kind="ollama", id="llama3.1:8b", local=True)
    store([home, away], [llama, replace(OLD, price=price), replace(BASELINE, price=price)])
    return path


def run(ledger, *words, contract=""):
    page = ledger.parent / "headgate.toml"
    page.write_text(PAGE.format(path=ledger, contract=contract))
    said = CliRunner().invoke(
        command, ["ledger", "reprice", *words, "--config", str(page)], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    return said.output


def rows(path):
    with sqlite3.connect(path) as db:
        return [
            db.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("requests", "attempts", "models", "prices")
        ]


def test_the_ledger_is_byte_for_byte_what_it_was(ledger):
    before, kept = ledger.read_bytes(), rows(ledger)
    run(ledger, "--as-of", "2026-11-23")
    assert ledger.read_bytes() == before
    assert rows(ledger) == kept


def test_every_request_is_charged_at_the_prices_of_that_day(ledger):
    said = json.loads(run(ledger, "--as-of", "2026-11-23", "--json"))
    sol, llama = said["models"]
    if sol["shown"].startswith("llama"):
        sol, llama = llama, sol
    assert llama["before"] == llama["after"] == {"cost": 0.0, "unknown": 0}
    assert sol["before"]["cost"] > 0
    # above 272,000 tokens both sides cost more than their base rates, and by then a fifth less, and a third
    listed = [find_price("gpt-5.6-sol", "openai", on=day) for day in days()]
    assert [sol["before"]["cost"], sol["after"]["cost"]] == pytest.approx(
        [cost(USAGE, price) for price in listed]
    )
    assert sol["after"]["cost"] < sol["before"]["cost"]
    for side, price in zip(("savings_before", "savings_after"), listed, strict=True):
        with LedgerReader(ledger) as reader:
            (home, _) = [entry.outcome for entry in reader.all()]
        baseline = cost(home.usage, price) + cost(Usage(input=1_001_000, output=100_000), price)
        assert said[side]["baseline"] == pytest.approx(baseline)
        assert said[side]["saved"] == pytest.approx(baseline - cost(USAGE, price))


def days():
    from datetime import UTC, datetime

    return datetime(2026, 8, 20, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)


def test_the_prices_of_its_own_day_give_back_what_stands_there(ledger):
    said = json.loads(run(ledger, "--as-of", "2026-08-20", "--json"))
    assert said["before"] == said["after"]
    assert said["savings_before"] == said["savings_after"]


def test_a_contract_of_today_holds_on_every_day(ledger):
    contract = "price = { input = 1, output = 2 }"
    said = json.loads(run(ledger, "--as-of", "2025-01-01", "--json", contract=contract))
    assert said["after"]["cost"] == pytest.approx(1.001 + 0.2)


def test_a_window_counts_what_was_received_in_it_alone(ledger):
    whole = json.loads(run(ledger, "--as-of", "2026-11-23", "--json", "--since", "2025-10-13"))
    none = json.loads(run(ledger, "--as-of", "2026-11-23", "--json", "--until", "2025-10-13"))
    assert (whole["requests"], none["requests"]) == (2, 0)
    assert whole["since"] == MONDAY


def test_people_read_both_sides_and_the_savings_under_both(ledger):
    said = run(ledger, "--as-of", "2026-11-23")
    assert "at 2026-11-23" in said
    assert "TOTAL" in said
    assert said.count("saved") == 2


def test_a_model_whose_price_nobody_knows_is_unknown_and_not_free(ledger):
    with sqlite3.connect(ledger) as db:
        db.execute("UPDATE models SET engine_id = 'no-such-model', name = 'gone' WHERE name = 'sol'")
    said = json.loads(run(ledger, "--as-of", "2026-11-23", "--json"))
    assert said["after"]["unknown"] == 1
    assert said["savings_after"]["unknown"] == 1
