"""The door for OpenAI's Chat Completions: bytes → Request. The way back is in `openai_answers`.

Decoding is strict about the fields we read and keeps those we do not know: they are forwarded to engines of the same
dialect (`Request.extra`). Messages are kept as the caller's own bytes too (`Request.raw_messages`), so that a large
conversation need not be written again for such an engine, and so that what only OpenAI's dialect can say (`native`) gets
there whole. What we cannot do is refused with a reason, never dropped.

Source: OpenAI's API reference and the types of its Python client 3.54 (docs/api.md).
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from headgate.core.tokens import BYTES_PER_TOKEN, guess_document
from headgate.core.types import (
    ORDERS,
    TEXT,
    Format,
    Message,
    Part,
    Reply,
    Request,
    Text,
    Tool,
    ToolCall,
)
from headgate.core.words import EFFORTS, DialectName, Effort, Role
from headgate.wire.doors import SSE, About
from headgate.wire.doors.openai_answers import ChunkEncoder, encode_reply
from headgate.wire.doors.openai_choice import choose
from headgate.wire.doors.reading import bad_value, image_from, out_of_range, read
from headgate.wire.faults import Fault

NULL = Raw(b"null")


class WireFunction(Struct, gc=False):
    name: str = ""
    arguments: str = ""


class WireCall(Struct, gc=False):
    function: WireFunction
    id: str = ""


class WireMessage(Struct, gc=False):
    role: Role | Literal["function"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[WireCall] | None = None
    function_call: WireFunction | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class WireToolFunction(Struct, gc=False):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"{}")
    strict: bool | None = None


class WireTool(Struct, gc=False):
    type: Literal["function"]
    function: WireToolFunction


class WireSchema(Struct, gc=False):
    schema: Raw = Raw(b"{}")
    name: str = "answer"


class WireFormat(Struct, gc=False):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: WireSchema | None = None


class WireStreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class WireAsk(Struct, gc=False):
    """The known top-level fields. Their names are OpenAI's; None and absent mean the same there."""

    messages: list[WireMessage]
    model: str
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: WireFormat | None = None
    tools: list[WireTool] | None = None
    tool_choice: Raw = NULL  # a union with None would let nothing but null in
    parallel_tool_calls: bool | None = None


KNOWN = frozenset(WireAsk.__struct_fields__)
PLAIN_ROLES = frozenset({"system", "user", "assistant", "tool"})
NATIVE_PARTS = {"input_audio": "audio", "file": "a file"}
"""Content parts that are carried to engines of OpenAI's dialect only, as the caller wrote them."""
AUDIO_BYTES_PER_TOKEN = 2000
"""Of audio in base64: ten tokens a second, of some 20 KB where it is compressed."""
NATIVE_FIELDS = {
    "functions": "functions (tools took their place)",
    "audio": "an answer in audio",
    "web_search_options": "web search",
}
"""Fields without which the answer would be another one, and that only OpenAI's dialect has."""

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_ask = msgspec.json.Decoder(WireAsk).decode


