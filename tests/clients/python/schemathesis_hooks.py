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
        name_what_is_there(case)
        if case.media_type == "application/json" and isinstance(case.body, dict):
            case.body = kept_valid(case)
    elif case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        keep_wrong(case)


def name_what_is_there(case):
    """Names in the path of a valid request: the document cannot say which there are."""
    path, names = case.operation.path, case.path_parameters
    if path.startswith("/v1/agents/"):
        names["name"] = AGENT
    elif path.startswith("/v1/kb/"):
        names["name"] = BASE
    elif path == "/admin/reports/{week}":
        names["week"] = "this"
    if case.query and {"from", "to"} & case.query.keys():  # the one is not after the other
        case.query |= {"from": "2026-11-01", "to": "2026-11-30"}


def kept_valid(case):
    """The body of a valid request, with what has to be so in it and no JSON Schema can say."""
    if "x-headgate-within" in (case.headers or {}):
        case.headers["x-headgate-within"] = "20"  # with less than a moment, no model is asked
    path, body = case.operation.path, whole(case.body)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("tool", "function"):
        del body["tool_choice"]  # it names one of `tools`; JSON Schema cannot tie the two
    if path == "/v1/agents/{name}/runs":  # white space alone is no input
        given = body["input"]
        body["input"] = f"{given}." if isinstance(given, str) else given | {"input": "I was charged twice."}
    elif path == "/v1/agents/{name}/answers":
        body["model"] = PAID
    elif path == "/v1/batches":
        body["input_file_id"] = uploaded(case.operation.base_url)
    elif path == "/v1/messages/batches":  # no two may have the same custom_id
        body["requests"] = list({each["custom_id"]: each for each in body["requests"]}.values())
    return body


def keep_wrong(case):
    """A list that is empty is not sent at all in a form, and one of a number as the number: then nothing would be wrong."""
    life = "expires_after[seconds]"
    if isinstance(case.body.get(life), list | dict):
        case.body = case.body | {life: "a list"}


def uploaded(gate):
    """The id of a file that there is."""
    form = {"files": {"file": ("requests.jsonl", b"")}, "data": {"purpose": "batch"}}
    return requests.post(f"{gate.rstrip('/')}/v1/files", **form, timeout=20).json()["id"]


def whole(value):
    """5.0 is an integer to JSON Schema, and not to the gate."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
