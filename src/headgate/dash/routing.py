"""The paths behind the page's Routing and Ask.

    GET  /admin/routing     where the requests of some time went, and the routes in words
    POST /admin/replay      {"set": […], "since", "until"} → lines of JSON: progress, then the result
    POST /admin/route       a chat completion's body → where it would go, with the fleet as it is now; no model is called

Nothing here changes anything.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from time import time
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from headgate.config.changes import FORMS, SETTING
from headgate.config.compile import Config
from headgate.core.errors import HeadgateError
from headgate.core.policy import AGENT, decide
from headgate.dash.flows import read_flows
from headgate.dash.replaying import Replays
from headgate.dash.service import FRESH, LOOK, fault_of
from headgate.engines.tokenizer import LARGE
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.intake import Intake
from headgate.gateway.queries import Moment, read_query
from headgate.gateway.road import Road
from headgate.gateway.serve import new_id
from headgate.gateway.shown_decision import describe_decision
from headgate.wire.doors import Ready
from headgate.wire.doors.openai_chat import ChatCompletions
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

FLOWS, REPLAY, ROUTE = "/admin/routing", "/admin/replay", "/admin/route"
MONTH = 30 * 86_400.0
LINES = b"content-type: application/x-ndjson\r\ncache-control: no-store\r\n"


class FlowsQuery(Struct, frozen=True):
    """Which time is asked for."""

    since: Annotated[Moment | UnsetType, Meta(description="Unix seconds; thirty days before `until`")] = UNSET
    until: Annotated[Moment | UnsetType, Meta(description="Unix seconds; now")] = UNSET


class WireReplay(Struct, forbid_unknown_fields=True):
    """The body of a replay."""

    set: list[Annotated[str, Meta(pattern=SETTING)]] = []
    since: Moment | None = None
    until: Moment | None = None


ASKED = msgspec.json.Decoder(WireReplay)
DOOR = ChatCompletions()


class RoutingService:
    """Answers these paths.

    Args:
        config: whose ledger is read, and whose routes are shown.
        road: the gate's, for decisions as it would make them now.
        intake: reads what is asked.
    """

    methods: Mapping[str, tuple[str, ...]] = {FLOWS: LOOK, REPLAY: ("POST",), ROUTE: ("POST",)}
    admin = True
    open_paths: frozenset[str] = frozenset()

    def __init__(self, config: Config, road: Road, intake: Intake) -> None:
        self.config = config
        self.road = road
        self.intake = intake
        self.replays = Replays(config.source)

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        del names
        paths = {FLOWS: self.flows, REPLAY: self.replay, ROUTE: self.route}
        try:
            fault = await paths[path](call)
        except HeadgateError as error:
            fault = fault_of(error)
        if fault is not None:
            answer_fault(call, fault)

    async def flows(self, call: Call) -> Fault | None:
        """Where the requests of some time went; the last thirty days, if the query does not say."""
        query = read_query(FlowsQuery, call.query)
        if isinstance(query, Fault):
            return query
        until = time() if query.until is UNSET else query.until
        since = until - MONTH if query.since is UNSET else query.since
        found = await asyncio.to_thread(read_flows, self.config, since, until)
        call.answer(200, JSON + FRESH, msgspec.json.encode(found))
        return None

    async def replay(self, call: Call) -> Fault | None:
        """Replay under other settings, told as it goes."""
        if call.body is None:
            return refusals.too_large(self.intake.body_limit)
        asked = read(ASKED, call.body)
        if isinstance(asked, Fault):
            return unfit_setting(asked)
        call.stream(200, LINES)
        async with aclosing(self.replays.run(asked.set, asked.since, asked.until)) as lines:
            async for line in lines:
                await call.write(line)
        call.end()
        return None

    async def route(self, call: Call) -> Fault | None:
        """Where a request would go if it were sent now."""
        request = await self.intake.read(call, DOOR, new_id(time()))
        if isinstance(request, Fault):
            return request
        assert not isinstance(request, Ready), "a chat completion has to be answered"
        if not request.agent and request.asked.startswith(AGENT):
            call.answer(200, JSON + FRESH, msgspec.json.encode({"worker": request.asked.removeprefix(AGENT)}))
            return None
        size = min(len(call.body or b""), LARGE)
        signals = await self.road.measure(request, size)
        decision = decide(
            self.road.policy, self.road.view(self.road.accounts(signals.task)), request, signals
        )
        told = describe_decision(self.road.policy, self.road.recounts.price, request, signals, decision)
        told["models"] = {
            candidate.model: {
                "local": self.road.policy.models[candidate.model].local,
                "label": self.road.policy.models[candidate.model].label,
            }
            for candidate in decision.candidates
        }
        call.answer(200, JSON + FRESH, msgspec.json.encode(told))
        return None

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.dash.routing_described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def unfit_setting(fault: Fault) -> Fault:
    """What is wrong with a replay, in words where it is a setting; the pattern of settings says nothing to people."""
    if fault.param is None or not fault.param.startswith("set["):
        return fault
    return replace(
        fault, message=f"{fault.param} is no setting that can be tried", hint=f"a setting is {FORMS}"
    )