class ChatCompletions(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "openai"
    stream_type: bytes = SSE

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply as a `chat.completion`."""
        return encode_reply(reply, about)

    def keep_alive(self, about: About) -> bytes:  # noqa: ARG002  # other doors name the model
        """A comment, which clients ignore and proxies count as life."""
        return KEEP_ALIVE

    def stream_encoder(self, about: About) -> ChunkEncoder:
        """A writer of `chat.completion.chunk` events."""
        return ChunkEncoder(about)


KEEP_ALIVE = b": the answer is being checked before it is sent\n\n"


def decode_request(body: bytes, request_id: str) -> Request | Fault:
    """A request in our normal form, or what is wrong with it."""
    ask = read(decode_ask, body)
    if isinstance(ask, Fault):
        return ask
    fields = decode_fields(body)
    problem = check_messages(ask) or (check_wishes(ask) if len(fields) > 2 else None)
    if problem is not None:
        return problem
    native: dict[str, int] = {}
    try:
        messages = tuple([message_from(wire, native) for wire in ask.messages])
    except ValueError as error:
        return bad_value("messages", str(error), "see the content parts in docs/api.md")
    plain = all([wire.role in PLAIN_ROLES and wire.content is not None for wire in ask.messages])  # noqa: C419  # quicker
    if len(fields) == 2 and plain and not native and ordinary(messages):  # most requests ask for no more
        return Request(
            id=request_id,
            asked=ask.model,
            messages=messages,
            raw_messages=fields["messages"],
            wishes=False,
        )
    extra = {name: value for name, value in fields.items() if name not in KNOWN}
    if extra:
        native.update(
            {
                what: len(bytes(extra[name])) // BYTES_PER_TOKEN
                for name, what in NATIVE_FIELDS.items()
                if extra.get(name, NULL) != NULL
            }
        )
    chosen = choose(tuple([tool_from(tool) for tool in ask.tools or ()]), ask.tool_choice)
    if isinstance(chosen, Fault):
        return chosen
    return Request(
        id=request_id,
        asked=ask.model,
        messages=messages,
        stream=bool(ask.stream),
        include_usage=ask.stream_options is not None and bool(ask.stream_options.include_usage),
        max_tokens=ask.max_completion_tokens if ask.max_completion_tokens is not None else ask.max_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        top_k=ask.top_k,
        presence_penalty=ask.presence_penalty,
        frequency_penalty=ask.frequency_penalty,
        stop=() if ask.stop is None else (ask.stop,) if isinstance(ask.stop, str) else tuple(ask.stop),
        seed=ask.seed,
        effort=effort_from(ask.reasoning_effort),
        format=format_from(ask.response_format),
        tools=chosen[0],
        tool_choice=chosen[1],
        parallel_tools=ask.parallel_tool_calls,
        logprobs=bool(ask.logprobs),
        top_logprobs=ask.top_logprobs,
        extra=extra,
        raw_messages=fields["messages"] if plain or native else None,
        native=tuple(sorted(native)),
        beyond=sum(native.values()),
    )


def check_messages(ask: WireAsk) -> Fault | None:
    """What is wrong with the two fields that every request has, beyond their types."""
    if not ask.messages:
        return bad_value("messages", "messages is empty", "send at least one message")
    if not ask.model:
        return bad_value("model", "model is empty", 'use "auto" to be routed')
    return None


def check_wishes(ask: WireAsk) -> Fault | None:
    """What is wrong with the values of all others."""
    if ask.n is not None and ask.n != 1:
        return bad_value(
            "n",
            f"n is {ask.n}, but one answer is given per request",
            "send the request n times",
            "unsupported_value",
        )
    if ask.reasoning_effort is not None and ask.reasoning_effort not in EFFORTS:
        return bad_value(
            "reasoning_effort",
            f'reasoning_effort is "{ask.reasoning_effort[:40]}"',
            f"one of: {', '.join(EFFORTS)}",
        )
    if (
        ask.response_format is not None
        and ask.response_format.type == "json_schema"
        and ask.response_format.json_schema is None
    ):
        return bad_value(
            "response_format",
            "response_format is json_schema, but has no json_schema",
            'send {"type": "json_schema", "json_schema": {"name": "...", "schema": {...}}}',
        )
    return out_of_range(
        (
            ("max_tokens", ask.max_tokens, 1, None),
            ("max_completion_tokens", ask.max_completion_tokens, 1, None),
            ("temperature", ask.temperature, 0, 2),
            ("top_p", ask.top_p, 0, 1),
            ("presence_penalty", ask.presence_penalty, -2, 2),
            ("frequency_penalty", ask.frequency_penalty, -2, 2),
            ("top_logprobs", ask.top_logprobs, 0, 20),
        )
    )


def message_from(wire: WireMessage, native: dict[str, int]) -> Message:
    """A message in our form; what only OpenAI's dialect can carry is added to `native`, with a guess at its tokens.

    Raises:
        ValueError: a content part of a kind we do not know, for people.
    """
    content: str | tuple[Part, ...] = (
        wire.content
        if isinstance(wire.content, str)
        else ""
        if wire.content is None
        else parts_from(wire.content, native)
    )
    calls = tuple(
        [ToolCall(call.id, call.function.name, call.function.arguments) for call in wire.tool_calls or ()]
    )
    if wire.function_call is not None:  # what tool calls were before they had ids
        calls += (ToolCall("", wire.function_call.name, wire.function_call.arguments),)
    return Message(
        "tool" if wire.role == "function" else wire.role,
        content or wire.refusal or "",
        calls,
        wire.tool_call_id,
        wire.name,
        wire.reasoning_content or "",
    )


def parts_from(wire: list[dict[str, Any]], native: dict[str, int]) -> tuple[Part, ...]:
    """Content parts in our form.

    Raises:
        ValueError: a part of a kind we do not know, for people.
    """
    parts: list[Part] = []
    for part in wire:
        kind = part.get("type")
        if kind in NATIVE_PARTS:
            what = NATIVE_PARTS[kind]
            native[what] = native.get(what, 0) + tokens_in(part)
        else:
            parts.append(part_from(part))
    return tuple(parts)


def ordinary(messages: tuple[Message, ...]) -> bool:
    """Whether a conversation is one that every engine takes as it is: orders first, nobody named, the user last."""
    return (
        messages[-1].role != "assistant"
        and messages[0].role != "assistant"
        and messages[0].name is None
        and not any([message.role in ORDERS or message.name is not None for message in messages[1:]])  # noqa: C419  # quicker
    )


def tokens_in(part: dict[str, Any]) -> int:
    """Tokens that audio or a file probably has."""
    held = part.get(part["type"])
    data = (held.get("data") or held.get("file_data")) if isinstance(held, dict) else None
    size = len(data) if isinstance(data, str) else 0
    return size // AUDIO_BYTES_PER_TOKEN if part["type"] == "input_audio" else guess_document(size, 0)


def part_from(part: dict[str, Any]) -> Part:
    """A content part in our form: text or an image."""
    kind = part.get("type")
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if isinstance(text, str):
            return Text(text)
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str):
            return image_from(url)
    if kind in ("text", "image_url"):
        raise ValueError(f"a content part of type {kind} has no {kind} in it")
    known = ", ".join(("text", "image_url", *NATIVE_PARTS))
    raise ValueError(f"a content part has the type {str(kind)[:40]!r}, which is none of {known}")


def tool_from(wire: WireTool) -> Tool:
    """A tool definition in our form."""
    function = wire.function
    return Tool(function.name, function.description or "", function.parameters, function.strict)


def effort_from(word: str | None) -> Effort | None:
    """The asked effort, if it is one of the known words."""
    return next((effort for effort in EFFORTS if effort == word), None) if word is not None else None


def format_from(wire: WireFormat | None) -> Format:
    """The asked format in our form."""
    if wire is None or wire.type == "text":
        return TEXT
    if wire.type == "json_object" or wire.json_schema is None:
        return Format("json")
    return Format("schema", wire.json_schema.schema, wire.json_schema.name)
