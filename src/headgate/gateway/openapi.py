"""/openapi.json: every path of the gate, what it takes and what it answers, in OpenAPI 3.1.

Bodies of requests are the very types that the doors decode with, and paths and methods are those that are served, so that
the document says what the code does. It is made when it is first asked for. It does not know the models of a config.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from headgate import __version__
from headgate.core.words import TASKS, TEXT_USES, DialectName
from headgate.gateway import paths, shown
from headgate.gateway.asking import PRIORITIES
from headgate.gateway.entrance import is_for_admins
from headgate.gateway.openapi_answers import ANSWERS, Schema, has, maybe, one_of
from headgate.gateway.queries import words_of
from headgate.gateway.services import Service
from headgate.wire.doors import Reader
from headgate.wire.faults import ANTHROPIC_TYPES

OURS = "Wire"
"""How the names of our types begin."""
ONE_MODEL = paths.ONE_MODEL + "{model}"

SUMMARIES: Mapping[str, str] = {
    "/v1/chat/completions": "Chat Completions, whole or streamed",
    "/v1/responses": "Responses, whole or streamed",
    "/v1/responses/input_tokens": "How many tokens a prompt of Responses has",
    "/v1/completions": "Completions, whole or streamed",
    "/v1/embeddings": "Vectors of texts",
    "/v1/messages": "Messages, whole or streamed",
    "/v1/messages/count_tokens": "How many tokens a prompt of Messages has",
    "/v1/models": "What may be written as `model`; in Anthropic's form for callers who send `anthropic-version`",
    ONE_MODEL: "One model",
    "/api/chat": "Ollama's chat, streamed unless it says otherwise",
    "/api/generate": "One prompt in Ollama's form, streamed unless it says otherwise",
    "/api/embed": "Vectors of texts, in Ollama's form",
    "/api/embeddings": "The vector of one text, in Ollama's older form",
    "/api/tags": "What may be written as `model`, in Ollama's form",
    "/api/ps": "The models at home that can answer now",
    "/api/show": "One model, in Ollama's form",
    "/api/version": "The version of Ollama's protocol",
    "/": "Says that Ollama's protocol is spoken here",
    "/healthz": "Gate, engines, ledger, today's spending",
    "/admin/fleet": "What is loaded, who waits, how much memory is left",
    "/metrics": "Counters since the start, for Prometheus",
    "/openapi.json": "This document",
}

HELLO = [{"role": "user", "content": "Was I charged twice?"}]
EXAMPLES: Mapping[str, Schema] = {
    "/v1/chat/completions": {"model": "auto", "messages": HELLO},
    "/v1/responses": {"model": "auto", "input": "Was I charged twice?"},
    "/v1/responses/input_tokens": {"input": "Was I charged twice?"},
    "/v1/completions": {"model": "auto", "prompt": "Was I charged twice?"},
    "/v1/embeddings": {"model": "auto:embedding", "input": "Was I charged twice?"},
    "/v1/messages": {"model": "auto", "max_tokens": 500, "messages": HELLO},
    "/v1/messages/count_tokens": {"model": "auto", "messages": HELLO},
    "/api/chat": {"model": "auto", "stream": False, "messages": HELLO},
    "/api/generate": {"model": "auto", "stream": False, "prompt": "Was I charged twice?"},
    "/api/embed": {"model": "auto:embedding", "input": ["Was I charged twice?"]},
    "/api/embeddings": {"model": "auto:embedding", "prompt": "Was I charged twice?"},
    "/api/show": {"model": "auto"},
}

TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": "string", "minLength": 1}
EVENTS: Schema = {
    "description": "a text of server-sent events; each is described here, for those who see them one by one",
    "type": ["string", "object"],
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
LINES: Schema = {"description": "a text of lines; each is an object like the whole answer", "type": "string"}
DOLLARS: Schema = {"type": "string", "pattern": r"^(unknown|-?\d+\.\d{6})$"}

TASK = "x-headgate-task"
INPUT = "x-headgate-input"
ASKING: Mapping[str, tuple[str, Schema]] = {
    TASK: ("the task, instead of a guess", one_of(*TASKS)),
    "x-headgate-privacy": ("never beyond your machines", one_of("local_only")),
    "x-headgate-priority": ("people are served before batches", one_of(*PRIORITIES)),
    "x-headgate-caller": ("whose request it is: waiting is fair between callers", TEXT),
    INPUT: (
        "what texts to embed are for; goes before each what its model wants",
        one_of(*TEXT_USES),
    ),
    "x-headgate-within": (
        "seconds for the whole request",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
    ),
}
"""Headers of a request: what they mean, what they may be."""

TELLING: Mapping[str, tuple[str, Schema]] = {
    "x-headgate-request-id": ("for `headgate log show ID`", {"type": "string", "pattern": "^[0-9a-f]{19}$"}),
    "x-headgate-model": ("who answered, by its name in the config", WORD),
    "x-headgate-route": ("the route that matched", TEXT),
    "x-headgate-reason": ("why a paid model answered, else why this route", TEXT),
    "x-headgate-status": ("how it ended", one_of("ok", "imperfect", "failed")),
    "x-headgate-attempts": ("calls to models", {"type": "integer", "minimum": 0}),
    "x-headgate-cost": ("dollars of all attempts", DOLLARS),
    "x-headgate-saved": ("dollars against the baseline", DOLLARS),
    "x-headgate-adjusted": ("what was dropped or said otherwise for the model that answered", TEXT),
    "x-headgate-cached": (
        "of an embedding, how many of its vectors were known already",
        {"type": "string", "pattern": r"^\d+/\d+$"},
    ),
}
"""Headers of an answer. A stream that flows does not know its cost when they leave."""

REFUSALS: Mapping[int, str] = {
    400: "the body, a header or a wish cannot be taken; the message says which and why",
    401: "a key is needed and there is none, or it is none of this gate's",
    402: "there is no money left for a model that could answer, in Anthropic's words",
    403: "a web page of another site sent it, or the path is for admins",
    404: "no such model, agent or earlier answer",
    409: "it does not fit what is known by now",
    413: "more than `body_limit_mb`",
    415: "the body is compressed",
    429: "there is no money left for a model that could answer, or too many watch",
    500: "a fault of ours",
    503: "no model gave an answer; `x-should-retry` says whether trying later may help",
    504: "every attempt ran out of time",
    529: "the same as 503 where trying later may help, in Anthropic's words",
}
TAKING = (400, 401, 403, 404, 413, 415, 500)
"""What can go wrong before a model is asked."""
ANSWERING: Mapping[DialectName, tuple[int, ...]] = {
    "openai": (*TAKING, 429, 503, 504),
    "anthropic": (*TAKING, 402, 503, 504, 529),
    "ollama": (*TAKING, 429, 503, 504),
}
BESIDE: Mapping[DialectName, tuple[int, ...]] = {"openai": (409,)}
"""What only paths beside the models' answer with."""

