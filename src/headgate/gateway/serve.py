"""The gate's HTTP face: raw ASGI on the hot path, four routes, errors in the dialect of the caller.

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
from contextlib import aclosing, suppress
from time import perf_counter
from typing import Any

import msgspec

from headgate import __version__
from headgate.core.policy import AUTO
from headgate.core.types import Failure, GiveUp, Outcome, Request
from headgate.core.words import TASKS, Status
from headgate.engines.tokenizer import LARGE
from headgate.gateway import refusals
from headgate.gateway.asgi import (
    JSON,
    CallerGoneError,
    Lines,
    Receive,
    Scope,
    Send,
    read_body,
    send_body,
    send_fault,
    told,
)
from headgate.gateway.journey import HUNG_UP, Journey, Road
from headgate.gateway.metrics import CONTENT_TYPE, Metrics
from headgate.gateway.streams import EventStream, HangUp, Watch
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
    """The ASGI application.

    Args:
        road: what requests travel on.
        record: takes each outcome, without blocking.
        body_limit: bytes of a request's body.
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
        self.watch = Watch()
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        try:
            if path == "/v1/chat/completions" and scope["method"] == "POST":
                self.open += 1
                try:
                    await self.chat(scope, receive, send)
                finally:
                    self.open -= 1
            else:
                await self.look(scope, send)
        except Exception:
            log.exception("a request failed inside the gate")
            with suppress(Exception):
                await send_fault(send, refusals.inside())

    # ── Chat completions ─────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request through the gate."""
        headers = scope["headers"]
        stranger = refusals.foreign_page(headers)
        if stranger is not None:
            await send_fault(send, stranger)
            return
        try:
            body = await read_body(receive, self.body_limit)
        except CallerGoneError:
            return
        received, begun = time.time(), perf_counter()
        request = await self.understand(body, headers, new_id(received))
        if isinstance(request, Fault):
            await send_fault(send, request)
            return
        signals = await self.road.tokenizer.measure(request, self.road.policy, len(body or b""))
        journey = Journey(self.road, request, signals, received=received, begun=begun)
        if request.stream:
            await self.chat_stream(journey, receive, send)
        else:
            await self.chat_whole(journey, receive, send)

    async def understand(self, body: bytes | None, headers: Lines, request_id: str) -> Request | Fault:
        """The body and the headers as a request that can be routed, or what is wrong with them."""
        if body is None:
            return refusals.too_large(self.body_limit)
        if len(body) > LARGE:
            request = await asyncio.to_thread(door.decode_request, body, request_id)
        else:
            request = door.decode_request(body, request_id)
        if isinstance(request, Request):
            request = refusals.apply_headers(request, headers)
        if isinstance(request, Request):
            return refusals.unroutable(self.road.policy, request) or request
        return request

    async def chat_whole(self, journey: Journey, receive: Receive, send: Send) -> None:
        """Answer without streaming."""
        with HangUp(receive, self.watch) as caller:
            try:
                result = await journey.run()
            except asyncio.CancelledError:
                if caller.gone:
                    self.finish(journey, "cancelled", HUNG_UP)
                    return
                self.finish(journey, "failed", CLOSED)
                await send_fault(send, refusals.closed())
                raise
            except Exception as error:
                self.finish(journey, "failed", f"the gate failed: {error!r}")
                raise
        if isinstance(result, GiveUp):
            outcome = self.finish(journey, "failed", result.reason)
            await send_fault(send, refusals.no_answer(journey, result), told(outcome))
            return
        outcome = self.finish(journey, journey.status)
        model = journey.model.id if journey.model is not None else ""
        body = door.encode_reply(result, request_id=outcome.id, model=model, created=int(outcome.received))
        await send_body(send, 200, body, JSON, *told(outcome))

    async def chat_stream(self, journey: Journey, receive: Receive, send: Send) -> None:
        """Answer as a stream of events. A caller who does not read has no more time than an engine that does not write."""
        stream = EventStream(journey, send, self.keep_alive)
        limit = journey.decision.within + SLACK
        with HangUp(receive, self.watch) as caller:
            try:
                async with asyncio.timeout(limit), aclosing(journey.stream()) as parts, stream:
                    async for part in parts:
                        await stream.put(part)
            except TimeoutError:
                stream.broken = Failure(reason="timeout", detail="the caller did not read it in time")
            except asyncio.CancelledError:
                if caller.gone:
                    self.finish(journey, "cancelled", HUNG_UP)
                    return
                self.finish(journey, "broken" if stream.begun else "failed", CLOSED)
                await stream.fail(refusals.closed(), None)
                raise
            except Exception as error:
                log.exception("a stream failed inside the gate")
                self.finish(journey, "broken" if stream.begun else "failed", f"the gate failed: {error!r}")
                await stream.fail(refusals.inside(), None)
                return
        if stream.gave_up is not None:
            outcome = self.finish(journey, "failed", stream.gave_up.reason)
            await stream.fail(refusals.no_answer(journey, stream.gave_up), outcome)
        elif stream.broken is not None:
            self.finish(journey, "broken", stream.broken.detail)
            await stream.fail(refusals.broken_off(stream.broken), None)
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

    async def look(self, scope: Scope, send: Send) -> None:
        """The routes that only show something."""
        path, method = scope["path"], scope["method"]
        if path not in ALLOWED:
            fault = Fault(
                status=404,
                message=f"there is no {path} here",
                code="unknown_url",
                hint=f"there is {', '.join(ALLOWED)}",
            )
            await send_fault(send, fault)
        elif method not in ALLOWED[path]:
            takes = ALLOWED[path][0]
            fault = Fault(status=405, message=f"{path} takes {takes}, not {method}", hint=f"send a {takes}")
            await send_fault(send, fault, [(b"allow", ", ".join(ALLOWED[path]).encode())])
        elif path == "/metrics":
            text = self.metrics.text(open_requests=self.open, rows_lost=self.health()["ledger"]["rows_lost"])
            await send_body(send, 200, text, (b"content-type", CONTENT_TYPE))
        else:
            value = self.models() if path == "/v1/models" else self.state()
            status = 503 if path == "/healthz" and value["status"] != "ok" else 200
            await send_body(send, status, msgspec.json.encode(value), JSON)

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
