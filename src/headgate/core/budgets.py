"""Budgets: money for a period, for everybody or for a key, a team or a task, and what becomes of a request once it is spent.

Hard budgets keep a request from paid models (`local`) or from any answer (`refuse`); a soft one (`prefer_local`) puts models at
home first. A period begins at midnight of the zone that is given, and lasts as long as the calendar says: a day of 23 or 25
hours where the clock changes. This module does not know what was spent, nor what time it is (`gateway.budgets`).
"""

from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from msgspec import Struct

from headgate.core.words import Per, Task, WhenSpent

LEVELS: Final = (50, 80, 100)
"""Shares of a budget, in percent, at which people are told."""

SHORTHAND: Final = "day"
"""The name of the budget that `[limits] paid_per_day` stands for."""


class Budget(Struct, frozen=True, kw_only=True):
    """Money for a period. What is "" or None does not matter: a budget without key, team and task is everybody's."""

    name: str
    per: Per
    dollars: float
    key: str = ""
    team: str = ""
    task: Task | None = None
    when_spent: WhenSpent = "local"

    @property
    def hard(self) -> bool:
        """Whether paid models are out of reach once it is spent."""
        return self.when_spent != "prefer_local"

    @property
    def called(self) -> str:
        """Its name in a sentence: "marketing's month"."""
        return f"the {self.per}" if self.name == self.per else f"{self.name}'s {self.per}"

    def applies(self, key: str, team: str, task: Task | None) -> bool:
        """Whether a request is paid from it."""
        return (
            (not self.key or self.key == key)
            and (not self.team or self.team == team)
            and (self.task is None or self.task == task)
        )


class Allowance(Struct, frozen=True, gc=False):
    """What a budget leaves to one request."""

    budget: Budget
    left: float
    """Dollars: neither spent, nor promised to requests under way."""
    ends: str
    """When it begins anew, for people: "2026-12-01 00:00"."""

    @property
    def sentence(self) -> str:
        """How the budget stands: "budget: marketing's month has $0.40 left of $50.00"."""
        return f"budget: {self.budget.called} has {money(self.left)} left of {money(self.budget.dollars)}"

    @property
    def notice(self) -> str:
        """The same, with what that means, for callers."""
        means = {
            "local": "only models at home answer",
            "refuse": "no request is answered that may have to be paid",
            "prefer_local": "models at home go first",
        }[self.budget.when_spent]
        return f"{self.sentence}; {means} until {self.ends}"


class Standing(Struct, frozen=True, kw_only=True):
    """A budget as it stands in its present period; dollars, and Unix times."""

    name: str
    per: Per
    dollars: float
    when_spent: WhenSpent
    key: str
    team: str
    task: Task | None
    spent: float
    reserved: float
    """Promised to requests under way."""
    left: float
    begun: float
    ends: float
    """When it begins anew."""
    level: int
    """The highest of `LEVELS` that was reached; 0 is none of them."""


class Alert(Struct, frozen=True, kw_only=True):
    """A budget has reached 50, 80 or 100 % of its money; told once in each period."""

    budget: str
    per: Per
    level: int
    """Percent."""
    spent: float
    dollars: float
    when_spent: WhenSpent
    begun: float
    """Unix time at which the period began."""
    ends: float
    """… and at which the next one begins."""
    reached: float
    """… and at which the level was reached."""
    title: str
    """A line that no other alert has: "80 % of marketing's month from 2026-11-01 are spent"."""
    notice: str
    """What is left, and from 100 % on what becomes of requests."""


class Period(NamedTuple):
    """A stretch of time, as Unix times; the end belongs to the next one."""

    begun: float
    ends: float


def period_of(moment: float, per: Per, zone: tzinfo, week_starts: int = 0) -> Period:
    """The period that a moment belongs to.

    Args:
        moment: Unix time.
        per: which kind of period.
        zone: whose midnights count; it knows its own changes of the clock.
        week_starts: the weekday on which weeks begin, 0 is Monday.
    """
    today = datetime.fromtimestamp(moment, zone).date()
    if per == "month":
        first = today.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    elif per == "week":
        first = today - timedelta(days=(today.weekday() - week_starts) % 7)
        after = first + timedelta(days=7)
    else:
        first, after = today, today + timedelta(days=1)
    begun, ends = [datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() for day in (first, after)]
    return Period(begun, ends)


def level_of(spent: float, dollars: float) -> int:
    """The highest level that has been reached; 0 is none. A budget of nothing has no levels: there is nothing to spend."""
    if dollars <= 0:
        return 0
    return max((level for level in LEVELS if spent * 100 >= level * dollars), default=0)


def money(dollars: float) -> str:
    """Dollars to the cent; less than a cent in full."""
    return f"${dollars:,.2f}" if dollars >= 0.01 or dollars <= 0 else f"${dollars:.4f}"
