"""Unknown is never zero, also where Headgate learns from what was paid: a ledger whose paid answers have no cost, or only some."""

import json
import time

import pytest
from msgspec.structs import replace

from prepared_python import headgate
from tune_desk import WEEK, Desk, a_week

PRICE = "price = { input = 1.0, output = 10.0 }\n"
MONDAY = 4 * 86_400
"""The first one of Unix time."""


def last_week():
    now = time.time()
    return now - (now - MONDAY) % WEEK - WEEK


def without_cost(outcome, _index=0):
    """As it is written where nobody knows what the paid model takes."""
    if outcome.model == "small":
        return outcome
    attempts = [
        attempt if attempt.model == "small" else replace(attempt, cost=None) for attempt in outcome.attempts
    ]
    return replace(outcome, attempts=tuple(attempts), cost=None, usage=attempts[-1].usage)


def every_second_without_cost(outcome, index):
    return without_cost(outcome) if index % 2 else outcome


def with_baseline(outcome, _index):
    return replace(outcome, baseline_cost=0.002)


def desk_with(folder, *, price, change):
    folder.mkdir()
    desk = Desk(folder)
    text = desk.page.read_text() + '\n[report]\ntimezone = "utc"\n'
    assert PRICE in text
    desk.page.write_text(text if price else text.replace(PRICE, ""))
    desk.record(a_week(), since=last_week(), weeks=0.99, change=change)
    return desk


@pytest.fixture(scope="module")
def unpriced(tmp_path_factory):
    return desk_with(tmp_path_factory.mktemp("desk") / "a", price=False, change=without_cost)


@pytest.fixture(scope="module")
def half_priced(tmp_path_factory):
    # the price was taken from the page later: what was recorded keeps its own
    desk = desk_with(tmp_path_factory.mktemp("desk") / "b", price=True, change=every_second_without_cost)
    desk.page.write_text(desk.page.read_text().replace(PRICE, ""))
    return desk


@pytest.fixture(scope="module")
def without_baseline(tmp_path_factory):
    return desk_with(tmp_path_factory.mktemp("desk") / "c", price=True, change=lambda outcome, _: outcome)


def report(desk, *words):
    done = headgate("report", "--week", "last", "--config", str(desk.page), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def audited(desk):
    part = report(desk).partition("WHAT AUDITS FOUND\n")[2]
    return part.partition("\n\nW")[0]


def line(text, label):
    return next(line for line in text.splitlines() if line.strip().startswith(label))


def test_tuning_names_the_model_whose_price_nobody_knows(unpriced):
    done = unpriced.run(code=1)
    assert "without paying" not in done.stderr + done.stdout
    assert "the price of paid is not known" in done.stderr
    assert "[models.paid] price = { input = ..., output = ... }" in done.stderr
    told = json.loads(unpriced.run("--json", code=1).stdout)
    assert (told["found"]["reason"], told["found"]["models"]) == ("price unknown", ["paid"])


def test_a_price_given_later_holds_for_what_was_recorded_without_one(unpriced, without_baseline, tmp_path):
    page = tmp_path / "headgate.toml"
    page.write_text(unpriced.page.read_text().replace('id = "p"\n', f'id = "p"\n{PRICE}'))
    done = headgate("tune", "--config", str(page))
    assert done.returncode == 0, done.stderr
    assert "+tokens_over = 5000" in done.stdout
    assert "unknown" not in done.stdout
    known = without_baseline.run().stdout
    assert line(done.stdout, "dollars a week") == line(known, "dollars a week")
    said = headgate("replay", "--config", str(page), "--set", "routes.long.tokens_over=5000").stdout
    assert "without a known price" not in said
    assert " on $0.0000" not in said


def test_tuning_says_that_a_sum_is_at_least_so_much(half_priced):
    done = half_priced.run()
    assert line(done.stdout, "dollars a week").count(">= $") == 2
    assert "is unknown, and in no dollar" in done.stdout


def test_what_fallbacks_cost_is_unknown_in_every_face(unpriced):
    said = audited(unpriced)
    for label in ("Unnecessary fallbacks", "by token count", "by not-empty", "Missed escalations"):
        assert "cost unknown" in line(said, label), said
    assert line(said, "0.8").endswith("unknown")
    assert "$" not in said.replace(line(said, "Audits cost"), "").replace(line(said, "0.0"), "").replace(
        line(said, "0.2"), ""
    ).replace(line(said, "0.4"), "")
    markdown = report(unpriced, "--format", "md")
    assert "fallbacks, cost unknown" in markdown
    assert "| 0.8 | " in markdown
    assert line(markdown, "| 0.8 |").endswith("| unknown |")
    page = report(unpriced, "--format", "html")
    assert "fallbacks, cost unknown" in page
    assert "<td>unknown</td>" in page
    plain = json.loads(report(unpriced, "--json"))
    fallbacks, local = (plain["audited"][kind]["all"] for kind in ("fallbacks", "local"))
    assert (fallbacks["dollars"], fallbacks["unpriced"]) == (None, fallbacks["requests"])
    assert (local["dollars"], local["unpriced"]) == (None, local["requests"])
    assert [one["dollars"] for one in plain["audited"]["fallbacks"]["by_cause"]] == [None, None]
    assert plain["fallbacks"]["audit"]["dollars"] is None
    assert plain["audited"]["curves"][0]["points"][-1]["dollars"] is None


def test_where_the_cost_of_some_is_known_it_is_at_least_that(half_priced):
    fallbacks = line(audited(half_priced), "Unnecessary fallbacks")
    assert ">= $" in fallbacks
    assert "or more)" in fallbacks
    found = json.loads(report(half_priced, "--json"))["audited"]["fallbacks"]["all"]
    assert found["dollars"]["expected"] > 0
    assert 0 < found["unpriced"] < found["requests"]


def test_what_a_missed_escalation_would_have_cost_is_as_unknown_as_its_baseline(without_baseline, tmp_path):
    said = audited(without_baseline)
    assert "cost unknown" in line(said, "Missed escalations")
    assert "unknown" not in line(said, "Unnecessary fallbacks")
    assert ">=" not in line(said, "0.6")
    for at in ("0.8", "1.0"):
        assert ">= $" in line(said, at)
    known = audited(desk_with(tmp_path / "d", price=True, change=with_baseline))
    assert "unknown" not in known
    assert ">=" not in known


def test_learning_says_unknown_of_what_the_rules_have_paid(unpriced):
    done = headgate("learn", "--config", str(unpriced.page))
    assert done.returncode == 0, done.stderr
    assert "unknown by the rules" in line(done.stdout, "dollars")
    assert "in no dollar" in line(done.stdout, "no price")
    told = json.loads(headgate("learn", "--json", "--config", str(unpriced.page)).stdout)["against"]
    assert (told["paid"], told["in_cloud"]) == (None, None)
    assert told["unpriced"] > 0
