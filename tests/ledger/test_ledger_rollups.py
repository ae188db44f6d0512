"""Sums from rollups are those of the rows, whatever came when, whoever rolled, and also when the rows are gone."""

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from ddsketch.mapping import LogarithmicMapping
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, MONDAY, plain, realistic
from msgspec.structs import replace
from test_ledger_facts import hurt

from headgate.core.errors import LedgerError
from headgate.ledger.compacting import compact
from headgate.ledger.facts import count_by, count_facts
from headgate.ledger.numbering import all_numbered, number_rows
from headgate.ledger.opening import open_for_writing
from headgate.ledger.queries import LedgerReader
from headgate.ledger.retention import Keep, step
from headgate.ledger.rollups import roll, stretches
from headgate.ledger.sketches import (
    ACCURACY,
    bins_of,
    from_bytes,
    microseconds,
    percentile,
    sketch_of,
    to_bytes,
)
from headgate.ledger.verifying import verify
from headgate.ledger.writer import LedgerWriter
from headgate.reports.week import Week

DAY = 86_400
WEEK = Week(2025, 42).bounds(UTC)


def roll_all(path, bite=7):
    with closing(open_for_writing(path)) as db:
        while roll(db, bite):
            pass


def tend(path, keep, now):
    with closing(open_for_writing(path)) as db:
        while step(db, keep, now):
            pass


def audit(path, verdicts, probability=None):
    """Audits of the first requests, one for each verdict."""
    with closing(open_for_writing(path)) as db:
        for n, verdict in enumerate(verdicts, 1):
            db.execute("INSERT OR IGNORE INTO names (text) VALUES (?), ('a judge')", (verdict,))
            db.execute(
                "INSERT INTO audits (request, verdict, judge, audited, cost, probability) "
                "SELECT ?, v.id, j.id, 0, 1000, ? FROM names v, names j WHERE v.text = ? AND j.text = 'a judge'",
                (n, probability, verdict),
            )


def facts_of(path, since=WEEK[0], until=WEEK[1], zone=UTC, **how):
    with LedgerReader(path) as ledger:
        return count_facts(ledger, since, until, zone, **how)


def assert_alike(one, other):
    """The same facts, to the last digit; findings in any order."""
    assert Counter(map(told, one.findings)) == Counter(map(told, other.findings))
    mine, theirs = replace(one, findings=()), replace(other, findings=())
    for name in mine.__struct_fields__:
        assert getattr(mine, name) == getattr(theirs, name), name


def told(finding):
    """What is left of a finding when its row is gone; of its dollars the sum is."""
    return (
        finding.kind,
        finding.verdict,
        finding.judge,
        finding.probability,
        finding.route,
        finding.task,
        finding.cause,
    )


@pytest.mark.parametrize("rolled", [1, 137, 300])
def test_rollups_and_the_rows_after_them_make_the_facts_of_all_rows(store, rolled):
    path = store(hurt(i, outcome) for i, outcome in enumerate([*realistic(200, seed=5), *plain(100, seed=6)]))
    with closing(open_for_writing(path)) as db:
        assert roll(db, rolled) == rolled
    by_rows = facts_of(path, from_rows=True)
    assert by_rows.requests == 300
    assert by_rows.days
    assert_alike(facts_of(path), by_rows)


rare = st.one_of(st.none(), st.integers(0, 10**9))
changes = st.fixed_dictionaries(
    {
        "received": st.integers(int(WEEK[0]) - 2 * DAY, int(WEEK[1]) + 2 * DAY).map(float)
        | st.floats(WEEK[0], WEEK[1]),
        "model": st.sampled_from([None, "llama", "claude", "nobody knows it"]),
        "fallback": st.sampled_from([None, "token count", "quality check failed"]),
        "fallback_limit": st.sampled_from([None, 0, 4_000, 2**32 - 2]),
        "seconds": st.floats(0, 4_000),
        "first_token": st.none() | st.floats(0, 4_000),
        "cost": st.none() | st.integers(0, 10**10).map(lambda nano: nano / 1e9),
        "baseline_cost": st.none() | st.integers(0, 10**10).map(lambda nano: nano / 1e9),
        "energy": st.none() | st.floats(0, 1_000),
        "energy_cost": st.none() | st.floats(0, 1),
        "alternative": st.sampled_from(["", "gpt-4o"]),
        "alternative_cost": st.none() | st.floats(0, 1),
        "key": st.sampled_from(["", "anna", "ben"]),
        "team": st.sampled_from(["", "sales"]),
        "prices_as_of": st.sampled_from(["", "2025-10-13", "2025-10-14"]),
    }
)


