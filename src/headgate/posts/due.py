"""Which weeks' reports are due, and when a post that failed is tried again.

Pure: the time and what was planned before are arguments.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final

from headgate.core.schedule import Schedule
from headgate.reports.week import MONDAY, Week, week_of

PAUSES: Final = (60.0, 300.0, 900.0, 3_600.0, 10_800.0)
"""Seconds between tries; the last one repeats."""

LOOK_BACK: Final = 8
"""Weeks: reports that are older are not sent any more, after however long a downtime."""

REPORT: Final = "report "
"""How the subject of a week's report begins."""


def subject_of(week: Week) -> str:
    """The subject of a week's report: "report 2026-W47"."""
    return f"{REPORT}{week}"


def next_try(now: float, tries: int) -> float:
    """When a post is tried again that has been tried so often."""
    return now + PAUSES[min(tries, len(PAUSES) - 1)]


def weeks_due(
    now: float, schedule: Schedule, zone: tzinfo, planned: Iterable[str], starts: int = MONDAY
) -> list[tuple[Week, float]]:
    """The weeks whose reports are due to one target and were not planned for it yet, oldest first, with their moments.

    A target that was never sent a report begins with the last week; after a downtime it is sent the weeks that it missed.

    Args:
        now: Unix time.
        schedule: when a week's report is sent.
        zone: in which weeks begin and the schedule is meant.
        planned: the subjects of the reports that were planned for the target.
        starts: the weekday on which weeks begin; 0 is Monday.
    """
    today = datetime.fromtimestamp(now, zone).date()
    present = subject_of(week_of(today, starts))
    newest = max(
        (subject for subject in planned if subject < present), default=""
    )  # a clock may have been ahead
    due = []
    for back in range(1, LOOK_BACK + 1 if newest else 2):
        week = week_of(today - timedelta(days=7 * back), starts)
        moment = schedule.first_after(week.bounds(zone)[1], zone)
        if moment > now:
            continue
        if subject_of(week) <= newest:
            break
        due.append((week, moment))
    return due[::-1]
