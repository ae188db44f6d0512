"""What was paid in a period, so that a gate that opens again goes on where the one before it ended.

A request counts where it ended, as it does in an open gate (`gateway.budgets`). Calls of unknown cost, left by their callers or
broken off, count as what they were expected to cost, as they did when they were made. What was under way when a gate was
killed is not in the ledger. What audits paid counts for the budgets that are nobody's own: they belong to no key and no team.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import and_, func, select

from headgate.core.budgets import Budget
from headgate.core.types import Outcome
from headgate.ledger.audit_payments import paid_since
from headgate.ledger.queries import Filter, LedgerReader
from headgate.ledger.schema import names, requests
from headgate.ledger.units import MICRO, NANO

LONGEST: Final = 3 * 86_400.0
"""Seconds that a request takes at most: a provider's batch has a day, and may be collected later."""


def paid_from(path: Path, budget: Budget, begun: float) -> float:
    """Dollars that went out of a budget since this Unix time: for requests that ended since, and for audits.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return 0.0
    with LedgerReader(path) as ledger:
        conditions = [
            requests.c.received >= round((begun - LONGEST) * MICRO),
            requests.c.received + requests.c.seconds >= round(begun * MICRO),
        ]
        for column, word in (
            (requests.c.key, budget.key),
            (requests.c.team, budget.team),
            (requests.c.task, budget.task),
        ):
            if word:
                conditions.append(column.in_(select(names.c.id).where(names.c.text == word)))
        with ledger.connect() as db:
            known = db.execute(select(func.coalesce(func.sum(requests.c.cost), 0)).where(and_(*conditions)))
            nano = int(known.scalar_one())
        which = Filter(
            since=begun - LONGEST,
            key=budget.key or None,
            team=budget.team or None,
            task=budget.task,
            unpriced=True,
        )
        unknown = sum(
            expected(entry.outcome)
            for entry in ledger.all(which)
            if entry.outcome.received + entry.outcome.seconds >= begun
        )
    audits = 0.0 if budget.key or budget.team else paid_since(path, begun, budget.task)
    return nano / NANO + unknown + audits


def expected(outcome: Outcome) -> float:
    """Dollars of a request, with the estimate in the place of what is unknown."""
    estimates = {candidate.model: candidate.estimate for candidate in outcome.decision.candidates}
    return sum(
        attempt.cost if attempt.cost is not None else estimates.get(attempt.model) or 0.0
        for attempt in outcome.attempts
    )
