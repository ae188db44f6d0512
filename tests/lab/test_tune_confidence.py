"""The confidence that is wanted of a model, task by task: replayed from the log-probabilities that were recorded, tuned, written and undone."""

import json
from random import Random

import pytest

from headgate.config.changes import set_words
from headgate.config.load import load_config
from headgate.core.candidates import confidences_of, cuts_for
from headgate.core.checks.confidence import believed, logprob_for
from headgate.core.effects import Record, Weights
from headgate.core.past import cuts_of
from headgate.core.settings import Setting, with_settings
from headgate.lab.past import read_past
from headgate.lab.replays import replay_ledger
from headgate.lab.tuning import tune_ledger
from headgate.ledger.changes import all_changes
from headgate.ledger.queries import LedgerReader
from prepared_python import headgate
from tune_desk import PAGE, Desk
from tuning_world import recorded, truth, world

SURE = "context = 32768\nconfidence = -0.5   # Bob: below that it guesses\n"
SETTING = "models.small.confidence_for"


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    desk.page.write_text(PAGE.format(ledger=tmp_path / "ledger.db").replace("context = 32768\n", SURE, 1))
    return desk


def a_week(seed=1, requests=3000):
    """Questions are answered well long before the model is sure of it; code is not."""
    random, asks = Random(seed), world(seed, requests, long_share=0.0)
    for ask in asks:
        ask.task = random.choice(("qa", "code"))
        ask.score = 0.9 if random.random() < 0.98 else 0.3
        ask.logprob = -random.uniform(0.05, 0.9)
        ask.good = ask.logprob > (-0.8 if ask.task == "qa" else -0.5) or random.random() < 0.3
    return asks


def at_home(asks, policy):
    return sum(recorded(ask, policy).example.model == "small" for ask in asks)


@pytest.mark.parametrize("least", [-0.02, -0.5, -3.0])
@pytest.mark.parametrize("score", [0.05, 0.3, 0.6, 0.8, 1.0])
def test_a_score_is_reached_where_it_is_said_to_be(score, least):
    edge = logprob_for(score, least)
    assert believed(edge + 1e-9, least) >= score - 1e-6
    assert believed(edge - 1e-3, least) < score


