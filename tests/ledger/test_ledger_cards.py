"""Capability cards are kept beside the gate's own writing, and the newest of each model is read back."""

import sqlite3

import pytest
from ledger_samples import realistic
from msgspec.structs import replace

from headgate.core.cards import Card, PassRate
from headgate.core.errors import LedgerError
from headgate.ledger import opening
from headgate.ledger.cards import newest_cards, save_card
from headgate.ledger.writer import LedgerWriter

CARD = Card(
    engine="ollama",
    id="llama3.1:8b",
    digest="sha256:46e0c10c039e",
    machine="RTX 4090, 24 GB",
    measured=1_790_000_000.25,
    context=8192,
    parallel=4,
    load_seconds=3.5,
    first_token_cold=3.75,
    first_token_warm=0.045,
    prompt_speed=4_200.5,
    speed=98.2,
    speed_parallel=260.0,
    fast_context=6_100,
    memory=6_654_289_920,
    on_gpu=1.0,
    schema=PassRate(6, 6),
    tools=PassRate(5, 6),
    tasks={"classification": PassRate(8, 8), "code": PassRate(0, 7)},
    languages={"de": PassRate(2, 2), "it": PassRate(1, 2)},
)


def test_a_card_is_read_as_it_was_kept(path):
    save_card(path, CARD)
    assert newest_cards(path) == {("ollama", "llama3.1:8b"): CARD}


def test_the_newest_card_of_each_model_counts_whatever_the_order_of_writing(path):
    newer = replace(CARD, measured=CARD.measured + 60, digest="sha256:other", speed=None)
    other = replace(CARD, engine="lmstudio")
    for card in (newer, CARD, other):
        save_card(path, card)
    assert newest_cards(path) == {("ollama", CARD.id): newer, ("lmstudio", CARD.id): other}
    assert newest_cards(path, before=newer.measured)["ollama", CARD.id] == CARD
    assert newest_cards(path, before=CARD.measured) == {}


def test_without_a_ledger_there_are_no_cards_and_none_is_made(path):
    assert newest_cards(path) == {}
    assert not path.exists()


def test_a_card_is_kept_while_a_gate_writes_and_nothing_of_either_is_lost(path, read):
    writer = LedgerWriter(path, flush_every=0.001)
    writer.start()
    outcomes = list(realistic(600))
    try:
        for number, outcome in enumerate(outcomes):
            assert writer.put(outcome)
            if not number % 20:
                save_card(path, replace(CARD, id=f"model-{number}"))
        writer.flush()
        assert writer.problem is None
        assert len(newest_cards(path)) == 30
    finally:
        writer.close()
    assert writer.lost == 0
    assert [outcome.id for outcome in read()] == [outcome.id for outcome in outcomes]


def test_a_ledger_of_an_earlier_version_has_no_cards_until_one_is_kept(store, path, read):
    store(realistic(3))
    db = sqlite3.connect(path)
    db.execute("DROP TABLE cards")
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()
    assert newest_cards(path) == {}
    save_card(path, CARD)
    assert newest_cards(path) == {("ollama", CARD.id): CARD}
    assert len(read()) == 3


def test_a_card_that_this_version_cannot_read_counts_as_none(path):
    save_card(path, CARD)
    db = sqlite3.connect(path)
    db.execute(
        "INSERT INTO cards (engine, id, digest, measured, card) VALUES ('e', 'm', '', 1, '{\"id\": 7}')"
    )
    db.commit()
    db.close()
    assert newest_cards(path) == {("ollama", CARD.id): CARD}


def test_a_ledger_that_stays_locked_gets_no_card_and_the_reason_is_told(path, monkeypatch):
    save_card(path, CARD)
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.01)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another process is writing"):
        save_card(path, replace(CARD, measured=CARD.measured + 1))
    db.close()
    assert newest_cards(path) == {("ollama", CARD.id): CARD}
