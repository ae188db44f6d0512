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
from headgate.core.policy import AUTO, asked_task, find_model, is_auto
from headgate.core.types import GiveUp, Outcome, Request
from headgate.core.words import TASKS, Status
from headgate.gateway.asgi import JSON, Lines, Receive, Scope, Send, read_body, send_body, send_fault, told
from headgate.gateway.journey import Journey, Road
from headgate.gateway.metrics import CONTENT_TYPE, Metrics
from headgate.gateway.streams import EventStream, HangUp
from headgate.wire.doors import openai_chat as door
from headgate.wire.faults import Fault

ALLOWED = {
    "/v1/chat/completions": "POST",
    "/v1/models": "GET",
    "/healthz": "GET",
    "/metrics": "GET",
}

OWN_PAGES = (b"http://localhost:", b"http://127.0.0.1:", b"http://[::1]:")
"""Origins of pages that may use the gate: those that this machine serves. Any other page would spend the user's money."""

log = logging.getLogger("headgate.gateway")


class Gate:
    """The ASGI application.

    Args:
        road: what requests travel on; `reload` replaces it.
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
            fault = Fault(
                status=500,
                message="the gate failed on this request",
                kind="api_error",
                hint="the gate's log says where; please report it",
            )
            with suppress(Exception):
                await send_fault(send, fault)

    # ── Chat completions ─────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request through the gate."""
        received, begun = time.time(), perf_counter()
        body = await read_body(receive, self.body_limit)
        if body is None:
            limit = self.body_limit // (1024 * 1024)
            await send_fault(
                send,
                Fault(
                    status=413,
                    message=f"the body is larger than {limit} MB",
                    code="request_too_large",
                    hint="raise body_limit_mb under [server], or send less",
                ),
            )
            return
        request = door.decode_request(body, new_id(received))
        if isinstance(request, Request):
            request = apply_headers(request, scope["headers"]) or request
        problem = request if isinstance(request, Fault) else self.refuse(request)
        if problem is not None:
            await send_fault(send, problem)
            return
        assert isinstance(request, Request)
        signals = await self.road.tokenizer.measure(request, self.road.policy, len(body))
        journey = Journey(self.road, request, signals, received=received, begun=begun)
        try:
            if request.stream:
                await self.chat_stream(journey, receive, send)
            else:
                await self.chat_whole(journey, receive, send)
        except Exception as error:
            if not journey.recorded:
                self.finish(journey, "failed", f"the gate failed: {error!r}")
            raise

    def refuse(self, request: Request) -> Fault | None:
        """Why this request cannot be routed at all."""
        if is_auto(request.asked):
            word = request.asked.partition(":")[2]
            if request.asked == AUTO or word == "local" or asked_task(request.asked) is not None:
                return None
            return unknown("task", word, ("local", *TASKS), "model")
        if find_model(self.road.policy, request.asked) is None:
            return unknown("model", request.asked, (AUTO, *self.road.policy.models), "model")
        return None

    async def chat_whole(self, journey: Journey, receive: Receive, send: Send) -> None:
        """Answer without streaming."""
        with HangUp(receive) as caller:
            try:
                result = await journey.run()
            except asyncio.CancelledError:
                if not caller.gone:
                    raise
                self.finish(journey, "cancelled", "the caller hung up")
                return
        if isinstance(result, GiveUp):
            outcome = self.finish(journey, "failed", result.reason)
            await send_fault(send, give_up(journey, result), told(outcome))
            return
        outcome = self.finish(journey, journey.status)
        model = journey.model.id if journey.model is not None else ""
        body = door.encode_reply(result, request_id=outcome.id, model=model, created=int(outcome.received))
        lines = told(outcome)
        lines.append(JSON)
        lines.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    async def chat_stream(self, journey: Journey, receive: Receive, send: Send) -> None:
        """Answer as a stream of events."""
        stream = EventStream(journey, send, self.keep_alive)
        with HangUp(receive) as caller:
            try:
                async with aclosing(journey.stream()) as parts, stream:
                    async for part in parts:
                        await stream.put(part)
            except asyncio.CancelledError:
                if not caller.gone:
                    raise
                self.finish(journey, "cancelled", "the caller hung up")
                return
        if stream.gave_up is not None:
            outcome = self.finish(journey, "failed", stream.gave_up.reason)
            await stream.fail(give_up(journey, stream.gave_up), outcome)
        elif stream.broken is not None:
            self.finish(journey, "broken", stream.broken.detail)
            fault = Fault(
                status=502,
                message=f"the answer broke off: {stream.broken.detail}",
                kind="api_error",
                code=stream.broken.reason,
                hint="the text so far is incomplete; send the request again",
                retry=True,
            )
            await stream.fail(fault, None)
        else:
            outcome = self.finish(journey, journey.status)
            await stream.end(outcome)

    def finish(self, journey: Journey, status: Status, error: str = "") -> Outcome:
        """Write the journey down."""
        outcome = journey.outcome(status, error)
        journey.recorded = True
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
        elif method not in (ALLOWED[path], "HEAD"):
            fault = Fault(
                status=405,
                message=f"{path} takes {ALLOWED[path]}, not {method}",
                hint=f"send a {ALLOWED[path]}",
            )
            await send_fault(send, fault, [(b"allow", ALLOWED[path].encode())])
        elif path == "/metrics":
            health = self.health()
            self.metrics.open.set(self.open)
            self.metrics.lost.set(health["ledger"]["rows_lost"])
            await send_body(send, 200, self.metrics.text(), (b"content-type", CONTENT_TYPE))
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


