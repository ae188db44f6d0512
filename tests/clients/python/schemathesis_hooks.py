"""What schemathesis cannot read from the document. It runs in schemathesis' environment."""

import requests
import schemathesis

AGENT, PAID, BASE = "triage", "claude", "handbook"
"""An agent to which anything may be said, a model that has a provider's batches, and a knowledge base: all are at the gate."""


@schemathesis.hook
def before_call(context, case, **kwargs):
    if case.meta is None:
        return
    if case.meta.generation.mode.is_positive:
        keep_valid(case)
    elif case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        keep_wrong(case)


def keep_valid(case):
    """What has to be so in a valid request, and no JSON Schema can say."""
    if case.media_type != "application/json" or not isinstance(case.body, dict):
        return  # a body that is set here is judged again, and a form with a file in it cannot be
    if "x-headgate-within" in (case.headers or {}):
        case.headers["x-headgate-within"] = "20"  # with less than a moment, no model is asked
    body = whole(case.body)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("tool", "function"):
        del body["tool_choice"]  # it names one of `tools`; JSON Schema cannot tie the two
    path = case.operation.path
    if path.startswith("/v1/agents/"):
        case.path_parameters["name"] = AGENT
    if path.startswith("/v1/kb/"):
        case.path_parameters["name"] = BASE
    if path == "/v1/agents/{name}/runs":  # white space alone is no input
        given = body["input"]
        body["input"] = f"{given}." if isinstance(given, str) else given | {"input": "I was charged twice."}
    if path == "/v1/agents/{name}/answers":
        body["model"] = PAID
    if path == "/v1/batches":
        body["input_file_id"] = uploaded(case.operation.base_url)
    if path == "/v1/messages/batches":  # no two may have the same custom_id
        body["requests"] = list({each["custom_id"]: each for each in body["requests"]}.values())
    case.body = body


def keep_wrong(case):
    """A list that is empty is not sent at all in a form, and one of a number as the number: then nothing would be wrong."""
    life = "expires_after[seconds]"
    if isinstance(case.body.get(life), list | dict):
        case.body = case.body | {life: "a list"}


def uploaded(gate):
    """The id of a file: the document cannot say which there are."""
    form = {"files": {"file": ("requests.jsonl", b"")}, "data": {"purpose": "batch"}}
    return requests.post(f"{gate.rstrip('/')}/v1/files", **form, timeout=20).json()["id"]


def whole(value):
    """5.0 is an integer to JSON Schema, and not to the gate."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
