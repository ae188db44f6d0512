"""The writer's thread: what is put is stored, what cannot be stored is counted."""

import os
import sqlite3
import stat
import sys
import time

import pytest
from ledger_samples import MODELS, plain, realistic
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.types import Price
from headgate.ledger import opening
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter


def runs(path):
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT written, lost, clean FROM runs ORDER BY id").fetchall()
    finally:
        db.close()


def test_a_flush_returns_once_everything_before_it_can_be_read(path, read):
    writer = LedgerWriter(path, flush_every=60.0)
    writer.start()
    written = list(realistic(30))
    for outcome in written:
        writer.put(outcome)
    assert writer.flush()
    assert [outcome.id for outcome in read()] == [outcome.id for outcome in written]
    writer.close()


def test_closing_writes_what_waits_and_notes_a_clean_end(path):
    writer = LedgerWriter(path, flush_every=60.0)
    writer.start()
    for outcome in realistic(2_500):
        assert writer.put(outcome)
    writer.close()
    assert runs(path) == [(2_500, 0, 1)]


def test_a_closed_writer_takes_nothing_and_says_so(path):
    writer = LedgerWriter(path)
    writer.start()
    writer.close()
    (outcome,) = realistic(1)
    assert not writer.put(outcome)
    assert writer.lost == 1


def test_a_full_queue_loses_what_comes_next_counts_it_and_keeps_the_figure(path):
    writer = LedgerWriter(path, queue_size=10)
    taken = [writer.put(outcome) for outcome in realistic(12)]  # not started yet, so nothing leaves the queue
    assert taken == [True] * 10 + [False] * 2
    writer.start()
    writer.close()
    assert (writer.written, writer.lost) == (10, 2)
    assert runs(path) == [(10, 2, 1)]


def test_a_loop_that_never_rests_cannot_starve_the_writer_until_requests_are_lost(path):
    writer = LedgerWriter(path)
    writer.start()
    reading, writing = os.pipe()
    for outcome in plain(20_000):
        for _ in range(4):  # calls that let go of the interpreter's lock for a moment, as a gate's do
            os.write(writing, b"x")
            os.read(reading, 1)
        writer.put(outcome)
    os.close(reading)
    os.close(writing)
    writer.close()
    assert (writer.written, writer.lost) == (20_000, 0)


def test_an_outcome_that_cannot_be_stored_takes_none_with_it_and_odd_values_are_no_reason(path, read, caplog):
    writer = LedgerWriter(path)
    good = list(realistic(9))
    too_big = replace(good[0], id="too big", signals=replace(good[0].signals, tokens=2**70))
    no_text = replace(good[0], id="half a character: \ud83d")
    nonsense = replace(good[0], id="nonsense", decision=None)
    for outcome in (*good[:3], too_big, *good[3:6], no_text, nonsense, *good[6:]):
        assert writer.put(outcome)
    writer.start()
    writer.close()
    stored = [*good[:3], too_big, *good[3:6], replace(no_text, id="half a character: ?"), *good[6:]]
    assert [outcome.id for outcome in read()] == [outcome.id for outcome in stored]
    assert writer.lost == 1
    assert "cannot be written down, and is lost" in caplog.text
    assert runs(path) == [(11, 1, 1)]


def test_words_of_a_batch_that_was_rolled_back_are_told_in_their_new_numbers(path, read):
    writer = LedgerWriter(path)
    usual = list(plain(40))
    spoiling = replace(usual[0], id=["no text"])
    others = [
        replace(outcome, asked="another model", decision=replace(outcome.decision, route=f"route {i}"))
        for i, outcome in enumerate(plain(10, seed=1))
    ]
    for outcome in (*usual, spoiling, *others, *usual):
        assert writer.put(outcome)
    writer.start()
    writer.close()
    assert writer.lost == 1
    written = [*usual, *others, *usual]
    assert [(o.asked, o.decision) for o in read()] == [(o.asked, o.decision) for o in written]
    assert [o.attempts[0].verdicts for o in read()] == [o.attempts[0].verdicts for o in written]


def test_prices_and_labels_are_frozen_into_the_rows_written_under_them(path):
    writer = LedgerWriter(path)
    writer.start()
    first, second = realistic(2, attempts=2)
    before = {model.name: model for model in MODELS}["claude"]
    after = replace(before, label="stand-in", price=Price(input=1.0, output=2.0, date="2026-01-01"))
    writer.describe(MODELS)
    writer.put(first)
    writer.describe([after])
    writer.put(second)
    writer.close()
    with LedgerReader(path) as ledger:
        old, new = ledger.all()
    assert (old.models["claude"].label, old.models["claude"].price) == ("", before.price)
    assert (new.models["claude"].label, new.models["claude"].price) == ("stand-in", after.price)
    assert new.models["gpt-4o"].price == old.models["gpt-4o"].price


