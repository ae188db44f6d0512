"""Periods of budgets as the calendar has them, and the levels that people are told of."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.budgets import Allowance, Budget, level_of, period_of

BERLIN, HAVANA, CAIRO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana"), ZoneInfo("Africa/Cairo")


def at(text: str, zone=UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "per", "zone", "begun", "ends"),
    [
        ("2026-11-28T12:00", "day", UTC, "2026-11-28", "2026-11-29"),
        ("2026-11-28T12:00", "week", UTC, "2026-11-23", "2026-11-30"),
        ("2026-11-28T12:00", "month", UTC, "2026-11-01", "2026-12-01"),
        ("2026-12-31T23:59:59", "month", UTC, "2026-12-01", "2027-01-01"),
        ("2028-02-29T00:00", "month", UTC, "2028-02-01", "2028-03-01"),
        ("2026-01-31T08:00", "month", BERLIN, "2026-01-01", "2026-02-01"),
        ("2026-03-29T12:00", "day", BERLIN, "2026-03-29", "2026-03-30"),
        ("2026-10-25T12:00", "day", BERLIN, "2026-10-25", "2026-10-26"),
        ("2026-10-25T12:00", "week", BERLIN, "2026-10-19", "2026-10-26"),
        ("2026-03-31T12:00", "month", BERLIN, "2026-03-01", "2026-04-01"),
    ],
)
def test_a_period_begins_at_midnight_of_its_zone(moment, per, zone, begun, ends):
    assert period_of(at(moment, zone), per, zone) == (at(begun, zone), at(ends, zone))


def test_a_day_on_which_the_clock_changes_has_23_or_25_hours():
    hours = [
        (period.ends - period.begun) / 3600
        for day in ("2026-03-29", "2026-10-25")
        for period in [period_of(at(f"{day}T12:00", BERLIN), "day", BERLIN)]
    ]
    assert hours == [23, 25]


def test_a_day_whose_midnight_does_not_exist_begins_when_the_clock_jumps():
    jump = at("2026-03-08T05:00")  # Havana: 00:00 becomes 01:00
    period = period_of(at("2026-03-08T12:00", HAVANA), "day", HAVANA)
    assert period.begun == jump
    assert period_of(jump - 1, "day", HAVANA).ends == jump


def test_a_week_begins_on_the_day_that_the_user_says():
    sunday = period_of(at("2026-11-28T12:00"), "week", UTC, week_starts=6)
    assert sunday == (at("2026-11-22"), at("2026-11-29"))


@given(
    moment=st.integers(int(at("2020-01-01")), int(at("2035-01-01"))),
    per=st.sampled_from(["day", "week", "month"]),
    zone=st.sampled_from([UTC, BERLIN, HAVANA, CAIRO]),
    week_starts=st.integers(0, 6),
)
def test_every_moment_has_one_period_and_periods_leave_no_gap(moment, per, zone, week_starts):
    period = period_of(moment, per, zone, week_starts)
    assert period.begun <= moment < period.ends
    assert period_of(period.ends, per, zone, week_starts).begun == period.ends
    assert period_of(period.begun, per, zone, week_starts) == period


@pytest.mark.parametrize(
    ("spent", "level"), [(0, 0), (4.999, 0), (5, 50), (7.99, 50), (8, 80), (9.99, 80), (10, 100), (25, 100)]
)
def test_a_level_is_reached_at_its_share_and_not_before(spent, level):
    assert level_of(spent, 10) == level
    assert level_of(spent, 0) == 0


def test_a_sentence_names_the_budget_and_what_is_left_to_the_cent():
    marketing = Budget(name="marketing", per="month", dollars=50)
    assert Allowance(marketing, 0.4, "").sentence == "budget: marketing's month has $0.40 left of $50.00"
    assert Allowance(marketing, 0.0004, "").sentence == "budget: marketing's month has $0.0004 left of $50.00"
    assert (
        Allowance(Budget(name="day", per="day", dollars=1), 0, "").sentence
        == "budget: the day has $0.00 left of $1.00"
    )
