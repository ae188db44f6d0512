"""One temperature, fitted on known answers, makes probabilities as often right as they say."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.calibration import Tried, calibrate, calibration_error, fit


def answers(n, *, says, right, seed=1):
    """Answers of a model that says `says` and is right in a share of `right`."""
    chance = random.Random(seed)
    return [Tried({"a": says, "b": 1 - says}, "a" if chance.random() < right else "b") for _ in range(n)]


def test_a_model_that_is_too_sure_is_cooled_to_how_often_it_is_right():
    tried = answers(2000, says=0.99, right=0.75)
    fitted = fit(tried)
    assert fitted.temperature > 3
    assert calibrate({"a": 0.99, "b": 0.01}, fitted.temperature)["a"] == pytest.approx(0.75, abs=0.03)
    assert fitted.ece == pytest.approx(0.24, abs=0.03)
    assert fitted.ece_after < 0.01


def test_a_model_that_is_too_modest_is_warmed():
    fitted = fit(answers(2000, says=0.6, right=0.95))
    assert fitted.temperature < 0.5
    assert fitted.ece_after < 0.02 < fitted.ece


def test_few_answers_change_nothing():
    fitted = fit(answers(19, says=0.9, right=1.0))
    assert (fitted.temperature, fitted.n, fitted.ece) == (1.0, 19, fitted.ece_after)
    assert fit(answers(20, says=0.9, right=1.0)).temperature < 1.0


def test_answers_that_are_all_right_make_no_model_sure_of_everything():
    fitted = fit(answers(24, says=0.7, right=1.0))
    assert calibrate({"a": 0.7, "b": 0.3}, fitted.temperature)["a"] == pytest.approx(25 / 26, abs=0.001)
    assert calibrate({"a": 0.55, "b": 0.45}, fitted.temperature)["a"] < 0.75


def test_answers_without_probabilities_are_no_evidence():
    silent = [Tried({}, "a")] * 100
    assert fit(silent).n == 0
    assert fit(silent).ece is None
    assert fit([*silent, *answers(19, says=0.9, right=1.0)]).temperature == 1.0


def test_a_label_that_the_engine_ruled_out_does_not_break_the_fit():
    tried = [Tried({"a": 1.0, "b": 0.0}, "b" if number % 10 == 0 else "a") for number in range(50)]
    fitted = fit(tried)
    assert calibrate({"a": 1.0, "b": 0.0}, fitted.temperature)["a"] == pytest.approx(0.9, abs=0.02)


def test_the_error_counts_every_answer_at_the_label_it_is_surest_of():
    tried = [
        Tried({"a": 0.95, "b": 0.05}, "a"),
        Tried({"a": 0.95, "b": 0.05}, "b"),
        Tried({"a": 0.4, "b": 0.6}, "b"),
    ]
    assert calibration_error(tried) == pytest.approx((abs(1.9 - 1) + abs(0.6 - 1)) / 3)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.floats(0.0, 1.0), min_size=2),
    st.floats(0.1, 20.0),
)
def test_calibration_keeps_the_order_and_the_sum(probabilities, temperature):
    found = calibrate(probabilities, temperature)
    assert sum(found.values()) == pytest.approx(1.0) or temperature == 1.0
    ordered = sorted(probabilities, key=probabilities.__getitem__)
    assert all(found[one] <= found[other] + 1e-12 for one, other in pairwise(ordered))
