"""The hardware at home as something that was bought: what of its price a time uses up, and when it has paid for itself.

    used up      straight-line: each day of `years` from the day of purchase uses up the same share of the price, later days nothing
    break-even   the day on which what it saved, net of energy, reaches its price, if it goes on as it did so far

Days begin at midnight UTC here: of years, nobody will notice. This module does not know what was saved (`reports.savings`).
"""

from datetime import UTC, date, datetime
from typing import Final

from msgspec import Struct

DAYS_A_YEAR: Final = 365.25
SECONDS_A_DAY: Final = 86_400.0
ENOUGH_DAYS: Final = 7
"""Days of savings from which on they say something about the days to come."""
FARTHEST_YEARS: Final = 50


class Purchase(Struct, frozen=True):
    """What was bought to run models on."""

    dollars: float
    bought: date
    years: float
    """After these it is worth nothing any more."""

    @property
    def begins(self) -> float:
        """Unix time from which on it is used up."""
        return datetime(self.bought.year, self.bought.month, self.bought.day, tzinfo=UTC).timestamp()


class BreakEven(Struct, frozen=True):
    """When it has paid for itself."""

    day: str | None
    """ "2027-03-14"; None when that cannot be said."""
    why: str
    """One sentence: how the day was found, or why there is none."""


def used_up(purchase: Purchase | None, since: float, until: float) -> float | None:
    """Dollars of its price that the time between two Unix times uses up; None when nothing was bought."""
    if purchase is None:
        return None
    begin = purchase.begins
    whole = purchase.years * DAYS_A_YEAR * SECONDS_A_DAY
    inside = min(until, begin + whole) - max(since, begin)
    return purchase.dollars * max(0.0, inside) / whole


def break_even(
    purchase: Purchase | None, saved: float | None, since: float | None, now: float
) -> BreakEven | None:
    """The day on which the purchase has paid for itself; None when nothing was bought.

    Args:
        purchase: what was bought.
        saved: dollars that were saved since then, net of energy; None is unknown.
        since: Unix time from which on they were counted: the first request after the purchase; None when there was none.
        now: Unix time until which they were counted.
    """
    if purchase is None:
        return None
    begin = purchase.begins
    if since is None:
        return BreakEven(None, "nothing is known yet of what it saves")
    if saved is None:
        return BreakEven(
            None,
            "what it saves, net of energy, is not known: set [energy] price_per_kwh, and watts if nothing measures them",
        )
    days = (now - max(since, begin)) / SECONDS_A_DAY
    if days < ENOUGH_DAYS:
        return BreakEven(
            None,
            f"that can be said after {ENOUGH_DAYS} days of requests; so far there are {max(0.0, days):.1f}",
        )
    if saved <= 0:
        return BreakEven(None, f"never, as it goes: over {days:.0f} days it saved nothing, net of energy")
    a_day = saved / days
    needed = purchase.dollars / a_day
    if needed > FARTHEST_YEARS * DAYS_A_YEAR:
        return BreakEven(
            None, f"at ${a_day:,.4f} a day, net of energy, it takes more than {FARTHEST_YEARS} years"
        )
    day = datetime.fromtimestamp(max(since, begin) + needed * SECONDS_A_DAY, UTC).date()
    done = "it has saved its price" if saved >= purchase.dollars else "it saves its price"
    return BreakEven(
        day.isoformat(),
        f"{done} of ${purchase.dollars:,.2f} at ${a_day:,.4f} a day, net of energy, the mean of {days:.0f} days",
    )
