"""What Ollama refuses, and in which words (0.33, seen on the wire unless its source is the only witness).

An error is a status and a text; the native API wraps it as `{"error": text}`, its OpenAI-style layer as an object.
Unknown top-level fields and unknown options are ignored, as the real server ignores them.
"""

import ipaddress
import json
import math
import re
from functools import lru_cache
from typing import Any

import msgspec

from headgate.testing import ollama_shapes as shapes
from headgate.testing.answers import ServedModel
from headgate.testing.calls import ReceivedCall

_FLOATS = (
    "temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
)  # fmt: skip
_INTEGERS = (
    "num_ctx", "num_predict", "top_k", "seed", "num_keep", "repeat_last_n", "num_batch", "num_gpu", "main_gpu",
    "num_thread", "draft_num_predict",
)  # fmt: skip
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_FLOATS, ((int, float), "of type float32")),
    **dict.fromkeys(_INTEGERS, ((int, float), "of type integer")),
    "use_mmap": (bool, "of type boolean"),
    "stop": (list, "of type array"),
}
_DURATION = re.compile(r"([\d.]+)(ns|us|ms|s|m|h|)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_LEVELS = '"high", "medium", "low", "max", true, or false'


class Problem(msgspec.Struct, frozen=True):
    """Why a request is refused."""

    status: int
    text: str


@lru_cache(maxsize=64)
def host_allowed(host: str) -> bool:
    """Whether a loopback-bound Ollama talks to a client that used this Host header."""
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
    name = name.strip("[]").lower()
    if name in {"", "localhost"} or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_unspecified


def seconds(said: Any) -> float | None:
    """A `keep_alive`: a number of seconds, or a duration as Go writes it; below 0 is for ever, None is not said."""
    if isinstance(said, str):
        parts = _DURATION.findall(said)
        said = sum(float(number) * _UNITS[unit] for number, unit in parts) * (-1 if said[:1] == "-" else 1)
    if isinstance(said, bool) or not isinstance(said, (int, float)):
        return None
    return math.inf if said < 0 else float(said)


def body_problem(call: ReceivedCall) -> Problem | None:
    """No body, or one that is not a JSON object."""
    if not call.body:
        return Problem(400, "missing request body")
    if not isinstance(call.json, dict):
        odd = call.body.lstrip()[:2].decode(errors="replace").strip("{ ") or " "
        return Problem(400, f"invalid character '{odd[:1]}' looking for beginning of object key string")
    return None


def missing(name: str) -> Problem:
    """The model is not here."""
    return Problem(404, f"model '{name}' not found")


def signed_out() -> Problem:
    """A cloud model, and nobody has signed in."""
    return Problem(401, "unauthorized")


def overflow(prompt: int, window: int) -> Problem:
    """The runner's own error object, as a string inside Ollama's."""
    text = (
        f"request ({prompt} tokens) exceeds the available context size ({window} tokens), try increasing it"
    )
    nested = shapes.nested_error(text, "exceed_context_size_error", n_prompt_tokens=prompt, n_ctx=window)
    return Problem(400, nested)


def generation_problem(call: ReceivedCall, model: ServedModel) -> Problem | None:
    """The first reason to refuse a chat or generate request to a model that exists."""
    body = call.fields
    name = call.model
    if model.kind == "embedding":
        return Problem(
            400, f'"{name}" does not support {"chat" if call.path.endswith("chat") else "generate"}'
        )
    return (
        _shape_problem(body)
        or _capability_problem(body, name, model)
        or _option_problem(body.get("options"))
        or _format_problem(body.get("format"))
        or _logprob_problem(body)
    )


def _shape_problem(body: dict[str, Any]) -> Problem | None:
    for name, kind, go in (
        ("stream", bool, "bool"),
        ("messages", list, "[]api.Message"),
        ("prompt", str, "string"),
    ):
        if body.get(name) is not None and not isinstance(body[name], kind):
            return Problem(
                400, f"json: cannot unmarshal {_go_kind(body[name])} into Go struct field {name} of type {go}"
            )
    for message in body.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else message
        if content is not None and not isinstance(content, str):
            field = "ChatRequest.messages.content"
            return Problem(
                400, f"json: cannot unmarshal {_go_kind(content)} into Go struct field {field} of type string"
            )
        for call in message.get("tool_calls") or ():
            if isinstance(call.get("function", {}).get("arguments"), str):
                return Problem(400, "Value looks like object, but can't find closing '}' symbol")
    return None


def _capability_problem(body: dict[str, Any], name: str, model: ServedModel) -> Problem | None:
    think = body.get("think")
    if think is not None:
        if not isinstance(think, bool) and think not in {"low", "medium", "high", "max"}:
            return Problem(400, f'invalid think value: "{think}" (must be {_LEVELS})')
        if think and not model.thinking:
            return Problem(400, f'"{name}" does not support thinking')
    if body.get("tools") and not model.tools:
        tagged = name if ":" in name else f"{name}:latest"
        return Problem(400, f"registry.ollama.ai/library/{tagged} does not support tools")
    return None


def _option_problem(options: Any) -> Problem | None:
    if options is None:
        return None
    if not isinstance(options, dict):
        return Problem(
            400,
            f"json: cannot unmarshal {_go_kind(options)} into Go struct field options of type map[string]interface {{}}",
        )
    for name, value in options.items():
        kind, words = _TYPES.get(name, (object, ""))
        wrong_bool = isinstance(value, bool) and kind is not bool
        if value is not None and words and (wrong_bool or not isinstance(value, kind)):
            return Problem(500, f'option "{name}" must be {words}')
    return None


def _format_problem(wanted: Any) -> Problem | None:
    if wanted is None or wanted in ("", "json") or isinstance(wanted, dict):
        if isinstance(wanted, dict) and wanted.get("type") not in {
            None, "object", "array", "string", "number", "integer", "boolean", "null",
        }:  # fmt: skip
            return _parser_problem(str(wanted["type"]))
        return None
    shown = json.dumps(json.dumps(wanted))
    return Problem(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def _parser_problem(kind: str) -> Problem:
    text = (
        "Unable to generate parser for this template. Automatic parser generation failed: "
        f"JSON schema error at #: unrecognized type {kind}"
    )
    return Problem(400, shapes.nested_error(text, "invalid_request_error"))


def _logprob_problem(body: dict[str, Any]) -> Problem | None:
    top = body.get("top_logprobs")
    if top is not None and not (isinstance(top, int) and 0 <= top <= 20):
        return Problem(400, "top_logprobs must be between 0 and 20")
    return None


def _go_kind(value: Any) -> str:
    for kind, name in ((bool, "bool"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "number"
