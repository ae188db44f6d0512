"""The door for OpenAI's Chat Completions: bytes → Request. The way back is in `openai_answers`.

Decoding is strict about the fields we read and keeps those we do not know: they are forwarded to engines of the same
dialect (`Request.extra`). Messages are kept as the caller's own bytes too (`Request.raw_messages`), so that a large
conversation need not be written again for such an engine, and so that what only OpenAI's dialect can say (`native`) gets
there whole. What we cannot do is refused with a reason, never dropped.

Source: OpenAI's API reference and the types of its Python client 3.54 (docs/api.md).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

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
from headgate.core.words import DialectName, Effort, Role
from headgate.wire.doors import SSE, About
from headgate.wire.doors.openai_answers import ChunkEncoder, encode_reply
from headgate.wire.doors.openai_choice import WireChoice, choose
from headgate.wire.doors.reading import bad_value, image_from, no_object, read
from headgate.wire.doors.values import (
    NULL,
    Count,
    ImageUrl,
    JsonObject,
    ModelName,
    Penalty,
    RawObject,
    Seed,
    Share,
    Stop,
    Temperature,
    Tokens,
    TopLogprobs,
    is_object,
    null,
    object_of,
)
from headgate.wire.faults import Fault


class WireFunction(Struct, gc=False):
    name: str = ""
    arguments: str = ""


class WireCall(Struct, gc=False):
    function: WireFunction
    id: str = ""


class WireText(Struct, gc=False, tag_field="type", tag="text"):
    text: str


class WireRefusal(Struct, gc=False, tag_field="type", tag="refusal"):
    refusal: str


class WireUrl(Struct, gc=False):
    url: ImageUrl


class WireImage(Struct, gc=False, tag_field="type", tag="image_url"):
    image_url: WireUrl | ImageUrl


class WireAudio(Struct, gc=False, tag_field="type", tag="input_audio"):
    input_audio: JsonObject


class WireFile(Struct, gc=False, tag_field="type", tag="file"):
    file: JsonObject


WirePart = WireText | WireRefusal | WireImage | WireAudio | WireFile


class WireMessage(Struct, gc=False):
    role: Role | Literal["function"]
    content: str | list[WirePart] | None = None
    tool_calls: list[WireCall] | None = None
    function_call: WireFunction | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class WireToolFunction(Struct, gc=False):
    name: str
    description: str | None = None
    parameters: RawObject = field(default_factory=null)
    strict: bool | None = None


class WireTool(Struct, gc=False):
    type: Literal["function"]
    function: WireToolFunction


class WireSchema(Struct, gc=False):
    schema: RawObject = field(default_factory=null)
    name: str = "answer"


class TextFormat(Struct, gc=False, tag_field="type", tag="text"):
    pass


class JsonFormat(Struct, gc=False, tag_field="type", tag="json_object"):
    pass


class SchemaFormat(Struct, gc=False, tag_field="type", tag="json_schema"):
    json_schema: WireSchema


WireFormat = TextFormat | JsonFormat | SchemaFormat


class WireStreamOptions(Struct, gc=False):
    include_usage: bool | None = None


OnlyOne = Annotated[int | None, Meta(extra_json_schema={"enum": [1, None]})]
"""A number of answers; another one is refused with a reason (`check`)."""


class WireAsk(Struct, gc=False):
    """The known top-level fields. Their names are OpenAI's; None and absent mean the same there."""

    messages: Annotated[list[WireMessage], Meta(min_length=1)]
    model: ModelName
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    top_k: Count | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    n: OnlyOne = None
    stop: Stop | list[Stop] | None = None
    seed: Seed | None = None
    reasoning_effort: Effort | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    response_format: WireFormat | None = None
    tools: list[WireTool] | None = None
    tool_choice: WireChoice | None = None
    parallel_tool_calls: bool | None = None


KNOWN = frozenset(WireAsk.__struct_fields__)
PLAIN_ROLES = frozenset({"system", "user", "assistant", "tool"})
NATIVE_PARTS = {WireAudio: "audio", WireFile: "a file"}
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
ASK = msgspec.json.Decoder(WireAsk)


