"""The paths behind Routing and Ask for /openapi.json. It does not know who answers them (`routing`)."""

from collections.abc import Mapping
from typing import Any

from headgate.dash.described import UNUSABLE, inlined, json, looked, told, word
from headgate.dash.routing import FLOWS, REPLAY, ROUTE, WireReplay
from headgate.gateway.openapi import TEXT
from headgate.gateway.openapi_answers import ANY_OBJECT


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    times = [word("since", "Unix seconds; thirty days before `until`"), word("until", "Unix seconds; now")]
    lines = "Recorded requests under other settings: lines of JSON, progress first, then `result` or `error`"
    replay = told("post", REPLAY, lines, {"application/x-ndjson": TEXT}, wrong=(400, 401, 403, 413))
    replay["requestBody"] = body(inlined(WireReplay))
    foreseen = "Where a chat completion would go if it were sent now; no model is called"
    route = told("post", ROUTE, foreseen, json(ANY_OBJECT), wrong=(400, 401, 403, 404, 413))
    route["requestBody"] = body(ANY_OBJECT)
    flows = "Where requests went, from task by route and model to result, and the routes in words"
    return {
        FLOWS: looked(FLOWS, flows, json(ANY_OBJECT), asks=times, wrong=UNUSABLE),
        REPLAY: {"post": replay},
        ROUTE: {"post": route},
    }


def body(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A body of JSON."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}
