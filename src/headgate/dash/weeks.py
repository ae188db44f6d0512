"""The archive of weekly reports: which weeks the ledger has, what each was like in a line, and each week's report in any face.

A week that is over hardly changes, so its line is counted once and remembered; `headgate ledger import` and the like bring rows
into weeks that are over, which is noticed by the number of the ledger's last row.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.core.errors import UsageError
from headgate.ledger.facts import count_facts
from headgate.ledger.home import with_home
from headgate.ledger.queries import LedgerReader
from headgate.ledger.reporting import weekly_report
from headgate.reports.faces import face, file_name
from headgate.reports.savings import Savings, savings
from headgate.reports.week import Week, week_of

MOST = 520
"""Weeks of the archive; older ones are reached by name."""

Form = Literal["html", "text", "md", "json", "csv"]
TYPES: Mapping[Form, str] = {
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
"""The faces that the page gives out."""


class ReportQuery(Struct, frozen=True):
    """As what a week's report is asked for."""

    format: Annotated[Form, Meta(description="as a page where nothing is said")] = "html"
    download: Annotated[str | UnsetType, Meta(description="as a file to keep")] = UNSET


class UnknownWeekError(UsageError):
    """There is no such week."""


class Face(Struct, frozen=True):
    """A week's report as a file."""

    type: str
    name: str
    body: bytes


class WeekLine(Struct, frozen=True, kw_only=True):
    """A week in a line."""

    week: str
    """"2026-W47"."""
    period: str
    file_name: str
    since: float
    until: float
    complete: bool
    requests: int
    at_home: int
    cost: float
    savings: Savings


class Weeks(Struct, frozen=True):
    """The archive, the newest week first."""

    weeks: tuple[WeekLine, ...]


class Archive:
    """The weeks of one ledger.

    Args:
        config: whose ledger and time zone these are.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._lines: dict[Week, WeekLine] = {}

    def list_weeks(self, now: float) -> bytes:
        """All weeks from the first request until now as JSON, the newest first. Blocks.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        zone = zone_of(self.config.timezone)
        with LedgerReader(self.config.ledger.path) as ledger:
            first = ledger.first_received()
            weeks: list[Week] = (
                [] if first is None else _weeks_between(first, now, zone, self.config.week_starts)
            )
            lines = [self._line(ledger, week, now, zone) for week in weeks]
        return msgspec.json.encode(Weeks(tuple(line for line in lines if line.requests or not line.complete)))

    def _line(self, ledger: LedgerReader, week: Week, now: float, zone: tzinfo) -> WeekLine:
        known = self._lines.get(week)
        if known is not None:
            return known
        since, until = week.bounds(zone)
        facts = with_home(ledger, self.config.energy, count_facts(ledger, since, until, zone), now)
        line = WeekLine(
            week=str(week),
            period=week.period,
            file_name=week.file_name,
            since=since,
            until=until,
            complete=until <= now,
            requests=facts.requests,
            at_home=sum(served.requests for served in facts.served if served.local),
            cost=facts.cost,
            savings=savings(facts.money, facts.home),
        )
        if until + 3600 <= now:
            self._lines[week] = line
        return line


def face_of(config: Config, word: str, form: Form) -> Face:
    """One week's report. Blocks.

    Args:
        config: whose ledger this is.
        word: which week, "2026-W47".
        form: one of `TYPES`.

    Raises:
        UnknownWeekError: there is no such week.
        LedgerError: the ledger cannot be read.
    """
    try:
        report = weekly_report(config, word)
    except UsageError as error:
        raise UnknownWeekError(error.message, error.hint) from error
    return Face(TYPES[form], file_name(report, form), face(report, form).encode())


def _weeks_between(first: float, now: float, zone: tzinfo, starts: int) -> list[Week]:
    """Newest first."""
    begin = week_of(datetime.fromtimestamp(first, zone).date(), starts)
    day = datetime.fromtimestamp(now, zone).date()
    weeks: list[Week] = []
    while (week := week_of(day, starts)) >= begin and len(weeks) < MOST:
        weeks.append(week)
        day -= timedelta(days=7)
    return weeks
