"""The one rule of savings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.types import Decision, Outcome, Signals
from headgate.reports.savings import Money, money_of, saved_by, savings


def outcome(cost, baseline, model="claude"):
    return Outcome(
        id="req_1",
        received=0.0,
        asked="auto",
        stream=False,
        signals=Signals(task=None, task_confidence=0.0, task_by="none", tokens=1, tokens_exact=True),
        decision=Decision(
            route="r",
            why="",
            candidates=(),
            checks=(),
            pass_at=0.6,
            mode="peek",
            within=60.0,
            attempts_at_most=3,
        ),
        attempts=(),
        status="ok" if model else "failed",
        model=model,
        fallback=None,
        seconds=1.0,
        cost=cost,
        baseline="gpt-4o",
        baseline_cost=baseline,
    )


def test_the_users_own_week_saves_what_he_worked_out():
    saved = savings(Money(requests=15_238, cost=286.40, baseline=1_219.04))
    assert saved.saved == pytest.approx(932.64)
    assert saved.share == pytest.approx(0.765, abs=5e-4)


def test_a_request_with_an_unknown_side_is_left_out_of_both():
    money = money_of([outcome(0.01, 0.03), outcome(None, 5.0), outcome(5.0, None)])
    assert money == Money(
        requests=1, cost=0.01, baseline=0.03, unknown=2, energy_unknown=1, alternative_unknown=1
    )


def test_what_nobody_answered_costs_and_saves_nothing():
    money = money_of([outcome(0.02, None, model=None)])
    assert money == Money(requests=1, cost=0.02, baseline=0.0, energy_unknown=1, alternative_unknown=1)
    assert savings(money).saved == -0.02


def test_without_a_baseline_there_is_no_share():
    assert savings(Money(requests=1, cost=0.02)).share is None


def test_one_requests_savings_are_unknown_when_a_side_is():
    assert saved_by(outcome(0.01, 0.03)) == pytest.approx(0.02)
    assert saved_by(outcome(None, 0.03)) is None


sides = st.none() | st.integers(0, 10**6).map(lambda cents: cents / 100)


@given(st.lists(st.tuples(sides, sides, st.sampled_from(["claude", None])), max_size=20))
def test_the_week_saves_what_its_requests_save(rows):
    outcomes = [outcome(*row) for row in rows]
    each = [saved_by(one) for one in outcomes]
    total = savings(money_of(outcomes))
    assert total.saved == pytest.approx(sum(one for one in each if one is not None), abs=1e-6)
    assert total.unknown == each.count(None)
    assert total.requests + total.unknown == len(outcomes)
