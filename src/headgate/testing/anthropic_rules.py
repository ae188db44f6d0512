"""What the Anthropic Messages API refuses, and in which words.

Rules are checked in the order in which the real service meets them: key, version, JSON, fields, model. Texts follow the
real ones where they are known; clients should depend on status and `type`, never on the text.
"""

import re
from typing import Any

import msgspec

from headgate.testing.calls import ReceivedCall, text_of

VERSIONS = ("2023-06-01", "2026-10-21")
SAMPLING = ("temperature", "top_p", "top_k")
NO_SCHEMA_KEYWORDS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength")
"""What an output schema may not say."""

_FIELDS = frozenset({
    "model", "max_tokens", "messages", "system", "stop_sequences", "stream", "tools", "tool_choice",
    "output_config", "thinking", "cache_control", "metadata", "service_tier", "speed", "inference_geo",
    "temperature", "top_p", "top_k", "container", "context_management", "mcp_servers",
})  # fmt: skip
_COUNT_FIELDS = _FIELDS - {
    "max_tokens", "stream", "metadata", "service_tier", "temperature", "top_p", "top_k",
}  # fmt: skip
_BLOCKS = frozenset({
    "text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking",
    "search_result", "container_upload",
})  # fmt: skip
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")


class Problem(msgspec.Struct, frozen=True):
    """Why a request is refused: HTTP status, the error's `type`, and a message."""

    status: int
    type: str
    message: str


def invalid(message: str) -> Problem:
    """A 400."""
    return Problem(400, "invalid_request_error", message)


def problem_with(
    call: ReceivedCall, *, models: dict[str, int], keys: frozenset[str] | None
) -> Problem | None:
    """The first reason to refuse a call to `/v1/messages` or `…/count_tokens`, or None.

    `models` maps names to their largest `max_tokens`; `keys` are the accepted keys, None accepts any.
    """
    return key_problem(call, keys) or version_problem(call) or _body_problem(call, models)


def key_problem(call: ReceivedCall, keys: frozenset[str] | None) -> Problem | None:
    """No key, or a wrong one; `x-api-key` wins over a bearer token."""
    key = (
        call.headers.get("x-api-key") or call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    )
    if not key:
        return Problem(401, "authentication_error", "x-api-key header is required")
    if keys is not None and key not in keys:
        return Problem(401, "authentication_error", "invalid x-api-key")
    return None


def version_problem(call: ReceivedCall) -> Problem | None:
    """No `anthropic-version`, or one that never was."""
    version = call.headers.get("anthropic-version")
    if not version:
        return invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        return invalid(f'anthropic-version: "{version}" is not a valid version')
    return None


def _body_problem(call: ReceivedCall, models: dict[str, int]) -> Problem | None:
    body = call.json
    if not isinstance(body, dict):
        return invalid("The request body is not valid JSON.")
    counting = call.path.endswith("/count_tokens")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            return invalid(f"{name}: Field required")
    for name in body:
        if name not in (_COUNT_FIELDS if counting else _FIELDS):
            return invalid(f"{name}: Extra inputs are not permitted")
    if not isinstance(body["model"], str):
        return invalid("model: Input should be a valid string")
    if not counting:
        most = body["max_tokens"]
        if not isinstance(most, int) or isinstance(most, bool):
            return invalid("max_tokens: Input should be a valid integer")
        if most < 1:
            return invalid("max_tokens: Input should be greater than or equal to 1")
    if body["model"] not in models:
        return Problem(404, "not_found_error", f"model: {body['model']}")
    if not counting and body["max_tokens"] > models[body["model"]]:
        name, most = body["model"], models[body["model"]]
        return invalid(
            f"max_tokens: {body['max_tokens']} > {most}, which is the maximum allowed number of output tokens for {name}"
        )
    return (
        _message_problem(body)
        or _tool_turn_problem(body["messages"])
        or _option_problem(body, call.headers["anthropic-version"])
        or _model_problem(body)
    )