@settings(
    deadline=None,
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(changes, min_size=1, max_size=40),
    st.integers(1, 50),
    st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]),
    st.integers(-2 * DAY, 2 * DAY),
)
def test_any_ledger_has_the_same_facts_by_rollups_and_by_rows(tmp_path_factory, made, rolled, zone, shift):
    path = tmp_path_factory.mktemp("any") / "ledger.db"
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    for template, change in zip([*realistic(20), *plain(20)], made, strict=False):
        writer.put(replace(template, **change))
    writer.close()
    assert writer.lost == 0
    with closing(open_for_writing(path)) as db:
        roll(db, rolled)
    assert verify(path).problems == ()  # each row's number is that of what the row says
    when = {"since": WEEK[0] + shift, "until": WEEK[1] + shift, "zone": ZoneInfo(zone)}
    by_rows = facts_of(path, **when, from_rows=True)
    assert by_rows.requests == sum(
        round(when["since"] * 1e6) <= round(change["received"] * 1e6) < round(when["until"] * 1e6)
        for change in made
    )
    assert_alike(facts_of(path, **when), by_rows)


def test_verify_names_a_facet_and_a_variant_that_are_gone_and_a_report_says_what_it_lacks(store):
    path = store(realistic(20))
    with closing(open_for_writing(path)) as db:
        (facet,) = db.execute("SELECT facet FROM variants JOIN requests ON variants.id = variant").fetchone()
        db.execute("DELETE FROM facets WHERE id = ?", (facet,))
    said = verify(path).problems
    assert any("of variants points to a row of facets that is not there" in problem for problem in said)
    assert any("rows of requests that are counted as something else" in problem for problem in said)
    with pytest.raises(LedgerError, match="do not say how they are counted"):
        facts_of(path)


@pytest.mark.parametrize("table", ["variants", "call_variants"])
def test_a_variant_has_one_number_and_is_found_by_an_index(store, table):
    with closing(open_for_writing(store(realistic(20)))) as db:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            db.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM {table}")
        same = " AND ".join(f"{column} IS 1" for column in columns)
        (plan,) = db.execute(f"EXPLAIN QUERY PLAN SELECT id FROM {table} WHERE {same}")
        assert "SEARCH" in plan[3]


def test_a_late_row_and_one_of_the_future_are_counted_once_each(store):
    first, late, future, last = realistic(4)
    path = store(
        [
            replace(first, received=MONDAY + 3 * DAY),
            replace(late, received=MONDAY + 60),
            replace(future, received=MONDAY + 30 * DAY),
            replace(last, received=MONDAY + 3 * DAY + 1),
        ]
    )
    roll_all(path, bite=1)
    assert facts_of(path).requests == 3
    assert facts_of(path, MONDAY + 29 * DAY, MONDAY + 31 * DAY).requests == 1


def test_days_are_those_of_the_reports_zone_also_on_the_days_that_have_23_or_25_hours(store):
    berlin = ZoneInfo("Europe/Berlin")
    week = Week(2025, 43)  # its Sunday has 25 hours
    since, until = week.bounds(berlin)
    template = next(realistic(1))
    times = [since, until - 1, until - 25 * 3600, until - 25 * 3600 - 1]
    path = store(replace(template, received=at) for at in times)
    for _ in range(2):
        days = [(day.day, day.requests) for day in facts_of(path, since, until, berlin).days]
        assert days == [("2025-10-20", 1), ("2025-10-25", 1), ("2025-10-26", 2)]
        roll_all(path)


def test_rows_are_removed_when_they_are_old_enough_and_no_figure_changes(store, path):
    store(hurt(i, outcome) for i, outcome in enumerate(realistic(300, seed=8)))
    audit(path, ["unnecessary", "unnecessary", "necessary", "good"] * 12, probability=250_000)
    before = facts_of(path)
    assert Counter(finding.kind for finding in before.findings) == {"local": 41, "fallback": 7}
    tend(path, Keep(rows=400 * DAY), MONDAY + 403.5 * DAY)
    with LedgerReader(path) as ledger:
        left = list(ledger.all())
    assert 0 < len(left) < 300
    assert all(entry.outcome.received >= MONDAY + 3 * DAY for entry in left)
    assert_alike(facts_of(path), before)
    tend(path, Keep(rows=400 * DAY), MONDAY + 500 * DAY)
    assert_alike(facts_of(path), before)
    with closing(sqlite3.connect(path)) as db:
        left = [
            db.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("requests", "attempts", "audits")
        ]
    assert left == [(0,), (0,), (0,)]


