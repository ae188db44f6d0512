"""Learning from a ledger whose truth is known: what is learned, whether its chances are true, and what it refuses."""

import json
import os
import random
import re
import subprocess
import sys
from contextlib import closing
from math import ceil
from pathlib import Path
from time import time
from types import MappingProxyType

import numpy as np
import pytest
from audited_ledger import MONDAY, PAGE, Asked, fill, good_by, prompt
from click.testing import CliRunner
from made_benchmarks import make_set

from headgate.cli.main import command
from headgate.config.load import parse_config
from headgate.core.features import SLOTS, features
from headgate.core.router import Prepared, Scorer
from headgate.core.signals import measure
from headgate.core.spans import Span
from headgate.core.types import Message, Request
from headgate.core.versions import Version
from headgate.lab.doubts import uncalibrated
from headgate.lab.lessons import learn_from_ledger
from headgate.lab.likeness import groups_of
from headgate.lab.reliability import Judged, auc, calibration_error
from headgate.ledger.opening import open_for_writing
from headgate.ledger.routers import number_in_use, read_router
from headgate.ledger.versions import note_versions

DAYS = str(round((time() - MONDAY) / 86_400) + 2)


def page(folder, extra=""):
    return (
        PAGE.format(home="http://127.0.0.1:9", cloud="http://127.0.0.1:9", ledger=folder / "ledger.db")
        + extra
    )


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Write a config, and a ledger for it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")

    def make(many=0, extra="", change=lambda page: page, **how):
        text = change(page(tmp_path, extra))
        (tmp_path / "headgate.toml").write_text(text)
        config = parse_config(text, tmp_path / "headgate.toml")
        chance = random.Random(5)
        kinds = {name: how.pop(name) for name in ("truth", "home", "task") if name in how}
        asked = [
            Asked(chance, at, config.policy, **{k: v(at) if k != "truth" else v for k, v in kinds.items()})
            for at in range(many)
        ]
        if asked:
            fill(config, asked, **how)
        return config

    return make


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """What some tests look at and none changes: a config with a ledger of 600 audited answers, and a router learned from it."""
    folder = tmp_path_factory.mktemp("lesson")
    (folder / "headgate.toml").write_text(page(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "key")
        config = parse_config(page(folder), folder / "headgate.toml")
        chance = random.Random(5)
        fill(config, [Asked(chance, at, config.policy) for at in range(600)])
        yield config, learn_from_ledger(config, 0)[0]


def learn(config, *more):
    return CliRunner().invoke(command, ["learn", "--days", DAYS, "--config", str(config.source), *more])


def expect(config, router, ask, task="qa", versions=MappingProxyType({})):
    request = Request(id="1", asked="auto", messages=(Message("user", ask),), task=task)
    return Prepared(router, config.policy.models, versions).judge(ask, measure(request, config.policy))


# ── What is learned ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_its_chances_are_near_the_truth_on_prompts_it_never_saw(made):
    config = made(900)
    router, lesson = learn_from_ledger(config, 0)
    assert lesson.why_not == ""
    (small,) = lesson.models
    assert small.words
    assert small.auc.low > 0.7
    assert small.ece.expected <= 0.05
    assert small.calibrated_on > 2 * small.held_out, "older audits are foretold as well, each left out"
    chance, truth, said, drawn = random.Random(99), [], [], []
    for _ in range(1500):
        hardness = chance.random()
        found = expect(config, router, prompt(chance, hardness)).chances
        if found:
            said.append(found["small"])
            truth.append(good_by(hardness))
            drawn.append(float(chance.random() < truth[-1]))
    assert len(said) > 1400
    assert np.corrcoef(said, truth)[0, 1] > 0.75
    fresh = Judged(np.array(drawn), np.array(said), np.ones(len(said)), np.arange(len(said)))
    assert calibration_error(fresh).expected <= 0.05
    assert auc(fresh).expected > 0.8


def test_a_sample_by_known_chances_teaches_what_the_whole_is_like(made):
    config = made(2000, audited=lambda index: 0.5 if index % 4 == 0 else 0.15)
    _, lesson = learn_from_ledger(config, 0)
    (small,) = lesson.models
    assert small.hints > 1000
    assert small.good == pytest.approx(0.5, abs=0.06)
    assert small.ece.expected <= 0.05


def test_without_prompts_it_learns_from_signals_alone(made):
    def truth(hardness):
        return 0.5

    config = made(
        600,
        bodies=False,
        task=lambda at: "code" if at % 2 else "qa",
        truth=truth,
        verdict=lambda one, chance: chance.random() < (0.9 if one.signals.task == "qa" else 0.2),
    )
    router, lesson = learn_from_ledger(config, 0)
    assert not lesson.models[0].words
    easy, hard = (
        expect(config, router, "any words at all", task).chances["small"] for task in ("qa", "code")
    )
    assert easy == pytest.approx(0.9, abs=0.08)
    assert hard == pytest.approx(0.2, abs=0.08)


def test_of_a_task_never_audited_or_a_prompt_much_longer_or_in_strange_words_it_says_nothing(lesson):
    config, router = lesson
    known = "Answer this question: what do you know of the invoice about lunch today?"
    assert expect(config, router, known).chances
    assert not expect(config, router, known, task="translation").chances
    assert not expect(config, router, known * 40).chances
    assert not expect(config, router, "zxq vbnm qwrt plkj dfgh yuio cvbn asdf mnbv poiu trewq lkjhg").chances


def test_of_a_model_that_is_another_one_now_it_says_nothing(made):
    config = made(600)
    small = ("home", "llama3.1:8b")
    note_versions(config.ledger.path, {small: "aaa"}, MONDAY)
    router, _ = learn_from_ledger(config, 0)
    ask = "Answer this question: what do you know of the invoice?"
    assert expect(config, router, ask).chances
    other = parse_config(config.source.read_text().replace("llama3.1:8b", "qwen3:4b"), config.source)
    assert not expect(other, router, ask).chances
    assert expect(config, router, ask, versions={small: Version("aaa")}).chances
    assert not expect(config, router, ask, versions={small: Version("bbb", MONDAY)}).chances


def test_trust_begins_where_answers_are_as_good_as_the_floor_asks(made):
    config = made(1500, extra='[learn]\nmay = "bring home"\nfloor = 0.85\n', home=lambda at: at % 3 > 0)
    router, lesson = learn_from_ledger(config, 0)
    (small,) = router.learned
    assert small.home_at is not None
    chance, good = random.Random(3), []
    for _ in range(3000):
        hardness = chance.random()
        if expect(config, router, prompt(chance, hardness)).trusted:
            good.append(good_by(hardness))
    assert len(good) > 300
    assert np.mean(good) >= 0.85
    assert lesson.against.home > 0
    assert lesson.against.dollars.expected < 0


def test_words_of_prompts_are_in_no_router(made):
    config = made(300)
    result = learn(config)
    assert result.exit_code == 0, result.output
    with closing(open_for_writing(config.ledger.path)) as db:
        (kept, report) = db.execute("SELECT router, report FROM routers").fetchone()
    for word in (b"invoice", b"eigenvalue", b"question"):
        assert word not in kept
        assert word.decode() not in report


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ledger_without_audits_is_told_what_to_do_first(made):
    result = learn(made(50, audited=lambda index: 0.0))
    assert result.exit_code == 1
    assert "no request has been audited" in result.exception.message
    assert "100 audited requests" in result.exception.message
    assert "[audit]" in result.exception.hint


def test_ten_rows_are_too_few_and_it_says_how_many_it_takes(made):
    result = learn(made(10))
    assert result.exit_code == 1
    assert "10 of its answers are audited; it takes about 100 audits" in result.output


@pytest.mark.parametrize(("good", "word"), [(True, "good"), (False, "bad")])
def test_rows_of_one_class_are_refused(made, good, word):
    result = learn(made(150, verdict=lambda one, chance: good))
    assert result.exit_code == 1
    assert f"all 150 audited answers are {word}" in result.output


def test_few_rows_of_one_class_say_how_many_there_would_have_to_be(made):
    found = iter(range(10_000))
    result = learn(made(200, verdict=lambda one, chance: next(found) % 20 != 0))
    assert result.exit_code == 1
    assert "only 10 of 200 audited answers are bad; it takes about 300 audits" in result.output


def test_labels_by_chance_are_refused(made):
    result = learn(made(400, verdict=lambda one, chance: chance.random() < 0.5))
    assert result.exit_code == 1
    assert "do not tell good answers from bad ones (AUC" in result.output
    assert "it takes about" in result.output


def test_labels_that_contradict_each_other_are_refused(made, monkeypatch):
    texts = [prompt(random.Random(seed), 0.5) for seed in range(12)]
    monkeypatch.setattr("audited_ledger.prompt", lambda chance, hardness: chance.choice(texts))
    result = learn(made(200, verdict=lambda one, chance: chance.random() < 0.5))
    assert result.exit_code == 1
    assert "audits contradict each other" in result.output


def test_a_model_that_vanished_is_named_and_counted(made):
    config = made(200)
    text = config.source.read_text().replace("[models.small]", "[models.other]").replace('"small"', '"other"')
    config.source.write_text(text)
    result = learn(config)
    assert result.exit_code == 1
    assert "small: 200 audits left out" in result.output
    assert result.exception.message.startswith(
        "200 audits tell of small, and none of a model at home that the config has"
    )
    assert "renamed needs its old name" in result.exception.hint


def test_audits_in_which_no_model_at_home_has_answered_tell_of_none_that_is_gone(made):
    config = made(200, home=lambda index: index % 4 > 0)
    with closing(open_for_writing(config.ledger.path)) as db:
        db.execute("UPDATE audits SET model = NULL WHERE request % 4 = 1")
    result = learn(config)
    assert "50 audits left out; no model at home has answered in them" in result.output
    assert "gone from the config" not in result.output
    assert json.loads(learn(config, "--json").stdout)["unanswered"] == 50


def test_what_was_found_before_another_version_lay_under_the_name_teaches_nothing(made):
    config = made(90, audited=lambda index: 0.0 if index in (10, 80) else 1.0)
    small = ("home", "llama3.1:8b")
    note_versions(config.ledger.path, {small: "aaa"}, MONDAY)
    assert "audits left out" not in learn(config).stdout, "the first that is seen is no change"
    note_versions(config.ledger.path, {small: "bbb"}, MONDAY + 50.5 * 600)
    said = learn(config)
    assert "small: 50 audits left out; another version of it lies under its name since" in said.stdout
    assert "38 of its answers are audited" in said.stdout
    assert json.loads(learn(config, "--json").stdout)["models"][0]["hints"] == 1, "nor what checks said then"
    note_versions(config.ledger.path, {small: "ccc"}, MONDAY + 90 * 600)
    said = learn(config)
    assert said.exit_code == 1
    assert "small: 88 audits left out" in said.stdout
    assert "no request has been audited whose local answer tells anything" in said.exception.message


WATCHED = """
import sys
from headgate.cli.main import command
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

fit = LogisticRegression.fit

def watched(self, *words, **more):
    print("threads:", max(library["num_threads"] for library in threadpool_info()))
    return fit(self, *words, **more)

LogisticRegression.fit = watched
command(sys.argv[1:])
"""


@pytest.mark.parametrize("what", ["learn", "lab benchmark"])
def test_it_learns_in_one_thread(made, tmp_path, what):
    if what == "learn":
        words = ["learn", "--days", DAYS, "--config", str(made(200).source)]
    else:
        make_set(tmp_path / "mixed")
        words = ["lab", "benchmark", str(tmp_path), "--quick", "--track", "predictive"]
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], env=free, capture_output=True, text=True, check=True
    )
    assert set(re.findall("threads: .*", done.stdout)) == {"threads: 1"}


