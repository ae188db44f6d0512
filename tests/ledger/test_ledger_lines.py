"""Requests go into a ledger from lines and out of it again: each once, whatever happens, and with the same figures."""

import csv
import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import UTC
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ledger_samples import realistic
from msgspec.structs import replace
from test_ledger_facts import hurt
from test_ledger_rollups import audit, facts_of, roll_all, tend

from headgate.cli.main import command as headgate
from headgate.core.types import Candidate, Decision
from headgate.ledger.exporting import COLUMNS
from headgate.ledger.lines import Line, LineAttempt, schema
from headgate.ledger.opening import open_for_writing
from headgate.ledger.queries import LedgerReader
from headgate.ledger.retention import Keep
from headgate.reports.week import Week
from headgate.reports.weekly import weekly
from schemas import told

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "week-2025-42.jsonl.gz"
TUESDAY = 1
USERS_WEEK = Week(2025, 42, TUESDAY)
LINE = {
    "time": "2025-10-14T09:30:00Z",
    "task": "qa",
    "attempts": [{"model": "llama3.1", "engine": "ollama", "latency": 0.25}],
}


@pytest.fixture
def run(tmp_path, path):
    """Run a command on the ledger at `path`."""
    config = tmp_path / "headgate.toml"
    config.write_text(
        f'[engines.ollama]\nkind = "ollama"\n[models.llama]\nengine = "ollama"\nid = "llama3.1:8b"\n'
        f'[[routes]]\nname = "everything else"\ntry = ["llama"]\n[ledger]\npath = "{path}"\n'
        f'[report]\ntimezone = "utc"\nweek_starts = "tuesday"\n'
    )

    def run(*words):
        return CliRunner().invoke(headgate, [*map(str, words), "--config", str(config)])

    return run


@pytest.fixture
def lines(tmp_path):
    """Write lines into a file."""

    def write(*told, name="some.jsonl"):
        file = tmp_path / name
        text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in told)
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return file

    return write


def figures(result):
    return json.loads(result.stdout)


def outcomes_of(path):
    with LedgerReader(path) as ledger:
        return [entry.outcome for entry in ledger.all()]


def test_the_users_own_week_is_counted_as_he_told_it(run, path):
    assert run("ledger", "import", EXAMPLE).exit_code == 0
    for from_rows in (True, False):
        facts = facts_of(path, *USERS_WEEK.bounds(UTC), from_rows=from_rows)
        assert facts.requests == facts.imported == 15_238
        assert {row.shown: (row.requests, round(row.latency.mean, 9)) for row in facts.served} == {
            "llama3.1 (Ollama)": (6_412, 0.320),
            "phi-3-mini (LM Studio)": (2_187, 0.180),
            "qwen2.5-coder (Ollama)": (2_534, 0.410),
            "claude-sonnet-5-5 (API)": (4_105, 0.935),
        }
        assert (facts.cost, facts.money.baseline) == (286.40, 1219.04)
        assert facts.baselines == {"GPT-4o": 15_238}
        assert [(row.reason, row.limit, row.requests) for row in facts.fallbacks] == [
            ("token count", 4_000, 2_841),
            ("quality check failed", None, 936),
            ("unsupported output format", None, 328),
        ]
        assert weekly(USERS_WEEK, facts).unnecessary.number == 328


def test_the_report_prints_the_users_own_figures(run):
    run("ledger", "import", EXAMPLE)
    said = run("report", "--week", "2025-42").stdout
    for figure in (
        "15,238",
        "Oct 14 - Oct 20, 2025",
        "$286.40",
        "$1,219.04",
        "$932.64",
        "4,105 (26.9%)",
        "935ms",
    ):
        assert figure in said
    assert re.search(r"Unnecessary: +328 \(8\.0%", said)
    for reason in (
        "Token count > 4000: 2,841",
        "Quality check failed: 936",
        "Unsupported output format: 328",
    ):
        assert reason in said


def test_the_file_of_the_users_week_is_the_one_that_its_script_makes():
    assert subprocess.run([sys.executable, ROOT / "scripts" / "example_week.py"], check=False).returncode == 0


def test_the_same_file_twice_adds_nothing(run, lines, path):
    file = lines(LINE, LINE, {**LINE, "id": "mail-1"}, {**LINE, "id": "mail-1"})
    first = figures(run("ledger", "import", file, "--json"))
    assert (first["added"], first["known"]) == (3, 1)  # two lines without an id are two requests
    assert figures(run("ledger", "import", file, "--json"))["added"] == 0
    assert len({outcome.id for outcome in outcomes_of(path)}) == 3


