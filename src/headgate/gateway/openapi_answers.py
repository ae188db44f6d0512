"""The answers of every path as JSON Schema, for /openapi.json.

Requests are described by the types that decode them; answers are mostly written as they go, so they are described here, as
far as a client may rely on it. A test holds these against what the gate really says.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
FRACTION: Schema = {"type": "number"}
YES_OR_NO: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}


def one_of(*words: str | None) -> Schema:
    """One of a few words."""
    return {"enum": list(words)}


def many(items: Schema, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": items, "minItems": least}


def has(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these fields, and perhaps with more."""
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


# ── OpenAI ───────────────────────────────────────────────────────────────────────────────────────────────────────────

OPENAI_USAGE = has({"prompt_tokens": NUMBER, "completion_tokens": NUMBER, "total_tokens": NUMBER})
FINISH = one_of("stop", "length", "tool_calls", "content_filter")
OPENAI_CALL = has(
    {"id": TEXT, "type": one_of("function"), "function": has({"name": TEXT, "arguments": TEXT})}
)
CHAT_COMPLETION = has(
    {
        "id": TEXT,
        "object": one_of("chat.completion"),
        "created": NUMBER,
        "model": TEXT,
        "choices": many(
            has(
                {
                    "index": NUMBER,
                    "message": has(
                        {"role": one_of("assistant"), "content": maybe(TEXT)},
                        tool_calls=many(OPENAI_CALL, 1),
                        reasoning_content=TEXT,
                    ),
                    "finish_reason": FINISH,
                },
                logprobs=maybe(has({"content": many(ANY_OBJECT)})),
            ),
            1,
        ),
        "usage": OPENAI_USAGE,
    }
)
TEXT_COMPLETION = has(
    {
        "id": TEXT,
        "object": one_of("text_completion"),
        "created": NUMBER,
        "model": TEXT,
        "choices": many(has({"index": NUMBER, "text": TEXT, "finish_reason": FINISH}), 1),
        "usage": OPENAI_USAGE,
    }
)
RESPONSE = has(
    {
        "id": {"type": "string", "pattern": "^resp_"},
        "object": one_of("response"),
        "created_at": NUMBER,
        "status": one_of("completed", "incomplete"),
        "model": TEXT,
        "output": many(has({"id": TEXT, "type": one_of("message", "reasoning", "function_call")}), 1),
        "usage": has({"input_tokens": NUMBER, "output_tokens": NUMBER, "total_tokens": NUMBER}),
        "store": YES_OR_NO,
        "error": {"type": "null"},
    }
)
OPENAI_VECTORS = has(
    {
        "object": one_of("list"),
        "model": TEXT,
        "data": many(
            has(
                {
                    "object": one_of("embedding"),
                    "index": NUMBER,
                    "embedding": {"anyOf": [many(FRACTION), TEXT]},
                }
            )
        ),
        "usage": has({"prompt_tokens": NUMBER, "total_tokens": NUMBER}),
    }
)
OPENAI_MODEL = has({"id": TEXT, "object": one_of("model"), "created": NUMBER, "owned_by": TEXT}, root=TEXT)
OPENAI_MODELS = has({"object": one_of("list"), "data": many(OPENAI_MODEL, 1)})

# ── Anthropic ────────────────────────────────────────────────────────────────────────────────────────────────────────

MESSAGE = has(
    {
        "id": {"type": "string", "pattern": "^msg_"},
        "type": one_of("message"),
        "role": one_of("assistant"),
        "model": TEXT,
        "content": many(has({"type": TEXT})),
        "stop_reason": TEXT,
        "stop_sequence": maybe(TEXT),
        "usage": has({"input_tokens": NUMBER, "output_tokens": NUMBER}),
    }
)
ANTHROPIC_MODEL = has({"type": one_of("model"), "id": TEXT, "display_name": TEXT, "created_at": TEXT})
ANTHROPIC_MODELS = has(
    {"data": many(ANTHROPIC_MODEL, 1), "has_more": YES_OR_NO, "first_id": TEXT, "last_id": TEXT}
)

# ── Ollama ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LAST_WORDS: Mapping[str, Schema] = {
    "model": TEXT,
    "created_at": TEXT,
    "done": YES_OR_NO,
    "done_reason": one_of("stop", "length", "load", "unload"),
}
OLLAMA_FIGURES = {"total_duration": NUMBER, "prompt_eval_count": NUMBER, "eval_count": NUMBER}
OLLAMA_CALL = has({"function": has({"name": TEXT, "arguments": ANY_OBJECT})}, id=TEXT)
OLLAMA_CHAT = has(
    {
        **LAST_WORDS,
        "message": has(
            {"role": one_of("assistant"), "content": TEXT}, thinking=TEXT, tool_calls=many(OLLAMA_CALL)
        ),
    },
    **OLLAMA_FIGURES,
)
OLLAMA_TEXT = has({**LAST_WORDS, "response": TEXT}, thinking=TEXT, **OLLAMA_FIGURES)
OLLAMA_MODEL = has(
    {
        "name": TEXT,
        "model": TEXT,
        "modified_at": TEXT,
        "size": NUMBER,
        "digest": TEXT,
        "details": ANY_OBJECT,
        "capabilities": many(TEXT, 1),
    }
)
OLLAMA_SHOWN = has(
    {"modelfile": TEXT, "details": ANY_OBJECT, "model_info": ANY_OBJECT, "capabilities": many(TEXT, 1)}
)

