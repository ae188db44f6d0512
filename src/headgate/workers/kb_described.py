"""The paths of /v1/kb for /openapi.json. It does not know who answers them (`kb_service`)."""

from collections.abc import Mapping
from typing import Any

from headgate.gateway.openapi import ASKING, INPUT, TAKING, TASK, TELLING, TEXT, WORD, ref, refusals, whole
from headgate.gateway.openapi_answers import NUMBER, YES_OR_NO, Schema, has, many, maybe
from headgate.workers.agents_described import RUN
from headgate.workers.kb_service import ASK, LIST, SEARCH, WireQuestion, WireSearch

PLACE: dict[str, Schema] = {
    "source": WORD,
    "line": maybe(NUMBER),
    "last_line": maybe(NUMBER),
    "page": maybe(NUMBER),
    "heading": TEXT,
}
CITED = has(
    {
        "answer": WORD,
        "citations": many(has({"n": NUMBER, **PLACE, "quote": TEXT})),
        "found": YES_OR_NO,
        "left_out": NUMBER,
    }
)
BASE: Schema = {
    "type": "object",
    "required": ["name", "model"],
    "properties": {
        "name": WORD,
        "model": WORD,
        "folders": many(WORD),
        "files": NUMBER,
        "chunks": NUMBER,
        "embedding_model": maybe(WORD),
        "without_vector": NUMBER,
        "local_only": YES_OR_NO,
        "problem": TEXT,
    },
}
HIT = has(
    {
        "text": TEXT,
        **PLACE,
        "score": {"type": "number"},
        "by_words": maybe(NUMBER),
        "by_vectors": maybe(NUMBER),
        "snippet": TEXT,
    }
)
NAME = {"name": "name", "in": "path", "required": True, "schema": WORD, "description": "the base"}
WRONG = (*TAKING, 429, 503, 504)


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    answer = RUN | {"properties": RUN["properties"] | {"output": maybe(CITED)}}
    found = has({"how": WORD, "note": TEXT, "hits": many(HIT)})
    bases = has({"object": WORD, "data": many(BASE)})
    asking = [ref("parameters", name) for name in ASKING if name not in (TASK, INPUT)]
    return {
        LIST: {
            method: operation("The knowledge bases", bases, f"{method}_v1_kb") for method in ("get", "head")
        },
        ASK: {
            "post": operation("An answer from a knowledge base, with citations", answer, "post_v1_kb_ask")
            | {
                "parameters": [NAME, *asking],
                "requestBody": body(WireQuestion, {"question": "How long do refunds take?"}),
            }
        },
        SEARCH: {
            "post": operation("Passages for a question", found, "post_v1_kb_search")
            | {
                "parameters": [NAME, *asking],
                "requestBody": body(WireSearch, {"question": "How long do refunds take?", "k": 3}),
            }
        },
    }


def operation(summary: str, schema: Schema, name: str) -> dict[str, Any]:
    """One method of one path."""
    good: dict[str, Any] = {"description": summary}
    if not name.startswith("head"):
        good["content"] = {"application/json": {"schema": schema}}
    if name.endswith("ask"):
        good["headers"] = {header: ref("headers", header) for header in TELLING}
    wrong = refusals("openai", WRONG) if name.startswith("post") else {}
    return {"operationId": name, "summary": summary, "responses": {"200": good, **wrong}}


def body(form: Any, example: Schema) -> dict[str, Any]:
    """A request's body, by the type that it is decoded as."""
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": whole(form),
                "examples": {"short": {"value": example}},
            }
        },
    }
