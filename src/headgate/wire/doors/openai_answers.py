"""Answers in OpenAI's Chat Completions: Reply → bytes, Delta → events.

It does not know how the request came in, nor how long anything took.

Source: OpenAI's API reference and the types of its Python client 3.54 (docs/api.md).
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta, Reply, Usage
from headgate.wire import faults
from headgate.wire.doors import About
from headgate.wire.faults import Fault


class OutCallFunction(Struct, gc=False):
    name: str
    arguments: str


class OutCall(Struct, gc=False):
    id: str
    function: OutCallFunction
    type: str = "function"


class OutMessage(Struct, omit_defaults=True, gc=False):
    content: str | None
    role: str
    refusal: str | None
    tool_calls: list[OutCall] | None = None
    reasoning_content: str | None = None


class OutLogprobs(Struct, gc=False):
    content: Raw
    refusal: None = None


class OutChoice(Struct, gc=False):
    message: OutMessage
    finish_reason: str
    logprobs: OutLogprobs | None = None
    index: int = 0


class OutPromptDetails(Struct, gc=False):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int


class OutCompletionDetails(Struct, gc=False):
    reasoning_tokens: int
    audio_tokens: int


class OutUsage(Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: OutPromptDetails
    completion_tokens_details: OutCompletionDetails


class OutCompletion(Struct, gc=False):
    id: str
    created: int
    model: str
    choices: list[OutChoice]
    usage: OutUsage
    object: str = "chat.completion"


encode = msgspec.json.Encoder().encode

DONE = b"data: [DONE]\n\n"
AFTER_TEXT = b'},"finish_reason":null}]}\n\n'


def encode_reply(reply: Reply, about: About) -> bytes:
    """A whole reply as a `chat.completion`."""
    calls = None
    if reply.tool_calls:
        calls = [OutCall(call.id, OutCallFunction(call.name, call.arguments)) for call in reply.tool_calls]
    message = OutMessage(
        content=None if calls and not reply.text else reply.text,
        role="assistant",
        refusal=None,
        tool_calls=calls,
        reasoning_content=reply.reasoning or None,
    )
    logprobs = OutLogprobs(reply.logprobs) if reply.logprobs is not None else None
    return encode(
        OutCompletion(
            id=f"chatcmpl-{about.request.id}",
            created=about.created,
            model=about.model,
            choices=[OutChoice(message, reply.finish, logprobs)],
            usage=usage_out(reply.usage),
        )
    )


def usage_out(usage: Usage) -> OutUsage:
    """Usage in OpenAI's form, where cached tokens are part of the prompt."""
    prompt, output = usage.prompt, usage.output
    return OutUsage(
        prompt,
        output,
        prompt + output,
        OutPromptDetails(usage.cache_read, usage.cache_write_5m + usage.cache_write_1h, usage.audio),
        OutCompletionDetails(usage.reasoning, usage.audio_output),
    )


class ChunkEncoder:
    """One answer as a stream of `chat.completion.chunk` events."""

    def __init__(self, about: About) -> None:
        self._include_usage = about.request.include_usage
        head = encode(
            {
                "id": f"chatcmpl-{about.request.id}",
                "object": "chat.completion.chunk",
                "created": about.created,
                "model": about.model,
            }
        )
        self._before = b"data: " + head[:-1] + b',"choices":['
        self._before_text = self._before + b'{"index":0,"delta":{"content":'
        self._begun = False

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer; the first is preceded by the role."""
        if only_text(delta):
            return self._opening() + self._before_text + encode(delta.text) + AFTER_TEXT
        out = delta_out(delta)
        if not out:
            return self._opening()
        return self._opening() + self._chunk(out, None, delta.logprobs)

    def end(self, reply: Reply) -> bytes:
        """The finish reason, the usage if it was asked for, and the end mark."""
        last = self._opening() + self._chunk({}, reply.finish, None)
        if self._include_usage:
            last += self._before + b'],"usage":' + encode(usage_out(reply.usage)) + b"}\n\n"
        return last + DONE

    def fail(self, fault: Fault) -> bytes:
        """An error event, on which OpenAI's clients raise."""
        return faults.encode_in_stream(fault)

    def _opening(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._chunk({"role": "assistant", "content": ""}, None, None)

    def _chunk(self, delta: dict[str, Any], finish: str | None, logprobs: Raw | None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs is not None:
            if b"\n" in bytes(logprobs):  # an engine that writes for people; an event's data is one line
                logprobs = Raw(msgspec.json.format(logprobs, indent=-1))
            choice["logprobs"] = {"content": logprobs, "refusal": None}
        return self._before + encode(choice) + b"]}\n\n"


def only_text(delta: Delta) -> bool:
    """Whether there is text and nothing else in it, as in nearly all deltas."""
    return bool(delta.text) and not delta.reasoning and delta.tool_index is None and delta.logprobs is None


def delta_out(delta: Delta) -> dict[str, Any]:
    """A delta in OpenAI's form; empty when there is nothing that OpenAI has a word for."""
    out: dict[str, Any] = {}
    if delta.text:
        out["content"] = delta.text
    if delta.reasoning:
        out["reasoning_content"] = delta.reasoning
    if delta.tool_index is not None:
        call: dict[str, Any] = {"index": delta.tool_index}
        if delta.tool_id or delta.tool_name:
            call |= {"id": delta.tool_id, "type": "function"}
        call["function"] = {"name": delta.tool_name} if delta.tool_name else {}
        call["function"]["arguments"] = delta.tool_arguments
        out["tool_calls"] = [call]
    return out
