"""The archive of weekly reports: which weeks the ledger has, and what each was like in a line.

A week that is over hardly changes, so its line is counted once and remembered; `headgate ledger import` and the like bring rows
into weeks that are over, which is noticed by the number of the ledger's last row.
"""

from datetime import datetime, timedelta, tzinfo

import msgspec
from msgspec import Struct

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.reports.savings import Savings, savings
from headgate.reports.week import Week, week_of

MOST = 520
"""Weeks of the archive; older ones are reached by name."""


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
            weeks = [] if first is None else _weeks_between(first, now, zone, self.config.week_starts)
            lines = [self._line(ledger, week, now, zone) for week in weeks]
        return msgspec.json.encode({"weeks": [line for line in lines if line.requests or not line.complete]})

    def _line(self, ledger: LedgerReader, week: Week, now: float, zone: tzinfo) -> WeekLine:
        known = self._lines.get(week)
        if known is not None:
            return known
        since, until = week.bounds(zone)
        facts = count_facts(ledger, since, until)
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


def _weeks_between(first: float, now: float, zone: tzinfo, starts: int) -> list[Week]:
    """Newest first."""
    begin = week_of(datetime.fromtimestamp(first, zone).date(), starts)
    day = datetime.fromtimestamp(now, zone).date()
    weeks = []
    while (week := week_of(day, starts)) >= begin and len(weeks) < MOST:
        weeks.append(week)
        day -= timedelta(days=7)
    return weeks
