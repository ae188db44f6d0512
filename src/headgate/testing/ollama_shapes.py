"""How Ollama writes things down: names, times, metrics, model entries, and both halves of its OpenAI-style layer.

Field order follows the captures. Values that a test cannot predict anyway (durations, digests) are made up, but always the
same for the same input.
"""

import hashlib
import json
import time
from typing import Any

import msgspec

from headgate.testing.answers import Answer, ServedModel, count_tokens, output_tokens
from headgate.testing.calls import ReceivedCall, text_of
from headgate.testing.chat_completions import sse, token_logprobs
from headgate.testing.replies import encode

_MODIFIED = "2026-11-02T09:15:00.5Z"


def go_json(value: Any) -> bytes:
    """JSON as Go writes it: `<`, `>` and `&` are escaped."""
    return encode(value).replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def now(ahead: int = 0) -> str:
    """RFC 3339 with nanoseconds and without trailing zeros, `ahead` seconds from now."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds + ahead))
    return f"{stamp}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def tagged(name: str) -> str:
    """The full name of a model: without a tag it means `latest`."""
    return name if not name or ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


# models


def tags_entry(name: str, model: ServedModel) -> dict[str, Any]:
    """A line of `/api/tags`."""
    details = _details(model) | {"context_length": model.context, "embedding_length": model.dimensions}
    entry = {
        "name": name,
        "model": name,
        "modified_at": _MODIFIED,
        "size": model.size,
        "digest": digest(name),
    }
    entry |= {"details": details, "capabilities": _capabilities(model)}
    return entry | ({"remote_model": name, "remote_host": model.remote_host} if model.remote_host else {})


def running_entry(name: str, model: ServedModel, window: int) -> dict[str, Any]:
    """A line of `/api/ps`; everything runs on a GPU here."""
    entry = {
        "name": name,
        "model": name,
        "size": model.size,
        "digest": digest(name),
        "details": _details(model),
    }
    return entry | {"expires_at": now(300), "size_vram": model.size, "context_length": window}


def shown_model(name: str, model: ServedModel) -> dict[str, Any]:
    """The body of `/api/show`."""
    return {
        "modelfile": f"FROM {name}\n",
        "template": "{{ .Prompt }}",
        "details": _details(model),
        "model_info": {
            "general.architecture": model.family,
            f"{model.family}.context_length": model.context,
            f"{model.family}.embedding_length": model.dimensions,
        },
        "capabilities": _capabilities(model),
        "modified_at": _MODIFIED,
    }


def pull_lines(name: str, size: int) -> list[dict[str, Any]]:
    """What a successful pull reports, one object a line; the last one says success."""
    short, full = digest(name)[:12], f"sha256:{digest(name)}"
    layer: dict[str, Any] = {"status": f"pulling {short}", "digest": full, "total": size}
    steps = [{"status": "pulling manifest"}, layer]
    steps += [layer | {"completed": size * quarter // 4} for quarter in range(1, 5)]
    return steps + [{"status": s} for s in ("verifying sha256 digest", "writing manifest", "success")]


def digest(name: str) -> str:
    """64 hex digits, as in the lists; the same name always has the same."""
    return hashlib.sha256(name.encode()).hexdigest()


def _details(model: ServedModel) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameters,
        "quantization_level": model.quantization,
    }


def _capabilities(model: ServedModel) -> list[str]:
    if model.kind == "embedding":
        return ["embedding"]
    has = (
        ("completion", True),
        ("tools", model.tools),
        ("vision", model.vision),
        ("thinking", model.thinking),
    )
    return [name for name, present in has if present]


# answers


def said(path: str, text: str, thinking: str | None = None, calls: list[Any] | None = None) -> dict[str, Any]:
    """The words: in a `message` for chat, at top level for generate."""
    more: dict[str, Any] = {"thinking": thinking} if thinking else {}
    if calls:
        more["tool_calls"] = calls
    if path.endswith("/generate"):
        return {"response": text} | more
    return {"message": {"role": "assistant", "content": text} | more}


def tool_calls(answer: Answer, seed: int) -> list[dict[str, Any]]:
    """Tool calls with arguments as objects, not strings."""
    return [
        {
            "id": f"call_{seed % 10**6:06d}{index:02d}",
            "function": {"index": index, "name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(answer.tool_calls)
    ]


def done_reason(answer: Answer) -> str:
    """`length` or `stop`; a tool call stays `stop`."""
    return "length" if answer.finish == "length" else "stop"


def context_of(call: ReceivedCall) -> dict[str, Any]:
    """The token list that generate gives back, unless the prompt was raw."""
    if not call.path.endswith("/generate") or call.fields.get("raw") is True:
        return {}
    return {"context": list(range(1, count_tokens(call.prompt) + 1))}


def logprobs(call: ReceivedCall, answer: Answer, text: str) -> dict[str, Any]:
    """The `logprobs` field, when it was asked for."""
    if call.fields.get("logprobs") is not True:
        return {}
    return {"logprobs": token_logprobs(text, answer.logprob, call.fields.get("top_logprobs") or 0)}


def metrics(answer: Answer, prompt_tokens: int, *, cold: bool, embedding: bool = False) -> dict[str, int]:
    """Counts and durations (ns) of the last object; zeros are left out, as Go's `omitempty` does."""
    written = 0 if embedding else output_tokens(answer)
    load, reading, writing = (250_000_000 if cold else 800_000), prompt_tokens * 10_000, written * 90_000
    waited = int(answer.delay * 1e9)
    figures = {
        "total_duration": load + reading + writing + waited + 200_000,
        "load_duration": load,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": 0 if embedding else reading,
        "eval_count": written,
        "eval_duration": writing,
    }
    return {name: value for name, value in figures.items() if value}


