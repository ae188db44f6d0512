"""What a chain is expected to cost, and which order and length of it costs least."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.chains import WORTH, Link, cheapest, expected

PHI = Link("phi", 0.0, 0.6)
LLAMA = Link("llama", 0.0, 0.9)
HAIKU = Link("haiku", 0.001, 0.8)
CLAUDE = Link("claude", 0.01, 1.0)


def names(links):
    return [link.model for link in links]


def test_a_chain_costs_the_chance_to_reach_each_model_times_its_cost():
    found = expected([PHI, HAIKU, CLAUDE])
    assert found.cost == pytest.approx(0.4 * 0.001 + 0.4 * 0.2 * 0.01)
    assert found.asked == pytest.approx(1 + 0.4 + 0.08)


def test_of_free_models_the_likeliest_is_asked_first():
    assert names(cheapest([PHI, LLAMA, CLAUDE])) == ["llama", "phi", "claude"]


def test_a_paid_model_that_spares_less_than_it_costs_is_left_out():
    dear = Link("middling", 0.008, 0.3)
    assert names(cheapest([dear, CLAUDE])) == ["claude"]
    assert names(cheapest([HAIKU, CLAUDE])) == ["haiku", "claude"]


def test_a_free_model_that_hardly_ever_answers_well_is_not_asked():
    hopeless = Link("hopeless", 0.0, WORTH / 2)
    assert names(cheapest([hopeless, CLAUDE])) == ["claude"]
    assert names(cheapest([hopeless, LLAMA, CLAUDE])) == ["llama", "claude"]


def test_the_last_model_stays_the_last():
    assert names(cheapest([LLAMA])) == ["llama"]
    assert names(cheapest([CLAUDE, LLAMA]))[-1] == "llama"
    assert cheapest([]) == ()


def test_of_a_very_long_chain_the_likeliest_are_put_in_order():
    many = [Link(f"m{number}", 0.0, number / 20) for number in range(12)]
    found = cheapest([*many, CLAUDE])
    assert names(found)[0] == "m11"
    assert len(found) <= 6


links = st.builds(
    Link,
    st.uuids().map(str),
    st.floats(0, 0.02, allow_nan=False),
    st.floats(0, 1, allow_nan=False),
)


@given(st.lists(links, min_size=1, max_size=4), links)
def test_no_other_order_or_length_is_cheaper_by_more_than_it_is_worth(before, last):
    found = cheapest([*before, last])
    assert found[-1] == last
    others = [(*some, last) for length in range(len(before) + 1) for some in permutations(before, length)]
    assert expected(found).cost <= min(expected(other).cost for other in others) + WORTH * last.cost + 1e-12
