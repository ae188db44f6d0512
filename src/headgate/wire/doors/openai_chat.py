"""The front door for OpenAI's Chat Completions: bytes → Request, Reply → bytes, Delta → events.

Decoding is strict about the fields we read and keeps those we do not know: they are forwarded to engines of the same
dialect (`Request.extra`). Messages are kept as the caller's own bytes too (`Request.raw_messages`), so that a large
conversation need not be written again for such an engine. What we cannot do is refused with a reason, never dropped.

Source: OpenAI's API reference and the types of its Python client 3.54 (docs/api.md).
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import (
    TEXT,
    Delta,
    Format,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from headgate.core.words import Role
from headgate.wire.faults import Fault

# ── What arrives ─────────────────────────────────────────────────────────────────────────────────────────────────────


NULL = Raw(b"null")


class WireFunction(Struct, gc=False):
    name: str = ""
    arguments: str = ""


class WireCall(Struct, gc=False):
    function: WireFunction
    id: str = ""


class WireMessage(Struct, gc=False):
    role: Role
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[WireCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None


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
    include_usage: bool = False


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
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: WireFormat | None = None
    tools: list[WireTool] | None = None
    tool_choice: Raw = NULL  # a union with None would let nothing but null in


KNOWN = frozenset(WireAsk.__struct_fields__)
PLAIN_ROLES = frozenset({"system", "user", "assistant", "tool"})

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_ask = msgspec.json.Decoder(WireAsk).decode


def decode_request(body: bytes, request_id: str) -> Request | Fault:
    """A request in our normal form, or what is wrong with it."""
    try:
        ask = decode_ask(body)
        fields = decode_fields(body)
    except msgspec.ValidationError as error:
        return wrong_type(str(error), body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Fault(
            status=400,
            message=f"the body is not valid JSON: {error}",
            hint="send a JSON object in UTF-8 with content-type application/json",
        )
    problem = check(ask)
    if problem is not None:
        return problem
    try:
        messages = tuple([message_from(wire) for wire in ask.messages])
    except ValueError as error:
        return Fault(
            status=400, message=str(error), param="messages", hint="see the content parts in docs/api.md"
        )
    plain = all([wire.role in PLAIN_ROLES and wire.content is not None for wire in ask.messages])  # noqa: C419  # quicker
    return Request(
        id=request_id,
        asked=ask.model,
        messages=messages,
        stream=bool(ask.stream),
        include_usage=ask.stream_options is not None and ask.stream_options.include_usage,
        max_tokens=ask.max_completion_tokens if ask.max_completion_tokens is not None else ask.max_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        stop=() if ask.stop is None else (ask.stop,) if isinstance(ask.stop, str) else tuple(ask.stop),
        seed=ask.seed,
        format=format_from(ask.response_format),
        tools=tuple([tool_from(tool) for tool in ask.tools]) if ask.tools else (),
        tool_choice=None if ask.tool_choice == NULL else ask.tool_choice,
        logprobs=bool(ask.logprobs),
        top_logprobs=ask.top_logprobs,
        extra={name: value for name, value in fields.items() if name not in KNOWN} if len(fields) > 2 else {},
        raw_messages=fields["messages"] if plain else None,
    )


def check(ask: WireAsk) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    if not ask.messages:
        return Fault(
            status=400, message="messages is empty", param="messages", hint="send at least one message"
        )
    if not ask.model:
        return Fault(status=400, message="model is empty", param="model", hint='use "auto" to be routed')
    if ask.n is not None and ask.n != 1:
        return Fault(
            status=400,
            message=f"n is {ask.n}, but one answer is given per request",
            param="n",
            code="unsupported_value",
            hint="send the request n times",
        )
    for name, limit in (
        ("max_tokens", ask.max_tokens),
        ("max_completion_tokens", ask.max_completion_tokens),
    ):
        if limit is not None and limit < 1:
            return Fault(
                status=400,
                message=f"{name} is {limit}, but must be at least 1",
                param=name,
                code="integer_below_min_value",
                hint=f"leave {name} out for no limit",
            )
    for name, value, low, high in (
        ("temperature", ask.temperature, 0.0, 2.0),
        ("top_p", ask.top_p, 0.0, 1.0),
        ("top_logprobs", ask.top_logprobs, 0, 20),
    ):
        if value is not None and not low <= value <= high:
            return Fault(
                status=400,
                message=f"{name} is {value}, but must be between {low} and {high}",
                param=name,
                code="invalid_value",
                hint=f"leave {name} out for the model's own default",
            )
    if (
        ask.response_format is not None
        and ask.response_format.type == "json_schema"
        and ask.response_format.json_schema is None
    ):
        return Fault(
            status=400,
            message="response_format is json_schema, but has no json_schema",
            param="response_format",
            hint='send {"type": "json_schema", "json_schema": {"name": "...", "schema": {...}}}',
        )
    return None


def wrong_type(error: str, body: bytes) -> Fault:
    """A field that is missing or has the wrong type, named by its path."""
    what, _, path = error.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    if what.startswith("Object missing required field"):
        name = what.split("`")[1]
        where = f"{where}.{name}".lstrip(".")
        what = f"{where} is missing"
        hint = (
            'use "auto" to be routed'
            if where == "model"
            else "send at least one message"
            if where == "messages"
            else ""
        )
        return Fault(status=400, message=what, param=where, code="missing_required_parameter", hint=hint)
    if not where and not body.lstrip().startswith(b"{"):
        return Fault(
            status=400,
            message="the body is not a JSON object",
            hint='send {"model": "auto", "messages": [...]}',
        )
    return Fault(
        status=400,
        message=f"{where}: {what[:1].lower()}{what[1:]}",
        param=where,
        code="invalid_type",
        hint="see docs/api.md",
    )


def message_from(wire: WireMessage) -> Message:
    """A message in our form.

    Raises:
        ValueError: a content part of a kind we do not know, for people.
    """
    content: str | tuple[Part, ...] = (
        wire.content
        if isinstance(wire.content, str)
        else ""
        if wire.content is None
        else tuple([part_from(part) for part in wire.content])
    )
    calls = tuple(
        [ToolCall(call.id, call.function.name, call.function.arguments) for call in wire.tool_calls or ()]
    )
    return Message(wire.role, content or wire.refusal or "", calls, wire.tool_call_id, wire.name)


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
            return Image(url)
    if kind in ("text", "image_url"):
        raise ValueError(f"a content part of type {kind} has no {kind} in it")
    raise ValueError(f"a content part has the type {kind!r}; text and image_url can be routed")


def tool_from(wire: WireTool) -> Tool:
    """A tool definition in our form."""
    function = wire.function
    return Tool(function.name, function.description or "", function.parameters, function.strict)


def format_from(wire: WireFormat | None) -> Format:
    """The asked format in our form."""
    if wire is None or wire.type == "text":
        return TEXT
    if wire.type == "json_object" or wire.json_schema is None:
        return Format("json")
    return Format("schema", wire.json_schema.schema, wire.json_schema.name)


# ── What goes back ───────────────────────────────────────────────────────────────────────────────────────────────────


class OutCallFunction(Struct, gc=False):
    name: str
    arguments: str


class OutCall(Struct, gc=False):
    id: str
    function: OutCallFunction
    type: str = "function"


class OutMessage(Struct, omit_defaults=True, gc=False):
    content: str | None
    role: str = msgspec.field(default_factory=lambda: "assistant")
    refusal: str | None = msgspec.field(default_factory=lambda: None)
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


class OutCompletionDetails(Struct, gc=False):
    reasoning_tokens: int


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


def encode_reply(reply: Reply, *, request_id: str, model: str, created: int) -> bytes:
    """A whole reply as a `chat.completion`."""
    calls = [
        OutCall(call.id, OutCallFunction(call.name, call.arguments)) for call in reply.tool_calls
    ] or None
    message = OutMessage(
        content=None if calls and not reply.text else reply.text,
        tool_calls=calls,
        reasoning_content=reply.reasoning or None,
    )
    logprobs = OutLogprobs(reply.logprobs) if reply.logprobs is not None else None
    return encode(
        OutCompletion(
            id=f"chatcmpl-{request_id}",
            created=created,
            model=model,
            choices=[OutChoice(message, reply.finish, logprobs)],
            usage=usage_out(reply.usage),
        )
    )


def usage_out(usage: Usage) -> OutUsage:
    """Usage in OpenAI's form, where cached tokens are part of the prompt."""
    return OutUsage(
        usage.prompt,
        usage.output,
        usage.prompt + usage.output,
        OutPromptDetails(usage.cache_read),
        OutCompletionDetails(usage.reasoning),
    )