def _message_problem(body: dict[str, Any]) -> Problem | None:
    messages = body["messages"]
    if not isinstance(messages, list):
        return invalid("messages: Input should be a valid list")
    if not messages:
        return invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message or "content" not in message:
            return invalid(f"messages.{index}: role and content are required")
        role, content = message["role"], message["content"]
        if role == "system":
            return invalid(
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
            )
        if role not in {"user", "assistant"}:
            return invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if extra := set(message) - {"role", "content"}:
            return invalid(f"messages.{index}.{min(extra)}: Extra inputs are not permitted")
        if isinstance(content, str):
            if not content and not (role == "assistant" and index == len(messages) - 1):
                return invalid(f"messages.{index}: all messages must have non-empty content")
            continue
        if not isinstance(content, list):
            return invalid(f"messages.{index}.content: Input should be a valid string or list")
        for place, block in enumerate(content):
            kind = block.get("type") if isinstance(block, dict) else None
            if kind not in _BLOCKS:
                return invalid(
                    f"messages.{index}.content.{place}: Input tag '{kind}' does not match any of the expected tags"
                )
            if kind == "text" and not block.get("text"):
                return invalid("messages: text content blocks must be non-empty")
    if messages[0]["role"] != "user":
        return invalid('messages: first message must use the "user" role')
    last = messages[-1]
    if last["role"] == "assistant" and text_of(last["content"]) != text_of(last["content"]).rstrip():
        return invalid("messages: final assistant content cannot end with trailing whitespace")
    return None


def _tool_turn_problem(messages: list[dict[str, Any]]) -> Problem | None:
    """Tool calls without their results in the next message, results without their call in the last, ids that do not fit."""
    waiting: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate([*messages, {"content": ""}]):
        blocks = message["content"] if isinstance(message["content"], list) else []
        results = [str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"]
        if missing := [call for call in waiting if call not in results]:
            return invalid(
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        if strange := [call for call in results if call not in waiting]:
            return invalid(
                f"messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {strange[0]}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        waiting = [str(block.get("id", "")) for block in blocks if block["type"] == "tool_use"]
        for place, call in enumerate(waiting):
            if not _TOOL_ID.fullmatch(call):
                return invalid(
                    f"messages.{index}.content.{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                )
            if call in seen:
                return invalid(f"messages.{index}.content.{place}: `tool_use` ids must be unique")
            seen.add(call)
    return None


def _option_problem(body: dict[str, Any], version: str) -> Problem | None:
    for name in SAMPLING:
        if name in body and version == "2026-10-21":
            return invalid(f"{name}: not supported with anthropic-version 2026-10-21")
    temperature = body.get("temperature", 1)
    if not isinstance(temperature, (int, float)) or not 0 <= temperature <= 1:
        return invalid("temperature: range: 0..1")
    for message in body["messages"] if version == "2026-10-21" else ():
        blocks = message["content"] if isinstance(message["content"], list) else ()
        if message["role"] == "assistant" and any(b["type"] == "document" for b in blocks):
            return invalid("messages: document blocks are not permitted in assistant messages")
        if message["role"] == "user" and any(b["type"] == "text" and b.get("citations") for b in blocks):
            return invalid("messages: citations are not permitted on user text blocks")
    for index, tool in enumerate(body.get("tools") or ()):
        if "name" not in tool:
            return invalid(f"tools.{index}.name: Field required")
        if "input_schema" not in tool and "type" not in tool:
            return invalid(f"tools.{index}.input_schema: Field required")
    if body.get("tool_choice") is not None and not (
        isinstance(body["tool_choice"], dict)
        and body["tool_choice"].get("type") in {"auto", "any", "tool", "none"}
    ):
        return invalid("tool_choice: Input should be an object with type 'auto', 'any', 'tool' or 'none'")
    form = (body.get("output_config") or {}).get("format")
    if form is not None:
        if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
            return invalid("output_config.format: type 'json_schema' with a schema is required")
        return _schema_problem(form["schema"])
    return None


def _schema_problem(schema: Any) -> Problem | None:
    if isinstance(schema, list):
        return next(filter(None, map(_schema_problem, schema)), None)
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return invalid(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )
    for word in NO_SCHEMA_KEYWORDS:
        if word in schema and not isinstance(schema[word], dict):  # a property may be called so
            return invalid(f"output_config.format.schema: property '{word}' is not supported")
    return _schema_problem(list(schema.values()))


def _model_problem(body: dict[str, Any]) -> Problem | None:
    """What only the newest models refuse."""
    if not body["model"].startswith("claude-sonnet-5-5"):
        return None
    model = body["model"]
    for name in SAMPLING:
        if name in body:
            return invalid(f"{name}: not supported by {model}")
    thinking = (body.get("thinking") or {}).get("type")
    if thinking in {"disabled", "enabled"}:
        return invalid(
            f"thinking.type: '{thinking}' is not supported by {model}; use 'adaptive' or 'between_tools'"
        )
    if body["messages"][-1]["role"] == "assistant":
        return invalid(
            f"{model} does not support assistant message prefill. The conversation must end with a user message."
        )
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        return invalid(f"tool_choice: forcing tool use is not supported by {model}")
    return None
