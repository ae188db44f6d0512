"""Weeks, as people write them and as reports are filed under them.

A week has seven days and begins on the day that the user names. It is called by the ISO week of its fourth day, so that it
is called as the ISO week that it shares most days with: Oct 14 - Oct 20, 2025, a Tuesday to a Monday, is week 42. A week
that begins on a Monday is the ISO week itself. This module does not know what day it is: today and the time zone are
arguments.
"""

import re
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from msgspec import Struct

from headgate.core.errors import UsageError

MONDAY: Final = 0
YEARS: Final = (1971, 9_998)
"""The first and the last year whose weeks have two ends that a clock can tell."""
_WRITTEN = re.compile(r"(?:(?P<year>\d{4})-)?(?:w|week-?)?(?P<number>\d{1,2})", re.IGNORECASE)


class Week(Struct, frozen=True, order=True):
    """Seven days, called by the ISO week of the fourth of them."""

    year: int
    number: int
    starts: int = MONDAY
    """The weekday of its first day; 0 is Monday."""

    @property
    def first(self) -> date:
        """Its first day."""
        fourth = date.fromisocalendar(self.year, self.number, (self.starts + 3) % 7 + 1)
        return fourth - timedelta(days=3)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.first + timedelta(days=6)

    @property
    def days(self) -> tuple[date, ...]:
        """All seven, in order."""
        return tuple(self.first + timedelta(days=number) for number in range(7))

    def bounds(self, zone: tzinfo) -> tuple[float, float]:
        """Unix times of its first moment and of the first moment after it, in a time zone.

        Both are midnights there, so a week in which the clocks change has 167 or 169 hours.
        """
        begin, end = (datetime.combine(day, time(), zone) for day in (self.first, self.first + _SEVEN_DAYS))
        return begin.timestamp(), end.timestamp()

    @property
    def period(self) -> str:
        """Its first and last day, "Oct 14 - Oct 20, 2025"."""
        year = f", {self.first.year}" if self.first.year != self.last.year else ""
        return f"{_day(self.first)}{year} - {_day(self.last)}, {self.last.year}"

    @property
    def stem(self) -> str:
        """The name of its report's files, without their ending."""
        return f"routing-report-{self.year}-week-{self.number:02}"

    @property
    def file_name(self) -> str:
        """The name of its report's text."""
        return f"{self.stem}.log"

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"


def week_of(day: date, starts: int = MONDAY) -> Week:
    """The week that a day belongs to, where weeks begin on that weekday."""
    first = day - timedelta(days=(day.weekday() - starts) % 7)
    year, number, _ = (first + timedelta(days=3)).isocalendar()
    return Week(year, number, starts)


def parse_week(word: str, today: date, starts: int = MONDAY) -> Week:
    """The week that somebody means by "2026-W47", "2026-week-47", "47", "this" or "last".

    A bare number is the latest such week that has begun.

    Args:
        word: what was written.
        today: the day from which "this" and a bare number are understood.
        starts: the weekday on which weeks begin; 0 is Monday.

    Raises:
        UsageError: there is no such week.
    """
    this = week_of(today, starts)
    if word == "this":
        return this
    if word == "last":
        return week_of(today - _SEVEN_DAYS, starts)
    written = _WRITTEN.fullmatch(word.strip())
    if written is None:
        raise UsageError(f"{word!r} is no week", "write it as 2026-W47, as 47, or as this or last")
    number = int(written["number"])
    years = (int(written["year"]),) if written["year"] else range(this.year, this.year - 8, -1)
    for year in years:
        if 1 <= number <= _weeks_in(year) and (written["year"] or Week(year, number, starts) <= this):
            return Week(year, number, starts)
    raise UsageError(f"there is no week {word}", "a year has weeks 1 to 52, some years 53")


def _weeks_in(year: int) -> int:
    return date(year, 12, 28).isocalendar().week if YEARS[0] <= year <= YEARS[1] else 0


def _day(day: date) -> str:
    return f"{_MONTHS[day.month - 1]} {day.day}"


_SEVEN_DAYS: Final = timedelta(days=7)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
