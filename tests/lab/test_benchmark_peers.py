"""What models of other sets tell of a set, where they were asked the same benchmark."""

import random

import numpy as np
import pytest
from made_benchmarks import THINGS, make_set, measured, row, write_set

from headgate.lab.benchmarks import running
from headgate.lab.benchmarks.elsewhere import compare
from headgate.lab.benchmarks.peers import Peers
from headgate.lab.benchmarks.prepared import prepare
from headgate.lab.benchmarks.sets import read_set

HARD = set(THINGS[:4])
SHARED = 10
"""Questions that both sets have."""


def questions(chance, many):
    """Sums that are hard or easy by the things in them; and which are hard."""
    things = [chance.choices(THINGS, k=2) for _ in range(many)]
    asked = [
        f"What do a {one} and a {other} weigh, {chance.randint(2, 900)} and {chance.randint(2, 900)} of them?"
        for one, other in things
    ]
    return asked, [one in HARD or other in HARD for one, other in things]


def make(folder, asked, right, *, task="sums"):
    """A set of these questions, by what each model was right on; the last model is the dearest."""
    prompts = [{"id": f"p{n}", "prompt": each, "task": task} for n, each in enumerate(asked)]
    outcomes = [
        {"id": f"p{n}", "model": model, "score": float(good), "cost_usd": 0.001 * 4**place}
        for place, (model, column) in enumerate(right.items())
        for n, good in enumerate(column)
    ]
    write_set(folder, prompts, outcomes)


@pytest.fixture
def two_sets(tmp_path):
    """A pair of models with few questions and luck; and four others with more questions and none, who were asked some of the same."""
    chance = random.Random(1)
    asked, hard = questions(chance, 100)
    small = [chance.random() < (0.4 if each else 0.8) for each in hard]
    make(tmp_path / "pair", asked, {"small": small, "large": [chance.random() < 0.9 for _ in asked]})
    more, harder = questions(chance, 300)
    more, harder = asked[:SHARED] + more, hard[:SHARED] + harder
    able = {f"able {n}": [not each for each in harder] for n in range(3)}
    make(tmp_path / "others", more, {**able, "best": [True] * len(more)})
    return tmp_path


def ready(folder):
    return prepare(read_set(folder), ())


def test_models_that_were_asked_the_same_tell_what_is_hard_for_a_pair_with_few_labels(two_sets):
    together = measured(two_sets, "--quick", "--set", "pair")["pair"]
    assert together["peers"] == ["others sums (300 prompts)"]  # the questions that both have are not learned
    assert row(together, "learned")["labels"] == "same benchmark, other sets' models too"
    assert row(together, "the gate's own features and learner")["labels"] == "same benchmark"
    alone = measured(two_sets / "pair", "--quick")["pair"]
    assert (alone["peers"], row(alone, "learned")["labels"]) == ([], "same benchmark")
    apgr = [row(one, "learned")["measured"]["apgr"]["value"] for one in (alone, together)]
    assert apgr[1] > apgr[0] + 0.05


def test_a_part_that_is_scored_is_told_the_same(two_sets, tmp_path_factory):
    away, chance = tmp_path_factory.mktemp("away"), random.Random(2)
    asked, hard = questions(chance, 60)
    make(away / "pair", asked, {"small": [not each for each in hard], "large": [True] * 60})
    one = measured("--fit", two_sets, "--score", away, "--quick")["pair"]
    assert one["peers"] == ["others sums (300 prompts)"]
    assert row(one, "learned")["measured"]["apgr"]["value"] > 0.7  # all hard ones first would be 0.75


def test_what_a_peer_would_score_is_told_for_each_prompt(two_sets):
    pair, others = ready(two_sets / "pair"), ready(two_sets / "others")
    told = Peers(0).learn(compare(pair.bodies, [others]), 100).tell(pair).counted.peers
    assert told.shape == (100, 4)
    hard = np.array([any(f" {thing} " in body for thing in HARD) for body in pair.bodies])
    assert told[hard, 0].mean() < told[~hard, 0].mean() - 0.3
    assert told[:, 3] == pytest.approx(1)  # the best model knows everything


def test_a_kind_of_other_questions_or_of_few_is_not_asked(two_sets):
    pair, others = ready(two_sets / "pair"), ready(two_sets / "others")
    stranger = others.take(np.arange(SHARED, len(others.bodies)))
    assert Peers(0).learn(compare(pair.bodies, [stranger]), 100).sources == ()
    assert Peers(0).learn(compare(pair.bodies, [others]), 1_501).sources == ()
    few = others.take(np.arange(SHARED + 99))
    nobody = Peers(0).learn(compare(pair.bodies, [few]), 100)
    assert nobody.sources == ()
    assert nobody.tell(pair) is pair


def test_peers_tell_nothing_of_a_kind_that_is_left_out(tmp_path, monkeypatch):
    make_set(tmp_path / "mixed", many=150)
    make_set(tmp_path / "again", many=270, kinds=("sums",))  # 150 of its questions are nearly the same
    seen = {}

    def judge(parts, *_, **__):
        seen["folds"] = [part.counted.peers.shape[1] for pair in parts for part in pair]
        return []

    def leave_out(ready, *_):
        seen["left out"] = ready.counted.peers.shape[1]
        return []

    monkeypatch.setattr(running, "SMALL_FOLDS", 2)
    monkeypatch.setattr(running.tracks, "judge", judge)
    monkeypatch.setattr(running, "leave_out", leave_out)
    one = measured(tmp_path, "--set", "mixed")["mixed"]
    assert len(one["peers"]) == 1
    assert seen == {"folds": [2] * 4, "left out": 0}
