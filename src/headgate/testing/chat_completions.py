"""The OpenAI chat shape, as three servers write it: OpenAI itself, LM Studio, and Ollama under `/v1`.

They agree on the words and differ in the order of fields, in what is null and what is absent, and in where the role
stands in a stream; `ChatStyle` holds those differences as data. Which requests are acceptable is not decided here.
"""

import base64
import json
import struct
import time
from typing import Any

import msgspec

from headgate.testing.answers import Answer, count_prompt, count_tokens, output_tokens, pieces, vector
from headgate.testing.calls import ReceivedCall
from headgate.testing.replies import SSE, Plain, Stream, encode

DONE = b"data: [DONE]\n\n"


class ChatStyle(msgspec.Struct, frozen=True):
    """How one server writes chat completions."""

    fingerprint: str
    fingerprint_first: bool = False
    """In a plain reply it stands before `choices` (a chunk always has it there)."""
    null_logprobs: bool = True
    """`"logprobs": null` is written when there are none."""
    null_refusal: bool = False
    role_alone: bool = False
    """The role has an opening chunk of its own; otherwise it comes with the content."""
    role_everywhere: bool = False
    whole_tool_calls: bool = False
    """A streamed tool call is one delta instead of fragments."""
    detailed_usage: bool = False
    service_tier: str | None = None
    reasoning_field: str | None = "reasoning"
    trailing: bytes = b""
    json_type: str = "application/json"
    sse_type: str = SSE


class Exchange(msgspec.Struct, frozen=True):
    """One call and what will be said to it: everything a reply needs."""

    id: str
    model: str
    call: ReceivedCall
    answer: Answer
    prompt_tokens: int | None = None
    extra: dict[str, Any] = {}
    counted: bool = True
    """The reply tells how many tokens were used."""


def completion(style: ChatStyle, exchange: Exchange) -> Plain:
    """The whole answer in one document."""
    answer = exchange.answer
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool_calls and not answer.text and style.null_refusal:
        message["content"] = None
    if answer.reasoning and style.reasoning_field:
        message[style.reasoning_field] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            _tool_call(call, style, i, exchange.id) for i, call in enumerate(answer.tool_calls)
        ]
    if style.null_refusal:
        message["refusal"] = None
        message["annotations"] = []
    choice: dict[str, Any] = {"index": 0, "message": message}
    found = _logprobs(exchange)
    if style.null_logprobs:
        choice |= {"logprobs": found, "finish_reason": _finish(answer)}
    else:
        choice |= {"finish_reason": _finish(answer)} | ({"logprobs": found} if found else {})
    body: dict[str, Any] = {
        "id": exchange.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": exchange.model,
    }
    if style.fingerprint_first:
        body["system_fingerprint"] = style.fingerprint
    body |= {"choices": [choice]} | ({"usage": usage(style, exchange)} if exchange.counted else {})
    body |= exchange.extra
    if style.service_tier:
        body["service_tier"] = style.service_tier
    if not style.fingerprint_first:
        body["system_fingerprint"] = style.fingerprint or exchange.model
    return Plain(encode(body) + style.trailing, content_type=style.json_type, delay=answer.delay)


