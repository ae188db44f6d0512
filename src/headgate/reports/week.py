"""Weeks of the ISO calendar, as people write them.

A week begins on Monday, and week 1 holds the year's first Thursday. This module does not know what day it is: today and
the time zone are arguments.
"""

import re
from datetime import date, datetime, time, timedelta, tzinfo

from msgspec import Struct

from headgate.core.errors import UsageError

_WRITTEN = re.compile(r"(?:(?P<year>\d{4})-)?(?:w|week-?)?(?P<number>\d{1,2})", re.IGNORECASE)


class Week(Struct, frozen=True, order=True):
    """A week of the ISO calendar."""

    year: int
    number: int

    @property
    def monday(self) -> date:
        """Its first day."""
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def sunday(self) -> date:
        """Its last day."""
        return self.monday + timedelta(days=6)

    def bounds(self, zone: tzinfo) -> tuple[float, float]:
        """Unix times of its first moment and of the first moment after it, in a time zone."""
        begin = datetime.combine(self.monday, time(), zone)
        end = datetime.combine(self.monday + timedelta(days=7), time(), zone)
        return begin.timestamp(), end.timestamp()

    @property
    def period(self) -> str:
        """Its first and last day, "Oct 14 - Oct 20, 2025"."""
        first, last = self.monday, self.sunday
        year = f", {first.year}" if first.year != last.year else ""
        return f"{_day(first)}{year} - {_day(last)}, {last.year}"

    @property
    def file_name(self) -> str:
        """The name of its report's file."""
        return f"routing-report-{self.year}-week-{self.number:02}.log"

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"


def week_of(day: date) -> Week:
    """The week that a day belongs to."""
    year, number, _ = day.isocalendar()
    return Week(year, number)


def parse_week(word: str, today: date) -> Week:
    """The week that somebody means by "2026-W47", "2026-week-47", "47", "this" or "last".

    A bare number is the latest such week that has begun.

    Raises:
        UsageError: there is no such week.
    """
    this = week_of(today)
    if word == "this":
        return this
    if word == "last":
        return week_of(today - timedelta(days=7))
    written = _WRITTEN.fullmatch(word.strip())
    if written is None:
        raise UsageError(f"{word!r} is no week", "write it as 2026-W47, as 47, or as this or last")
    number = int(written["number"])
    years = (int(written["year"]),) if written["year"] else range(this.year, this.year - 8, -1)
    for year in years:
        if 1 <= number <= _weeks_in(year) and (written["year"] or Week(year, number) <= this):
            return Week(year, number)
    raise UsageError(f"there is no week {word}", "a year has weeks 1 to 52, some years 53")


def _weeks_in(year: int) -> int:
    return date(year, 12, 28).isocalendar().week if year else 0


def _day(day: date) -> str:
    return f"{_MONTHS[day.month - 1]} {day.day}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
