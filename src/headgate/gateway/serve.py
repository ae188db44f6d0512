"""The gate's HTTP face: four routes, errors in the dialect of the caller.

    POST /v1/chat/completions    a request, streamed or not
    GET  /v1/models              what a caller may name
    GET  /healthz                how the gate, its engines and its ledger are
    GET  /metrics                counters for Prometheus

A caller who hangs up takes the call to the engine with him. A stream that breaks after its first byte ends in an error
event and never in the end mark. Final failures say `x-should-retry: false`.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from time import perf_counter
from typing import Any

import msgspec

from headgate import __version__
from headgate.core.policy import AUTO
from headgate.core.types import Failure, GiveUp, Outcome, Request
from headgate.core.words import TASKS, Status
from headgate.engines.tokenizer import LARGE
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault, told
from headgate.gateway.journey import HUNG_UP, Journey, Road
from headgate.gateway.metrics import CONTENT_TYPE, Metrics
from headgate.gateway.streams import EventStream
from headgate.wire.doors import openai_chat as door
from headgate.wire.faults import Fault

ALLOWED = {
    "/v1/chat/completions": ("POST",),
    "/v1/models": ("GET", "HEAD"),
    "/healthz": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
}

SLACK = 1.0
"""Seconds that a stream gets beyond the request's own limit, which the cascade watches."""

CLOSED = "the gate was closed"

log = logging.getLogger("headgate.gateway")


