"""How LM Studio writes things down: its lists of models, its errors, its two ways to say that a prompt is too long.

An error is `{"error": text}` or `{"error": {…}}`, as the real one has both. Which of them comes when is not decided here.
"""

import math
from collections.abc import Iterable
from typing import Any

from headgate.testing.answers import ServedModel
from headgate.testing.calls import ReceivedCall
from headgate.testing.lmstudio_downloads import Job
from headgate.testing.lmstudio_instances import Instance
from headgate.testing.ollama_shapes import stamp
from headgate.testing.replies import Plain, Reply, Stream, encode


def v0_entry(key: str, model: ServedModel, loaded: list[Instance]) -> dict[str, Any]:
    """A line of `/api/v0/models`."""
    kind = "embeddings" if model.kind == "embedding" else "vlm" if model.vision else "llm"
    entry: dict[str, Any] = {"id": key, "object": "model", "type": kind, "publisher": key.partition("/")[0]}
    entry |= {"arch": model.family, "compatibility_type": "gguf", "quantization": model.quantization}
    entry |= {"state": "loaded" if loaded else "not-loaded", "max_context_length": model.context}
    if loaded:
        entry["loaded_context_length"] = loaded[0].context
    return entry | ({"capabilities": ["tool_use"]} if model.tools and model.kind == "chat" else {})


def v1_entry(key: str, model: ServedModel, loaded: list[Instance]) -> dict[str, Any]:
    """A line of `/api/v1/models`."""
    return {
        "type": "embedding" if model.kind == "embedding" else "llm",
        "publisher": key.partition("/")[0],
        "key": key,
        "display_name": key,
        "architecture": model.family,
        "quantization": {"name": model.quantization, "bits_per_weight": 4},
        "size_bytes": model.size,
        "params_string": model.parameters,
        "loaded_instances": [{"id": one.id, "config": config(one)} for one in loaded],
        "max_context_length": model.context,
        "format": "gguf",
        "capabilities": {"vision": model.vision, "trained_for_tool_use": model.tools},
    }


def config(instance: Instance) -> dict[str, Any]:
    """How an instance was loaded."""
    settings: dict[str, Any] = {"context_length": instance.context, "eval_batch_size": 512}
    return settings | {
        "parallel": instance.parallel,
        "flash_attention": False,
        "offload_kv_cache_to_gpu": True,
    }


def cli_entry(instance: Instance) -> dict[str, Any]:
    """A line of `lms ps --json`: the only place where the length of a queue can be seen."""
    busy = "generating" if instance.slots.working else "idle"
    return cli_model(instance.key, instance.model) | {
        "identifier": instance.id,
        "contextLength": instance.context,
        "ttlMs": None if instance.ttl == math.inf else int(instance.ttl * 1000),
        "lastUsedTime": int(instance.last_used * 1000),
        "deviceIdentifier": None,
        "status": busy,
        "queued": instance.slots.queued,
        "parallel": instance.parallel,
    }


def cli_model(key: str, model: ServedModel) -> dict[str, Any]:
    """A line of `lms ls --json`."""
    return {
        "type": "embedding" if model.kind == "embedding" else "llm",
        "modelKey": key,
        "format": "gguf",
        "displayName": key,
        "path": f"{key}.gguf",
        "sizeBytes": model.size,
        "paramsString": model.parameters,
        "architecture": model.family,
        "vision": model.vision,
        "trainedForToolUse": model.tools,
        "maxContextLength": model.context,
    }


def started(job: Job) -> dict[str, Any]:
    """What a request for a download is told."""
    said = {"job_id": job.id, "status": "downloading"}
    return said | {"total_size_bytes": job.model.size, "started_at": stamp(job.started)}


def v0_extra(model: ServedModel, finish: str, tokens: int) -> dict[str, Any]:
    """What `/api/v0` adds to a completion."""
    reason = "maxPredictedTokensReached" if finish == "length" else "eosFound"
    speed = {"tokens_per_second": 50.0, "time_to_first_token": 0.1, "generation_time": tokens / 50.0}
    info = {
        "arch": model.family,
        "quant": model.quantization,
        "format": "gguf",
        "context_length": model.context,
    }
    runtime = {"name": "llama.cpp-linux-x86_64", "version": "1.50.0", "supported_formats": ["gguf"]}
    return {"stats": speed | {"stop_reason": reason}, "model_info": info, "runtime": runtime}


def kept_first(prompt: int, window: int) -> str:
    """The usual words for a prompt that is too long."""
    return (
        f"Trying to keep the first {prompt} tokens when context the overflows. However, the model is loaded with context length "
        f"of only {window} tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"
    )


def overflow(shape: str, prompt: int, window: int, *, streamed: bool) -> Reply:
    """The four ways LM Studio had over its versions; the two that need a stream fall back to the document they would be."""
    match shape:
        case "n_keep":
            return text_error(
                "The number of tokens to keep from the initial prompt is greater than the context length "
                f"(n_keep: {prompt}>= n_ctx: {window}). Try to load the model with a larger context length, or provide a shorter input."
            )
        case "in_stream" if streamed:
            return Stream((), (), (error_event(kept_first(prompt, window)),), b"")
        case "in_stream":
            return text_error(kept_first(prompt, window), 200)
        case "empty" if streamed:
            return Stream((), (), (b"data: [DONE]\n\n",), b"")
        case "empty":
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": "stop",
            }
            return Plain(encode({"id": "chatcmpl-empty", "object": "chat.completion", "choices": [choice]}))
    return text_error(kept_first(prompt, window))


def not_found(asked: str, known: Iterable[str]) -> Plain:
    """A chat with a model that is not there."""
    listed = "\n".join(known)
    text = f'Model "{asked}" not found. Please specify a valid model.\n\nYour models:\n\n{listed}'
    return error(404, text, "invalid_request_error", "model", "model_not_found")


def unexpected(call: ReceivedCall) -> Plain:
    """Any path that there is not: status 200."""
    return text_error(f"Unexpected endpoint or method. ({call.method} {call.path})", 200)


def text_error(text: str, status: int = 400) -> Plain:
    """An error whose body has a text."""
    return Plain(encode({"error": text}), status)


def error(status: int, text: str, kind: str, param: str | None = None, code: str | None = None) -> Plain:
    """An error whose body has an object."""
    return Plain(encode({"error": {"message": text, "type": kind, "param": param, "code": code}}), status)


def error_event(text: str) -> bytes:
    """An error inside a stream."""
    return b"event: error\ndata: " + encode({"error": {"message": text}}) + b"\n\n"
