"""The time that a view is about: today, this week, this month, or some days; and the time before it, to compare with.

A period that is not over is compared with as much of the one before: Tuesday noon with the week before until Tuesday noon. It
does not know what time it is; that and the zone are arguments.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.core.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1970, 9000
LONGEST = 3_660
"""Days of one view."""
BY_HOUR = 3 * 86_400
"""Seconds up to which a period is shown hour by hour; above it, day by day."""


class PeriodQuery(Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """Which time is asked for."""

    period: Annotated[
        Literal["today", "week", "month"] | UnsetType,
        Meta(description="which time; this week where nothing is said"),
    ] = UNSET
    first: Annotated[date | UnsetType, Meta(description="the first day; in place of `period`")] = UNSET
    last: Annotated[
        date | UnsetType, Meta(description="the last day; today where only the first is said")
    ] = UNSET


class Period(Struct, frozen=True):
    """Some time, in Unix seconds; `until` is the first moment after."""

    word: str
    """"today", "week", "month" or "custom"."""
    since: float
    until: float
    as_of: float
    """Now, or the end where that has passed."""
    before: tuple[float, float]
    """As much of the time before it."""

    @property
    def hourly(self) -> bool:
        """Whether it is shown hour by hour."""
        return self.until - self.since <= BY_HOUR


def period_of(query: PeriodQuery, now: float, zone: tzinfo, week_starts: int = 0) -> Period:
    """The period that a query asks for: `period`, or `from` and `to` as days, or nothing, which is this week.

    Raises:
        UsageError: the days are in the wrong order, or too far from each other or from now.
    """
    today = datetime.fromtimestamp(now, zone).date()
    if query.first is not UNSET or query.last is not UNSET:
        last = query.last or today
        first = query.first or last
        if last < first:
            raise UsageError(f"{last} is before {first}", "write the earlier day as from")
        length = (last - first).days + 1
        if length > LONGEST or first.year < FIRST_YEAR or last.year > LAST_YEAR:
            raise UsageError(f"{first} to {last} is too much for one view", "ask for ten years at most")
        return _between(
            "custom", first, last + timedelta(days=1), first - timedelta(days=length), now=now, zone=zone
        )
    word = query.period or "week"
    if word == "today":
        begin, end, earlier = today, today + timedelta(days=1), today - timedelta(days=1)
    elif word == "week":
        begin = today - timedelta(days=(today.weekday() - week_starts) % 7)
        end, earlier = begin + timedelta(days=7), begin - timedelta(days=7)
    else:
        begin = today.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
        earlier = (begin - timedelta(days=1)).replace(day=1)
    return _between(word, begin, end, earlier, now=now, zone=zone)


def edges_of(period: Period, zone: tzinfo) -> tuple[float, ...]:
    """Where its hours or days begin, and its end; a day may have 23 or 25 hours."""
    if period.hourly:
        return (*_steps(period.since, period.until, 3600.0), period.until)
    first = datetime.fromtimestamp(period.since, zone).date()
    last = datetime.fromtimestamp(period.until - 1, zone).date()
    days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
    return tuple(_midnight(day, zone) for day in days)


def days_of(period: Period, zone: tzinfo) -> str:
    """The period as people write it: "23 Nov - 29 Nov 2026, UTC", with a dash between."""
    first, last = (datetime.fromtimestamp(at, zone) for at in (period.since, period.until - 1))
    named = last.tzname()
    until = f"{last.day} {last:%b %Y}" + (f", {named}" if named else "")
    if first.date() == last.date():
        return until
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%b}{year} – {until}"


def _between(word: str, begin: date, end: date, earlier: date, *, now: float, zone: tzinfo) -> Period:
    since, until, before = _midnight(begin, zone), _midnight(end, zone), _midnight(earlier, zone)
    as_of = min(max(now, since), until)
    ran = min(as_of - since, since - before) if as_of < until else since - before
    return Period(word, since, until, as_of, (before, before + ran))


def _steps(since: float, until: float, step: float) -> list[float]:
    return [since + i * step for i in range(int((until - since) // step))]


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()
