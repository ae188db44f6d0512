"""The probabilities of audits: the share that the user names on average, more where it is uncertain."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.sampling import FLOOR, UNKNOWN, Known, Stratum, shares, spread, unseen

LABELS = Stratum("fallback", "labels", "classification")
LONG = Stratum("fallback", "long", None)
CODE = Stratum("fallback", "code", "code")


def mean(found, strata):
    traffic = sum(known.requests for known in strata.values())
    return sum(found[stratum] * known.requests for stratum, known in strata.items()) / traffic


def test_what_is_known_well_is_sampled_less_and_what_is_uncertain_more():
    strata = {
        LABELS: Known(1000, found=800, bad=790),  # nearly always unnecessary: known
        LONG: Known(1000, found=800, bad=400),  # half of them: every audit is a throw of a coin
        CODE: Known(1000),  # nobody has looked yet
    }
    found = shares(0.05, strata)
    assert found[LABELS] < 0.05 < found[LONG]
    assert isclose(found[LONG], found[CODE]), "no rate is less certain than one half, nor than an unknown one"
    assert isclose(mean(found, strata), 0.05, rel_tol=1e-9)


def test_few_findings_count_as_uncertain_though_they_all_agree():
    assert spread(UNKNOWN) == spread(Known(found=2, bad=0)) == 0.5
    assert 0.4 < spread(Known(found=10, bad=0)) < 0.5
    assert spread(Known(found=1000, bad=0)) < 0.1


def test_a_stratum_without_traffic_yet_is_sampled_like_the_least_known_one():
    strata = {LABELS: Known(1000, found=900, bad=0), LONG: Known(10)}
    found = shares(0.05, strata)
    assert unseen(0.05, found.values()) == found[LONG] > 0.05
    assert unseen(0.05, ()) == 0.05


@given(
    st.floats(0.001, 1),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 2_000), st.floats(0, 1)), min_size=1, max_size=9
    ),
)
def test_the_mean_is_the_share_and_no_stratum_goes_below_the_floor(sample, counts):
    strata = {
        Stratum("local", str(number), None): Known(requests, found, round(found * rate))
        for number, (requests, found, rate) in enumerate(counts)
    }
    found = shares(sample, strata)
    assert all(FLOOR * sample <= probability <= 1 for probability in found.values())
    if any(known.requests for known in strata.values()):
        assert isclose(mean(found, strata), sample, rel_tol=1e-6)


@pytest.mark.parametrize("sample", [0.0, 1.0])
def test_none_and_all_are_none_and_all_everywhere(sample):
    assert set(shares(sample, {LABELS: Known(9, 900, 1), LONG: Known(3)}).values()) == {sample}