KEEP_ALIVE = b": the answer is being checked before it is sent\n\n"
"""A comment, which clients ignore and proxies count as life."""

DONE = b"data: [DONE]\n\n"


ChunkWriter = Callable[[dict[str, Any], str | None, Raw | None], bytes]
"""(delta, finish reason, log-probabilities) → one event."""


def chunk_writer(*, request_id: str, model: str, created: int) -> ChunkWriter:
    """A function that writes one `chat.completion.chunk` event for a delta and a finish reason."""
    head = encode(
        {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
    )
    before = b"data: " + head[:-1] + b',"choices":['

    def write(delta: dict[str, Any], finish: str | None, logprobs: Raw | None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs is not None:
            choice["logprobs"] = {"content": logprobs, "refusal": None}
        return before + encode(choice) + b"]}\n\n"

    return write


def delta_out(delta: Delta) -> dict[str, Any]:
    """A delta in OpenAI's form."""
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


def usage_chunk(usage: Usage, *, request_id: str, model: str, created: int) -> bytes:
    """The event that carries usage, before the end mark, for callers who asked for it."""
    return (
        b"data: "
        + encode(
            {
                "id": f"chatcmpl-{request_id}",
                "object": "chat.completion.chunk",
                "created": created,
                "model": model,
                "choices": [],
                "usage": usage_out(usage),
            }
        )
        + b"\n\n"
    )


def deltas_of(reply: Reply) -> tuple[Delta, ...]:
    """A whole reply cut into deltas, for streams whose answer was held until it was judged."""
    deltas: list[Delta] = []
    if reply.reasoning:
        deltas.append(Delta(reasoning=reply.reasoning))
    if reply.text:
        deltas.append(Delta(reply.text, logprobs=reply.logprobs))
    deltas += [
        Delta(tool_index=index, tool_id=call.id, tool_name=call.name, tool_arguments=call.arguments)
        for index, call in enumerate(reply.tool_calls)
    ]
    return tuple(deltas)