# ── Our own ──────────────────────────────────────────────────────────────────────────────────────────────────────────

HEALTH = has(
    {
        "status": one_of("ok", "degraded"),
        "version": TEXT,
        "pid": NUMBER,
        "engines": {
            "type": "object",
            "additionalProperties": has(
                {"up": YES_OR_NO, "detail": TEXT, "version": TEXT, "running": NUMBER, "waiting": NUMBER}
            ),
        },
        "ledger": has(
            {"path": TEXT, "written": NUMBER, "waiting": NUMBER, "rows_lost": NUMBER, "problem": maybe(TEXT)}
        ),
        "paid_today": {"type": "number", "minimum": 0},
    }
)

FLEET = has(
    {
        "now": FRACTION,
        "engines": {
            "type": "object",
            "additionalProperties": has(
                {
                    "kind": TEXT,
                    "local": YES_OR_NO,
                    "looked_at": YES_OR_NO,
                    "version": TEXT,
                    "up": YES_OR_NO,
                    "detail": TEXT,
                    "managed": YES_OR_NO,
                    "slots": NUMBER,
                    "running": NUMBER,
                    "waiting": NUMBER,
                    "foreign_memory": NUMBER,
                }
            ),
        },
        "memory": {
            "type": "object",
            "additionalProperties": has({"capacity": NUMBER, "free": {"type": "integer"}, "of": TEXT}),
        },
        "lanes": many(
            has(
                {
                    "model": TEXT,
                    "kind": one_of("chat", "embedding"),
                    "local": YES_OR_NO,
                    "label": TEXT,
                    "engine": TEXT,
                    "id": TEXT,
                    "context": maybe(NUMBER),
                    "state": one_of("unmanaged", "out", "loading", "ready", "draining", "leaving"),
                    "for_seconds": maybe(FRACTION),
                    "memory": maybe(NUMBER),
                    "pool": maybe(TEXT),
                    "slots": NUMBER,
                    "running": NUMBER,
                    "waiting": NUMBER,
                    "waiting_by_caller": many(NUMBER),
                    "expected_wait": FRACTION,
                    "use": FRACTION,
                    "service_seconds": maybe(FRACTION),
                    "load_seconds": maybe(FRACTION),
                    "why_not": TEXT,
                    "left_alone": YES_OR_NO,
                    "left_alone_seconds": FRACTION,
                    "failures": NUMBER,
                    "card": maybe(
                        has(
                            {
                                "measured": FRACTION,
                                "machine": TEXT,
                                "speed": maybe(FRACTION),
                                "prompt_speed": maybe(FRACTION),
                                "first_token_warm": maybe(FRACTION),
                                "texts_speed": maybe(FRACTION),
                            }
                        )
                    ),
                }
            )
        ),
        "moved": many(
            has(
                {
                    "model": TEXT,
                    "what": one_of("loaded", "unloaded", "failed"),
                    "at": FRACTION,
                    "seconds": FRACTION,
                    "why": TEXT,
                }
            )
        ),
    }
)

ANSWERS: Mapping[str, Schema] = {
    "/v1/chat/completions": CHAT_COMPLETION,
    "/v1/responses": RESPONSE,
    "/v1/responses/input_tokens": has({"object": one_of("response.input_tokens"), "input_tokens": NUMBER}),
    "/v1/completions": TEXT_COMPLETION,
    "/v1/embeddings": OPENAI_VECTORS,
    "/v1/messages": MESSAGE,
    "/v1/messages/count_tokens": has({"input_tokens": NUMBER}),
    "/v1/models": {"anyOf": [OPENAI_MODELS, ANTHROPIC_MODELS]},
    "/v1/models/{model}": {"anyOf": [OPENAI_MODEL, ANTHROPIC_MODEL]},
    "/api/chat": OLLAMA_CHAT,
    "/api/generate": OLLAMA_TEXT,
    "/api/embed": has({"model": TEXT, "embeddings": many(many(FRACTION))}, **OLLAMA_FIGURES),
    "/api/embeddings": has({"embedding": many(FRACTION)}),
    "/api/tags": has({"models": many(OLLAMA_MODEL, 1)}),
    "/api/ps": has({"models": many(OLLAMA_MODEL)}),
    "/api/show": OLLAMA_SHOWN,
    "/api/version": has({"version": TEXT}),
    "/healthz": HEALTH,
    "/admin/fleet": FLEET,
    "/openapi.json": has({"openapi": {"const": "3.1.0"}, "info": ANY_OBJECT, "paths": ANY_OBJECT}),
}
"""The whole answer in JSON, by path. A stream is not described here: its pieces are events or lines, not one value."""
