"""Weeks as people write them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UsageError
from headgate.reports.week import Week, parse_week, week_of

TUESDAY, SUNDAY = 1, 6
TODAY = date(2026, 11, 25)  # a Wednesday of week 48


@pytest.mark.parametrize(
    ("word", "week"),
    [
        ("2026-W47", Week(2026, 47)),
        ("2026-w47", Week(2026, 47)),
        ("2026-week-47", Week(2026, 47)),
        ("2026-47", Week(2026, 47)),
        ("47", Week(2026, 47)),
        ("W47", Week(2026, 47)),
        ("week 47".replace(" ", "-"), Week(2026, 47)),
        ("48", Week(2026, 48)),
        ("49", Week(2025, 49)),
        ("53", Week(2020, 53)),
        ("this", Week(2026, 48)),
        ("last", Week(2026, 47)),
    ],
)
def test_a_week_is_understood_however_it_is_written(word, week):
    assert parse_week(word, TODAY) == week


def test_in_january_a_bare_number_is_last_years_week():
    assert parse_week("47", date(2027, 1, 6)) == Week(2026, 47)


@pytest.mark.parametrize(
    "word", ["", "0", "54", "2025-W53", "0000-W10", "next", "2026-W", "W-47", "2026-11-25", "-1"]
)
def test_what_is_no_week_is_an_error_with_a_hint(word):
    with pytest.raises(UsageError) as caught:
        parse_week(word, TODAY)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("week", "period"),
    [
        (Week(2025, 42), "Oct 13 - Oct 19, 2025"),
        (Week(2025, 1), "Dec 30, 2024 - Jan 5, 2025"),
        (Week(2026, 31), "Jul 27 - Aug 2, 2026"),
    ],
)
def test_a_period_names_its_first_and_last_day(week, period):
    assert week.period == period


def test_a_report_is_filed_under_its_year_and_week():
    assert Week(2025, 42).file_name == "routing-report-2025-week-42.log"
    assert Week(2026, 3).file_name == "routing-report-2026-week-03.log"


def test_a_week_that_begins_on_another_day_is_called_by_the_week_of_its_fourth_day():
    users = week_of(date(2025, 10, 20), TUESDAY)
    assert (str(users), users.period) == ("2025-W42", "Oct 14 - Oct 20, 2025")
    assert Week(2025, 42, SUNDAY).period == "Oct 12 - Oct 18, 2025"
    assert Week(2026, 1, SUNDAY).period == "Dec 28, 2025 - Jan 3, 2026"
    assert parse_week("42", date(2025, 11, 1), TUESDAY) == users
    assert parse_week("last", date(2025, 10, 21), TUESDAY) == users
    assert parse_week("this", date(2025, 10, 20), TUESDAY) == users


def test_a_week_begins_at_midnight_where_the_user_lives():
    utc, shanghai = Week(2025, 42).bounds(UTC), Week(2025, 42).bounds(ZoneInfo("Asia/Shanghai"))
    assert utc == (1_760_313_600.0, 1_760_918_400.0)
    assert utc[0] - shanghai[0] == 8 * 3600


@pytest.mark.parametrize(
    ("zone", "week", "hours"),
    [
        ("Europe/Berlin", Week(2026, 13), 167),
        ("Europe/Berlin", Week(2026, 43), 169),
        ("America/New_York", Week(2026, 10), 167),
        ("America/New_York", Week(2026, 44), 169),
        ("America/New_York", Week(2026, 11, SUNDAY), 167),  # the clocks change on its first day
        ("Australia/Lord_Howe", Week(2026, 14), 168.5),  # by half an hour
        ("Africa/Cairo", Week(2026, 17), 167),  # at midnight: that Friday begins at one o'clock
        ("America/Santiago", Week(2026, 36), 167),  # at midnight before a Sunday
        ("Asia/Kathmandu", Week(2026, 13), 168),
        ("UTC", Week(2026, 13), 168),
    ],
)
def test_a_week_in_which_the_clocks_change_has_an_hour_more_or_less(zone, week, hours):
    since, until = week.bounds(ZoneInfo(zone))
    assert (until - since) / 3600 == hours
    after = week_of(week.last + timedelta(days=1), week.starts)
    assert after.bounds(ZoneInfo(zone))[0] == until


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 6))
def test_every_day_belongs_to_one_week_and_that_week_knows_its_name(day, starts):
    week = week_of(day, starts)
    assert week.first.weekday() == starts
    assert week_of(week.last + timedelta(days=1), starts).first == week.last + timedelta(days=1)
    assert week.first <= day <= week.last
    assert parse_week(str(week), day, starts) == week
    since, until = week.bounds(UTC)
    assert since <= datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() < until