def test_a_line_says_little_and_the_rest_follows(run, lines, path):
    run("ledger", "import", lines({"time": 1760434200}, LINE))
    nobody, answered = outcomes_of(path)
    assert (nobody.status, nobody.model, nobody.cost) == ("failed", None, 0.0)
    assert (answered.status, answered.model, answered.cost, answered.seconds) == ("ok", "llama3.1", 0.0, 0.25)
    assert answered.baseline_cost is None
    facts = facts_of(path)
    assert [(row.shown, row.local, row.latency.mean) for row in facts.served] == [
        ("llama3.1 (Ollama)", True, 0.25)
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "some.jsonl:2: Input data was truncated"),
        ("[1]", "Expected `object`"),
        ({"task": "qa"}, "missing required field `time`"),
        ({**LINE, "time": "yesterday"}, '"yesterday" is no time'),
        ({**LINE, "time": "2025-10-14T09:30:00"}, "has no time zone"),
        ({**LINE, "time": 1_760_434_200_000}, "not milliseconds"),
        ({**LINE, "colour": "blue"}, "unknown field `colour`"),
        ({**LINE, "task": "cooking"}, "`$.task`"),
        ({**LINE, "cost": -1}, "`$.cost`"),
        ({**LINE, "attempts": [{"model": "x", "engine": "my box"}]}, 'the engine "my box" of x is none of'),
        ({**LINE, "model": "somebody"}, "is none of the attempts"),
        ({**LINE, "attempts": [{"model": "x", "verdict": "passed", "score": 0.1}]}, "is not passed"),
        ({**LINE, "signals": {"trusted": ["x"]}}, "`trusted` names x, of which `chances` says nothing"),
        ({**LINE, "decision": {"within": 0}}, "`$.decision.within`"),
        ("\ud7ff\x00", "some.jsonl:2: "),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_added(run, lines, path, line, said):
    result = run("ledger", "import", lines(LINE, line, "", {**LINE, "id": "last"}))
    assert result.exit_code == 1
    assert said in result.stderr
    assert "some.jsonl:2: " in result.stderr
    assert "1 line left out" in result.stdout
    assert len(outcomes_of(path)) == 2


def test_a_dry_run_says_what_would_be_done_and_does_nothing(run, lines, path):
    file = lines(LINE, "{", {**LINE, "id": "a"}, {**LINE, "id": "a"})
    assert figures(run("ledger", "import", file, "--dry-run", "--json"))["added"] == 2
    assert not path.exists()
    run("ledger", "import", lines({**LINE, "id": "a"}, name="first.jsonl"))
    found = figures(run("ledger", "import", file, "--dry-run", "--json"))
    assert (found["added"], found["known"], found["wrong"]) == (1, 2, 1)
    assert len(outcomes_of(path)) == 1


