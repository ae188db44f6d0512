"""The door for Ollama's `/api/chat`: bytes → Request. The way back is in `ollama_answers`.

Its tool calls need no ids and its tool results may name a tool instead of a call. Other engines demand ids, so calls
without one get one here, and each result finds its call: by id, else by the tool's name, else in order.

Source: Ollama 0.33.0-rc2 (`api/types.go`, `server/routes.go`), its Python client 0.6.3.
"""

from typing import Any

import msgspec
from msgspec import Struct, field

from headgate.core.types import Message, Reply, Request, Tool, ToolCall
from headgate.core.words import DialectName, Role
from headgate.wire.doors import NDJSON, About, Ready
from headgate.wire.doors.ollama_answers import LineEncoder, encode_reply, in_message, keep_alive
from headgate.wire.doors.ollama_words import (
    Picture,
    WireAsk,
    content_from,
    decode_fields,
    ready,
    shared_from,
)
from headgate.wire.doors.reading import bad_value, no_object, read
from headgate.wire.doors.values import RawObject, is_object, null, object_of
from headgate.wire.faults import Fault


class WireFunction(Struct, gc=False):
    name: str = ""
    arguments: RawObject = field(default_factory=null)


class WireCall(Struct, gc=False):
    function: WireFunction
    id: str | None = None


class WireMessage(Struct, gc=False):
    role: Role
    content: str | None = None
    thinking: str | None = None
    images: list[Picture] | None = None
    tool_calls: list[WireCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class WireToolFunction(Struct, gc=False):
    name: str
    description: str | None = None
    parameters: RawObject = field(default_factory=null)


class WireTool(Struct, gc=False):
    function: WireToolFunction


class WireChat(WireAsk, gc=False, kw_only=True):
    """The known top-level fields."""

    messages: list[WireMessage] | None = None
    tools: list[WireTool] | None = None


KNOWN = frozenset(WireChat.__struct_fields__) - {"keep_alive"}
ASK = msgspec.json.Decoder(WireChat)


class OllamaChat(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "ollama"
    form: Any = ASK.type
    stream_type: bytes = NDJSON

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one that only wants a model loaded."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply with its `message`."""
        return encode_reply(reply, about, in_message)

    def keep_alive(self, about: About) -> bytes:
        """A line with an empty message."""
        return keep_alive(about, in_message)

    def stream_encoder(self, about: About) -> LineEncoder:
        """A writer of lines with a piece of the `message` each."""
        return LineEncoder(about, in_message)


def decode_request(body: bytes, request_id: str) -> Request | Fault | Ready:
    """A request in our normal form, what is wrong with it, or the answer to one that only wants a model loaded."""
    ask = read(ASK, body)
    if isinstance(ask, Fault):
        return ask
    try:
        shared = shared_from(ask, decode_fields(body), KNOWN)
    except ValueError as error:
        return bad_value("format", str(error))
    strange = next(
        (i for i, tool in enumerate(ask.tools or ()) if not is_object(tool.function.parameters)), None
    )
    if strange is not None:
        return no_object(f"tools[{strange}].function.parameters")
    if not ask.messages:
        return ready(ask, request_id, in_message)
    try:
        messages = messages_from(ask.messages)
    except ValueError as error:
        return bad_value("messages", str(error))
    tools = tuple([tool_from(tool.function) for tool in ask.tools or ()])
    return Request(id=request_id, asked=ask.model, messages=messages, tools=tools, **shared)


def messages_from(wires: list[WireMessage]) -> tuple[Message, ...]:
    """The conversation in our form, each tool result with the id of its call.

    Raises:
        ValueError: an image or a call's arguments that cannot be taken, for people.
    """
    messages: list[Message] = []
    waiting: list[ToolCall] = []
    for number, wire in enumerate(wires):
        try:
            message = message_from(wire, number)
        except ValueError as error:
            raise ValueError(f"messages[{number}].{error}") from error
        if message.tool_calls:
            waiting = list(message.tool_calls)
        elif message.role == "tool":
            message = answering(message, waiting)
        messages.append(message)
    return tuple(messages)


def message_from(wire: WireMessage, number: int) -> Message:
    """A message in our form.

    Raises:
        ValueError: an image or a call's arguments that cannot be taken, for people.
    """
    return Message(
        wire.role,
        content_from(wire.content or "", wire.images),
        tuple([call_from(call, number, index) for index, call in enumerate(wire.tool_calls or ())]),
        wire.tool_call_id,
        wire.tool_name or None,
        wire.thinking or "",
    )


def call_from(wire: WireCall, message: int, index: int) -> ToolCall:
    """A tool call in our form, with an id that is the same whenever the conversation is sent again.

    Raises:
        ValueError: arguments that are no object, for people.
    """
    if not is_object(wire.function.arguments):
        raise ValueError(f"tool_calls[{index}].function.arguments is not an object")
    arguments = bytes(object_of(wire.function.arguments)).decode()
    return ToolCall(wire.id or f"call_{message}_{index}", wire.function.name, arguments)


def answering(result: Message, waiting: list[ToolCall]) -> Message:
    """The tool result with the id of the call it answers, which then waits no longer."""
    call = (
        next((call for call in waiting if call.id == result.tool_call_id), None)
        or next((call for call in waiting if call.name == result.name), None)
        or (waiting[0] if waiting else None)
    )
    if call is None:
        return result
    waiting.remove(call)
    return msgspec.structs.replace(result, tool_call_id=call.id, name=None)


def tool_from(wire: WireToolFunction) -> Tool:
    """A tool definition in our form."""
    return Tool(wire.name, wire.description or "", object_of(wire.parameters))
