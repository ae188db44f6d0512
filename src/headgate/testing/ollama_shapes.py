"""How Ollama writes things down: names, times, metrics, model entries, and both halves of its OpenAI-style layer.

Field order follows the captures. Values that a test cannot predict anyway (durations, digests) are made up, but always the
same for the same input.
"""

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.testing.answers import Answer, ServedModel, count_tokens, output_tokens, pieces
from headgate.testing.calls import ReceivedCall, text_of
from headgate.testing.chat_completions import sse, token_logprobs
from headgate.testing.clock import Timing
from headgate.testing.replies import Plain, Stream, encode

if TYPE_CHECKING:  # the scheduler needs the rules, and they need the shapes
    from headgate.testing.ollama_rules import Problem
    from headgate.testing.ollama_scheduler import Runner, Turn

DIED = "an error was encountered while running the model: unexpected EOF"
JSON = "application/json; charset=utf-8"
_MODIFIED = "2026-11-02T09:15:00.5Z"
LONGEST = 2**63 / 1e9
"""Seconds: the longest duration that Go can say, its "for ever"."""


def go_json(value: Any) -> bytes:
    """JSON as Go writes it: `<`, `>` and `&` are escaped."""
    return encode(value).replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def now() -> str:
    """The wall's time, as Go writes it."""
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """RFC 3339 with nanoseconds and without trailing zeros."""
    whole, rest = divmod(seconds, 1)
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{day}.{int(rest * 1e9):09d}".rstrip("0").rstrip(".") + "Z"


def tagged(name: str) -> str:
    """The full name of a model: without a tag it means `latest`."""
    return name if not name or ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


# models


def tags_entry(name: str, model: ServedModel, digest: str) -> dict[str, Any]:
    """A line of `/api/tags`."""
    details = _details(model) | {"context_length": model.context, "embedding_length": model.width}
    entry = {"name": name, "model": name, "modified_at": _MODIFIED, "size": model.size, "digest": digest}
    entry |= {"details": details, "capabilities": _capabilities(model)}
    return entry | remote(name, model)


def running_entry(runner: "Runner", digest: str) -> dict[str, Any]:
    """A line of `/api/ps`."""
    entry = {"name": runner.name, "model": runner.name, "size": runner.size, "digest": digest}
    entry |= {
        "details": _details(runner.model),
        "expires_at": stamp(min(runner.until, time.time() + LONGEST)),
    }
    return entry | {"size_vram": runner.vram, "context_length": runner.window}


def remote(name: str, model: ServedModel) -> dict[str, str]:
    """What tells that a model runs on somebody else's machine."""
    if not model.remote_host:
        return {}
    return {
        "remote_model": name.removesuffix("-cloud").removesuffix(":cloud"),
        "remote_host": model.remote_host,
    }


def shown_model(name: str, model: ServedModel, digest: str) -> dict[str, Any]:
    """The body of `/api/show`; `model_info` has the names that the model's GGUF file has."""
    shown: dict[str, Any] = {"modelfile": f"FROM {name}\n# sha256-{digest}\n", "template": "{{ .Prompt }}"}
    shown |= {"details": _details(model)} | remote(name, model) | {"model_info": model_info(model)}
    return shown | {"capabilities": _capabilities(model), "modified_at": _MODIFIED}


