"""The paths of /v1/agents for /openapi.json. It does not know who answers them (`agents_service`)."""

from collections.abc import Mapping
from typing import Any

from headgate.core.words import RUN_STATUSES, TASKS
from headgate.gateway.openapi import ASKING, INPUT, TAKING, TASK, TEXT, WORD, ref, refusals
from headgate.gateway.openapi_answers import (
    ANY_OBJECT,
    NUMBER,
    YES_OR_NO,
    Schema,
    has,
    many,
    maybe,
    one_of,
)
from headgate.gateway.queries import LATEST

SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
AMOUNT: Schema = {"type": "number", "minimum": 0}
SHARES: Schema = {"type": "object", "additionalProperties": SHARE}

TRIAL = has(
    {
        "model": WORD,
        "accuracy": maybe(SHARE),
        "right": NUMBER,
        "n": NUMBER,
        "temperature": AMOUNT,
        "measured": AMOUNT,
    }
)
AGENT = has(
    {
        "name": WORD,
        "model": WORD,
        "description": TEXT,
        "task": maybe(one_of(*TASKS)),
        "input": many(WORD),
        "labels": many(WORD),
        "meanings": {"type": "object", "additionalProperties": TEXT},
        "schema": maybe(ANY_OBJECT),
        "try": many(WORD),
        "threshold": maybe(SHARE),
        "bar": maybe(SHARE),
        "local_only": YES_OR_NO,
        "tests": NUMBER,
        "builtin": YES_OR_NO,
        "trials": many(TRIAL),
    }
)
STEP = has({"kind": WORD, "what": TEXT, "result": TEXT, "request": TEXT})
RUN = has(
    {
        "agent": WORD,
        "status": one_of(*RUN_STATUSES),
        "output": {"description": "fits the agent's schema; else its text; null if it failed"},
        "reason": TEXT,
        "label": TEXT,
        "probability": maybe(SHARE),
        "probabilities": SHARES,
        "model": maybe(WORD),
        "cost": maybe(AMOUNT),
        "seconds": AMOUNT,
        "tokens_in": NUMBER,
        "tokens_out": NUMBER,
        "requests": many(WORD),
        "steps": many(STEP),
    }
)
INPUT_OF: Schema = {
    "description": "a text, or the fields of the agent's input",
    "type": ["string", "object"],
}
GIVEN: Schema = {
    "type": "object",
    "required": ["input"],
    "additionalProperties": False,
    "properties": {
        "input": INPUT_OF | {"minLength": 1, "minProperties": 1},
        "key": {
            "description": "a name for this input in its job: within an hour, the same run is repeated",
            "type": "string",
            "maxLength": 200,
        },
        "model": {"description": "only this model may answer", "type": ["string", "null"]},
        "pay": {"description": "whether paid models may answer", "type": "boolean", "default": True},
    },
}
ANSWERED: Schema = {
    "type": "object",
    "required": ["input", "model", "job", "submitted", "answer"],
    "additionalProperties": False,
    "properties": {
        "input": INPUT_OF,
        "model": {"description": "the paid model that was asked", "type": "string"},
        "job": {"description": "the provider's name for the batch", "type": "string"},
        "submitted": {
            "description": "Unix time at which it was handed over",
            "type": "number",
            "minimum": 0,
            "maximum": LATEST,
        },
        "answer": {
            "type": "object",
            "required": ["custom_id", "status"],
            "properties": {
                "custom_id": TEXT,
                "status": {
                    "description": "that a live call would have had; 0: never done",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 599,
                },
                "body": {"description": "the answer, in the words of the provider"},
                "detail": TEXT,
            },
        },
    },
}
NAME = {"name": "name", "in": "path", "required": True, "schema": WORD, "example": "triage"}
TOLD = ("x-headgate-request-id", "x-headgate-model", "x-headgate-cost")


def described() -> Mapping[str, Mapping[str, Any]]:
    """The paths and their operations."""
    listed = has({"object": one_of("list"), "data": many(AGENT)})
    run = {
        "operationId": "run_agent",
        "summary": "Give one input to a subagent",
        "parameters": [NAME, *(ref("parameters", name) for name in ASKING if name not in (TASK, INPUT))],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": GIVEN,
                    "examples": {"short": {"value": {"input": "I was charged twice."}}},
                }
            },
        },
        "responses": {
            "200": good("What became of it; also where it failed", RUN)
            | {"headers": {name: ref("headers", name) for name in TOLD}},
            **refusals("openai", TAKING),
        },
    }
    answers = {
        "operationId": "answer_for_agent",
        "summary": "Take what a provider's batch has answered to an input: judged, priced at half, and written down",
        "parameters": [NAME],
        "requestBody": {"required": True, "content": {"application/json": {"schema": ANSWERED}}},
        "responses": {
            "200": good("What became of it; also where it failed", RUN)
            | {"headers": {name: ref("headers", name) for name in TOLD}},
            **refusals("openai", TAKING),
        },
    }
    return {
        "/v1/agents": looks("list_agents", "The subagents", listed, ()),
        "/v1/agents/{name}": looks("show_agent", "One subagent", AGENT, (404,)),
        "/v1/agents/{name}/runs": {"post": run},
        "/v1/agents/{name}/answers": {"post": answers},
    }


def looks(operation: str, summary: str, schema: Schema, wrong: tuple[int, ...]) -> dict[str, Any]:
    """GET and HEAD of a path that only shows something."""
    parameters: dict[str, Any] = {"parameters": [NAME]} if wrong else {}
    get = {
        "operationId": operation,
        "summary": summary,
        **parameters,
        "responses": {"200": good(summary, schema), **refusals("openai", (401, 403, *wrong))},
    }
    silent = {str(status): {"description": summary} for status in (200, 401, 403, *wrong)}
    head = {"operationId": f"{operation}_head", "summary": summary, **parameters, "responses": silent}
    return {"get": get, "head": head}


def good(what: str, schema: Schema) -> dict[str, Any]:
    """A good answer."""
    return {"description": what, "content": {"application/json": {"schema": schema}}}
