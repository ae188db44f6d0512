"""A model that was pulled anew under its name is another one: replay and tuning count only what was found of it since."""

import random

import pytest
from audited_ledger import MONDAY, PAGE, Asked, fill
from click.testing import CliRunner

from headgate.cli.main import command
from headgate.config.load import parse_config
from headgate.core.expecting import Learning
from headgate.core.intervals import wilson
from headgate.core.judges.agreement import agreement_in
from headgate.core.judges.trust import TriedJudge
from headgate.core.past import Asked as AskedFor
from headgate.core.past import Cuts, Rates
from headgate.core.router import Learned, Prepared, Router, Weights
from headgate.lab.past import read_past
from headgate.ledger.queries import LedgerReader
from headgate.ledger.tried_judges import keep_tried
from headgate.ledger.versions import newest_versions, note_versions
from headgate.ledger.who_judges import who_judges

SMALL, BIG = ("home", "llama3.1:8b"), ("cloud", "claude-sonnet-5-5")
REQUESTS = 120
CHANGED = MONDAY + 80 * 600
"""When the 81st request came; requests come every ten minutes."""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    text = PAGE.format(home="http://127.0.0.1:9", cloud="http://127.0.0.1:9", ledger=tmp_path / "ledger.db")
    (tmp_path / "headgate.toml").write_text(text)
    config = parse_config(text, tmp_path / "headgate.toml")
    chance = random.Random(5)
    fill(config, [Asked(chance, at, config.policy) for at in range(REQUESTS)], bodies=False)
    note_versions(config.ledger.path, {SMALL: "aaa"}, MONDAY)
    return config


def read(config, **when):
    with LedgerReader(config.ledger.path) as reader:
        return read_past(reader, Cuts(), **when).past


def requests(past):
    return sum([one.requests for one in past])


def audits(past):
    return sum([found.audits for one in past for found in one.found])


def tried(past):
    rate = Rates(past, wilson).find(AskedFor("small", "qa", 0.6, after=False, longer=False))
    return 0 if rate is None else rate.tried


def test_only_a_second_digest_under_the_same_name_is_a_change(config):
    path = config.ledger.path
    assert newest_versions(path)[SMALL].since is None
    assert note_versions(path, {SMALL: "aaa", BIG: "ccc"}, CHANGED) == ()
    (changed,) = note_versions(path, {SMALL: "bbb", BIG: "ccc"}, CHANGED)
    assert (changed.engine, changed.id, changed.seen) == (*SMALL, CHANGED)
    assert newest_versions(path)[SMALL].since == CHANGED
    note_versions(path, {SMALL: "aaa"}, CHANGED + 60)
    assert newest_versions(path)[SMALL].since == CHANGED + 60, "the first one again is another one again"


def test_what_was_recorded_stays_and_what_was_found_of_the_version_before_goes(config):
    before = read(config)
    assert (requests(before), audits(before), tried(before)) == (REQUESTS, REQUESTS, REQUESTS)
    note_versions(config.ledger.path, {SMALL: "bbb"}, CHANGED)
    after = read(config)
    assert requests(after) == REQUESTS
    assert sum([sum(cost or 0 for cost in one.costs) for one in after]) == pytest.approx(
        sum([sum(cost or 0 for cost in one.costs) for one in before])
    )
    assert (audits(after), tried(after)) == (40, 40)
    assert (audits(read(config, until=CHANGED)), tried(read(config, until=CHANGED))) == (0, 0)
    assert audits(read(config, since=CHANGED)) == 40


def test_how_often_answers_pass_is_told_by_those_of_the_version_that_is_there(config):
    with LedgerReader(config.ledger.path) as reader:
        before, after = (reader.passing(1_000, since) for since in ({}, {"small": CHANGED}))
    assert before["small", "qa"][1] == REQUESTS
    assert after["small", "qa"][1] == 40
    assert after["big", "qa"] == before["big", "qa"]


def test_another_version_of_another_model_takes_nothing_away(config):
    note_versions(config.ledger.path, {BIG: "ccc"}, MONDAY)
    note_versions(config.ledger.path, {BIG: "ddd"}, CHANGED)
    assert audits(read(config)) == REQUESTS


def test_replay_and_tune_say_that_what_was_found_before_is_left_out(config):
    asked = ["--config", str(config.source)]
    replay = ["replay", "--set", "quality.pass_at=0.5", "--since", str(MONDAY), *asked]
    assert "another version" not in CliRunner().invoke(command, replay).stderr
    note_versions(config.ledger.path, {SMALL: "bbb"}, CHANGED)
    note = "another version of small lies under its name since 2025-10-13"
    assert note in CliRunner().invoke(command, replay).stderr
    assert note in CliRunner().invoke(command, ["tune", "--days", "9000", *asked]).stderr
    assert "another version" not in CliRunner().invoke(command, [*replay, "--since", str(CHANGED)]).stderr


def test_the_report_of_the_week_says_that_a_model_is_another_one(config):
    note_versions(config.ledger.path, {SMALL: "bbb"}, CHANGED)
    said = CliRunner().invoke(
        command, ["report", "--week", "2025-W42", "--config", str(config.source)], catch_exceptions=False
    )
    assert "Another version of small lies under its name since 2025-10-13" in " ".join(said.stdout.split())
    other = CliRunner().invoke(command, ["report", "--week", "2025-W43", "--config", str(config.source)])
    assert "Another version" not in other.stdout


def test_a_router_that_was_learned_before_anybody_saw_a_digest_says_nothing_of_a_later_version(config):
    one = Learned(
        model="small", engine=SMALL[0], id=SMALL[1], weights=Weights(base=0.0, facts={}), tasks={}, longest=9
    )
    router = Router(learned=(one,), learning=Learning())

    def known():
        return Prepared(router, config.policy.models, newest_versions(config.ledger.path)).known

    assert known(), "the first digest that is seen is no change"
    note_versions(config.ledger.path, {SMALL: "bbb"}, CHANGED)
    assert not known()


def test_what_the_version_before_was_worth_as_a_judge_is_not_said_of_this_one(config):
    tried = TriedJudge(
        judge="local model",
        engine=SMALL[0],
        id=SMALL[1],
        digest="aaa",
        pairs="all",
        tried=MONDAY,
        said={},
        agreement=agreement_in([], "local model", "small"),
        done=True,
    )
    keep_tried(config.ledger.path, tried)
    assert who_judges(config).trust is not None
    note_versions(config.ledger.path, {SMALL: "bbb"}, CHANGED)
    assert who_judges(config).trust is None
    assert "nobody has tried yet" in who_judges(config).said
    note_versions(config.ledger.path, {SMALL: "aaa"}, CHANGED + 60)
    assert who_judges(config).trust is not None, "it is the one that was tried"