def test_without_scikit_learn_it_says_what_to_install(made, monkeypatch):
    config = made(10)
    monkeypatch.setitem(__import__("sys").modules, "headgate.lab.learning", None)
    result = learn(config)
    assert result.exit_code != 0
    assert "headgate[learn]" in str(result.output) + str(getattr(result.exception, "hint", ""))


def test_chances_have_to_be_true_by_what_was_measured_and_not_only_perhaps():
    true, perhaps, false = Span(0.0, 0.04, 0.09), Span(0.0, 0.06, 0.12), Span(0.06, 0.09, 0.12)
    assert uncalibrated(true, true, 300, 320) == ("", 0)
    reason, needs = uncalibrated(perhaps, true, 300, 320)
    assert "may be off by 0.060, and 0.05 is allowed" in reason
    assert needs == ceil(320 * 1.2**2)
    assert "are off by 0.090" in uncalibrated(false, true, 300, 320)[0]
    assert "among the newest audits" in uncalibrated(true, false, 300, 320)[0]
    assert uncalibrated(true, perhaps, 300, 320) == ("", 0), "a few rows say little against many"
    assert uncalibrated(true, true, 60, 100) == (
        "60 audits are too few to say how true its chances are",
        150,
    )


# ── What may be used ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_router_is_turned_on_off_and_listed_by_its_number(made):
    config = made(300)
    assert "headgate learn --use 1" in learn(config).output
    assert number_in_use(config.ledger.path) is None
    assert learn(config, "--use", "1").exit_code == 0
    assert number_in_use(config.ledger.path) == 1
    assert learn(config).exit_code == 0
    assert learn(config, "--use", "2").exit_code == 0
    assert number_in_use(config.ledger.path) == 2
    lines = learn(config, "--list").output.splitlines()
    assert [line.split()[0] for line in lines if "small" in line] == ["2", "1"]
    assert "in use" in lines[-2] or "in use" in "".join(lines)
    config.source.write_text(config.source.read_text() + '[learn]\nmay = "bring home"\n')
    assert learn(config, "--use", "1").exit_code != 0, "it was compared for passing by alone"
    assert number_in_use(config.ledger.path) == 2
    assert learn(config, "--use", "none").exit_code == 0
    assert number_in_use(config.ledger.path) is None
    assert read_router(config.ledger.path, 2).learned[0].model == "small"


