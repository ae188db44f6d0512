"""The paths on which a person looks at audits and overrules them.

    GET  /admin/audits/pairs               two answers to each request, without a word on whose they are
    POST /admin/audits/{request}/opinion   {"choice": "1" | "2" | "="} of such a pair, or {"verdict": …} of any request; {"verdict": null}
                                           takes it back

What is answered to a choice says whose the answers were. It does not know how pairs are found (`lab.reviewing`).
"""

import asyncio
from collections.abc import Mapping
from time import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.config.compile import Config
from headgate.core.errors import HeadgateError, UsageError
from headgate.core.judges.quoted import shown
from headgate.core.words import AuditKind, AuditVerdict, Task
from headgate.dash.service import FRESH, LOOK, fault_of
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.keys import holder
from headgate.gateway.queries import read_query
from headgate.lab.reviewing import Choice, Review, choose, overrule, reviews, withdraw
from headgate.ledger.opinions import find_asked
from headgate.ledger.sealing import seal_of
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

PAIRS, OPINION = "/admin/audits/pairs", "/admin/audits/{request}/opinion"
MOST = 200


class PairsQuery(Struct, frozen=True):
    """Which pairs are meant."""

    kind: Annotated[AuditKind | UnsetType, Meta(description="those of one kind; all")] = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST, description="so many at most")] = 20
    judged: Annotated[
        Literal["no", "yes"], Meta(description="those that a person has judged already as well")
    ] = "no"


class Said(Struct, frozen=True, kw_only=True):
    """What was asked, or said before."""

    role: str
    text: str


class ShownPair(Struct, frozen=True, kw_only=True):
    """A request and two answers to it."""

    id: str
    kind: AuditKind
    task: Task | None
    route: str
    received: float
    """Unix time."""
    asked: tuple[Said, ...]
    first: str
    second: str
    verdict: AuditVerdict | None
    """The one in force; null while the audit waits."""
    judge: str | None


class Pairs(Struct, frozen=True, kw_only=True):
    """What there is to look at."""

    object: Literal["list"] = "list"
    data: tuple[ShownPair, ...]
    locked: int
    """More, whose answers are sealed with a key that is not here."""


class WireOpinion(Struct, forbid_unknown_fields=True):
    """The body of an opinion: a choice, or a verdict."""

    choice: Choice | UnsetType = UNSET
    verdict: Literal["unnecessary", "necessary", "good", "missed"] | UnsetType | None = UNSET
    """Null takes back what was said."""
    reason: Annotated[str, Meta(max_length=2000)] = ""


class Given(Struct, frozen=True, kw_only=True):
    """What is in force from now on, and whose the answers were."""

    id: str
    verdict: AuditVerdict | None
    """Null: what was said is taken back."""
    first: str | None = None
    """The model that gave the first answer, of a choice."""
    second: str | None = None


_decode = msgspec.json.Decoder(WireOpinion)


class PairService:
    """Answers these paths.

    Args:
        config: whose ledger is read and written.
    """

    methods: Mapping[str, tuple[str, ...]] = {PAIRS: LOOK, OPINION: ("POST",)}
    admin = True
    open_paths: frozenset[str] = frozenset()

    def __init__(self, config: Config) -> None:
        self.config = config

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        try:
            found = (
                await asyncio.to_thread(self.pairs, call)
                if path == PAIRS
                else await self.take(call, names["request"])
            )
        except HeadgateError as error:
            found = fault_of(error)
        if isinstance(found, Fault):
            answer_fault(call, found)
        else:
            call.answer(200, JSON + FRESH, msgspec.json.encode(found))

    def pairs(self, call: Call) -> Pairs | Fault:
        """What there is to look at."""
        query = read_query(PairsQuery, call.query)
        if isinstance(query, Fault):
            return query
        found = reviews(
            self.config.ledger.path,
            seal_of(self.config.audit),
            kind=None if query.kind is UNSET else query.kind,
            limit=query.limit,
            judged_too=query.judged == "yes",
        )
        return Pairs(data=tuple([shown_pair(review) for review in found.pairs]), locked=found.locked)

    async def take(self, call: Call, request: str) -> Given | Fault:
        """Keep what a person says."""
        if call.body is None:
            return refusals.too_large(self.config.body_limit)
        said = read(_decode, call.body)
        if isinstance(said, Fault):
            return said
        if (said.choice is UNSET) == (said.verdict is UNSET):
            return Fault(
                status=400,
                message="an opinion is a choice or a verdict, and this is both or neither",
                code="invalid_opinion",
                hint='send {"choice": "1"}, "2" or "=" of a pair; or {"verdict": "unnecessary"}',
            )
        return await asyncio.to_thread(self.keep, request, said, holder.get().name)

    def keep(self, request: str, said: WireOpinion, by: str) -> Given | Fault:
        """Put it down. On another thread: it writes the ledger."""
        path = self.config.ledger.path
        try:
            if said.verdict is None:
                withdraw(path, request, time())
                return Given(id=request, verdict=None)
            if said.verdict is not UNSET:
                overruled = overrule(path, request, said.verdict, time(), by=by, reason=said.reason)
                return Given(id=request, verdict=overruled.verdict)
        except UsageError as error:
            known = find_asked(path, request) is not None
            return Fault(
                status=409 if known else 404,
                message=error.message,
                code="invalid_opinion" if known else "request_not_found",
                param="verdict" if known else "request",
                hint=error.hint,
            )
        assert said.choice is not UNSET, "it is one of both"
        found = reviews(path, seal_of(self.config.audit), request_id=request, judged_too=True)
        if not found.pairs:
            return Fault(
                status=404,
                message=f"there are no two answers to the request {request[:100]}",
                code="no_pair",
                param="request",
                hint="GET /admin/audits/pairs lists those that there are; a verdict can be given of any request",
            )
        (review,) = found.pairs
        opinion = choose(path, review, said.choice, by, time())
        first, second = review.answers
        return Given(id=request, verdict=opinion.verdict, first=first.model, second=second.model)

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.dash.pairs_described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def shown_pair(review: Review) -> ShownPair:
    """A pair without a word on whose answers they are."""
    first, second = review.answers
    return ShownPair(
        id=review.id,
        kind=review.kind,
        task=review.pair.task,
        route=review.route,
        received=review.received,
        asked=tuple([Said(role=one.role, text=one.text) for one in review.pair.request.messages]),
        first=shown(first),
        second=shown(second),
        verdict=review.verdict,
        judge=review.judge or None,
    )
