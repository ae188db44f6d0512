"""Hardware is used up day by day, and has paid for itself when it has saved its price."""

from datetime import UTC, date, datetime

import pytest

from headgate.core.purchase import Purchase, break_even, used_up

CARD = Purchase(1461.0, date(2026, 1, 1), 4.0)
DAY = 86_400.0
BOUGHT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_a_week_uses_up_a_weeks_share():
    assert used_up(CARD, BOUGHT + 30 * DAY, BOUGHT + 37 * DAY) == pytest.approx(7.0)


def test_nothing_is_used_up_before_the_purchase_and_after_its_years():
    assert used_up(CARD, BOUGHT - 7 * DAY, BOUGHT) == 0
    assert used_up(CARD, BOUGHT - 6 * DAY, BOUGHT + DAY) == pytest.approx(1.0)
    assert used_up(CARD, BOUGHT + 1461 * DAY, BOUGHT + 1468 * DAY) == 0
    assert used_up(CARD, BOUGHT, BOUGHT + 9_999 * DAY) == pytest.approx(1461.0)
    assert used_up(None, 0, DAY) is None


def test_the_day_follows_from_the_mean_so_far():
    found = break_even(CARD, 30.0, BOUGHT, BOUGHT + 10 * DAY)
    assert found is not None
    assert found.day == "2027-05-03"  # 487 days at three dollars
    assert "$3.0000 a day" in found.why


def test_what_has_paid_for_itself_says_so():
    found = break_even(CARD, 2_922.0, BOUGHT, BOUGHT + 100 * DAY)
    assert found is not None
    assert found.day == "2026-02-20"
    assert found.why.startswith("it has saved its price")


@pytest.mark.parametrize(
    ("saved", "days", "why"),
    [
        (None, 30, "set [energy] price_per_kwh"),
        (5.0, 6.5, "after 7 days"),
        (-0.5, 30, "never, as it goes"),
        (0.01, 30, "more than 50 years"),
    ],
)
def test_a_day_that_cannot_be_said_has_a_reason(saved, days, why):
    found = break_even(CARD, saved, BOUGHT, BOUGHT + days * DAY)
    assert found is not None
    assert found.day is None
    assert why in found.why


def test_without_a_purchase_there_is_no_day():
    assert break_even(None, 5.0, BOUGHT, BOUGHT + 30 * DAY) is None
