"""Marking an agent's tests, and what a trial, a chain and a threshold are counted to be."""

import json

import msgspec
import pytest

from headgate.core.calibration import calibrate
from headgate.core.marking import is_right, wrong_fields
from headgate.core.proof import Marked, as_chain, at_share, calibrated, kept_at, trial_of, warmed
from headgate.core.runs import Run
from headgate.core.subagent import Agent, Shown
from headgate.core.types import Model

LABELS = ("billing", "technical")
AGENT = Agent(name="sort", system="Sort.", labels=LABELS, label="category", threshold=0.6)
NANO = Model(name="nano", engine="embedded", engine_kind="llamacpp", id="headgate-nano", local=True)


@pytest.mark.parametrize(
    ("expected", "output", "right"),
    [
        ("billing", " Billing. ", True),
        ("billing", "billings", False),
        ("billing", None, False),
        ({"category": "billing"}, {"category": "billing", "reason": "anything"}, True),
        ({"category": "billing", "sum": 3}, {"category": "billing", "sum": 3.0}, True),
        ({"category": "billing", "sum": 3}, {"category": "billing"}, False),
        ({"sum": 3}, {"sum": "3"}, False),
        ({"sum": None}, {"sum": None}, True),
        ({"sum": None}, {}, True),
        ({"sum": None}, {"sum": 0}, False),
        ({"paid": True}, {"paid": 1}, False),
        ({"items": ["a", {"owner": "Ann"}]}, {"items": ["A", {"owner": "ann", "due": "May"}]}, True),
        ({"items": ["a", "b"]}, {"items": ["b", "a"]}, False),
        ({"items": ["a"]}, {"items": "a"}, False),
        ({"category": "billing"}, "billing", False),
    ],
)
def test_an_output_is_right_where_it_says_the_same(expected, output, right):
    assert is_right(expected, output) is right
    assert (wrong_fields(expected, output) == ()) is right


def test_only_the_fields_that_are_wrong_are_named():
    assert wrong_fields({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 0}) == ("b", "c")


def marked(right, said, sure=None, *, status="ok", cost=0.0, seconds=1.0):
    """A test whose right label is `right`, answered with `said` ("" is no output), `sure` of it."""
    shares = {} if sure is None else {said: sure, next(label for label in LABELS if label != said): 1 - sure}
    run = Run(
        agent="sort",
        status=status if said else "failed",
        output={"category": said} if said else None,
        label=said,
        probability=sure,
        probabilities=shares,
        model="nano",
        cost=cost,
        seconds=seconds,
    )
    return Marked(test=Shown("x", msgspec.Raw(json.dumps({"category": right}).encode())), run=run)


def test_a_trial_counts_what_was_right_failed_and_mistaken_for_what():
    answers = [
        marked("billing", "billing", seconds=1.0),
        marked("billing", "technical", seconds=2.0),
        marked("technical", "technical", seconds=3.0),
        marked("technical", "", seconds=30.0),
    ]
    trial = trial_of(AGENT, answers, model=NANO, measured=5.0)
    assert (trial.n, trial.right, trial.failed, trial.accuracy) == (4, 2, 1, 0.5)
    assert trial.confusion == {
        "billing": {"billing": 1, "technical": 1},
        "technical": {"technical": 1, "": 1},
    }
    assert (trial.seconds, trial.seconds_p95, trial.cost) == (2.0, 30.0, 0.0)


def test_an_unknown_cost_makes_the_cost_unknown():
    answers = [marked("billing", "billing", cost=0.5), marked("billing", "billing", cost=None)]
    assert trial_of(AGENT, answers, model=NANO, measured=0.0).cost is None


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (0.01, 1)])
def test_a_share_of_values_is_one_of_them(share, value):
    assert at_share([4, 2, 1, 3], share) == value


def test_the_chain_takes_an_answer_that_is_sure_enough_and_else_the_next():
    small = [
        marked("billing", "billing", 0.9, seconds=1.0),
        marked("technical", "billing", 0.5, seconds=1.0),  # unsure: the next
        marked("billing", "billing", 0.9, status="incomplete", seconds=1.0),  # failed a check: the next
        marked("technical", "", seconds=1.0),  # no output: the next
    ]
    large = [
        marked("billing", "technical", 0.99, cost=0.1, seconds=2.0),
        marked("technical", "technical", 0.99, cost=0.1, seconds=2.0),
        marked("billing", "billing", 0.99, cost=0.1, seconds=2.0),
        marked("technical", "billing", 0.4, cost=0.1, seconds=2.0),
    ]
    tests = [one.test for one in small]
    both = as_chain(AGENT, ("nano", "claude"), {"nano": small, "claude": large}, tests)
    assert [one.run.label for one in both.marked] == ["billing", "technical", "billing", "billing"]
    assert [one.right for one in both.marked] == [True, True, True, False]
    assert (both.escalated, both.beyond) == (3, 0)
    assert [one.run.cost for one in both.marked] == [0.0, 0.1, 0.1, 0.1]
    assert [one.run.seconds for one in both.marked] == [1.0, 3.0, 3.0, 3.0]
    alone = as_chain(AGENT, ("nano", "claude"), {"nano": small}, tests)
    assert (len(alone.marked), alone.escalated, alone.beyond) == (1, 0, 3)


def test_where_nobody_is_sure_the_surest_answer_counts():
    small, large = [marked("billing", "billing", 0.55)], [marked("billing", "technical", 0.51)]
    chained = as_chain(AGENT, ("nano", "claude"), {"nano": small, "claude": large}, [small[0].test])
    assert chained.marked[0].run.label == "billing"


def test_a_threshold_keeps_what_is_sure_enough():
    answers = [
        marked("billing", "billing", 0.95),
        marked("billing", "billing", 0.75),
        marked("billing", "technical", 0.65),
        marked("billing", "", None),
    ]
    (row,) = kept_at(answers, (0.7,))
    assert (row.n, row.kept, row.right) == (4, 2, 2)
    assert kept_at(answers, (0.6,))[0].right == 2
    assert kept_at([marked("billing", "billing")], (0.5,)) == []


def test_answers_that_are_too_sure_are_cooled_and_that_can_be_undone():
    answers = [marked("billing", "billing", 0.99) for _ in range(14)]
    answers += [marked("technical", "billing", 0.99) for _ in range(10)]
    warm, fitted = calibrated(AGENT, answers)
    assert fitted.temperature > 2
    assert fitted.ece_after < fitted.ece
    assert warm[0].run.probability == pytest.approx(14 / 24, abs=0.05)
    assert warm[0].run.probability == warm[0].run.probabilities["billing"]
    back = warmed(warm[0].run, 1 / fitted.temperature)
    assert back.probability == pytest.approx(0.99, abs=1e-6)
    assert calibrate(back.probabilities, 1.0) == back.probabilities