@pytest.mark.parametrize(
    "word",
    [
        f"{SETTING}.qa=-0.6",
        f"{SETTING}.code=-0.35",
        "models.small.confidence=-0.7",
        "models.small.confidence=none",
    ],
)
def test_a_replay_with_another_confidence_is_the_truth_as_far_as_it_is_recorded(desk, word):
    asks = a_week(requests=600)
    desk.record(asks)
    answer = replay_ledger(desk.config, (word,))
    there = answer.replayed.all
    path = desk.page.with_name("other.toml")
    path.write_text(answer.changed.text)
    now, then = desk.config.policy, load_config(str(path), lambda *_: None).policy
    came = at_home(asks, then) - at_home(asks, now)
    assert came != 0
    assert there.home.expected == pytest.approx(came)
    assert there.now_passing + there.now_rejected == abs(came)
    by_task = {task: figures.home.expected for task, figures in answer.replayed.by_task.items()}
    if word.startswith(SETTING):
        assert [task for task, moved in by_task.items() if moved] == [word.split(".")[3].split("=")[0]]
    done = headgate("replay", "--config", str(desk.page), "--set", word, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["home"]["expected"] == pytest.approx(came)


def test_a_guess_that_is_too_unsure_now_takes_its_tasks_confidence_along(desk):
    one_task = "confidence = -0.5\nconfidence_for = { qa = -0.2 }"
    desk.page.write_text(desk.page.read_text().replace("confidence = -0.5", one_task))
    asks = a_week(requests=600)
    desk.record(asks)
    today = desk.config.policy
    came = -at_home(asks, today)
    for ask in asks:  # the classifier was 0.9 sure
        ask.task = None
    came += at_home(asks, today)
    assert came > 50
    replayed = replay_ledger(desk.config, ("quality.task_confidence=0.95",)).replayed
    assert replayed.all.home.expected == pytest.approx(came)
    with LedgerReader(desk.ledger) as ledger:
        past = read_past(ledger, cuts_for(today)).past
    weights = Weights(Record(past=past), today)
    effect = weights.effect(with_settings(today, (Setting("quality", "task_confidence", 0.95),)))
    assert effect.home.expected - effect.home_before == pytest.approx(came / 600)


def test_audits_of_answers_nobody_has_seen_tell_nothing_of_other_confidence(desk):
    asks = world(1, 1500, bad=0.0, bad_long=1.0, bad_from=4000, task="qa")
    for ask in asks:  # so that its doubt alone keeps what is bad at home
        ask.score, ask.logprob = 0.9, -0.55 if ask.tokens > 4000 else -0.1
    desk.record(asks)
    today = desk.config.policy
    longer, laxer = Setting("routes.long", "tokens_over", 6000), Setting(SETTING, "qa", -0.6)
    with LedgerReader(desk.ledger) as ledger:
        past = read_past(ledger, cuts_for(today)).past
    for settings in ((longer,), (longer, laxer)):
        policy = with_settings(today, settings)
        assert Weights(Record(past=past), today).effect(policy).quality.low <= truth(asks, policy)[0]
    words = [setting.word for setting in (longer, laxer)]
    assert replay_ledger(desk.config, words).replayed.all.quality.sure <= truth(asks, policy)[0]


def test_requests_of_other_confidence_are_alike_unless_it_matters(desk):
    desk.record(a_week(requests=600))
    with LedgerReader(desk.ledger) as ledger:
        same = read_past(ledger, cuts_of((desk.config.policy,))).past
        cut = read_past(ledger, cuts_for(desk.config.policy)).past
    assert sum(one.requests for one in same) == sum(one.requests for one in cut) == 600
    assert len(same) < len(cut) / 3


def test_processes_that_share_the_requests_look_into_stories_too(desk, monkeypatch):
    desk.record(a_week(requests=600))
    monkeypatch.setattr("headgate.lab.past.PIECE", 50)
    with LedgerReader(desk.ledger) as ledger:
        alone = read_past(ledger, cuts_for(desk.config.policy)).past
        monkeypatch.setattr("headgate.lab.pieces.MANY", 2)
        monkeypatch.setattr("headgate.lab.pieces.PROCESSES", 2)
        assert read_past(ledger, cuts_for(desk.config.policy)).past == alone


def test_what_home_says_too_modestly_is_believed_from_now_on_for_that_task_alone(desk):
    desk.record(a_week())
    before = desk.page.read_text()
    tuned = tune_ledger(desk.config, 0.97, 0.0)
    words = [setting.word for setting in tuned.found.settings]
    assert f"{SETTING}.qa=-0.6" in words
    assert not [word for word in words if "code=-0.6" in word or "code=-0.55" in word]
    again = a_week(seed=2)
    after = with_settings(desk.config.policy, tuned.found.settings)
    assert truth(again, after)[0] >= 0.97
    assert truth(again, after)[1] < truth(again, desk.config.policy)[1]
    desk.run("--floor", "97", "--apply", "--yes")
    page = desk.page.read_text()
    assert "confidence = -0.5   # Bob: below that it guesses\n" in page
    assert "qa = -0.6" in page
    assert desk.config.policy.models["small"].least_confidence("qa") == -0.6
    assert desk.config.policy.models["small"].least_confidence("code") in confidences_of(-0.5)
    (change,) = all_changes(desk.ledger)

    assert set_words(page, change.undo).text == before


def test_a_confidence_above_certainty_is_refused(desk):
    desk.page.write_text(desk.page.read_text().replace("confidence = -0.5", "confidence = 0.5"))
    done = headgate("config", "check", "--config", str(desk.page))
    assert done.returncode != 0
    assert "a log-probability is at most 0" in done.stderr + done.stdout
    desk.page.write_text(desk.page.read_text().replace("confidence = 0.5", "confidence_for = { qa = 1 }"))
    done = headgate("config", "check", "--config", str(desk.page))
    assert "qa is 1, but a log-probability is at most 0" in done.stderr + done.stdout
