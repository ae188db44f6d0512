"""POST /v1/feedback: what a caller says of an answer that he got, as a thumb and a comment. It counts as a label.

Of a local answer, a thumb down says that its checks missed something, and a thumb up that it was good. Of a paid answer it says nothing
about whether paying was necessary, and is only kept. A caller knows requests of his own key, and one without a key those without; an
admin knows all. What was answered a moment ago may not be in the ledger yet: then it is waited for. This module does not know what
comes of a label (`ledger.opinions`).
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, structs

from headgate.core.audits import Opinion
from headgate.core.errors import LedgerError
from headgate.core.judges.found import verdict_for
from headgate.core.words import AuditVerdict
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.keys import Holder, holder
from headgate.ledger.opinions import Asked, find_asked, give_opinion, note_opinion, read_opinions, take_back
from headgate.ledger.writer import LedgerWriter
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

PATH = "/v1/feedback"

LONGEST = 2_000
"""Characters of a comment."""

Thumb = Literal["up", "down"]
SCORES: Mapping[Thumb, float] = {"up": 1.0, "down": 0.0}

_ID = re.compile(r"(?:[a-z]{1,12}[-_])?([0-9a-f]{19})")
"""The id in `x-headgate-request-id`, alone or as part of an answer's own id ("chatcmpl-…", "resp_…")."""


class WireFeedback(Struct, forbid_unknown_fields=True):
    """The body."""

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    """The request's id, from the header x-headgate-request-id."""
    thumb: Thumb | None
    """Null takes back what was said."""
    comment: Annotated[str, Meta(max_length=LONGEST)] | None = None
    """Without one, what was written beside the same thumb before stays."""


class Feedback(Struct, frozen=True, kw_only=True):
    """What is known of an answer from now on."""

    object: Literal["feedback"] = "feedback"
    id: str
    thumb: Thumb | None
    comment: str
    counts_as: AuditVerdict | None
    """What it says of the local answer; null where it says nothing."""
    in_force: bool
    """False where a person has judged the answer otherwise than by this, or it counts as nothing."""


_decode = msgspec.json.Decoder(WireFeedback)


class FeedbackService:
    """Answers this path.

    Args:
        writer: writes the ledger.
        body_limit: bytes of a body, for the error that names it.
    """

    methods: Mapping[str, tuple[str, ...]] = {PATH: ("POST",)}

    def __init__(self, writer: LedgerWriter, body_limit: int) -> None:
        self.writer = writer
        self.body_limit = body_limit

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        del path, names
        found = await self.take(call)
        if isinstance(found, Fault):
            answer_fault(call, found)
        else:
            call.answer(200, JSON, msgspec.json.encode(found))

    async def take(self, call: Call) -> Feedback | Fault:
        """Keep what a caller says, or say why not."""
        if call.body is None:
            return refusals.too_large(self.body_limit)
        said = read(_decode, call.body)
        if isinstance(said, Fault):
            wrong = structs.replace(
                said, hint='send {"id": …, "thumb": "up"} as JSON; docs/feedback.md has the fields'
            )
            return refusals.compressed(call.headers) or wrong
        caller = holder.get()
        try:
            asked = await self.find(said.id, caller)
            if isinstance(asked, Fault):
                return asked
            return await asyncio.to_thread(keep, self.writer.path, asked, said, caller)
        except LedgerError as error:
            return Fault(
                status=503,
                message=error.message,
                kind="server_error",
                code="ledger_unusable",
                hint=error.hint or "headgate doctor says what is wrong",
                retry=True,
            )

    async def find(self, word: str, caller: Holder) -> Asked | Fault:
        """The request that a caller means, if it is one of his and has an answer."""
        named = _ID.fullmatch(word)
        if named is None:
            return no_id(word)
        path, request_id = self.writer.path, named[1]
        asked = await asyncio.to_thread(find_asked, path, request_id)
        if asked is None and self.writer.waiting:
            await asyncio.to_thread(self.writer.flush)
            asked = await asyncio.to_thread(find_asked, path, request_id)
        if asked is None or not (caller.admin or asked.key == caller.name):
            return no_request(request_id)
        return asked if asked.answered else no_answer(request_id)

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The path in OpenAPI's form."""
        from headgate.gateway.feedback_described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def keep(path: Path, asked: Asked, said: WireFeedback, caller: Holder) -> Feedback:
    """Put it down. On another thread: it writes the ledger."""
    if said.thumb is None:
        take_back(path, asked.n, "caller", time())
        return Feedback(id=asked.id, thumb=None, comment="", counts_as=None, in_force=False)
    about_home = asked.local is True and asked.kind == "local"
    verdict = verdict_for("local", as_good=said.thumb == "up") if about_home else "unclear"
    score, before = SCORES[said.thumb], read_opinions(path, asked.n)
    comment = said.comment
    if comment is None:
        comment = next((one.reason for one in before if (one.judge, one.score) == ("caller", score)), "")
    opinion = Opinion(verdict=verdict, judge="caller", by=caller.name, score=score, reason=comment)
    if opinion not in before:  # said again, it changes nothing
        if about_home:
            give_opinion(path, asked.n, opinion, time())
        else:
            note_opinion(path, asked.n, opinion, time())
    counts = about_home and not any(one.judge == "person" for one in before)
    return Feedback(
        id=asked.id,
        thumb=said.thumb,
        comment=comment,
        counts_as=verdict if about_home else None,
        in_force=counts,
    )


def no_id(word: str) -> Fault:
    """It is no id of a request."""
    return Fault(
        status=400,
        message=f'"{word[: refusals.LONGEST_WORD]}" is no id of a request',
        code="invalid_id",
        param="id",
        hint="send what stood in the header x-headgate-request-id of the answer, or the id of the answer itself",
    )


def no_request(request_id: str) -> Fault:
    """The ledger has no such request, or it is somebody else's, which is not told."""
    return Fault(
        status=404,
        message=f"there is no request {request_id} of this caller",
        code="request_not_found",
        param="id",
        hint="send the key with which it was asked; an answer that still flows is known once it has ended",
    )


def no_answer(request_id: str) -> Fault:
    """There is no answer in words that somebody could judge."""
    return Fault(
        status=409,
        message=f"the request {request_id} got no answer that could be judged",
        code="nothing_to_judge",
        param="id",
        hint="only answers of models in words can be judged, no vectors and no errors",
    )
