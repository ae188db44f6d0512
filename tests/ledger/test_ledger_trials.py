"""Trials of subagents are kept beside the gate's own writing, and the newest of each agent and model is read back."""

import sqlite3

import pytest
from ledger_samples import realistic
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.subagent import Agent
from headgate.core.trials import Trial, digest_of, fresh_trials, trials_of
from headgate.core.types import Model
from headgate.ledger import opening
from headgate.ledger.trials import newest_trials, save_trial

AGENT = Agent(name="triage", system="Sort it.", labels=("a", "b"))
MODEL = Model(name="nano", engine="home", engine_kind="llamacpp", id="headgate-nano", local=True)
TRIAL = Trial(
    agent="triage",
    digest=digest_of(AGENT),
    model="nano",
    engine="home",
    id="headgate-nano",
    measured=1_790_000_000.25,
    n=40,
    right=36,
    failed=1,
    temperature=1.75,
    ece=0.11,
    ece_after=0.04,
    cost=0.0,
    seconds=0.02,
    seconds_p95=0.05,
    confusion={"a": {"a": 20, "b": 2}, "b": {"b": 16, "": 1}},
)


def test_a_trial_is_read_as_it_was_kept(path):
    save_trial(path, TRIAL)
    assert newest_trials(path) == {("triage", "nano"): TRIAL}
    assert TRIAL.accuracy == 0.9


def test_the_newest_trial_of_each_agent_and_model_counts_whatever_the_order_of_writing(path):
    newer, other = (
        replace(TRIAL, measured=TRIAL.measured + 60, right=39),
        replace(TRIAL, model="micro", right=40),
    )
    for trial in (newer, TRIAL, other):
        save_trial(path, trial)
    found = newest_trials(path)
    assert found == {("triage", "nano"): newer, ("triage", "micro"): other}
    assert trials_of("triage", found.values()) == [other, newer]
    assert trials_of("sentiment", found.values()) == []


def test_without_a_ledger_there_are_no_trials_and_none_is_made(path):
    assert newest_trials(path) == {}
    assert not path.exists()


def test_a_ledger_of_an_earlier_version_has_no_trials_until_one_is_kept(store, path, read):
    store(realistic(3))
    db = sqlite3.connect(path)
    db.execute("DROP TABLE trials")
    db.execute("PRAGMA user_version = 3")
    db.commit()
    db.close()
    assert newest_trials(path) == {}
    save_trial(path, TRIAL)
    assert newest_trials(path) == {("triage", "nano"): TRIAL}
    assert len(read()) == 3


def test_a_trial_that_this_version_cannot_read_counts_as_none(path):
    save_trial(path, TRIAL)
    db = sqlite3.connect(path)
    db.execute(
        "INSERT INTO trials (agent, digest, model, measured, trial) VALUES ('a', '', 'm', 1, '{\"n\": \"x\"}')"
    )
    db.commit()
    db.close()
    assert newest_trials(path) == {("triage", "nano"): TRIAL}


def test_a_ledger_that_stays_locked_gets_no_trial_and_the_reason_is_told(path, monkeypatch):
    save_trial(path, TRIAL)
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.01)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another process is writing"):
        save_trial(path, replace(TRIAL, right=1))
    db.close()


@pytest.mark.parametrize(
    ("agent", "model"),
    [
        (replace(AGENT, system="Sort it well."), MODEL),
        (replace(AGENT, labels=("a", "c")), MODEL),
        (replace(AGENT, meanings={"a": "one"}), MODEL),
        (replace(AGENT, temperature=1.0), MODEL),
        (AGENT, replace(MODEL, id="headgate-micro")),
        (AGENT, replace(MODEL, engine="elsewhere")),
        (None, MODEL),
        (AGENT, None),
    ],
)
def test_a_trial_of_an_agent_that_is_told_otherwise_or_of_another_model_no_longer_counts(agent, model):
    kept = {("triage", "nano"): TRIAL}
    agents = {} if agent is None else {"triage": agent}
    models = {} if model is None else {"nano": model}
    assert fresh_trials(kept, agents, models) == {}
    unlike = replace(AGENT, threshold=0.9, chain=("nano",), description="Sorts.")
    assert fresh_trials(kept, {"triage": unlike}, {"nano": MODEL}) == kept