def test_an_import_that_was_killed_is_run_again_and_nothing_is_there_twice(run, lines, path):
    file = lines(*({**LINE, "time": 1_760_434_200 + i / 100} for i in range(60_000)), name="many.jsonl.gz")
    code = "from headgate.cli.main import main; main()"
    importing = subprocess.Popen(
        [sys.executable, "-c", code, "ledger", "import", str(file), "--ledger", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while importing.poll() is None and time.monotonic() < deadline:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            if db.execute("SELECT count(*) FROM requests").fetchone()[0]:
                break
    os.kill(importing.pid, signal.SIGKILL)
    importing.wait()
    there = facts_of(path).requests
    assert 0 < there < 60_000
    again = figures(run("ledger", "import", file, "--json"))
    assert (again["added"], again["known"]) == (60_000 - there, there)
    facts = facts_of(path)
    assert (facts.requests, facts.imported) == (60_000, 60_000)
    assert run("ledger", "verify").exit_code == 0


def test_a_file_that_is_cut_off_keeps_what_was_read(run, lines, path):
    file = lines(
        *({**LINE, "id": str(i), "asked": os.urandom(20).hex()} for i in range(5_000)), name="cut.jsonl.gz"
    )
    file.write_bytes(file.read_bytes()[:-2_000])
    result = run("ledger", "import", file)
    assert result.exit_code == 1
    assert "cannot be read after line" in str(result.exception)
    assert 0 < len(outcomes_of(path)) < 5_000


def test_lines_of_before_what_was_removed_are_not_imported_a_second_time(run, lines, path):
    file = lines(LINE)
    run("ledger", "import", file)
    tend(path, Keep(rows=86_400), 1_790_000_000)
    assert outcomes_of(path) == []
    result = run("ledger", "import", file)
    assert result.exit_code == 1
    assert "older than the rows" in result.stderr
    assert facts_of(path).requests == 1


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_what_is_exported_as_lines_and_imported_again_makes_the_same_facts(store, run, path, tmp_path, name):
    store(
        replace(
            hurt(i, outcome),
            key="anna",
            energy=i / 7,
            energy_cost=0.001,
            alternative="gpt-4o",
            alternative_cost=0.01,
        )
        for i, outcome in enumerate(realistic(300, seed=12))
    )
    audit(path, ["unnecessary", "necessary", "good"])
    assert run("ledger", "export", tmp_path / name).exit_code == 0
    other = tmp_path / "other.db"
    assert run("ledger", "import", tmp_path / name, "--ledger", other).exit_code == 0
    before, after = facts_of(path, from_rows=True), facts_of(other, from_rows=True)
    assert after.imported == 300
    assert replace(after, imported=0, cards=()) == before
    mine = {outcome.id: outcome for outcome in outcomes_of(path)}
    for outcome in outcomes_of(other):
        assert outcome.attempts == mine[outcome.id].attempts
        assert outcome.signals == mine[outcome.id].signals
        assert outcome.decision == mine[outcome.id].decision


def test_what_a_decision_rests_on_is_exported_and_imported_again(store, run, path, tmp_path):
    """Whatever a replay looks at; of the rest only what was said otherwise for a model, and an engine's status, are not in lines."""
    (outcome,) = realistic(1)
    store(
        [
            replace(
                outcome,
                signals=replace(
                    outcome.signals,
                    labels=("spam", "ham"),
                    local_only=True,
                    keeps_to="llama",
                    cached=700,
                    chances={"phi": 0.9, "llama": 0.3},
                    trusted=("phi",),
                ),
                decision=Decision(
                    route="agents",
                    why="the caller asked for it",
                    candidates=(
                        Candidate(model="coder", skip="down", detail="Ollama does not answer"),
                        Candidate(model="claude", skip="budget", detail="$0.0000 may be spent", estimate=0.1),
                        Candidate(model="llama", estimate=0.0),
                    ),
                    checks=("not-empty",),
                    pass_at=0.7,
                    mode="hold",
                    within=12.5,
                    attempts_at_most=2,
                    spend_at_most=0.0,
                    by_name=True,
                    tokens_over=500,
                    order="cheapest first",
                    local_only=True,
                    queue_for=1.5,
                    when_busy="wait",
                    confirm="phi",
                ),
                prompt="spam or ham?",
                answer="spam",
            )
        ]
    )
    file, other = tmp_path / "all.jsonl", tmp_path / "other.db"
    run("ledger", "export", file)
    run("ledger", "import", file, "--ledger", other)
    assert outcomes_of(other) == outcomes_of(path)


def test_csv_and_parquet_hold_a_row_for_each_request_of_the_time_that_was_asked_for(store, run, tmp_path):
    from pyarrow import parquet

    store(realistic(700, seed=1))
    for name in ("some.csv", "some.parquet"):
        asked = run(
            "ledger", "export", tmp_path / name, "--since", "2025-10-14", "--until", "2025-10-16", "--json"
        )
        assert figures(asked)["requests"] == 200
    with (tmp_path / "some.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "some.parquet").to_pylist()
    assert list(rows[0]) == list(table[0]) == [column.name for column in COLUMNS]
    assert [row["id"] for row in rows] == [row["id"] for row in table]
    assert {row["time"][:10] for row in rows} == {"2025-10-14", "2025-10-15"}
    paid = [row for row in table if row["model"] == "claude"]
    assert all(row["local"] is False and row["cost"] > 0 and row["fallback"] for row in paid)
    assert sum(row["cost"] for row in table) == pytest.approx(sum(float(row["cost"]) for row in rows))
    assert not list(tmp_path.glob("*.part"))


def test_an_export_without_a_format_is_refused(store, run, tmp_path):
    store(realistic(1))
    result = run("ledger", "export", tmp_path / "some.xlsx")
    assert "names no format" in str(result.exception)


CALL = "SELECT call FROM variants JOIN requests ON variants.id = variant WHERE n = 2"


def test_verify_finds_a_rollup_that_is_not_the_sum_of_its_rows(store, run, path):
    store(realistic(50))
    roll_all(path)
    assert figures(run("ledger", "verify", "--json"))["problems"] == []
    for spoil, said in (
        ("UPDATE rollups SET cost = cost + 1 WHERE span = 900 AND facet = 1", "is not the sum of its rows"),
        ("UPDATE rollups SET cost = cost - 1 WHERE span = 900 AND facet = 1", ""),
        ("UPDATE call_rollups SET input = input + 1 WHERE span = 86400", "is not the sum of shorter ones"),
        ("UPDATE call_rollups SET input = input - 1 WHERE span = 86400", ""),
        ("UPDATE requests SET estimated = NOT estimated WHERE n = 2", "something else than they say: 1"),
        ("UPDATE requests SET estimated = NOT estimated WHERE n = 2", ""),
        ("UPDATE requests SET call_input = call_input + 1 WHERE n = 2", "something else than they say: 1"),
        ("UPDATE requests SET call_input = call_input - 1 WHERE n = 2", ""),
        ("UPDATE requests SET seconds = 2 * seconds WHERE n = 2", "something else than they say: 1"),
        ("UPDATE requests SET seconds = seconds / 2 WHERE n = 2", ""),
        ("UPDATE requests SET call_output = call_output + 1 WHERE n = 2", "something else than they say: 1"),
        ("UPDATE requests SET call_output = call_output - 1 WHERE n = 2", ""),
        (f"UPDATE attempts SET variant = ({CALL}) WHERE request = 2", "something else than they say: 1"),
        ("UPDATE attempts SET variant = NULL WHERE request = 2", ""),
        (
            "DELETE FROM attempts WHERE request IN (SELECT request FROM attempts WHERE position = 1 LIMIT 1)",
            "is not the sum of its rows",
        ),
        ("DELETE FROM attempts WHERE request = 2", "something else than they say: 1"),
        ("UPDATE requests SET model = 4711 WHERE n = 3", "points to a row of models that is not there"),
    ):
        with closing(open_for_writing(path)) as db:
            db.execute(spoil)
        result = run("ledger", "verify")
        assert (said in str(result.exception)) if said else (result.exit_code == 0)


def test_of_many_wrong_lines_the_first_are_told_and_all_counted(run, path, tmp_path):
    (tmp_path / "wrong.jsonl").write_text("nonsense\n" * 50)
    told = run("ledger", "import", tmp_path / "wrong.jsonl")
    assert told.stderr.count("wrong.jsonl:") == 20
    assert "--json names them all" in told.stderr
    assert "50 lines left out" in told.stdout
    assert len(figures(run("ledger", "import", tmp_path / "wrong.jsonl", "--json"))["troubles"]) == 50


def test_compact_gives_back_the_space_of_what_is_removed_and_the_report_stays(store, run, path):
    store(replace(outcome, prompt="a prompt " * 200, answer="an answer") for outcome in realistic(900))
    before = run("report", "--week", "2025-42", "--json")
    done = figures(run("ledger", "compact", "--json"))
    assert (done["rolled"], done["pruned"], done["problem"]) == (900, 900, "")  # it is more than 400 days ago
    assert done["after"] < done["before"] / 3
    after = run("report", "--week", "2025-42", "--json")
    one, other = figures(before), figures(after)
    assert one["requests"] == other["requests"]
    assert one["savings"] == other["savings"]


def test_every_line_that_is_exported_fits_the_schema_in_the_docs(store, run, path, tmp_path):
    shipped = json.loads((ROOT / "docs" / "ledger_line.schema.json").read_text())
    assert told(shipped) == told(json.loads(json.dumps(schema()))), "run scripts/line_schema.py --write"
    store(hurt(i, outcome) for i, outcome in enumerate(realistic(60)))
    run("ledger", "export", tmp_path / "all.jsonl")
    for line in (tmp_path / "all.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), shipped)


def test_the_page_about_lines_has_every_field_and_every_column():
    page = (ROOT / "docs" / "ledger_import.md").read_text()
    parts = page.split("\n## ")
    named = {part.splitlines()[0]: re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in parts}
    assert named["A line"] == list(Line.__struct_fields__)
    assert named["A call"] == list(LineAttempt.__struct_fields__)
    assert named["Exporting"] == [column.name for column in COLUMNS]
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.kind} | {column.meaning} |" in page


def test_the_lines_on_that_page_can_be_imported(run, lines, path):
    page = (ROOT / "docs" / "ledger_import.md").read_text()
    shown = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)
    assert run("ledger", "import", lines(*shown)).exit_code == 0
    facts = facts_of(path)
    assert (facts.requests, facts.fallbacks[0].requests, len(facts.audits)) == (2, 1, 1)