ENVELOPES: Mapping[DialectName, Schema] = {
    "openai": has(
        {
            "error": has(
                {
                    "message": WORD,
                    "type": one_of(
                        "invalid_request_error", "api_error", "server_error", "insufficient_quota"
                    ),
                    "param": maybe(TEXT),
                    "code": maybe(TEXT),
                    "hint": WORD,
                }
            )
        }
    ),
    "anthropic": has(
        {
            "type": one_of("error"),
            "error": has(
                {
                    "type": one_of(*sorted({*ANTHROPIC_TYPES.values(), "api_error"})),
                    "message": WORD,
                    "hint": WORD,
                }
            ),
            "request_id": maybe(TEXT),
        }
    ),
    "ollama": has({"error": WORD}),
}


@cache
def document(services: tuple[Service, ...] = ()) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(describe(services))


def describe(services: Iterable[Service] = ()) -> dict[str, Any]:
    """The document."""
    schemas: dict[str, Schema] = {f"{dialect}.error": schema for dialect, schema in ENVELOPES.items()}
    described: dict[str, Any] = {}
    for path, methods in {**paths.METHODS, ONE_MODEL: ("GET", "HEAD")}.items():
        described[path] = {method.lower(): operation(path, method, schemas) for method in methods}
    for service in services:
        described.update(service.describe())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate",
            "version": __version__,
            "summary": "Easy prompts at home, hard ones in the cloud, and a report that proves it.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": described,
        "components": {
            "schemas": schemas,
            "parameters": {name: asked(name, what, form) for name, (what, form) in ASKING.items()},
            "headers": {
                name: {"description": what, "schema": form, "required": False}
                for name, (what, form) in TELLING.items()
            },
            "responses": {
                f"{dialect}.{status}": refusal(dialect, status)
                for dialect, statuses in ANSWERING.items()
                for status in (*statuses, *BESIDE.get(dialect, ()))
            },
        },
    }


def operation(path: str, method: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    """One method of one path; the schemas that it needs are added to the others."""
    told: dict[str, Any] = {
        "operationId": f"{method.lower()}{path}".replace("/", "_").replace("{", "").replace("}", ""),
        "summary": SUMMARIES[path],
        "responses": {},
    }
    reader = paths.DOORS.get(path) or paths.COUNTERS.get(path)
    if reader is not None:
        embeds = path in paths.DOORS and path not in paths.STREAMING
        told["parameters"] = [ref("parameters", name) for name in ASKING if embeds or name != INPUT]
        if embeds:
            told["parameters"][0] = asked(
                TASK, "only this: texts to embed get no answer", one_of("embedding")
            )
        told["requestBody"] = body(path, type(reader).__name__, reader.form, schemas)
        told["responses"] = answers_of(path, reader)
    elif path == paths.SHOW:
        told["requestBody"] = body(path, "Show", shown.SHOW_FORM, schemas)
        told["responses"] = {"200": answer(path, "GET"), **refusals("ollama", TAKING)}
    else:
        told["responses"] = {"200": answer(path, method), **turned_away(path, method)}
        if path == "/healthz":
            told["responses"]["503"] = answer(path, method)
        if path == ONE_MODEL:
            told["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": WORD}]
            told["responses"]["404"] = either(404) if method == "GET" else {"description": REFUSALS[404]}
        if path in ("/v1/models", ONE_MODEL):
            told.setdefault("parameters", []).append(
                {"name": "anthropic-version", "in": "header", "schema": TEXT, "example": "2023-06-01"}
            )
    return told


