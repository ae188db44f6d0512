"""The paths behind Routing and Ask for /openapi.json. It does not know who answers them (`routing`)."""

from collections.abc import Mapping
from typing import Any

from headgate.core.types import Candidate
from headgate.core.words import MODES, SKIPS, TASKS
from headgate.dash.described import UNUSABLE, json, looked, told
from headgate.dash.flows import Flows
from headgate.dash.routing import FLOWS, REPLAY, ROUTE, FlowsQuery, WireReplay
from headgate.gateway.openapi import ASKING, INPUT, TAKING, TEXT, WORD, in_query, ref, whole
from headgate.gateway.openapi_answers import FRACTION, NUMBER, YES_OR_NO, Schema, has, many, maybe, one_of

FORESEEN: Schema = has(
    {
        "kind": one_of("chat"),
        "task": maybe(one_of(*TASKS)),
        "task_confidence": FRACTION,
        "task_by": one_of("caller", "rules", "none"),
        "tokens": NUMBER,
        "tokens_exact": YES_OR_NO,
        "format": one_of("text", "json", "schema"),
        "language": maybe(WORD),
        "labels": many(TEXT),
        "tools": NUMBER,
        "images": NUMBER,
        "local_only": YES_OR_NO,
        "chances": {"type": "object", "additionalProperties": FRACTION},
        "trusted": many(WORD),
        "route": TEXT,
        "why": WORD,
        "mode": one_of(*MODES),
        "checks": many(WORD),
        "pass_at": FRACTION,
        "chain": many(WORD),
        "skipped": {"type": "object", "additionalProperties": one_of(*SKIPS)},
        "candidates": many(whole(Candidate)),
        "estimated_cost_usd": maybe(FRACTION),
        "baseline": TEXT,
        "baseline_cost_usd": maybe(FRACTION),
        "answer_tokens_assumed": NUMBER,
        "models": {"type": "object", "additionalProperties": has({"local": YES_OR_NO, "label": TEXT})},
    }
)
"""A decision (`gateway.shown_decision`), with what there is to say of its models."""
WORKED = has({"worker": WORD})
"""An agent takes more than one request, and decides for each of them when it comes to it."""


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    lines = "Recorded requests under other settings: lines of JSON, progress first, then `result` or `error`"
    replay = told("post", REPLAY, lines, {"application/x-ndjson": TEXT}, wrong=(400, 401, 403, 413))
    replay["requestBody"] = body(whole(WireReplay))
    foreseen = "Where a chat completion would go if it were sent now; no model is called"
    route = told("post", ROUTE, foreseen, json({"anyOf": [FORESEEN, WORKED]}), wrong=TAKING)
    route["parameters"] = [ref("parameters", name) for name in ASKING if name != INPUT]
    route["requestBody"] = body(ref("schemas", "ChatCompletions.Ask"))
    flows = "Where requests went, from task by route and model to result, and the routes in words"
    return {
        FLOWS: looked(FLOWS, flows, json(whole(Flows)), asks=in_query(FlowsQuery), wrong=UNUSABLE),
        REPLAY: {"post": replay},
        ROUTE: {"post": route},
    }


def body(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A body of JSON."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}
