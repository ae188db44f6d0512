"""Energy is shared out to the last microjoule: what attempts get and what is idle is what was read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.power import Meter, counted, energy_cost

WATT_SECOND = 1_000_000

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "read"]),
        st.floats(0, 5, allow_nan=False),
        st.integers(0, 300 * WATT_SECOND),
        st.integers(0, 7),
    ),
    max_size=60,
)


@given(EVENTS, st.one_of(st.none(), st.floats(0, 100)))
def test_what_attempts_get_and_what_is_idle_is_what_was_read(events, idle):
    now, meter, running, ended, drawn = 0.0, Meter(0.0, idle), [], [], 0
    for what, pause, energy, which in events:
        now += pause
        if what == "begin":
            running.append(meter.begin(now))
        elif what == "read":
            meter.read(now, energy)
            drawn += energy
        elif running:
            draw = running.pop(which % len(running))
            meter.end(draw, now)
            ended.append(draw)
    assert meter.measured == drawn
    assert meter.given == sum(draw.energy for draw in running + ended)
    assert all(draw.energy >= 0 for draw in running + ended)
    in_advance = meter.idle_energy - (meter.measured - meter.given)
    assert in_advance >= 0
    assert meter.given + meter.idle_energy == drawn + in_advance
    assert meter.idle_energy >= 0
    if not running:
        meter.read(now + 1, WATT_SECOND * 10_000)  # what was given in advance is made up by what is read next
        meter.read(now + 2, WATT_SECOND * 10**15)  # a reading may come an instant after another
        assert meter.owed == 0
        assert meter.given + meter.idle_energy == meter.measured


def read_at(meter, now, watts, seconds):
    meter.read(now, round(watts * seconds * WATT_SECOND))


def test_an_attempt_gets_what_is_above_idle_while_it_runs():
    meter = Meter(0.0)
    read_at(meter, 10.0, 20, 10)  # idle: 20 W
    draw = meter.begin(10.0)
    read_at(meter, 14.0, 120, 4)
    assert meter.end(draw, 14.0) == 400 * WATT_SECOND
    assert meter.idle_energy == (200 + 80) * WATT_SECOND


def test_who_ran_for_an_instant_of_a_stretch_that_others_worked_in_draws_no_more_than_a_machine_can():
    meter = Meter(0.0, idle=10.0)
    first = meter.begin(0.999_999)
    read_at(meter, 1.0, 110, 1)  # another program's work
    assert meter.end(first, 2.0) <= (100 + 2_000) * WATT_SECOND


def test_attempts_at_the_same_time_share_the_seconds_in_which_both_ran():
    meter = Meter(0.0, idle=0.0)
    first = meter.begin(0.0)
    read_at(meter, 2.0, 100, 2)
    second = meter.begin(2.0)
    read_at(meter, 4.0, 100, 2)
    assert meter.end(first, 4.0) == 300 * WATT_SECOND
    assert meter.end(second, 4.0) == 100 * WATT_SECOND


def test_an_attempt_between_two_readings_gets_what_the_last_ones_let_expect_and_the_next_makes_up_for_it():
    meter = Meter(0.0, idle=10.0)
    known = meter.begin(0.0)
    read_at(meter, 1.0, 110, 1)
    meter.end(known, 1.0)
    short = meter.begin(1.0)
    assert meter.end(short, 1.5) == 50 * WATT_SECOND
    meter.read(2.0, 10 * WATT_SECOND)  # nothing of it was real
    assert meter.owed == 50 * WATT_SECOND
    meter.read(10.0, 80 * WATT_SECOND)
    assert meter.owed == 0
    assert meter.given + meter.idle_energy == meter.measured


def test_before_anything_is_known_of_idling_the_energy_is_unknown():
    meter = Meter(0.0)
    draw = meter.begin(0.0)
    read_at(meter, 1.0, 50, 1)
    assert meter.end(draw, 1.0) is None


def test_a_counter_that_comes_round_goes_on_and_one_that_was_set_back_has_counted_nothing():
    assert counted(100, 250, 1_000, 1.0) == 150
    assert counted(900, 50, 1_000, 1.0) == 150
    assert counted(10, 5, 262_143_328_850, 1.0) == 0  # 262 kJ within a second: the machine slept
    assert counted(900, 50, 0, 1.0) == 0


def test_a_kilowatt_hour_costs_what_it_costs():
    assert energy_cost(3_600_000.0, 0.30) == pytest.approx(0.30)
    assert energy_cost(None, 0.30) is None
    assert energy_cost(1.0, None) is None
