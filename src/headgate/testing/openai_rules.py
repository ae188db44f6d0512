"""What the OpenAI API refuses, and in which words.

Model families decide much: the o-series and everything from GPT-5 on take `max_completion_tokens` only, and take sampling
parameters only without reasoning. Clients should depend on status, `type` and `code`, never on the text.
"""

import re
from typing import Any

import msgspec

from headgate.testing.calls import ReceivedCall, text_of

_REASONING = re.compile(r"(gpt-[5-9]|o\d)")
_ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
_CHAT_FIELDS = frozenset({
    "model", "messages", "stream", "stream_options", "max_completion_tokens", "max_tokens",
    "temperature", "top_p", "n", "stop", "seed", "logprobs", "top_logprobs", "logit_bias",
    "presence_penalty", "frequency_penalty", "response_format", "tools", "tool_choice",
    "parallel_tool_calls", "functions", "function_call", "reasoning_effort", "verbosity", "service_tier",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "user",
    "metadata", "store", "prediction", "modalities", "audio", "web_search_options",
})  # fmt: skip
_EMBEDDING_FIELDS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_LONGEST_ID = 40


class Problem(msgspec.Struct, frozen=True):
    """Why a request is refused."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    type: str = "invalid_request_error"


def key_problem(call: ReceivedCall, keys: frozenset[str] | None) -> Problem | None:
    """No bearer token, or a wrong one; `keys` None accepts any."""
    key = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not key:
        return Problem(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
            status=401,
        )
    if keys is not None and key not in keys:
        return wrong_key(key)
    return None


def wrong_key(key: str) -> Problem:
    """A 401 that shows only the ends of the key."""
    shown = f"{key[:3]}***{key[-2:]}" if len(key) > 8 else "***"
    text = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
    return Problem(text, code="invalid_api_key", status=401)


def chat_problem(call: ReceivedCall, also: frozenset[str] = frozenset()) -> Problem | None:
    """The first reason to refuse the body of a chat completion, the model's existence and window aside; `also` are fields it takes."""
    body = call.json
    if not isinstance(body, dict):
        return Problem(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
        )
    if not body.get("model"):
        return Problem("you must provide a model parameter")
    for name in body:
        if name not in _CHAT_FIELDS and name not in also:
            return unknown_parameter(name)
    if "messages" not in body:
        return Problem("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    return (
        _messages_problem(body["messages"])
        or _tool_turn_problem(body["messages"])
        or _limits_problem(body)
        or _format_problem(body)
        or _tools_problem(body)
    )


def unknown_parameter(name: str) -> Problem:
    """A field the API has never heard of."""
    return Problem(f"Unknown parameter: '{name}'.", name, "unknown_parameter")


def unsupported_parameter(name: str, instead: str = "") -> Problem:
    """A field this model does not take."""
    return Problem(
        f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
        name,
        "unsupported_parameter",
    )


