"""What LM Studio refuses in a chat request, and in which words, as its users report them."""

from headgate.testing.calls import ReceivedCall

_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(
        ("temperature", "top_p", "presence_penalty", "frequency_penalty", "repeat_penalty"), (int, float)
    ),
    **dict.fromkeys(("max_tokens", "top_k", "seed", "ttl"), int),
    "stream": bool,
}


def chat_problem(call: ReceivedCall) -> str | None:
    """The first reason to refuse a chat request, or None."""
    body = call.json
    if not isinstance(body, dict):
        return "Unexpected token in JSON at position 0" if call.broken else "'messages' field is required"
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return "'messages' field is required"
    for message in body["messages"]:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in {"system", "user", "assistant", "tool", "developer"}:
            return "Invalid 'messages' in payload. Error: Each message must have a valid 'role'"
    form = body.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") not in {"json_schema", "text"}):
        return "'response_format.type' must be 'json_schema' or 'text'"
    if form and form["type"] == "json_schema" and call.schema is None:
        return "'response_format.json_schema.schema' is required"
    for name, kind in _TYPES.items():
        value = body.get(name)
        if value is not None and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            return f"Invalid type for '{name}'."
    if body.get("tool_choice") is not None and body["tool_choice"] not in ("none", "auto", "required"):
        return "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
    return None