def body(path: str, name: str, form: Any, schemas: dict[str, Schema]) -> dict[str, Any]:
    """A request's body, by the type that it is decoded as."""
    (schema,), parts = msgspec.json.schema_components(
        [form], ref_template=f"#/components/schemas/{name}.{{name}}"
    )
    schemas.update({f"{name}.{part.removeprefix(OURS)}": plain(inner) for part, inner in parts.items()})
    media = {"schema": plain(schema), "examples": {"short": {"value": EXAMPLES[path]}}}
    return {"required": True, "content": {"application/json": media}}


def in_query(form: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """The words of a query, by the type that it is read as."""
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": plain({key: value for key, value in schema.items() if key != "description"}),
        }
        for name, schema in words_of(form).items()
    ]


def whole(form: Any) -> Schema:
    """The schema of a type, with what it refers to in its place, for a path that has no share in the components."""
    schema = msgspec.json.schema(form)
    parts = schema.pop("$defs", {})

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            return fill(parts[name]) if name else {key: fill(inner) for key, inner in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    filled: Schema = plain(fill(schema))
    return filled


def plain(schema: Any) -> Any:
    """A schema without the names of our types and without tags told twice, which say nothing to others.

    A tuple of like values is told as a list of so many: not every tool knows `prefixItems`.
    """
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        schema = schema | {"$ref": schema["$ref"].replace(f".{OURS}", ".")}
    if isinstance(schema, dict):
        like = schema.get("prefixItems", [])
        if like and all(item == like[0] for item in like):
            schema = {key: value for key, value in schema.items() if key != "prefixItems"} | {
                "items": like[0]
            }
        return {
            key: value if key in ("examples", "enum", "default") else plain(value)
            for key, value in schema.items()
            if key != "discriminator" and not (key == "title" and isinstance(value, str))
        }
    return [plain(item) for item in schema] if isinstance(schema, list) else schema


def answers_of(path: str, reader: Reader) -> dict[str, Any]:
    """What a door answers."""
    if path in paths.COUNTERS:
        return {"200": answer(path, "POST"), **refusals(reader.dialect, TAKING)}
    good = answer(path, "POST") | {"headers": {name: ref("headers", name) for name in TELLING}}
    if path in paths.STREAMING:
        kind = paths.STREAMING[path].stream_type.decode().partition(";")[0]
        good["content"][kind] = {"schema": EVENTS if kind == "text/event-stream" else LINES}
    return {"200": good, **refusals(reader.dialect, ANSWERING[reader.dialect])}


def turned_away(path: str, method: str) -> dict[str, Any]:
    """Who may not look at a path that shows something: whoever has no key where one is needed, and who is no admin."""
    statuses = () if path in paths.OPEN else (401, 403) if is_for_admins(path) else (401,)
    if method == "HEAD":
        return silent(statuses)
    if path in ("/v1/models", ONE_MODEL):
        return {str(status): either(status) for status in statuses}
    return refusals(paths.dialect_of(path, {}), statuses)


def silent(statuses: Iterable[int]) -> dict[str, Any]:
    """Refusals of HEAD, which have no body."""
    return {str(status): {"description": REFUSALS[status]} for status in statuses}


def answer(path: str, method: str) -> dict[str, Any]:
    """A good answer."""
    told: dict[str, Any] = {"description": SUMMARIES[path]}
    if method != "HEAD":
        kind, schema = ("application/json", ANSWERS[path]) if path in ANSWERS else ("text/plain", TEXT)
        told["content"] = {kind: {"schema": schema}}
    return told


def refusals(dialect: DialectName, statuses: Iterable[int]) -> dict[str, Any]:
    """The errors of a path, by status."""
    return {str(status): ref("responses", f"{dialect}.{status}") for status in statuses}


def refusal(dialect: DialectName, status: int) -> dict[str, Any]:
    """An error in a dialect's envelope."""
    return {
        "description": REFUSALS[status],
        "headers": {
            "x-should-retry": {"required": True, "schema": one_of("true", "false")},
            "retry-after": {"required": False, "schema": {"type": "integer", "minimum": 1}},
        },
        "content": {"application/json": {"schema": ref("schemas", f"{dialect}.error")}},
    }


def either(status: int) -> dict[str, Any]:
    """An error of a path that OpenAI and Anthropic share."""
    envelopes: list[Schema] = [ref("schemas", f"{dialect}.error") for dialect in ("openai", "anthropic")]
    content = {"application/json": {"schema": {"anyOf": envelopes}}}
    return {"description": REFUSALS[status], "content": content}


def asked(name: str, what: str, form: Schema) -> dict[str, Any]:
    """A header that a request may have."""
    return {"name": name, "in": "header", "description": what, "required": False, "schema": form}


def ref(kind: str, name: str) -> dict[str, Any]:
    """What stands among the components."""
    return {"$ref": f"#/components/{kind}/{name}"}
