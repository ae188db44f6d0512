"""The paths of the worker that makes audits.

    GET  /admin/audits        how it stands with them: how many wait, are done, failed, and this week's money
    GET  /admin/audits/run    how many would be made now, and what that can cost at most
    POST /admin/audits/run    {"kind": …} → the audit that has been due for the longest time is made now, and what came of it

One call makes one audit, so whoever wants many calls again and sees how it goes. Requests of people go before it.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.config.compile import Config
from headgate.core.errors import HeadgateError
from headgate.core.words import AuditKind
from headgate.dash.service import FRESH, LOOK, fault_of
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.queries import read_query
from headgate.lab.auditing.auditor import Auditor, Made
from headgate.lab.auditing.expected import Expected, expect
from headgate.ledger.audit_jobs import KINDS
from headgate.ledger.audit_standing import Standing, read_standing
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

STATUS, RUN = "/admin/audits", "/admin/audits/run"
Limit = Annotated[int, Meta(ge=1, le=10_000)]


class Audits(Struct, frozen=True, kw_only=True):
    """How it stands with the audits of a gate."""

    on: bool
    """Whether requests are chosen."""
    queue: Standing
    paid_per_week: float
    """Dollars."""
    paid_this_week: float
    week_ends: float
    """Unix time."""
    under_way: AuditKind | None
    """What is being made just now."""


class ExpectQuery(Struct, frozen=True):
    """Which audits are meant."""

    kind: Annotated[AuditKind | UnsetType, Meta(description="those of one kind; all")] = UNSET
    limit: Annotated[Limit | UnsetType, Meta(description="so many at most; all")] = UNSET


class WireRun(Struct, forbid_unknown_fields=True):
    """The body of a run."""

    kind: AuditKind | None = None


class Ran(Struct, frozen=True):
    """What a run has come to."""

    made: Made | None
    """None: none of these is due."""


RUNS = msgspec.json.Decoder(WireRun)


class AuditService:
    """Answers these paths.

    Args:
        config: whose ledger is read.
        auditor: makes the audits.
    """

    methods: Mapping[str, tuple[str, ...]] = {STATUS: LOOK, RUN: (*LOOK, "POST")}
    admin = True
    open_paths: frozenset[str] = frozenset()

    def __init__(self, config: Config, auditor: Auditor) -> None:
        self.config = config
        self.auditor = auditor

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        del names
        act = self.status if path == STATUS else self.run if call.method == "POST" else self.expected
        try:
            found = await act(call)
        except HeadgateError as error:
            found = fault_of(error)
        if isinstance(found, Fault):
            answer_fault(call, found)
        else:
            call.answer(200, JSON + FRESH, msgspec.json.encode(found))

    async def status(self, call: Call) -> Audits:
        """How it stands."""
        del call
        auditor, settings = self.auditor, self.config.audit
        return Audits(
            on=settings.on,
            queue=await asyncio.to_thread(read_standing, self.config.ledger.path),
            paid_per_week=settings.paid_per_week,
            paid_this_week=await auditor.purse.spent(),
            week_ends=auditor.purse.week.ends,
            under_way=auditor.under_way,
        )

    async def expected(self, call: Call) -> Expected | Fault:
        """How many would be made, and for how much."""
        query = read_query(ExpectQuery, call.query)
        if isinstance(query, Fault):
            return query
        kind = None if query.kind is UNSET else query.kind
        return await expect(self.auditor, kind, None if query.limit is UNSET else query.limit)

    async def run(self, call: Call) -> Ran | Fault:
        """Make one."""
        if call.body is None:
            return refusals.too_large(self.config.body_limit)
        asked = read(RUNS, call.body or b"{}")
        if isinstance(asked, Fault):
            return asked
        kinds = KINDS if asked.kind is None else (asked.kind,)
        return Ran(await self.auditor.make_next(kinds, displaces=True))

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.dash.auditing_described import described  # noqa: PLC0415  # only if somebody asks

        return described()