def test_a_figure_of_a_week_in_india_stays_when_its_rows_are_gone(store, path):
    kolkata = ZoneInfo("Asia/Kolkata")
    since, until = Week(2025, 42).bounds(kolkata)
    store(replace(outcome, received=outcome.received - DAY / 2) for outcome in realistic(500, seed=2))
    before = facts_of(path, since, until, kolkata)
    assert 0 < before.requests < 500
    tend(path, Keep(rows=DAY), MONDAY + 100 * DAY)
    assert_alike(facts_of(path, since, until, kolkata), before)


def test_new_requests_go_on_counting_after_all_rows_were_removed(store, path):
    store(realistic(5))
    tend(path, Keep(rows=DAY), MONDAY + 100 * DAY)
    store(replace(outcome, received=MONDAY + 50 * DAY) for outcome in realistic(3, seed=4))
    roll_all(path)
    assert facts_of(path).requests == 5
    assert facts_of(path, MONDAY + 49 * DAY, MONDAY + 51 * DAY).requests == 3


def test_prompts_and_answers_are_removed_before_the_rows(store, path):
    store(replace(outcome, prompt="the prompt", answer="the answer") for outcome in realistic(10))
    tend(path, Keep(bodies=30 * DAY), MONDAY + 100 * DAY)
    with LedgerReader(path) as ledger:
        outcomes = [entry.outcome for entry in ledger.all()]
    assert len(outcomes) == 10
    assert not any(outcome.prompt for outcome in outcomes)


def test_a_quiet_gate_rolls_up_and_removes_by_itself(path):
    now = MONDAY + 20 * DAY
    writer = LedgerWriter(path, quiet=0.05, clock=lambda: now, keep=Keep(rows=15 * DAY))
    writer.start()
    writer.describe(MODELS)
    for outcome in realistic(200):
        writer.put(outcome)
    writer.flush()
    try:
        with closing(sqlite3.connect(path, timeout=10)) as db:
            deadline = datetime.now(UTC).timestamp() + 20
            while db.execute("SELECT count(*) FROM requests").fetchone()[0] == 200:
                assert datetime.now(UTC).timestamp() < deadline
    finally:
        writer.close()
    assert facts_of(path).requests == 200


def test_two_that_roll_at_once_count_nothing_twice(store, path):
    from concurrent.futures import ThreadPoolExecutor

    store(realistic(400))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: roll_all(path, 11), range(2)))
    assert_alike(facts_of(path), facts_of(path, from_rows=True))


def test_a_roll_that_is_cut_short_leaves_everything_as_it_was(store, path, monkeypatch):
    from headgate.ledger import rollups

    store(realistic(50))
    monkeypatch.setattr(rollups, "_PUT_SKETCHES", "INSERT INTO no_such_table VALUES (?, ?, ?, ?, ?)")
    with closing(open_for_writing(path)) as db, pytest.raises(sqlite3.Error):
        roll(db)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM rollups").fetchone() == (0,)
    monkeypatch.undo()
    roll_all(path)
    assert_alike(facts_of(path), facts_of(path, from_rows=True))


def test_requests_are_grouped_by_key_team_task_and_model(store, path):
    store(
        replace(outcome, key="anna" if i % 3 else "ben", team="sales")
        for i, outcome in enumerate(realistic(90))
    )
    for _ in range(2):
        with LedgerReader(path) as ledger:
            by_key = count_by(ledger, *WEEK, "key")
            assert [(group.name, group.requests) for group in by_key] == [("anna", 60), ("ben", 30)]
            assert [group.name for group in count_by(ledger, *WEEK, "team")] == ["sales"]
            assert sum(group.requests for group in count_by(ledger, *WEEK, "model")) == 90
            assert by_key[0].money.requests == 60
        roll_all(path)


@given(st.integers(-10, 4_000), st.integers(0, 4_000))
def test_the_rollups_of_a_time_lie_side_by_side_and_fill_it(first, length):
    since, until = first * 900 + 1_760_313_600, (first + length) * 900 + 1_760_313_600
    parts = list(stretches(since, until))
    edges = [since, *(part.until for part in parts)]
    assert [part.since for part in parts] == edges[:-1]
    assert edges[-1] == until
    assert all(part.since % part.span == 0 and part.until % part.span == 0 for part in parts)
    assert len(parts) <= 7


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200))
def test_a_sketch_survives_its_bytes_and_tells_percentiles_within_one_percent(durations):
    text = "".join(bins_of(duration, None if duration % 3 else duration) for duration in durations)
    counted = sketch_of(Counter(text[::2]))
    assert sketch_of(Counter(text[1::2])).total() == sum(not duration % 3 for duration in durations)
    sketch = from_bytes(to_bytes(counted))
    assert sketch == counted
    for share in (0.5, 0.95):
        exact = percentile(Counter(durations), len(durations), share)
        assert microseconds(percentile(sketch, len(durations), share)) == pytest.approx(
            exact, rel=0.006, abs=1
        )


