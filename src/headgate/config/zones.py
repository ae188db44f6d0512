"""The time zone in which days and weeks begin.

A zone knows its own changes of the clock. "local" is asked of the system for each moment, not once for all: a machine in
Berlin is at +01:00 in one week of March and at +02:00 in the next.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from headgate.config.misfit import Misfit
from headgate.config.values import meant

PLACE = ("report", "timezone")


class LocalZone(tzinfo):
    """The time of this machine, with every change of the clock that its system knows."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """How far local time is ahead of UTC at that moment."""
        return None if moment is None else _of_the_system(moment).utcoffset()

    def dst(self, _moment: datetime | None) -> None:
        """Not told: the system says how far ahead it is, not why."""

    def tzname(self, moment: datetime | None) -> str | None:
        """The system's word for it, "CET"."""
        return None if moment is None else _of_the_system(moment).tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """The local time at a moment given in UTC."""
        there = moment.replace(tzinfo=UTC).astimezone()
        local = there.replace(tzinfo=self, fold=0)
        # an hour that the clock shows twice: the later of the two is further behind UTC than the first
        return local if local.utcoffset() == there.utcoffset() else local.replace(fold=1)


def zone_of(name: str) -> tzinfo:
    """The zone that the config names: "local", "utc", or a name of the IANA database such as "Europe/Berlin".

    Raises:
        Misfit: there is no such zone, or this system has no database of them.
    """
    if name.lower() == "utc":
        return UTC
    if name == "local":
        return LocalZone()
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # not found; a folder; a path in place of a name
        raise _unknown(name) from error


def _unknown(name: str) -> Misfit:
    known = available_timezones()
    if not known:
        return Misfit(
            PLACE,
            f'the time zone "{name}" cannot be looked up: this system has no database of time zones',
            'pip install tzdata, or write timezone = "local" or "utc"',
        )
    return Misfit(
        PLACE,
        f'there is no time zone "{name}"',
        meant(name, ["local", "utc", *sorted(known)])
        or 'write "local", "utc", or a name such as "Europe/Berlin"',
    )


def _of_the_system(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
