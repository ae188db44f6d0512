"""The gate's HTTP face: which door a call came through, and what it is given back.

Every door of `paths` takes the same way: read (`intake`), measure, travel (`journey`), answer in the words of that door. The
other paths only show something. A caller who hangs up takes the call to the engine with him. A stream that breaks after its
first byte ends in an error event and never in the end mark. Final failures say `x-should-retry: false`.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from headgate.core.policy import AGENT
from headgate.core.types import Failure, Outcome, Reply, Request
from headgate.core.words import DialectName, Status
from headgate.engines.tokenizer import LARGE
from headgate.gateway import paths, refusals, shown
from headgate.gateway.asking import caller_of, known_name
from headgate.gateway.caller import Call, discard
from headgate.gateway.entrance import Entrance, is_for_admins
from headgate.gateway.headers import JSON, answer_fault, told
from headgate.gateway.intake import Intake
from headgate.gateway.journey import HUNG_UP, Journey
from headgate.gateway.keys import ANYBODY, Holder, holder
from headgate.gateway.metrics import CONTENT_TYPE, Metrics
from headgate.gateway.outcomes import outcome_of, status_of
from headgate.gateway.road import Road
from headgate.gateway.services import Found, Service, Services
from headgate.gateway.shifts import Shift
from headgate.gateway.shown_fleet import describe_fleet
from headgate.gateway.streams import AnswerStream, about_journey, known_of
from headgate.wire.doors import About, Counter, Door, Ready, StreamingDoor
from headgate.wire.faults import Fault

SLACK = 1.0
"""Seconds that a stream gets beyond the request's own limit, which the cascade watches."""

CLOSED = "the gate was closed"

OLLAMA_VERSION = "0.33.0"
"""Of Ollama's protocol as spoken here; its clients compare it with what they need."""

RUNNING = b"Ollama is running: this is Headgate, which speaks its protocol too\n"
"""Some of Ollama's clients look for these first words."""

PAGE = "/dash/"
"""Where browsers are sent that ask for "/", if anything is served there."""

log = logging.getLogger("headgate.gateway")