def test_to_turn_off_what_never_was_on_begins_no_ledger(made):
    config = made()
    assert learn(config, "--use", "none").exit_code == 0
    assert not config.ledger.path.exists()


def test_one_that_does_worse_than_the_rules_may_not_be_used(made, monkeypatch):
    config = made(900, extra="[learn]\nskip_below = 0.9\n")
    learned = learn(config)
    assert learned.exit_code == 0
    assert "that home had answered well" in learned.output
    result = learn(config, "--use", "1")
    assert result.exit_code != 0
    assert number_in_use(config.ledger.path) is None


# ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_prompts_that_differ_in_a_word_are_one_group_and_others_are_not(made):
    config = made()

    def words(text):
        request = Request(id="1", asked="auto", messages=(Message("user", text),))
        return features(text, measure(request, config.policy)).words

    one = prompt(random.Random(1), 0.5) + " " + prompt(random.Random(2), 0.5)
    other = prompt(random.Random(3), 0.5) + " " + prompt(random.Random(4), 0.5)
    groups = groups_of([words(one), words(one + " thanks"), words(other), ()])
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3


def test_chances_that_are_true_have_no_calibration_error_and_false_ones_do():
    chance = np.random.default_rng(1)
    said = chance.random(2000)
    truth = (chance.random(2000) < said).astype(float)
    rows = np.ones(2000), np.arange(2000)
    assert calibration_error(Judged(truth, said, *rows)).expected < 0.02
    assert calibration_error(Judged(truth, said**3, *rows)).low > 0.1