def stream(
    style: ChatStyle, exchange: Exchange, *, failure: bytes, headers: tuple[tuple[str, str], ...] = ()
) -> Stream:
    """The answer as chunks; the usage chunk only when `stream_options.include_usage` asked for it."""
    answer = exchange.answer
    options = exchange.call.fields.get("stream_options")
    counted = exchange.counted and isinstance(options, dict) and options.get("include_usage") is True
    head: dict[str, Any] = {
        "id": exchange.id,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": exchange.model,
    }
    if style.service_tier:
        head["service_tier"] = style.service_tier
    head["system_fingerprint"] = style.fingerprint or exchange.model

    def chunk(
        delta: dict[str, Any], finish: str | None = None, logprobs: dict[str, Any] | None = None
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        if style.null_logprobs:
            choice["logprobs"] = logprobs
        choice["finish_reason"] = finish
        if logprobs and not style.null_logprobs:
            choice["logprobs"] = logprobs
        nothing_yet = {"usage": None} if counted and style.detailed_usage else {}
        return sse(head | {"choices": [choice]} | nothing_yet)

    opening = []
    if style.role_alone:
        opening.append(
            chunk({"role": "assistant", "content": ""} | ({"refusal": None} if style.null_refusal else {}))
        )
    deltas = list(_deltas(style, exchange))
    for index, (delta, _) in enumerate(deltas):
        if style.role_everywhere or (index == 0 and not style.role_alone):
            deltas[index] = ({"role": "assistant"} | delta, deltas[index][1])
    closing = [chunk({}, _finish(answer))]
    if counted:
        closing.append(sse(head | {"choices": [], "usage": usage(style, exchange)}))
    return Stream(
        opening=tuple(opening),
        content=tuple(chunk(delta, None, found) for delta, found in deltas),
        closing=(*closing, DONE),
        failure=failure,
        content_type=style.sse_type,
        headers=headers,
        delay=answer.delay,
        pace=answer.chunk_delay,
    )


def usage(style: ChatStyle, exchange: Exchange) -> dict[str, Any]:
    """Token counts; cached tokens are part of `prompt_tokens`."""
    answer = exchange.answer
    asked = exchange.prompt_tokens
    if asked is None:
        asked = count_prompt(exchange.call) if answer.input_tokens is None else answer.input_tokens
    said = output_tokens(answer)
    counts: dict[str, Any] = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    if style.detailed_usage:
        counts["prompt_tokens_details"] = {"cached_tokens": answer.cached_tokens, "audio_tokens": 0}
        counts["completion_tokens_details"] = {
            "reasoning_tokens": count_tokens(answer.reasoning or ""),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    return counts


def embeddings(call: ReceivedCall, model: str, dimensions: int) -> Plain:
    """Vectors for every input, as floats or as base64 of little-endian float32, as `encoding_format` says."""
    given = call.fields.get("input")
    inputs = given if isinstance(given, list) and not all(isinstance(i, int) for i in given) else [given]
    as_base64 = call.fields.get("encoding_format") == "base64"
    data = []
    for index, item in enumerate(inputs):
        found = vector(item if isinstance(item, str) else repr(item), dimensions)
        packed = base64.b64encode(struct.pack(f"<{dimensions}f", *found)).decode() if as_base64 else found
        data.append({"object": "embedding", "index": index, "embedding": packed})
    tokens = sum(
        count_tokens(i) if isinstance(i, str) else len(i) if isinstance(i, list) else 1 for i in inputs
    )
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Plain(encode({"object": "list", "data": data, "model": model, "usage": usage}))


def sse(value: Any) -> bytes:
    """One server-sent event without a name."""
    return b"data: " + encode(value) + b"\n\n"


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.tool_calls and answer.finish == "stop" else answer.finish


def _deltas(style: ChatStyle, exchange: Exchange) -> Any:
    answer = exchange.answer
    if answer.reasoning and style.reasoning_field:
        for piece in pieces(answer.reasoning):
            yield (
                {"content": "", style.reasoning_field: piece}
                if not style.role_alone
                else {style.reasoning_field: piece},
                None,
            )
    for piece in pieces(answer.text):
        yield {"content": piece}, _logprobs(exchange, piece)
    for index, call in enumerate(answer.tool_calls):
        whole = _tool_call(call, style, index, exchange.id)
        if style.whole_tool_calls:
            yield {"content": "", "tool_calls": [whole]}, None
            continue
        arguments = whole["function"]["arguments"]
        start = {"name": call.name, "arguments": ""}
        head = {"index": index, "id": whole["id"], "type": "function", "function": start}
        yield {"tool_calls": [head]}, None
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None


def _tool_call(call: Any, style: ChatStyle, index: int, reply_id: str) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"call_{reply_id[-6:]}{index:02d}"}
    if style.whole_tool_calls:  # Ollama numbers them even in a plain reply
        made["index"] = index
    arguments = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    function = {"name": call.name, "arguments": arguments}
    return made | {"type": "function", "function": function}


def token_logprobs(text: str, answer: Answer, top: int) -> list[dict[str, Any]]:
    """One entry for each piece of a text of the answer, every one with the same log-probability (default -0.1)."""
    value = -0.1 if answer.logprob is None else answer.logprob
    entries = []
    for piece in pieces(text):
        entry = _entry(piece, value)
        others = [_entry(other, beside) for other, beside in answer.alternatives.get(piece, {}).items()]
        entries.append(entry | ({"top_logprobs": [entry, *others][:top]} if top else {}))
    return entries


def _entry(piece: str, logprob: float) -> dict[str, Any]:
    return {"token": piece, "logprob": logprob, "bytes": list(piece.encode())}


def _logprobs(exchange: Exchange, text: str | None = None) -> dict[str, Any] | None:
    body = exchange.call.fields
    if body.get("logprobs") is not True:
        return None
    said = exchange.answer.text if text is None else text
    return {"content": token_logprobs(said, exchange.answer, body.get("top_logprobs") or 0)}
