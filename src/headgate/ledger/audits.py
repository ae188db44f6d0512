"""Audits in the ledger: what was found of requests, counted for a report.

An audit belongs to a request, and is counted in the time when that was received. When the request's row is removed, its audit
is summed by quarters of an hour and goes with it (`retention`). Nothing is judged here.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from headgate.core.words import AuditVerdict
from headgate.ledger.schema import MICRO, audit_rollups, audits, requests
from headgate.reports.facts import AuditFacts


def read_audits(
    db: Connection, since: float, until: float, words: Mapping[int, str]
) -> tuple[AuditFacts, ...]:
    """How many requests of some time were audited, by verdict and judge, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    kept = (
        select(audits.c.verdict, audits.c.judge, func.count())
        .where(round(since * MICRO) <= _RECEIVED, round(until * MICRO) > _RECEIVED)
        .group_by(audits.c.verdict, audits.c.judge)
    )
    summed = (
        select(audit_rollups.c.verdict, audit_rollups.c.judge, func.sum(audit_rollups.c.requests))
        .where(audit_rollups.c.start >= since, audit_rollups.c.start < until)
        .group_by(audit_rollups.c.verdict, audit_rollups.c.judge)
    )
    for query in (kept, summed):
        for verdict, judge, number in db.execute(query):
            found[words[verdict], words[judge]] += number
    in_order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(AuditFacts(_verdict(verdict), judge, number) for (verdict, judge), number in in_order)


def read_judging(db: Connection, since: float, until: float) -> int:
    """What the audits of requests of some time cost, in nano-dollars."""
    kept = select(func.coalesce(func.sum(audits.c.cost), 0))
    kept = kept.where(round(since * MICRO) <= _RECEIVED, round(until * MICRO) > _RECEIVED)
    summed = select(func.coalesce(func.sum(audit_rollups.c.cost), 0))
    summed = summed.where(audit_rollups.c.start >= since, audit_rollups.c.start < until)
    return sum(int(db.execute(query).scalar_one()) for query in (kept, summed))


# Audits are few: asked like this, SQLite looks at each of them, and not at all the requests of the time.
_RECEIVED: Final = (
    select(requests.c.received).where(requests.c.n == audits.c.request).correlate(audits).scalar_subquery()
)


def _verdict(word: str) -> AuditVerdict:
    return word  # type: ignore[return-value]  # only words of the closed list were written