def test_what_is_served_is_what_was_learned(made):
    from headgate.lab.learner import Setting, Table, fit

    config = made()
    chance, rows, labels = random.Random(1), [], []
    for _ in range(300):
        hardness = chance.random()
        text = prompt(chance, hardness)
        request = Request(id="1", asked="auto", messages=(Message("user", text),))
        rows.append(features(text, measure(request, config.policy)))
        labels.append(float(chance.random() < good_by(hardness)))
    setting = Setting(0.3, 3.0)
    fitted = fit(rows, labels, settings=[setting])
    table = Table(rows)
    from headgate.lab.learner import apply, regress

    found, base = regress(table.matrix(setting), np.array(labels), np.ones(300), setting)
    wanted = apply((fitted.weights.slope, fitted.weights.offset), table.matrix(setting) @ found + base)
    scorer = Scorer(fitted.weights)
    assert [scorer.judge(row)[0] for row in rows] == pytest.approx(list(wanted), abs=0.005)
    assert max(max(row.words) for row in rows) < SLOTS


def test_the_page_shows_what_the_command_prints(made):
    config = made(900, audited=lambda index: 0.4, task=lambda at: "qa" if at % 12 else "code")
    text = (Path(__file__).parents[2] / "docs" / "learn.md").read_text(encoding="utf-8")
    shown = text.partition("```text\n")[2].partition("\n```")[0]
    printed = learn(config).output.partition("\nkept as")[0]
    assert blurred(printed) == blurred(shown)


def blurred(text):
    """The words of each line, every figure as one #."""
    return [re.sub(r"[-+]?\d[\d.,]*", "#", line).split() for line in text.strip().splitlines()]