class Face:
    """The gate as callers see it.

    Args:
        road: what requests travel on.
        record: takes each outcome, without blocking.
        intake: reads what callers send, and knows the workers.
        keep_alive: seconds between two signs of life while a stream is held.
        entrance: admits callers.
        health: adds what the gate does not know itself (the ledger) to /healthz.
        services: families of paths beside the models' own.
    """

    def __init__(
        self,
        road: Road,
        record: Callable[[Outcome], object],
        intake: Intake,
        *,
        entrance: Entrance,
        keep_alive: float,
        health: Callable[[], Mapping[str, Any]],
        services: Iterable[Service] = (),
    ) -> None:
        self.road = road
        self.record = record
        self.intake = intake
        self.entrance = entrance
        self.keep_alive = keep_alive
        self.health = health
        self.services = Services(services)
        self.metrics = Metrics()
        self.open = 0

    async def __call__(self, call: Call) -> None:
        """Answer one HTTP request."""
        await self.answer(call, await self.entrance.admit(call))

    async def answer(self, call: Call, whose: Holder | Fault) -> None:
        """Answer one HTTP request of somebody who was admitted, or not."""
        if not isinstance(whose, Holder):
            if not self.is_open(call.path):
                self.turn_away(call, whose)
                return
            whose = ANYBODY
        if holder.get() is not whose:  # a connection's task remembers who called before
            holder.set(whose)
        door = paths.DOORS.get(call.path)
        try:
            if door is not None and call.method == "POST":
                self.open += 1
                try:
                    await self.ask(call, door)
                finally:
                    self.open -= 1
            elif call.path in paths.COUNTERS and call.method == "POST":
                await self.count(call, paths.COUNTERS[call.path])
            elif (found := self.services.find(call.path)) is not None:
                await self.serve(call, found)
            else:
                self.look(call)
        except Exception:
            log.exception("a request failed inside the gate")
            if not call.begun:
                answer_fault(call, refusals.inside(), dialect=paths.dialect_of(call.path, call.headers))

    def is_open(self, path: str) -> bool:
        """Whether anybody may see this path, without a key too."""
        if path in paths.OPEN:
            return True
        found = self.services.find(path)
        return found is not None and found.open

    def turn_away(self, call: Call, fault: Fault) -> None:
        """Refuse a call; a browser that wants a page of the gate's is shown where to log in."""
        found = self.services.find(call.path)
        wants_page = call.method == "GET" and b"text/html" in call.headers.get(b"accept", b"")
        if found is not None and found.admin and wants_page and fault.status == 401:
            call.answer(303, b"location: %b\r\n" % paths.LOGIN, b"")
        else:
            lines = b"www-authenticate: Bearer\r\n" if fault.status == 401 else b""
            answer_fault(call, fault, lines, paths.dialect_of(call.path, call.headers))
        if call.file is not None:
            discard(call.file)

    # ── What models answer ───────────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, call: Call, door: Door) -> None:
        """One request through the gate."""
        received, begun = time.time(), perf_counter()
        request_id = new_id(received)
        request = await self.intake.read(call, door, request_id)
        if not isinstance(request, Request):
            if isinstance(request, Fault):
                answer_fault(call, request, b"", door.dialect, request_id)
            else:
                call.answer(200, JSON, request.body(received))
            return
        if not request.agent and request.asked.startswith(AGENT):
            worker = self.intake.worker_for(request)
            assert worker is not None, "else its agent would be on it"
            shift = Shift(
                worker,
                request,
                call,
                self.road,
                conversations=self.intake.conversations,
                received=received,
            )
            await shift.answer(door, self.keep_alive)
            return
        size = len(call.body or b"") if not request.recalled else LARGE + 1  # what was recalled may be long
        signals = await self.road.measure(request, size)
        signals = self.road.affinity.recall(request, signals)
        journey = Journey(self.road, request, signals, received=received, begun=begun, caller=caller_of(call))
        if request.stream:
            await self.answer_stream(journey, call, paths.STREAMING[call.path])
        else:
            await self.answer_whole(journey, call, door)

    async def serve(self, call: Call, found: Found) -> None:
        """Let a service answer."""
        takes = found.service.methods[found.path]
        whose = holder.get()
        stranger = refusals.foreign_page(call.headers, known=whose is not ANYBODY or found.open)
        forbidden = None
        if found.admin:
            forbidden = self.entrance.administers(call, whose)
        elif not found.open:
            forbidden = self.entrance.shows(call, whose)
        if forbidden is not None:
            self.turn_away(call, forbidden)
            return
        if stranger is not None:
            answer_fault(call, stranger)
        elif call.method not in takes:
            allowed = f"allow: {', '.join(takes)}\r\n".encode()
            answer_fault(call, paths.wrong_method(call.path, call.method, takes[0]), allowed)
        else:
            self.open += 1
            try:
                await found.service.answer(call, found.path, found.names)
            except asyncio.CancelledError:
                if not (call.gone or call.begun):
                    answer_fault(call, refusals.closed())
                raise
            finally:
                self.open -= 1
        if call.file is not None:
            discard(call.file)

    async def count(self, call: Call, counter: Counter) -> None:
        """Say how many tokens a request's prompt has, and ask no model."""
        request_id = new_id(time.time())
        request = await self.intake.read(call, counter, request_id)
        assert not isinstance(request, Ready), "what can be counted has a prompt"
        if isinstance(request, Fault):
            answer_fault(call, request, b"", counter.dialect, request_id)
            return
        call.answer(200, JSON, counter.encode_count(await self.road.tokenizer.count(request)))

    async def answer_whole(self, journey: Journey, call: Call, door: Door) -> None:
        """Answer without streaming."""
        try:
            result = await journey.run()
        except asyncio.CancelledError:
            if call.gone:
                self.finish(journey, "cancelled", HUNG_UP)
            else:
                self.finish(journey, "failed", CLOSED)
                answer_fault(call, refusals.closed(), b"", door.dialect, journey.request.id)
            raise
        except Exception as error:
            self.finish(journey, "failed", f"the gate failed: {error!r}")
            raise
        if not isinstance(result, Reply):
            outcome = self.finish(journey, "failed", result.reason)
            fault = refusals.no_answer(outcome, result, self.road.fleet)
            answer_fault(call, fault, told(outcome), door.dialect, outcome.id)
            return
        outcome = self.finish(journey, status_of(journey), reply=result)
        model = journey.model.id if journey.model is not None else ""
        about = About(journey.request, model, outcome.received)
        lines = JSON + told(outcome)
        if journey.request.kind == "embedding":
            lines += b"x-headgate-cached: %d/%d\r\n" % (journey.cached, len(journey.request.messages))
        call.answer(200, lines, door.encode_reply(result, about))

    async def answer_stream(self, journey: Journey, call: Call, door: StreamingDoor) -> None:
        """Answer as a stream. A caller who does not read has no more time than an engine that does not write."""
        stream = AnswerStream(
            door,
            call,
            self.keep_alive,
            about=partial(about_journey, journey),
            known=partial(known_of, journey),
        )
        limit = journey.decision.within + SLACK
        try:
            async with asyncio.timeout(limit), aclosing(journey.stream()) as parts:
                with stream:
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
            stream.fail(refusals.no_answer(outcome, stream.gave_up, self.road.fleet), outcome)
        elif stream.broken is not None:
            self.finish(journey, "broken", stream.broken.detail)
            stream.fail(refusals.broken_off(stream.broken), None)
        else:
            outcome = self.finish(journey, status_of(journey), reply=stream.reply)
            await stream.end(outcome)

    def finish(
        self, journey: Journey, status: Status, error: str = "", reply: Reply | None = None
    ) -> Outcome:
        """Write the journey down, and what was said on it if a later one may go on from there."""
        outcome = outcome_of(journey, status, error)
        if reply is not None and journey.request.remember:
            turn = self.intake.conversations.note(
                journey.request, reply, local_only=outcome.signals.local_only
            )
            outcome = replace(outcome, turn=turn)
        self.record(outcome)
        self.metrics.note(outcome)
        if journey.model is not None and outcome.usage is not None and journey.request.kind == "chat":
            self.road.affinity.note(journey.request, journey.model, outcome.usage)
        return outcome

    # ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, call: Call) -> None:
        """The paths that only show something."""
        path, method = call.path, call.method
        dialect = paths.dialect_of(path, call.headers)
        forbidden = self.entrance.administers(call, holder.get()) if is_for_admins(path) else None
        if forbidden is not None:
            self.turn_away(call, forbidden)
            return
        one = path.startswith(paths.ONE_MODEL)
        takes = paths.METHODS[paths.LOOKS[0]] if one else paths.METHODS.get(path)
        if takes is None:
            answer_fault(call, paths.no_such_path(path), dialect=dialect)
        elif method not in takes:
            allowed = f"allow: {', '.join(takes)}\r\n".encode()
            answer_fault(call, paths.wrong_method(path, method, takes[0]), allowed, dialect)
        elif path == "/" and b"text/html" in call.headers.get(b"accept", b"") and self.services.find(PAGE):
            call.answer(303, b"location: %b\r\nvary: accept\r\n" % PAGE.encode(), b"")
        elif path == "/":
            call.answer(200, b"content-type: text/plain; charset=utf-8\r\n", RUNNING)
        elif path == "/openapi.json":
            from headgate.gateway import openapi  # noqa: PLC0415  # only if somebody asks

            call.answer(200, JSON, openapi.document(self.services.all))
        elif path == "/metrics":
            text = self.metrics.text(
                open_requests=self.open,
                rows_lost=self.health()["ledger"]["rows_lost"],
                budgets=self.road.budgets.standings(),
            )
            call.answer(200, b"content-type: %b\r\n" % CONTENT_TYPE, text)
        else:
            value = self.shown(call, dialect)
            if isinstance(value, Fault):
                answer_fault(call, value, dialect=dialect)
                return
            status = 503 if path == "/healthz" and value["status"] != "ok" else 200
            call.answer(status, JSON, msgspec.json.encode(value))

    def shown(self, call: Call, dialect: DialectName) -> dict[str, Any] | Fault:
        """What a path shows, as a value."""
        path, policy, brought = call.path, self.road.policy, self.intake.brought
        if path == "/healthz":
            state = shown.state(self.road.fleet, self.health())
            if self.entrance.administers(call, holder.get()) is None:
                return state
            return {name: state[name] for name in ("status", "version", "pid")}
        if path == "/admin/fleet":
            return describe_fleet(self.road.fleet)
        if path == "/api/version":
            return {"version": OLLAMA_VERSION}
        if path in ("/v1/models", "/api/tags"):
            return shown.list_models(policy, dialect, brought())
        if path == "/api/ps":
            return shown.ready_for_ollama(policy, self.road.fleet)
        if path == paths.SHOW:
            if call.body is None:
                return refusals.too_large(self.intake.body_limit)
            asked = shown.asked_to_show(call.body)
            if isinstance(asked, Fault):
                return refusals.compressed(call.headers) or asked
            name = known_name(policy, asked)
            if not name:
                return refusals.nameless()
            found = shown.show_for_ollama(policy, name, brought())
        else:
            name = unquote(path.removeprefix(paths.ONE_MODEL))
            found = shown.find_listed(policy, name, dialect, brought())
        return found or refusals.no_model(policy, name)


def new_id(now: float) -> str:
    """A request id that sorts by time: eleven hex digits of milliseconds, eight of chance. It is a name, not a secret."""
    return f"{int(now * 1000) << 32 | random.getrandbits(32):019x}"