def test_two_gates_may_share_one_ledger(path, read):
    first, second = LedgerWriter(path), LedgerWriter(path)
    first.start()
    second.start()
    for one, other in zip(realistic(300, seed=1), realistic(300, seed=2), strict=True):
        first.put(one)
        second.put(other)
    first.close()
    second.close()
    assert len({outcome.id for outcome in read()}) == 600
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) - count(DISTINCT text) FROM names").fetchone() == (0,)
    db.close()


def test_a_ledger_locked_by_another_program_is_written_once_it_is_free(path, monkeypatch, read):
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.01)
    writer = LedgerWriter(path, flush_every=0.01)
    writer.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for outcome in realistic(5):
        writer.put(outcome)
    assert not writer.flush(0.3)
    assert "another process is writing to it" in writer.problem
    assert "5 requests wait" in writer.problem
    other.execute("ROLLBACK")
    other.close()
    assert writer.flush()
    assert writer.problem is None
    assert (len(read()), writer.lost) == (5, 0)
    writer.close()


def test_a_fault_of_our_own_is_told_and_loses_nothing_once_it_is_over(path, monkeypatch, read, caplog):
    wrong = [OverflowError("too large")] * 3
    gather = LedgerWriter._gather

    def gathered(self):
        if wrong:
            raise wrong.pop()
        return gather(self)

    monkeypatch.setattr(LedgerWriter, "_gather", gathered)
    writer = LedgerWriter(path, flush_every=0.01)
    for outcome in realistic(5):
        writer.put(outcome)
    writer.start()
    while not writer.problem:
        time.sleep(0.01)
    assert "OverflowError: too large; 5 requests wait" in writer.problem
    assert "Traceback" in caplog.text
    assert writer.flush(60)
    assert (len(read()), writer.lost, writer.problem) == (5, 0, None)
    writer.close()


def test_a_fault_that_stays_is_counted_as_a_loss_at_the_end(path, monkeypatch):
    def broken(self):
        raise OverflowError

    monkeypatch.setattr(LedgerWriter, "_write_all", broken)
    writer = LedgerWriter(path, flush_every=0.01)
    writer.start()
    for outcome in realistic(5):
        writer.put(outcome)
    writer.close(timeout=0.3)
    assert (writer.written, writer.lost) == (0, 5)


def test_a_disk_that_cannot_be_written_is_told_in_the_log_and_when_it_can_be_again(path, monkeypatch, caplog):
    caplog.set_level("WARNING")
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.01)
    writer = LedgerWriter(path, flush_every=0.01)
    writer.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.put(next(realistic(1)))
    assert not writer.flush(1.5)
    other.execute("ROLLBACK")
    other.close()
    assert writer.flush(60)
    writer.close()
    assert [record.message for record in caplog.records] == [
        "the ledger cannot be written: another process is writing to it; what comes waits",
        "the ledger can be written again",
    ]


def test_closing_on_a_ledger_that_stays_locked_gives_up_and_counts_the_loss(path, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.01)
    writer = LedgerWriter(path, flush_every=0.01)
    writer.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for outcome in realistic(5):
        writer.put(outcome)
    writer.close(timeout=0.1)
    assert (writer.written, writer.lost) == (0, 5)
    other.execute("ROLLBACK")
    other.close()
    assert runs(path) == [(0, 0, None)]  # it could not be noted; the next start finds no clean end


def test_a_ledger_moved_away_beneath_the_writer_is_begun_anew(path, read):
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    before, after = realistic(2, attempts=2)
    writer.put(before)
    writer.flush()
    for file in path.parent.iterdir():
        file.rename(file.with_name("old-" + file.name))
    writer.put(after)
    assert writer.flush()
    writer.close()
    assert [outcome.id for outcome in read()] == [after.id]
    with LedgerReader(path) as ledger:
        assert ledger.one("last").models["claude"].price == MODELS[3].price


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_ledger_is_readable_by_its_owner_alone(store, path):
    store(realistic(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_ledger_in_an_impossible_place_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LedgerError) as caught:
        LedgerWriter(tmp_path / "file" / "ledger.db").start()
    assert caught.value.hint
