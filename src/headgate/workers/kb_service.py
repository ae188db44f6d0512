"""/v1/kb: which knowledge bases there are, passages for a question, and answers with citations.

A question that has been answered gets 200, also when the answer is that it is not in the documents: `found` says so. An error is what was
asked wrongly, or that no model answered. It does not know how passages are found (`knowledge`) or answers made (`cited`).
"""

import asyncio
from collections.abc import Mapping
from time import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from headgate.core.errors import EngineError, HeadgateError, UsageError
from headgate.core.types import GiveUp, Message, Request
from headgate.gateway import refusals
from headgate.gateway.asking import apply_headers, caller_of
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault, told
from headgate.gateway.serve import new_id
from headgate.knowledge import places
from headgate.knowledge.store import Base
from headgate.knowledge.types import MARK, UNMARK, Found
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault
from headgate.workers.cited import KB, PASSAGES, CitedAnswers
from headgate.workers.results import run_of

LIST, ASK, SEARCH = "/v1/kb", "/v1/kb/{name}/ask", "/v1/kb/{name}/search"
TAKES: Mapping[str, tuple[str, ...]] = {LIST: ("GET", "HEAD"), ASK: ("POST",), SEARCH: ("POST",)}

MOST = 100
"""Passages of one search."""

Question = Annotated[str, Meta(min_length=1, max_length=20_000)]
Number = Annotated[int, Meta(ge=1, le=MOST)]


class WireQuestion(Struct, forbid_unknown_fields=True):
    """The body of a question."""

    question: Question
    k: Number = PASSAGES
    """Passages that are looked at."""


class WireSearch(Struct, forbid_unknown_fields=True):
    """The body of a search."""

    question: Question
    k: Number = 5
    """Passages, at most."""
    how: Literal["hybrid", "words", "vectors"] = "hybrid"


QUESTION = msgspec.json.Decoder(WireQuestion)
SEARCHED = msgspec.json.Decoder(WireSearch)


class KbService:
    """Answers /v1/kb.

    Args:
        cited: answers questions, from bases that it keeps open.
        body_limit: bytes of a body, for the error that names it.
    """

    methods = TAKES

    def __init__(self, cited: CitedAnswers, body_limit: int) -> None:
        self.cited = cited
        self.body_limit = body_limit

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        if path == LIST:
            bases = await asyncio.to_thread(list_bases)
            call.answer(200, JSON, msgspec.json.encode({"object": "list", "data": bases}))
            return
        name = names["name"]
        try:
            await asyncio.to_thread(places.find, name)
        except UsageError as error:
            unknown = Fault(
                status=404, message=error.message, code="kb_not_found", param="name", hint=error.hint
            )
            answer_fault(call, unknown)
            return
        try:
            fault = await (self.ask if path == ASK else self.search)(call, name)
        except UsageError as error:
            fault = Fault(
                status=400, message=error.message, code="unsupported_value", param="how", hint=error.hint
            )
        except HeadgateError as error:
            fault = Fault(
                status=503,
                message=error.message,
                kind="api_error",
                code="no_answer" if isinstance(error, EngineError) else "kb_unusable",
                hint=error.hint,
            )
        if fault is not None:
            answer_fault(call, fault)

    async def ask(self, call: Call, name: str) -> Fault | None:
        """Answer a question, or say what is wrong with it."""
        wanted = self.wanted(call, QUESTION, name)
        if isinstance(wanted, Fault):
            return wanted
        asked, request = wanted
        request = replace(request, messages=(Message("user", asked.question),))
        answered = await self.cited.answer(request, caller=caller_of(call), k=asked.k)
        worked = answered.worked
        if isinstance(worked.result, GiveUp):
            fault = refusals.no_answer(worked.outcome, worked.result, self.cited.gate.road.fleet)
            answer_fault(call, fault, told(worked.outcome))
            return None
        run = run_of(
            f"kb:{name}",
            None,
            worked.result,
            (*worked.before, worked.outcome),
            steps=worked.steps,
            output=worked.output,
        )
        call.answer(200, JSON + told(worked.outcome), msgspec.json.encode(run))
        return None

    async def search(self, call: Call, name: str) -> Fault | None:
        """Find passages, or say what is wrong with the question."""
        wanted = self.wanted(call, SEARCHED, name)
        if isinstance(wanted, Fault):
            return wanted
        asked, request = wanted
        embedder = self.cited.embedder_for(request)
        found = await self.cited.shelf.search(
            name, asked.question, k=asked.k, embedder=embedder, how=asked.how
        )
        call.answer(200, JSON, msgspec.json.encode(shown(found)))
        return None

    def wanted(self, call: Call, form: "msgspec.json.Decoder[Any]", name: str) -> tuple[Any, Request] | Fault:
        """The body of a call and what its headers say, or what is wrong with them."""
        if call.body is None:
            return refusals.too_large(self.body_limit)
        asked = read(form, call.body)
        if isinstance(asked, Fault):
            return refusals.compressed(call.headers) or asked
        request = Request(id=new_id(time()), asked=f"{KB}{name}", messages=())
        with_headers = apply_headers(request, call.headers)
        return with_headers if isinstance(with_headers, Fault) else (asked, with_headers)

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.workers.kb_described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def list_bases() -> list[dict[str, Any]]:
    """The bases of this machine; one that cannot be read is listed with why. Blocks."""
    listed = []
    for name in places.names():
        entry: dict[str, Any] = {"name": name, "model": f"{KB}{name}"}
        try:
            with Base(places.find(name)) as base:
                stats = base.stats()
        except HeadgateError as error:
            entry["problem"] = error.message
        else:
            entry |= {
                "folders": stats.folders,
                "files": stats.files,
                "chunks": stats.chunks,
                "embedding_model": stats.model,
                "without_vector": stats.missing,
                "local_only": stats.local_only,
            }
        listed.append(entry)
    return listed


def shown(found: Found) -> dict[str, Any]:
    """What was found, for programs."""
    hits = [
        {
            **msgspec.to_builtins(hit.passage),
            "score": round(hit.score, 6),
            "by_words": hit.by_words,
            "by_vectors": hit.by_vectors,
            "snippet": hit.snippet.replace(MARK, "").replace(UNMARK, ""),
        }
        for hit in found.hits
    ]
    return {"how": found.how, "note": found.note, "hits": hits}
