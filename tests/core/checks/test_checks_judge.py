"""The registry and what is made of verdicts: `judge`, `score`, `adapt`."""

import time

import pytest
from build_answer import build
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.checks import CHECKS, adapt, judge, repair, score
from headgate.core.types import Verdict

ANSWER = build("It is 42.")


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        CHECKS["polite"] = CHECKS["not-empty"]  # type: ignore[index] # that is what is tested


def test_verdicts_come_in_the_order_of_the_checks():
    checks = tuple((name, CHECKS[name]) for name in ("not-cut-off", "not-empty", "no-refusal"))
    assert [verdict.check for verdict in judge(checks, ANSWER)] == ["not-cut-off", "not-empty", "no-refusal"]


def test_a_check_that_raises_gives_no_evidence_and_stops_nothing():
    def broken(answer):
        raise KeyError("colour")

    broken_one, whole_one = judge((("broken", broken), ("not-empty", CHECKS["not-empty"])), ANSWER)
    assert broken_one == Verdict("broken", None, "the check itself failed: KeyError: 'colour'")
    assert whole_one.score == 1.0


def test_the_score_is_the_lowest_and_no_evidence_weighs_nothing():
    assert score((Verdict("a", 0.9), Verdict("b", None), Verdict("c", 0.4))) == 0.4
    assert score((Verdict("a", 0.0), Verdict("b", 1.0))) == 0.0
    assert score((Verdict("a", None),)) is None
    assert score(()) is None


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (True, 1.0),
        (False, 0.0),
        (1, 1.0),
        (0.25, 0.25),
        ((0.5, "half"), 0.5),
        ((True, "yes"), 1.0),
        (Verdict("other", 0.75, "why"), 0.75),
        (None, None),
        (7, None),
        (-0.1, None),
        (float("nan"), None),
        ("good", None),
        ((1, 2, 3), None),
        (Verdict("other", 3.0), None),
    ],
)
def test_a_users_function_may_return_many_things_but_only_sound_ones_count(returned, expected):
    verdict = adapt("polite", lambda answer: returned)(ANSWER)
    assert verdict.check == "polite"
    assert verdict.score == expected


def test_a_users_reason_is_kept_and_a_wrong_return_is_explained():
    assert adapt("polite", lambda answer: (0.5, "no greeting"))(ANSWER).reason == "no greeting"
    assert "returned 7" in adapt("polite", lambda answer: 7)(ANSWER).reason
    assert "a str" in adapt("polite", lambda answer: "good")(ANSWER).reason


def test_a_users_check_that_raises_is_caught_like_any_other():
    polite = adapt("polite", lambda answer: answer.reply.nothing)
    (verdict,) = judge((("polite", polite),), ANSWER)
    assert verdict.score is None
    assert "AttributeError" in verdict.reason


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(max_size=400),
    ask=st.text(max_size=200),
    kind=st.sampled_from(["text", "json"]),
    labels=st.lists(st.text(max_size=12), max_size=3),
)
def test_no_check_fails_on_any_text(text, ask, kind, labels):
    answer = build(text, ask, format=kind, labels=labels)
    for verdict in judge(tuple(CHECKS.items()), answer):
        assert "the check itself failed" not in verdict.reason
    assert repair(answer).text is not None


HOSTILE = [
    "f(" * 20_000,
    " " * 50_000 + "x",
    "\n" * 40_000 + "x",
    "1" * 50_000,
    "`" * 30_000,
    "A " * 20_000,
    "1.\n" * 9_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:4]))
def test_no_check_takes_more_than_linear_time(text):
    for name, check in CHECKS.items():
        started = time.process_time()
        check(build(text, f"Summarize: {text}", labels=("a b", "c")))
        assert time.process_time() - started < 0.25, (
            name
        )  # a quadratic step over 40,000 characters takes seconds