def model_info(model: ServedModel) -> dict[str, Any]:
    """The metadata of a GGUF file: general facts, then those of its architecture, then the tokenizer's."""
    kv = model.kv_heads if isinstance(model.kv_heads, int) else list(model.kv_heads)
    facts: dict[str, Any] = {
        "attention.head_count": model.heads,
        "attention.head_count_kv": kv,
        "attention.key_length": model.key_length,
        "attention.layer_norm_rms_epsilon": 1e-05,
        "attention.sliding_window": model.window,
        "attention.value_length": model.value_length,
        "block_count": model.layers,
        "context_length": model.context,
        "embedding_length": model.width,
        "feed_forward_length": model.feed_forward,
        "rope.dimension_count": model.key_numbers,
        "rope.freq_base": 500_000,
        "vocab_size": model.vocabulary,
    }
    info: dict[str, Any] = {"general.architecture": model.family, "general.file_type": 15}
    info |= {
        "general.parameter_count": _parameter_count(model.parameters),
        "general.quantization_version": 2,
    }
    info |= {f"{model.family}.{name}": value for name, value in facts.items() if value is not None}
    return info | {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": None}


def digest(name: str, model: ServedModel) -> str:
    """64 hex digits, as in the lists: the same for the same facts under the same name."""
    facts = repr(replace(model, loaded=False))
    return hashlib.sha256(f"{name} {facts}".encode()).hexdigest()


def _parameter_count(said: str) -> int:
    """The number in "8.0B" or "137M"."""
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(said[-1:], 1.0)
    return int(float(said.rstrip("KMBT") or 0) * scale)


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


def refused(call: ReceivedCall, problem: "Problem") -> Plain:
    """An error reply, in the form of the native API or of the OpenAI-style layer."""
    if call.path.startswith("/v1/"):
        kind = {400: "invalid_request_error", 404: "not_found_error"}.get(problem.status, "api_error")
        error = {"message": problem.text, "type": kind, "param": None, "code": None}
        return Plain(go_json({"error": error}) + b"\n", problem.status)
    body = {"error": problem.text}
    if problem.status == 401:
        body["signin_url"] = "https://ollama.com/connect"
    return Plain(go_json(body), problem.status, JSON)


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
    return {"logprobs": token_logprobs(text, answer, call.fields.get("top_logprobs") or 0)}


def only_loaded(call: ReceivedCall, reason: str) -> Plain:
    """The reply to a request that had nothing to answer: it loaded the model, or unloaded it."""
    body = {"model": call.model, "created_at": now()} | said(call.path, "")
    return Plain(go_json(body | {"done": True, "done_reason": reason}), content_type=JSON)


def whole(
    call: ReceivedCall, head: dict[str, Any], answer: Answer, metrics: dict[str, int], seed: int
) -> Plain:
    """The answer in one object."""
    body = (
        head
        | {"created_at": now()}
        | said(call.path, answer.text, answer.reasoning, tool_calls(answer, seed))
    )
    body |= {"done": True, "done_reason": done_reason(answer)}
    body |= context_of(call) | logprobs(call, answer, answer.text) | metrics
    return Plain(go_json(body), content_type=JSON, delay=answer.delay)


def streamed(
    call: ReceivedCall, head: dict[str, Any], answer: Answer, metrics: dict[str, int], seed: int
) -> Stream:
    """The answer as lines, the last of which has the metrics."""

    def line(words: dict[str, Any], rest: dict[str, Any]) -> bytes:
        return go_json(head | {"created_at": now()} | words | rest) + b"\n"

    more = {"done": False}
    content = [line(said(call.path, "", piece), more) for piece in pieces(answer.reasoning or "")]
    content += [
        line(said(call.path, piece), more | logprobs(call, answer, piece)) for piece in pieces(answer.text)
    ]
    if answer.tool_calls:
        content.append(line(said(call.path, "", None, tool_calls(answer, seed)), more))
    end = {"done": True, "done_reason": done_reason(answer)} | context_of(call) | metrics
    return Stream(
        opening=(),
        content=tuple(content),
        closing=(line(said(call.path, ""), end),),
        failure=go_json({"error": DIED}) + b"\n",
        content_type="application/x-ndjson",
        delay=answer.delay,
        pace=answer.chunk_delay,
    )


def metrics(answer: Answer | None, prompt_tokens: int, turn: "Turn", timing: Timing) -> dict[str, int]:
    """Counts and durations (ns) of the last object; zeros are left out, as Go's `omitempty` does. No answer: an embedding.

    What waited for a slot is in the total and nowhere else. Where the machine takes no time, the figures are made up.
    """
    written = output_tokens(answer) if answer else 0
    reading = prompt_tokens * (timing.prompt_token or 0.000_01)
    writing = written * (timing.token or 0.000_09)
    figures = {
        "total_duration": turn.load
        + turn.queued
        + reading
        + writing
        + (answer.delay if answer else 0.0)
        + 0.0002,
        "load_duration": turn.load,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": reading if answer else 0,
        "eval_count": written,
        "eval_duration": writing,
    }
    found = {
        name: round(value * 1e6) * 1000 if "duration" in name else int(value)
        for name, value in figures.items()
    }
    return {name: value for name, value in found.items() if value}


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