@pytest.mark.parametrize(("days", "wanted"), [((3, 4, 3.1), [2, 1]), ((3, 2, 3.1), [1, 2])])
def test_a_row_of_another_day_between_two_of_one_day_is_counted_on_its_own(store, path, days, wanted):
    template = next(realistic(1))
    store(replace(template, received=MONDAY + day * DAY) for day in days)
    assert [day.requests for day in facts_of(path, from_rows=True).days] == wanted


@pytest.mark.parametrize("lost", ["", "variants", "call_variants"])
def test_compacting_gives_rows_what_they_lack_and_changes_nothing_else(store, path, lost):
    store([*realistic(400), *plain(100)])
    roll_all(path)
    before = facts_of(path, from_rows=True)
    with closing(open_for_writing(path)) as db:
        assert all_numbered(db)
        dump = list(db.iterdump())
        db.execute("BEGIN")
        number_rows(db)
        db.execute("COMMIT")
        assert list(db.iterdump()) == dump
        if lost:
            db.execute("PRAGMA foreign_keys = OFF")
            db.execute(f"DELETE FROM {lost} WHERE id > 2")
            assert not all_numbered(db)
    compact(path, Keep(), lambda share, doing: None)
    assert verify(path).problems == ()
    assert_alike(facts_of(path, from_rows=True), before)
    assert_alike(facts_of(path), before)


def test_a_row_that_does_not_say_its_bins_is_named_to_who_counts_rows(store, path):
    store(plain(20))
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE requests SET bins = NULL WHERE n = 2")
    with pytest.raises(LedgerError, match="do not say how they are counted"):
        facts_of(path, from_rows=True)


@given(st.integers(0, 2**62))
def test_the_bins_of_a_row_are_those_of_ddsketch(duration):
    of_both = [sketch_of(Counter(character)) for character in bins_of(duration, duration)]
    assert of_both == [{LogarithmicMapping(ACCURACY).key(max(1, duration)): 1}] * 2


def test_many_rows_are_summed_by_several_processes_to_the_same_facts(store, path, monkeypatch):
    from headgate.ledger import counting

    store(hurt(i, outcome) for i, outcome in enumerate(plain(9_000, seed=3)))
    alone = facts_of(path, from_rows=True)
    monkeypatch.setattr(counting, "MANY", 4_096)
    assert facts_of(path, from_rows=True) == alone


@pytest.mark.parametrize(
    ("since", "until"), [(0, 7 * DAY), (0, 1_000), (3 * DAY, 4 * DAY), (6 * DAY, 7 * DAY), (7 * DAY, 8 * DAY)]
)
def test_a_part_of_the_rows_is_counted_from_rows_as_it_is_from_rollups(store, path, since, until):
    store(outcome for outcome in [*realistic(6_000, seed=4), *plain(3_000, seed=9)])
    when = (WEEK[0] + since, WEEK[0] + until)
    by_rows = facts_of(path, *when, from_rows=True)
    roll_all(path, bite=5_000)
    assert_alike(facts_of(path, *when), by_rows)


def test_a_process_that_cannot_count_is_told_of(store, path, monkeypatch):
    from headgate.core.errors import LedgerError
    from headgate.ledger import counting, processes

    store(plain(9_000, seed=3))
    monkeypatch.setattr(counting, "MANY", 4_096)
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(LedgerError, match="cannot be read"):
        facts_of(path, from_rows=True)


def test_a_process_that_counts_does_not_wait_for_modules_that_it_does_not_need():
    told = "import sys, headgate.ledger.rows_apart; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", told], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    assert "sqlite3" in loaded
    assert not {"sqlalchemy", "headgate.core.policy"} & {*loaded}


def test_a_time_that_cuts_quarters_of_an_hour_counts_their_rows_on_either_side_once(store, path):
    template = next(realistic(1))
    store(replace(template, received=MONDAY + 60 * minute) for minute in range(60))
    roll_all(path)
    for since, until in ((5, 50), (5, 10), (14, 16), (0, 29), (31, 60), (15, 45)):
        found = facts_of(path, MONDAY + 60 * since, MONDAY + 60 * until)
        assert (found.requests, found.latency.requests) == (until - since, until - since)


def test_rows_that_are_in_no_rollup_are_never_removed(store, path, monkeypatch):
    from headgate.ledger import retention

    store(realistic(20))
    with closing(open_for_writing(path)) as db:
        roll(db, 5)
        monkeypatch.setattr(retention, "roll", lambda *_: 0)
        while step(db, Keep(rows=DAY), MONDAY + 100 * DAY):
            pass
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (15,)
    assert facts_of(path).requests == 20
