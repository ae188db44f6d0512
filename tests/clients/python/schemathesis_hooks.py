"""What schemathesis cannot read from the document, applied to its valid requests only. It runs in schemathesis' environment."""

import schemathesis


@schemathesis.hook
def before_call(context, case, **kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if "x-headgate-within" in (case.headers or {}):
        case.headers["x-headgate-within"] = "20"  # with less than a moment, no model is asked
    case.body = whole(case.body)
    choice = case.body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("tool", "function"):
        del case.body["tool_choice"]  # it names one of `tools`; JSON Schema cannot tie the two


def whole(value):
    """5.0 is an integer to JSON Schema, and not to the gate."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
