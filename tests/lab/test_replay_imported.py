"""A ledger that was exported and imported again is replayed and tuned as the original; lines that say less are told of."""

import json

import pytest

from prepared_python import headgate
from tune_desk import PAGE, Desk, a_week


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.record(a_week(requests=1000), sample=0.8, local_sample=0.8)
    return desk


@pytest.fixture(scope="module")
def lines(desk):
    """The desk's ledger as lines."""
    file = desk.page.with_name("all.jsonl")
    run("ledger", "export", file, "--config", desk.page)
    return file


@pytest.fixture(scope="module")
def imported(lines, tmp_path_factory):
    return page_of(lines, tmp_path_factory.mktemp("imported"))


def run(*words):
    done = headgate(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def page_of(lines, folder):
    """A page like the desk's, with a ledger into which these lines were imported."""
    page = folder / "headgate.toml"
    page.write_text(PAGE.format(ledger=folder / "ledger.db"))
    run("ledger", "import", lines, "--config", page)
    return page


def told(command, page, *words):
    return json.loads(run(command, "--config", page, "--json", *words))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--set", "quality.pass_at=0.4"),
        ("--set", "quality.pass_at=0.75"),
        ("--set", "routes.long.tokens_over=5000"),
        ("--set", "routes.code.try=paid"),
    ],
)
def test_a_replay_says_the_same_of_what_was_exported_and_imported_again(desk, imported, words):
    before = told("replay", desk.page, *words)
    assert before["requests"] == 1000
    assert before["drifted"] == before["unknown"] == 0
    assert before["exact"] + before["estimated"] > 0 or not words
    assert told("replay", imported, *words) == before


def test_tuning_proposes_the_same(desk, imported):
    before = told("tune", desk.page)
    assert before["proposed"]
    assert told("tune", imported) == before


@pytest.fixture(scope="module")
def foreign(lines, tmp_path_factory):
    """The page of a ledger whose lines do not say what was decided."""
    folder = tmp_path_factory.mktemp("foreign")
    without = folder / "without.jsonl"
    with without.open("w") as file:
        for line in lines.read_text().splitlines():
            told = json.loads(line)
            told.pop("decision", None)
            file.write(json.dumps(told) + "\n")
    return page_of(without, folder)


@pytest.mark.parametrize("words", [(), ("--set", "quality.pass_at=0.4")])
def test_lines_that_do_not_say_what_was_decided_are_unknown_and_no_other_config_is_blamed(foreign, words):
    found = told("replay", foreign, *words)
    assert (found["requests"], found["unknown"], found["drifted"]) == (1000, 1000, 0)
    (why,) = found["why_unknown"]
    assert why == "they were imported from lines that do not say what was decided"
    said = run("replay", "--config", foreign, *words)
    assert f"1,000: {why}" in said
    assert "changed since" not in said


def test_tuning_says_so_too(foreign):
    done = headgate("tune", "--config", foreign)
    assert done.returncode != 0
    assert "of 1,000 more nobody can tell: they were imported from lines" in done.stderr


def test_exported_again_they_say_no_more_than_they_did(foreign):
    page = foreign.with_name("again.toml")
    page.write_text(PAGE.format(ledger=foreign.with_name("again.db")))
    run("ledger", "export", foreign.with_name("again.jsonl"), "--config", foreign)
    run("ledger", "import", foreign.with_name("again.jsonl"), "--config", page)
    assert told("replay", page)["unknown"] == 1000
