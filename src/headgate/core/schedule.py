"""When a weekly report is due: "mon 08:00", in the report's time zone.

It knows calendars and no clock. A moment that a change to summer time leaves out is the one an hour later; one that comes
twice in autumn is the first.
"""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from msgspec import Struct

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WRITTEN: Final = re.compile(r"([a-z]{3})[a-z]*\s+(\d{1,2}):(\d{2})", re.IGNORECASE)


class Schedule(Struct, frozen=True):
    """A moment of the week."""

    day: int
    """0 is Monday."""
    hour: int
    minute: int

    def first_after(self, moment: float, zone: tzinfo) -> float:
        """The first such moment at or after a Unix time, as one."""
        at = datetime.fromtimestamp(moment, zone)
        due = at.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0, fold=0)
        due += timedelta(days=(self.day - at.weekday()) % 7)
        if due.timestamp() < moment:
            due += timedelta(days=7)
        return due.timestamp()

    def __str__(self) -> str:
        return f"{DAYS[self.day]} {self.hour:02}:{self.minute:02}"


def read_schedule(text: str) -> Schedule | None:
    """The schedule that somebody writes as "mon 08:00"; None where it is none."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None or written[1].lower() not in DAYS:
        return None
    hour, minute = int(written[2]), int(written[3])
    return Schedule(DAYS.index(written[1].lower()), hour, minute) if hour < 24 and minute < 60 else None
