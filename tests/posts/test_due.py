"""Which weeks are due, and when: calendars with their odd weeks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.schedule import Schedule, read_schedule
from headgate.posts.due import LOOK_BACK, PAUSES, next_try, subject_of, weeks_due
from headgate.reports.week import Week

MONDAY_AT_EIGHT = Schedule(0, 8, 0)
BERLIN = ZoneInfo("Europe/Berlin")


def at(*when, zone=UTC):
    return datetime(*when, tzinfo=zone).timestamp()


def due(now, planned=(), schedule=MONDAY_AT_EIGHT, zone=UTC):
    return [str(week) for week, _ in weeks_due(now, schedule, zone, planned)]


def test_a_week_is_due_on_monday_at_eight_and_not_before():
    assert due(at(2026, 11, 23, 7, 59)) == []
    assert due(at(2026, 11, 23, 8, 0)) == ["2026-W47"]


def test_a_week_that_was_planned_is_not_due_again():
    assert due(at(2026, 11, 25, 8), [subject_of(Week(2026, 47))]) == []


def test_after_a_downtime_the_missed_weeks_are_due_oldest_first():
    planned = [subject_of(Week(2026, 44))]
    assert due(at(2026, 11, 25, 8), planned) == ["2026-W45", "2026-W46", "2026-W47"]


def test_a_new_target_begins_with_the_last_week():
    assert due(at(2026, 11, 25, 8)) == ["2026-W47"]


def test_after_a_very_long_downtime_only_the_latest_weeks_are_due():
    assert len(due(at(2026, 11, 25, 8), [subject_of(Week(2024, 1))])) == LOOK_BACK


def test_weeks_are_told_apart_across_the_turn_of_the_year():
    assert due(at(2027, 1, 12, 8), [subject_of(Week(2026, 52))]) == ["2026-W53", "2027-W01"]


def test_a_report_on_friday_evening_is_of_the_week_before():
    friday = Schedule(4, 18, 30)
    assert due(at(2026, 11, 27, 18, 29), schedule=friday) == []
    assert due(at(2026, 11, 27, 18, 30), schedule=friday) == ["2026-W47"]


@pytest.mark.parametrize("monday", [(2026, 3, 30), (2026, 10, 26)])
def test_weeks_with_a_change_to_and_from_summer_time_are_due_at_eight_by_the_wall_clock(monday):
    moment = at(*monday, 8, zone=BERLIN)
    assert due(moment - 1, zone=BERLIN) == []
    assert len(due(moment, zone=BERLIN)) == 1


def test_an_hour_that_a_night_leaves_out_is_the_one_after_it():
    sunday_half_past_two = Schedule(6, 2, 30)
    moment = sunday_half_past_two.first_after(at(2026, 3, 28, zone=BERLIN), BERLIN)
    assert datetime.fromtimestamp(moment, BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"


@given(
    st.integers(1_500_000_000, 2_200_000_000),
    st.builds(Schedule, st.integers(0, 6), st.integers(0, 23), st.integers(0, 59)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_the_next_moment_is_never_in_the_past_and_never_more_than_a_week_ahead(now, schedule, zone):
    moment = schedule.first_after(now, ZoneInfo(zone))
    assert now - 3600 <= moment <= now + 7 * 86_400 + 3600
    shown = datetime.fromtimestamp(moment, ZoneInfo(zone))
    assert shown.weekday() == schedule.day or (schedule.day - shown.weekday()) % 7 in (0, 6)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("mon 08:00", Schedule(0, 8, 0)),
        ("Friday 7:05", Schedule(4, 7, 5)),
        (" SUN 23:59 ", Schedule(6, 23, 59)),
    ],
)
def test_moments_of_the_week_are_written_as_people_write_them(text, read):
    assert read_schedule(text) == read
    assert read_schedule(str(read)) == read


@pytest.mark.parametrize("text", ["", "monday", "mon 24:00", "mon 08:60", "08:00", "foo 08:00", "mon 8"])
def test_what_is_no_moment_of_the_week_is_none(text):
    assert read_schedule(text) is None


def test_pauses_between_tries_grow_and_the_last_one_repeats():
    waits = [next_try(0.0, tries) for tries in range(10)]
    assert waits[: len(PAUSES)] == list(PAUSES)
    assert waits[-1] == PAUSES[-1]