def _messages_problem(messages: Any) -> Problem | None:
    if not isinstance(messages, list) or not messages:
        return Problem(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        )
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            return Problem(
                f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                f"messages[{index}].role",
                "invalid_value",
            )
        if role == "tool" and not message.get("tool_call_id"):
            name = f"messages[{index}].tool_call_id"
            return Problem(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
        content = message.get("content")
        if content is None and not (role == "assistant" and message.get("tool_calls")):
            name = f"messages[{index}].content"
            return Problem(f"Invalid value for 'content': expected a string, got null. ({name})", name)
        if content is not None and not isinstance(content, (str, list)):
            return Problem(
                f"Invalid type for 'messages[{index}].content'.", f"messages[{index}].content", "invalid_type"
            )
    return None


def _tool_turn_problem(messages: list[dict[str, Any]]) -> Problem | None:
    """Tool calls without their results right after them, results without a call, ids that are too long."""
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return Problem(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                    f"messages.[{index}].role",
                )
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
        if long := [call for call in waiting if len(call) > _LONGEST_ID]:
            name = f"messages[{index}].tool_calls[{waiting.index(long[0])}].id"
            return Problem(
                f"Invalid '{name}': string too long. Expected a string with maximum length {_LONGEST_ID}, "
                f"but got a string with length {len(long[0])} instead.",
                name,
                "string_above_max_length",
            )
    if waiting:
        return Problem(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            "messages",
        )
    return None


def _limits_problem(body: dict[str, Any]) -> Problem | None:
    model = str(body["model"])
    if _REASONING.match(model):
        if body.get("max_tokens") is not None:
            return unsupported_parameter("max_tokens", " Use 'max_completion_tokens' instead.")
        newest = model.startswith(("gpt-6", "gpt-7", "gpt-8", "gpt-9"))
        if not (newest and body.get("reasoning_effort") == "none"):
            for name in ("temperature", "top_p"):
                if body.get(name) not in ((None,) if newest else (None, 1)):
                    if newest:
                        return unsupported_parameter(name)
                    text = f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the default (1) value is supported."
                    return Problem(text, name, "unsupported_value")
            if body.get("top_logprobs") or body.get("logprobs"):
                return unsupported_parameter("top_logprobs" if body.get("top_logprobs") else "logprobs")
    elif body.get("reasoning_effort") is not None:
        return Problem("Unrecognized request argument supplied: reasoning_effort")
    for name in ("max_tokens", "max_completion_tokens"):
        most = body.get(name)
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            return Problem(
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {most} instead.",
                name,
                "integer_below_min_value",
            )
    for name, high in (("temperature", 2), ("top_p", 1)):
        value = body.get(name)
        if value is not None and (not isinstance(value, (int, float)) or not 0 <= value <= high):
            return Problem(
                f"Invalid '{name}': expected a number from 0 to {high}, but got {value}.",
                name,
                "invalid_type",
            )
    if isinstance(body.get("stop"), list) and len(body["stop"]) > 4:
        return Problem(
            "Invalid 'stop': array too long. Expected an array with maximum length 4.",
            "stop",
            "array_above_max_length",
        )
    if body.get("stream_options") is not None and body.get("stream") is not True:
        return Problem(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        return Problem(
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs"
        )
    return None


def _format_problem(body: dict[str, Any]) -> Problem | None:
    asked = body.get("response_format")
    if asked is None:
        return None
    kind = asked.get("type") if isinstance(asked, dict) else None
    if kind not in {"text", "json_object", "json_schema"}:
        return Problem(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            "response_format.type",
            "invalid_value",
        )
    if kind == "json_object" and not any(
        "json" in text_of(m.get("content")).lower() for m in body["messages"]
    ):
        return Problem(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
    if kind == "json_schema":
        holder = asked.get("json_schema")
        for name in ("name", "schema"):
            if not isinstance(holder, dict) or not holder.get(name):
                where = f"response_format.json_schema.{name}"
                return Problem(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        if holder.get("strict"):
            return _strict_problem(holder["schema"], holder["name"])
    return None


def _strict_problem(schema: Any, name: str) -> Problem | None:
    if isinstance(schema, list):
        return next(filter(None, (_strict_problem(item, name) for item in schema)), None)
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "object":
        why = ""
        if schema.get("additionalProperties") is not False:
            why = "'additionalProperties' is required to be supplied and to be false."
        elif missing := set(schema.get("properties", {})) - set(schema.get("required", [])):
            why = (
                "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{min(missing)}'."
            )
        if why:
            return Problem(
                f"Invalid schema for response_format '{name}': In context=(), {why}", "response_format"
            )
    return _strict_problem(list(schema.values()), name)


def _tools_problem(body: dict[str, Any]) -> Problem | None:
    for index, tool in enumerate(body.get("tools") or ()):
        where = f"tools[{index}].function"
        if not isinstance(tool, dict) or tool.get("type") != "function":
            return Problem(
                f"Missing required parameter: 'tools[{index}].type'.",
                f"tools[{index}].type",
                "missing_required_parameter",
            )
        if not isinstance(tool.get("function"), dict) or not tool["function"].get("name"):
            return Problem(
                f"Missing required parameter: '{where}.name'.", f"{where}.name", "missing_required_parameter"
            )
    if body.get("tool_choice") is not None and not body.get("tools"):
        return Problem("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    return None


def embedding_problem(call: ReceivedCall) -> Problem | None:
    """The first reason to refuse the body of an embeddings request, the model's existence aside."""
    body = call.json
    if not isinstance(body, dict):
        return Problem("We could not parse the JSON body of your request.")
    if not body.get("model"):
        return Problem("you must provide a model parameter")
    for name in body:
        if name not in _EMBEDDING_FIELDS:
            return unknown_parameter(name)
    given = body.get("input")
    items = given if isinstance(given, list) else [given]
    if not items or not all(isinstance(i, (str, int, list)) and i not in ("", []) for i in items):
        return Problem(
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
        )
    if body.get("encoding_format") not in {None, "float", "base64"}:
        return Problem("Invalid value for 'encoding_format'.", "encoding_format", "invalid_value")
    return None