# ── What a request says beside its body, and what we say when it fails ───────────────────────────────────────────────


def apply_headers(request: Request, headers: Lines) -> Request | Fault | None:
    """What the caller says in headers: the task, privacy and a deadline. None when nothing is said.

    A browser says which page sends a request (`origin`), and only pages of this machine are let in.
    """
    changes: dict[str, Any] = {}
    for name, value in headers:
        if name == b"origin" and not value.startswith(OWN_PAGES):
            return Fault(
                status=403,
                message="a web page of another site may not use the gate",
                code="foreign_origin",
                hint="call the gate from a server or from a page on this machine",
            )
        if not name.startswith(b"x-headgate-"):
            continue
        word = value.decode("latin-1").strip()
        if name == b"x-headgate-task":
            if word not in TASKS:
                return unknown("task", word, TASKS, "x-headgate-task")
            changes["task"] = word
        elif name == b"x-headgate-privacy":
            if word != "local_only":
                return unknown("privacy", word, ("local_only",), "x-headgate-privacy")
            changes["local_only"] = True
        elif name == b"x-headgate-within":
            try:
                changes["within"] = float(word)
            except ValueError:
                changes["within"] = -1.0
            if not 0 < changes["within"] < 86_400:
                return Fault(
                    status=400,
                    message=f'"{word}" is not a number of seconds',
                    param="x-headgate-within",
                    hint="send x-headgate-within: 20",
                )
    return msgspec.structs.replace(request, **changes) if changes else None


def unknown(what: str, word: str, known: tuple[str, ...], param: str) -> Fault:
    """A word that we do not know, with the one that was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415  # only on the way to an error

    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return Fault(
        status=404 if what == "model" else 400,
        message=f'there is no {what} "{word}"',
        code=f"{what}_not_found",
        param=param,
        hint=f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(known)}",
    )


def give_up(journey: Journey, result: GiveUp) -> Fault:
    """The error for a caller who gets no answer."""
    failures = [attempt.failure for attempt in journey.attempts if attempt.failure is not None]
    skips = set(journey.decision.skipped.values())
    waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
    if failures and all(
        failure.status is not None and failure.status in (400, 404, 413, 422) for failure in failures
    ):
        return Fault(
            status=400,
            message=result.reason,
            code=failures[-1].reason,
            hint="the engines refused the request itself",
        )
    if "privacy" in skips:
        hint = "this request may not leave your machines; start a local engine, or drop the privacy wish"
    elif not failures and skips and skips <= {"window"}:
        return Fault(
            status=400,
            message=result.reason,
            code="context_length_exceeded",
            hint="shorten the prompt, or add a model with a larger window",
        )
    elif skips & {"down", "breaker"} or any(failure.reason == "refused" for failure in failures):
        hint = "headgate doctor says what is missing"
    else:
        hint = f"headgate log show {journey.request.id} tells the whole story"
    busy = bool(skips & {"busy"}) or any(failure.status == 429 for failure in failures)
    late = not busy and bool(failures) and all(failure.reason == "timeout" for failure in failures)
    return Fault(
        status=503 if not late else 504,
        message=result.reason,
        kind="api_error",
        code="engine_busy" if busy else "no_answer",
        hint=hint,
        retry=busy,
        retry_after=max(waits) if waits else (2.0 if busy else None),
    )


def new_id(now: float) -> str:
    """A request id that sorts by time: eleven hex digits of milliseconds, eight of chance. It is a name, not a secret."""
    return f"{int(now * 1000):011x}{random.getrandbits(32):08x}"