class Gate:
    """What is served.

    Args:
        road: what requests travel on.
        record: takes each outcome, without blocking.
        body_limit: bytes of a request's body, for the error that names it.
        keep_alive: seconds between two signs of life while a stream is held.
        health: adds what the gate does not know itself (the ledger) to /healthz.
    """

    def __init__(
        self,
        road: Road,
        record: Callable[[Outcome], object],
        *,
        body_limit: int,
        keep_alive: float,
        health: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.road = road
        self.record = record
        self.body_limit = body_limit
        self.keep_alive = keep_alive
        self.health = health
        self.metrics = Metrics()
        self.open = 0

    async def __call__(self, call: Call) -> None:
        """Answer one HTTP request."""
        try:
            if call.path == "/v1/chat/completions" and call.method == "POST":
                self.open += 1
                try:
                    await self.chat(call)
                finally:
                    self.open -= 1
            else:
                self.look(call)
        except Exception:
            log.exception("a request failed inside the gate")
            if not call.begun:
                answer_fault(call, refusals.inside())

    # ── Chat completions ─────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, call: Call) -> None:
        """One request through the gate."""
        received, begun = time.time(), perf_counter()
        request = await self.understand(call, new_id(received))
        if isinstance(request, Fault):
            answer_fault(call, request)
            return
        signals = await self.road.tokenizer.measure(request, self.road.policy, len(call.body or b""))
        journey = Journey(self.road, request, signals, received=received, begun=begun)
        if request.stream:
            await self.chat_stream(journey, call)
        else:
            await self.chat_whole(journey, call)

    async def understand(self, call: Call, request_id: str) -> Request | Fault:
        """The body and the headers as a request that can be routed, or what is wrong with them."""
        stranger = refusals.foreign_page(call.headers)
        if stranger is not None:
            return stranger
        body = call.body
        if body is None:
            return refusals.too_large(self.body_limit)
        if len(body) > LARGE:
            request = await asyncio.to_thread(door.decode_request, body, request_id)
        else:
            request = door.decode_request(body, request_id)
        if isinstance(request, Request):
            request = refusals.apply_headers(request, call.headers)
        if isinstance(request, Request):
            return refusals.unroutable(self.road.policy, request) or request
        return request

    async def chat_whole(self, journey: Journey, call: Call) -> None:
        """Answer without streaming."""
        try:
            result = await journey.run()
        except asyncio.CancelledError:
            if call.gone:
                self.finish(journey, "cancelled", HUNG_UP)
            else:
                self.finish(journey, "failed", CLOSED)
                answer_fault(call, refusals.closed())
            raise
        except Exception as error:
            self.finish(journey, "failed", f"the gate failed: {error!r}")
            raise
        if isinstance(result, GiveUp):
            outcome = self.finish(journey, "failed", result.reason)
            answer_fault(call, refusals.no_answer(journey, result), told(outcome))
            return
        outcome = self.finish(journey, journey.status)
        model = journey.model.id if journey.model is not None else ""
        body = door.encode_reply(result, request_id=outcome.id, model=model, created=int(outcome.received))
        call.answer(200, JSON + told(outcome), body)

    async def chat_stream(self, journey: Journey, call: Call) -> None:
        """Answer as a stream of events. A caller who does not read has no more time than an engine that does not write."""
        stream = EventStream(journey, call, self.keep_alive)
        limit = journey.decision.within + SLACK
        try:
            async with asyncio.timeout(limit), aclosing(journey.stream()) as parts, stream:
                async for part in parts:
                    await stream.put(part)
        except TimeoutError:
            stream.broken = Failure(reason="timeout", detail="the caller did not read it in time")
        except asyncio.CancelledError:
            if call.gone:
                self.finish(journey, "cancelled", HUNG_UP)
            else:
                self.finish(journey, "broken" if stream.begun else "failed", CLOSED)
                stream.fail(refusals.closed(), None)
            raise
        except Exception as error:
            log.exception("a stream failed inside the gate")
            self.finish(journey, "broken" if stream.begun else "failed", f"the gate failed: {error!r}")
            stream.fail(refusals.inside(), None)
            return
        if stream.gave_up is not None:
            outcome = self.finish(journey, "failed", stream.gave_up.reason)
            stream.fail(refusals.no_answer(journey, stream.gave_up), outcome)
        elif stream.broken is not None:
            self.finish(journey, "broken", stream.broken.detail)
            stream.fail(refusals.broken_off(stream.broken), None)
        else:
            outcome = self.finish(journey, journey.status)
            await stream.end(outcome)

    def finish(self, journey: Journey, status: Status, error: str = "") -> Outcome:
        """Write the journey down."""
        outcome = journey.outcome(status, error)
        self.record(outcome)
        self.metrics.note(outcome)
        return outcome

    # ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, call: Call) -> None:
        """The routes that only show something."""
        path, method = call.path, call.method
        if path not in ALLOWED:
            fault = Fault(
                status=404,
                message=f"there is no {path} here",
                code="unknown_url",
                hint=f"there is {', '.join(ALLOWED)}",
            )
            answer_fault(call, fault)
        elif method not in ALLOWED[path]:
            takes = ALLOWED[path][0]
            fault = Fault(status=405, message=f"{path} takes {takes}, not {method}", hint=f"send a {takes}")
            answer_fault(call, fault, f"allow: {', '.join(ALLOWED[path])}\r\n".encode())
        elif path == "/metrics":
            text = self.metrics.text(open_requests=self.open, rows_lost=self.health()["ledger"]["rows_lost"])
            call.answer(200, b"content-type: %b\r\n" % CONTENT_TYPE, text)
        else:
            value = self.models() if path == "/v1/models" else self.state()
            status = 503 if path == "/healthz" and value["status"] != "ok" else 200
            call.answer(status, JSON, msgspec.json.encode(value))

    def models(self) -> dict[str, Any]:
        """What a caller may write as `model`."""
        ours = [AUTO, f"{AUTO}:local", *(f"{AUTO}:{task}" for task in TASKS if task != "embedding")]
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "headgate"} for name in ours]
        listed += [
            {"id": model.name, "object": "model", "created": 0, "owned_by": model.engine, "root": model.id}
            for model in self.road.policy.models.values()
        ]
        return {"object": "list", "data": listed}

    def state(self) -> dict[str, Any]:
        """How everything is."""
        fleet = self.road.fleet
        engines = {
            name: {
                "up": name not in fleet.down,
                "detail": fleet.down.get(name, ""),
                "version": fleet.health[name].version if name in fleet.health else "",
                "running": fleet.admission[name].running,
                "waiting": len(fleet.admission[name].waiting),
            }
            for name in fleet.engines
        }
        more = self.health()
        ok = more["ledger"]["problem"] is None and any(engine["up"] for engine in engines.values())
        return {
            "status": "ok" if ok else "degraded",
            "version": __version__,
            "pid": os.getpid(),
            "engines": engines,
            **more,
        }


def new_id(now: float) -> str:
    """A request id that sorts by time: eleven hex digits of milliseconds, eight of chance. It is a name, not a secret."""
    return f"{int(now * 1000):011x}{random.getrandbits(32):08x}"
