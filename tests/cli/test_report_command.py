"""`headgate report` as a person, cron and CI use it: forms, files, warnings, and ledgers that hold nothing."""

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from ledger_samples import MODELS, MONDAY, realistic
from msgspec.structs import replace

from headgate.ledger.writer import LedgerWriter

PAGE = """
[engines.ollama]
kind = "ollama"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"

[[routes]]
name = "everything"
try = ["llama"]

[report]
timezone = "utc"
"""
WEEK = ("--week", "2025-W42")


@pytest.fixture
def office(shell):
    """A home with a page and a week of requests in the ledger."""
    shell.write(PAGE + "[ledger]\npath = 'ledger.db'\n")
    writer = LedgerWriter(shell.home / "ledger.db")
    writer.start()
    writer.describe(MODELS)
    for outcome in realistic(400, seed=2):
        writer.put(outcome)
    writer.close()
    return shell


def test_a_warning_is_told_and_only_a_check_exits_with_it(office):
    told = office("report", *WEEK)
    assert told.code == 0
    assert "warning: " in told.err
    assert "warning" not in told.out
    checked = office("report", *WEEK, "--check")
    assert (checked.code, checked.out) == (5, told.out)
    assert office("report", *WEEK, "--check", "--json").code == 5
    assert office("report", "--week", "2025-W41", "--check").code == 0


def test_a_folder_gets_the_text_the_json_and_the_page_of_the_week_and_a_second_time_anew(office):
    assert office("report", *WEEK, "--out", "reports").out == ""
    folder = office.home / "reports"
    stem = "routing-report-2025-week-42"
    assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.html", f"{stem}.json", f"{stem}.log"]
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.write_text("old")
    assert office("report", *WEEK, "--out", "reports").code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert (folder / f"{stem}.log").read_text() == office("report", *WEEK).out
    assert json.loads(first[f"{stem}.json"]) == office("report", *WEEK, "--json").json


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("week.log", "WEEKLY ROUTING SUMMARY"),
        ("week.txt", "WEEKLY ROUTING SUMMARY"),
        ("week.md", "# Weekly routing summary"),
        ("week.json", "{"),
        ("week.csv", "week,day,task,model"),
        ("deep/er/week.html", "<!doctype html>"),
        ("week.eml", "Subject: Headgate 2025-W42"),
    ],
)
def test_a_files_ending_says_its_form(office, name, begins):
    assert office("report", *WEEK, "--out", name).code == 0
    assert (office.home / name).read_text().startswith(begins)


def test_an_ending_that_names_no_form_makes_no_folder_of_that_name(office):
    said = office("report", *WEEK, "--out", "week.pdf")
    assert said.code == 2
    assert "week.pdf names no format" in said.err
    assert ".html" in said.err
    assert not (office.home / "week.pdf").exists()
    (office.home / "reports.d").mkdir()
    assert office("report", *WEEK, "--out", "reports.d").code == 0


def test_log_takes_a_reason_as_it_shows_it(office):
    shown = office("log", "--fallback", "Quality check failed", "--json")
    assert shown.code == 0, shown.err


def test_a_form_that_is_named_wins_over_the_ending_and_goes_alone_into_a_folder(office):
    office("report", *WEEK, "--format", "csv", "--out", "week.txt")
    assert (office.home / "week.txt").read_text().startswith("week,day")
    office("report", *WEEK, "--format", "csv", "--out", "tables")
    assert [path.name for path in (office.home / "tables").iterdir()] == ["routing-report-2025-week-42.csv"]


@pytest.mark.parametrize("form", ["text", "md", "json", "csv", "html", "email"])
def test_each_form_can_be_printed(office, form):
    assert len(office("report", *WEEK, "--format", form).out) > 500


def test_two_reports_at_once_leave_whole_files(office):
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: office("report", *WEEK, "--out", "reports").code, range(2)))
    assert done == [0, 0]
    names = sorted(path.name for path in (office.home / "reports").iterdir())
    assert [Path(name).suffix for name in names] == [".html", ".json", ".log"]
    json.loads((office.home / "reports" / names[1]).read_text())


def test_a_week_of_the_users_own_begins_when_he_says(office):
    office.write(PAGE + 'week_starts = "tuesday"\n[ledger]\npath = "ledger.db"\n')
    shown = office("report", *WEEK)
    assert "Period:          Oct 14 - Oct 20, 2025" in shown.out
    assert "Total requests:  400" not in shown.out  # Monday the 13th is in the week before


def test_a_week_without_requests_says_so_in_every_form(office):
    assert "No requests this week" in office("report", "--week", "2025-W30").out
    assert "No requests this week" in office("report", "--week", "2025-W30", "--format", "html").out
    assert office("report", "--week", "2025-W30", "--format", "csv").out.count("\n") == 1


def test_a_ledger_of_no_bytes_is_said_to_be_one(office):
    (office.home / "ledger.db").write_bytes(b"")
    said = office("report", *WEEK)
    assert (said.code, said.out) == (1, "")
    assert "is empty: nothing was ever written to it" in said.err
    assert "headgate up" in said.err


def test_a_ledger_that_is_not_there_says_how_to_begin_one(office):
    (office.home / "ledger.db").unlink()
    said = office("report", *WEEK)
    assert said.code == 1
    assert "there is no ledger at" in said.err
    assert "headgate up" in said.err


def test_one_request_makes_a_whole_report(shell):
    shell.write(PAGE + "[ledger]\npath = 'ledger.db'\n")
    writer = LedgerWriter(shell.home / "ledger.db")
    writer.start()
    writer.describe(MODELS)
    writer.put(replace(next(iter(realistic(1))), received=MONDAY + 60))
    writer.close()
    shown = shell("report", *WEEK)
    assert (shown.code, "Total requests:  1\n" in shown.out) == (0, True)


def test_a_report_can_be_cut_off_by_a_pipe(office):
    order = f'"{sys.executable}" -m headgate report --week 2025-W42 | head -n 1'
    done = subprocess.run(
        order,
        shell=True,
        cwd=office.home,
        env=office.env,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "WEEKLY ROUTING SUMMARY\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [("report", *WEEK), ("log",), ("ledger", "reprice", "--as-of", "2025-10-13")],
    ids=["report", "log", "reprice"],
)
@pytest.mark.parametrize("version", [1, 4])
def test_a_ledger_of_an_older_headgate_is_read_before_any_gate_has_opened_it(shell, words, version):
    shell.write(PAGE + "[ledger]\npath = 'ledger.db'\n")
    tables = Path(__file__).parents[1] / "data" / "ledgers" / f"tables-{version}.sql"
    with closing(sqlite3.connect(shell.home / "ledger.db")) as db:
        db.executescript(tables.read_text())
    told = shell(*words)
    assert told.code == 0, told.err
    assert "claude" in told.out
