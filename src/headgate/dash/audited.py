"""What the view of audits shows of a period: estimates with their intervals, curves, judges and the strata behind them.

All is counted by `ledger.facts` and judged as in the weekly report, so that both say the same of the same days. How it stands with the
queue, and the pairs to review, are told by paths of their own (`auditing`).
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.dash.periods import Period, PeriodQuery, days_of, period_of
from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.reports.audited import Line, lines
from headgate.reports.plain import AuditedJson, audited_json
from headgate.reports.week import week_of
from headgate.reports.weekly import weekly


class AuditedView(Struct, frozen=True, kw_only=True):
    """All that the view shows."""

    period: Period
    days: str
    """The period as people write it, in the report's time zone."""
    requests: int
    audited: AuditedJson
    lines: tuple[Line, ...]
    """The same in words; where nothing is audited, what to do first."""


def audited_view(config: Config, query: PeriodQuery, now: float) -> bytes:
    """The view as JSON. Blocks.

    Raises:
        UsageError: it is no period that can be shown.
        LedgerError: the ledger cannot be read.
    """
    zone = zone_of(config.timezone)
    period = period_of(query, now, zone, config.week_starts)
    with LedgerReader(config.ledger.path) as ledger:
        facts = count_facts(ledger, period.since, period.until, zone)
    day = datetime.fromtimestamp(period.since, zone).date()
    report = weekly(week_of(day, config.week_starts), facts, policy=config.policy)
    return msgspec.json.encode(
        AuditedView(
            period=period,
            days=days_of(period, zone),
            requests=facts.requests,
            audited=audited_json(report.audited),
            lines=tuple(lines(report.audited)),
        )
    )
