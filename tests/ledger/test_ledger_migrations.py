"""A ledger of every earlier version opens, keeps its figures, and gains what today's has; one that cannot be brought up to
date is left as it was."""

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest
from ledger_samples import MODELS, realistic
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.ledger import opening, schema
from headgate.ledger.compacting import compact
from headgate.ledger.facts import count_facts
from headgate.ledger.numbering import number_rows
from headgate.ledger.queries import LedgerReader
from headgate.ledger.retention import Keep, step
from headgate.ledger.rows import Part, count_by_quarter
from headgate.ledger.sketches import bins_of, sketch_of
from headgate.ledger.verifying import verify
from headgate.ledger.writer import LedgerWriter
from headgate.reports.week import Week

LEDGERS = Path(__file__).parents[1] / "data" / "ledgers"
FIGURES = json.loads((LEDGERS / "figures.json").read_text())
EVERY = pytest.mark.parametrize("version", sorted(FIGURES))
WEEK = Week(2025, 42).bounds(UTC)


@pytest.fixture
def old(path):
    """Make the ledger of an earlier version."""

    def make(version):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as db:
            db.executescript((LEDGERS / f"tables-{version}.sql").read_text())
        return path

    return make


def assert_figures(path, version):
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, *WEEK)
        assert len(list(ledger.all())) == 60
    wanted = FIGURES[version]
    assert facts.requests == 60
    assert facts.cost == wanted["cost"]
    assert facts.money.baseline == wanted["baseline"]
    assert facts.latency.mean == pytest.approx(wanted["mean"], abs=1e-9)
    assert {row.shown: row.requests for row in facts.served} == wanted["served"]


def columns(path):
    with closing(sqlite3.connect(path)) as db:
        return {
            table: {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for table in schema.metadata.tables
        }


def test_fixtures_of_earlier_versions_are_there():
    assert {int(version) for version in FIGURES} == {1, 2, 3, 4, 5, 10, 11}  # what 6 to 9 lack, 5 lacks too


@EVERY
def test_an_older_ledger_is_read_with_its_own_figures_and_gains_the_new_columns(old, version):
    path = old(version)
    assert_figures(path, version)
    found = columns(path)
    for table in schema.metadata.sorted_tables:
        assert {column.name for column in table.columns} <= found[table.name]


@EVERY
def test_an_older_ledger_is_written_on_rolled_up_and_found_sound(old, version):
    path = old(version)
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    for outcome in realistic(40, seed=77):
        writer.put(replace(outcome, received=outcome.received + 30 * 86400, key="anna", energy=1.5))
    writer.close()
    assert writer.written == 40
    with closing(opening.open_for_writing(path)) as db:
        while step(db, Keep(), 0.0):
            pass
    found = verify(path)
    assert (found.problems, found.requests, found.waiting) == ((), 100, 0)
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, *WEEK)
        later = count_facts(ledger, WEEK[0] + 30 * 86400, WEEK[1] + 30 * 86400)
    assert (facts.requests, facts.cost) == (60, FIGURES[version]["cost"])
    assert (later.requests, later.energy) == (40, 60.0)


def test_a_view_of_the_users_own_outlives_a_migration(old):
    path = old("11")
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE VIEW spent AS SELECT sum(cost) FROM call_rollups WHERE span = 900")
        (before,) = db.execute("SELECT * FROM spent").fetchone()
        db.commit()
    assert verify(path).problems == ()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM spent").fetchone() == (before,)
    assert before > 0


def test_rows_that_an_older_gate_writes_on_are_named_to_reports_and_numbered_by_compact(old):
    path = old("10")
    assert_figures(path, "10")
    with closing(sqlite3.connect(path)) as db:  # as its INSERT leaves them
        db.execute("UPDATE requests SET variant = NULL WHERE n > 50")
        db.execute("UPDATE attempts SET variant = NULL WHERE request > 50")
        db.commit()
    with LedgerReader(path) as ledger, pytest.raises(LedgerError, match="do not say how they are counted"):
        count_facts(ledger, *WEEK)
    writer = LedgerWriter(path, quiet=0.0)
    writer.start()
    writer.describe(MODELS)
    time.sleep(0.1)  # it tries to roll them up
    assert writer.put(replace(next(realistic(1, seed=77)), received=WEEK[1]))
    writer.close()
    assert (writer.written, writer.lost) == (1, 0)
    compact(path, Keep(), lambda share, doing: None)
    assert (found := verify(path)).problems == ()
    assert (found.requests, found.waiting) == (61, 0)
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, *WEEK)
    assert (facts.requests, facts.cost) == (60, FIGURES["10"]["cost"])


def test_bins_of_an_older_ledger_are_those_that_its_rollups_hold(old):
    path = old("11")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT n FROM rolled").fetchone() == (30,)
    assert verify(path).problems == ()
    with closing(opening.open_for_writing(path)) as db:
        db.execute("UPDATE requests SET seconds = 1111000 + n * 1037, bins = NULL")
        durations = [
            seconds for (seconds,) in db.execute("SELECT seconds FROM requests WHERE model IS NOT NULL")
        ]
        number_rows(db)
        counted = count_by_quarter(db, Part())
    found = sum((sketch_of(own) for one in counted.values() for own in one.seconds.values()), Counter())
    rounded = Counter(bins_of((duration + 500) // 1_000 * 1_000, None)[0] for duration in durations)
    assert found == sketch_of(rounded)
    assert found != sketch_of(Counter(bins_of(duration, None)[0] for duration in durations))


@EVERY
def test_a_migration_that_is_interrupted_leaves_the_old_ledger_whole(old, version, monkeypatch):
    path = old(version)
    with closing(sqlite3.connect(path)) as db:
        before = list(db.iterdump())
    found = columns(path)
    make = opening.make_tables

    def and_die(db):
        make(db)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(opening, "make_tables", and_die)
    with pytest.raises(LedgerError, match="cannot be brought up to date"):
        LedgerReader(path)
    assert columns(path) == found
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before
        assert db.execute("PRAGMA user_version").fetchone() == (int(version),)
    monkeypatch.undo()
    assert_figures(path, version)


def test_a_ledger_that_was_cut_to_nothing_is_named_to_a_reader_and_begun_anew_by_a_writer_with_a_word(
    path, read
):
    path.parent.mkdir()
    path.touch()
    with pytest.raises(LedgerError, match="is empty"):
        LedgerReader(path)
    assert path.stat().st_size == 0
    writer = LedgerWriter(path)
    assert "was empty" in writer.start().sentences[0]
    writer.close()
    assert read() == []
