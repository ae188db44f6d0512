"""What a run of audits can cost at most, before it is begun: long answers of paid models, within what is left of the week's money."""

import asyncio
from time import time
from typing import Final

from msgspec import Struct

from headgate.core.prices import cost_at_most
from headgate.core.tokens import guess
from headgate.core.words import AuditKind
from headgate.gateway.journey import LONG_ANSWER
from headgate.lab.auditing.auditor import Auditor
from headgate.lab.auditing.pairs import paid_model
from headgate.ledger.audit_jobs import KINDS

LOOKED_AT: Final = 200
"""Audits that are looked at singly; of more, all that is left of the week's money is taken to be needed."""


class Expected(Struct, frozen=True, kw_only=True):
    """The audits that could be made now."""

    audits: dict[AuditKind, int]
    most: float
    """Dollars that they can cost together."""
    left: float
    """Dollars that are left of this week's money."""
    paid: tuple[str, ...]
    """The paid models that would be asked."""
    unable: int
    """Local answers that wait for money, or for a person."""


async def expect(auditor: Auditor, kind: AuditKind | None, limit: int | None) -> Expected:
    """Look at the audits that are due.

    Args:
        auditor: would make them.
        kind: of those of one kind; None is all.
        limit: so many at most; None is all.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    able = await auditor.able()
    wanted = [one for one in KINDS if kind in (None, one)]
    due = await asyncio.to_thread(auditor.jobs.due, time())
    made: dict[AuditKind, int] = {}
    rest = sum(due.values()) if limit is None else limit
    for one in wanted:
        made[one] = min(due[one], rest) if one in able else 0
        rest -= made[one]
    number = sum([*made.values()])
    left, models = await auditor.purse.left(), auditor.policy.models
    judge = auditor.judge
    paid: dict[str, None] = {}
    most = left if number > LOOKED_AT else 0.0
    if number and judge is not None and not judge.local:  # nobody knows for how many it is needed
        paid[judge.name] = None
        most = left
    if made.get("local", 0):
        jobs = await asyncio.to_thread(auditor.jobs.look, "local", time(), min(made["local"], LOOKED_AT))
        for material in jobs:
            name = paid_model(auditor.policy, material)
            if name is None or any(not said.local for said in material.said):
                continue
            paid[name] = None
            longest = material.request.max_tokens or models[name].max_output or LONG_ANSWER
            most += cost_at_most(models[name], guess(material.request), longest) or left
    return Expected(
        audits=made,
        most=min(most, left),
        left=left,
        paid=tuple(paid),
        unable=0 if "local" in able or "local" not in wanted else due["local"],
    )