class ChatCompletions(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "openai"
    form: Any = ASK.type
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
    ask = read(ASK, body)
    if not isinstance(ask, WireAsk):
        return ask
    fields = decode_fields(body)
    problem = check_wishes(ask) if len(fields) > 2 else None
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
    chosen = choose(tuple([tool_from(tool) for tool in ask.tools or ()]), ask.tool_choice, fields)
    if isinstance(chosen, Fault):
        return chosen
    # In steps: Python makes a dictionary for a call with more than 15 names, which costs more than all that they name.
    request = Request(
        id=request_id,
        asked=ask.model,
        messages=messages,
        stream=bool(ask.stream),
        include_usage=ask.stream_options is not None and bool(ask.stream_options.include_usage),
        format=format_from(ask.response_format),
        tools=chosen[0],
        tool_choice=chosen[1],
        parallel_tools=ask.parallel_tool_calls,
        extra=extra,
        raw_messages=fields["messages"] if plain or native else None,
        native=tuple(sorted(native)),
        beyond=sum(native.values()),
    )
    return replace(
        request,
        max_tokens=ask.max_completion_tokens if ask.max_completion_tokens is not None else ask.max_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        top_k=ask.top_k,
        presence_penalty=ask.presence_penalty,
        frequency_penalty=ask.frequency_penalty,
        stop=() if ask.stop is None else (ask.stop,) if isinstance(ask.stop, str) else tuple(ask.stop),
        seed=ask.seed,
        effort=ask.reasoning_effort,
        logprobs=bool(ask.logprobs),
        top_logprobs=ask.top_logprobs,
    )


def check_wishes(ask: WireAsk) -> Fault | None:
    """What is wrong with the values of all others."""
    if ask.n is not None and ask.n != 1:
        return bad_value(
            "n",
            f"n is {ask.n}, but one answer is given per request",
            "send the request n times",
            "unsupported_value",
        )
    for index, tool in enumerate(ask.tools or ()):
        if not is_object(tool.function.parameters):
            return no_object(f"tools[{index}].function.parameters")
    if isinstance(ask.response_format, SchemaFormat) and not is_object(
        ask.response_format.json_schema.schema
    ):
        return no_object("response_format.json_schema.schema")
    return None


def message_from(wire: WireMessage, native: dict[str, int]) -> Message:
    """A message in our form; what only OpenAI's dialect can carry is added to `native`, with a guess at its tokens.

    Raises:
        ValueError: an image that is neither an address nor its bytes, for people.
    """
    content: str | tuple[Part, ...] = (
        wire.content
        if isinstance(wire.content, str)
        else ""
        if wire.content is None
        else parts_from(wire.content, native)
    )
    calls: tuple[ToolCall, ...] = ()
    if wire.tool_calls:
        calls = tuple(
            [ToolCall(call.id, call.function.name, call.function.arguments) for call in wire.tool_calls]
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


def parts_from(wire: list[WirePart], native: dict[str, int]) -> tuple[Part, ...]:
    """Content parts in our form: texts and images.

    Raises:
        ValueError: an image that is neither an address nor its bytes, for people.
    """
    parts: list[Part] = []
    for part in wire:
        if isinstance(part, WireText):
            parts.append(Text(part.text))
        elif isinstance(part, WireRefusal):
            parts.append(Text(part.refusal))
        elif isinstance(part, WireImage):
            parts.append(
                image_from(part.image_url if isinstance(part.image_url, str) else part.image_url.url)
            )
        else:
            what = NATIVE_PARTS[type(part)]
            native[what] = native.get(what, 0) + tokens_in(part)
    return tuple(parts)


def ordinary(messages: tuple[Message, ...]) -> bool:
    """Whether a conversation is one that every engine takes as it is: orders first, nobody named, the user last."""
    return (
        messages[-1].role != "assistant"
        and messages[0].role != "assistant"
        and messages[0].name is None
        and not any([message.role in ORDERS or message.name is not None for message in messages[1:]])  # noqa: C419  # quicker
    )


def tokens_in(part: WireAudio | WireFile) -> int:
    """Tokens that audio or a file probably has."""
    if isinstance(part, WireAudio):
        return len(bytes(part.input_audio.get("data", b""))) // AUDIO_BYTES_PER_TOKEN
    return guess_document(len(bytes(part.file.get("file_data", b""))), 0)


def tool_from(wire: WireTool) -> Tool:
    """A tool definition in our form."""
    function = wire.function
    return Tool(function.name, function.description or "", object_of(function.parameters), function.strict)


def format_from(wire: WireFormat | None) -> Format:
    """The asked format in our form."""
    if wire is None or isinstance(wire, TextFormat):
        return TEXT
    if isinstance(wire, JsonFormat):
        return Format("json")
    return Format("schema", object_of(wire.json_schema.schema), wire.json_schema.name)