# what happens to requests


def cut_prompt(call: ReceivedCall, window: int) -> ReceivedCall:
    """The call as the model sees it when the prompt was cut to the window (tokens): the newest text only."""
    bytes_left = max(window * 4 - 4, 0)
    body = dict(call.fields)
    if call.messages:
        last = call.messages[-1]
        body["messages"] = [last | {"content": _tail(text_of(last.get("content")), bytes_left)}]
    if isinstance(body.get("prompt"), str):
        body["prompt"] = _tail(body["prompt"], bytes_left)
    return msgspec.structs.replace(call, json=body)


def _tail(text: str, size: int) -> str:
    return text.encode()[-size:].decode(errors="ignore") if size else ""


def as_native(call: ReceivedCall) -> ReceivedCall:
    """A `/v1/chat/completions` call as the native call Ollama makes of it. There is no way to set `num_ctx`."""
    body = call.fields
    renamed = {"num_predict": body.get("max_tokens"), "stop": body.get("stop")}
    names = ("seed", "temperature", "top_p", "frequency_penalty", "presence_penalty")
    options = {name: body[name] for name in names if name in body} | renamed
    if isinstance(options["stop"], str):
        options["stop"] = [options["stop"]]
    messages = [m | {"content": text_of(m.get("content")), "tool_calls": []} for m in call.messages]
    native: dict[str, Any] = {"model": call.model, "messages": messages}
    native["options"] = {name: value for name, value in options.items() if value is not None}
    for name in ("tools", "logprobs", "top_logprobs"):
        if name in body:
            native[name] = body[name]
    if call.schema is not None:
        native["format"] = call.schema or "json"
    return msgspec.structs.replace(call, json=native)


def v1_failure(reply_id: str) -> bytes:
    """What `/v1` says when the runner dies under a stream: a nameless empty chunk, and that is all."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    head = {"id": reply_id, "object": "chat.completion.chunk", "created": int(time.time()), "model": ""}
    return sse(head | {"system_fingerprint": "fp_ollama", "choices": [choice]})


def nested_error(message: str, kind: str, **more: Any) -> str:
    """The runner's own error object, as the string Ollama makes of it."""
    return json.dumps(
        {"error": {"code": 400, "message": message, "type": kind} | more}, separators=(",", ":")
    )
