"""The door for Anthropic's Messages: bytes → Request. The way back is in `anthropic_answers`.

Decoding is strict about the fields we read. The real service answers a field that it does not know with 400, "Extra inputs
are not permitted", unless a beta header opens it. Which fields are open today the gate does not know, so it keeps those that
it does not know (`Request.extra`) and forwards them to Anthropic, which says what it thinks of them; for any other engine
they are dropped, and named. `system`, `messages` and `tools` are kept as the caller's own bytes too, so that marks for the
prompt cache, the seals on thinking, and what only Anthropic has (`native`) get there unchanged.

Source: Anthropic's API reference, versions 2023-06-01 and 2026-10-21, and the types of its Python client 2.14 (docs/api.md).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from headgate.core.types import TEXT, Format, Message, Reply, Request, Tool
from headgate.core.words import DialectName, Effort
from headgate.wire.doors import SSE, About
from headgate.wire.doors.anthropic_answers import PING, EventEncoder, encode_reply
from headgate.wire.doors.anthropic_content import Conversation, WireMessage, cleaned
from headgate.wire.doors.anthropic_shapes import TURN
from headgate.wire.doors.reading import SEE_DOCS, bad_value, no_object, read
from headgate.wire.doors.values import NULL, Count, ModelName, Share, Stop, Tokens, is_object, null
from headgate.wire.faults import Fault


class WireText(Struct, gc=False):
    type: Literal["text"]
    text: str


class WireTool(Struct, gc=False):
    type: str | None = None
    name: str = ""
    description: str | None = None
    input_schema: Raw = field(default_factory=null)
    strict: bool | None = None

    @property
    def is_callers(self) -> bool:
        """Whether the caller defines it himself; any other is one that Anthropic runs or has trained its models on."""
        return self.type is None or self.type == "custom"


TOOL = {
    "anyOf": [
        {
            "properties": {
                "type": {"enum": ["custom", None]},
                "name": {"minLength": 1},
                "input_schema": {"type": "object"},
            },
            "required": ["name", "input_schema"],
        },
        {
            "properties": {"type": {"type": "string", "not": {"const": "custom"}}},
            "required": ["type"],
        },
    ]
}
"""A tool of the caller's own, or one of Anthropic's, which needs nothing that is known here."""


class ChooseFreely(Struct, gc=False, tag_field="type", tag="auto"):
    disable_parallel_tool_use: bool | None = None


class ChooseAny(Struct, gc=False, tag_field="type", tag="any"):
    disable_parallel_tool_use: bool | None = None


class ChooseOne(Struct, gc=False, tag_field="type", tag="tool"):
    name: Annotated[str, Meta(min_length=1)]
    disable_parallel_tool_use: bool | None = None


class ChooseNone(Struct, gc=False, tag_field="type", tag="none"):
    disable_parallel_tool_use: bool | None = None


WireToolChoice = ChooseFreely | ChooseAny | ChooseOne | ChooseNone


class WireFormat(Struct, gc=False):
    type: Literal["json_schema"]
    schema: Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class WireOutput(Struct, gc=False):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: WireFormat | None = None


class WireThinking(Struct, gc=False):
    type: Literal["adaptive", "between_tools", "enabled", "disabled"]


class WirePrompt(Struct, gc=False, kw_only=True):
    """The known top-level fields. Their names are Anthropic's."""

    messages: Annotated[list[Annotated[WireMessage, Meta(extra_json_schema=TURN)]], Meta(min_length=1)]
    model: ModelName
    max_tokens: Tokens | None = None
    system: str | list[WireText] | None = None
    stop_sequences: list[Stop] | None = None
    stream: bool | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Count | None = None
    tools: list[Annotated[WireTool, Meta(extra_json_schema=TOOL)]] | None = None
    tool_choice: WireToolChoice | None = None
    thinking: WireThinking | None = None
    output_config: WireOutput | None = None


class WireAsk(WirePrompt, gc=False, kw_only=True):
    """The same for an answer, whose length must be limited."""

    max_tokens: Tokens


KNOWN = frozenset(WireAsk.__struct_fields__)
NATIVE_FIELDS = {"mcp_servers": "MCP servers", "container": "a container"}
"""Fields without which the answer would be another one, and that only Anthropic's dialect has."""
CHOICES = {ChooseFreely: Raw(b'"auto"'), ChooseAny: Raw(b'"required"'), ChooseNone: Raw(b'"none"')}
"""Choices of tools in OpenAI's form, which is ours."""

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
ASK = msgspec.json.Decoder(WireAsk)
PROMPT = msgspec.json.Decoder(WirePrompt)


class Messages(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "anthropic"
    form: Any = ASK.type
    stream_type: bytes = SSE

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply as a `message`."""
        return encode_reply(reply, about)

    def keep_alive(self, about: About) -> bytes:  # noqa: ARG002  # other doors name the model
        """A `ping` event, which clients pass over."""
        return PING

    def stream_encoder(self, about: About) -> EventEncoder:
        """A writer of events from `message_start` to `message_stop`."""
        return EventEncoder(about)


class TokenCount(Struct, frozen=True):
    """The way to ask how long a prompt is: the same request, without a limit on an answer that will not come."""

    dialect: DialectName = "anthropic"
    form: Any = PROMPT.type

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        return decode_request(body, request_id, PROMPT)

    def encode_count(self, tokens: int) -> bytes:
        """The number of tokens."""
        return b'{"input_tokens":%d}' % tokens


def decode_request(
    body: bytes,
    request_id: str,
    decoder: msgspec.json.Decoder[Any] = ASK,
) -> Request | Fault:
    """A request in our normal form, or what is wrong with it."""
    ask: WirePrompt | Fault = read(decoder, body)
    if isinstance(ask, Fault):
        return ask
    problem = check(ask)
    if problem is not None:
        return problem
    fields = decode_fields(body)
    read_so_far = converse(ask)
    if isinstance(read_so_far, Fault):
        return read_so_far
    native = read_so_far.native
    extra = extras(ask, fields)
    if extra:
        native.update([what for name, what in NATIVE_FIELDS.items() if extra.get(name, NULL) != NULL])
    tools = ask.tools or ()
    native.update([f"the tool {tool.name or tool.type}" for tool in tools if not tool.is_callers])
    choice, output = ask.tool_choice, ask.output_config
    return Request(
        id=request_id,
        asked=ask.model,
        messages=tuple(read_so_far.messages),
        stream=bool(ask.stream),
        include_usage=True,
        max_tokens=ask.max_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        top_k=ask.top_k,
        stop=tuple(ask.stop_sequences or ()),
        effort=effort_from(ask),
        format=TEXT if output is None or output.format is None else Format("schema", output.format.schema),
        tools=tuple([tool_from(tool) for tool in tools if tool.is_callers]),
        tool_choice=None if choice is None else choice_from(choice),
        parallel_tools=False if choice is not None and choice.disable_parallel_tool_use else None,
        dialect="anthropic",
        extra=extra,
        raw_messages=bytes_for_anthropic(fields["messages"], read_so_far),
        raw_system=fields["system"] if ask.system else None,
        raw_tools=fields["tools"] if tools else None,
        native=tuple(sorted(native)),
        beyond=read_so_far.beyond,
    )


def check(ask: WirePrompt) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    wanted = ask.output_config.format if ask.output_config is not None else None
    if wanted is not None and (wanted.schema == NULL or not is_object(wanted.schema)):
        return no_object("output_config.format.schema")
    return check_tools(ask)


def check_tools(ask: WirePrompt) -> Fault | None:
    """What is wrong with the tools, and with the choice among them."""
    tools = ask.tools or ()
    for index, tool in enumerate(tools):
        if tool.is_callers and (not tool.name or tool.input_schema == NULL):
            missing = f"tools[{index}].{'input_schema' if tool.name else 'name'}"
            return bad_value(missing, f"{missing} is missing", SEE_DOCS, "missing_required_parameter")
        if tool.is_callers and not is_object(tool.input_schema):
            return no_object(f"tools[{index}].input_schema")
    choice = ask.tool_choice
    if isinstance(choice, ChooseOne) and choice.name not in [tool.name for tool in tools]:
        return bad_value(
            "tool_choice.name",
            f'tool_choice is a tool "{choice.name[:100]}", which is none of tools',
            "name one of the tools",
        )
    return None


def converse(ask: WirePrompt) -> Conversation | Fault:
    """The system prompt and the turns in our form, or what is wrong with them."""
    conversation = Conversation()
    system = ask.system or ""
    if not isinstance(system, str):
        system = "\n\n".join([block.text for block in system])
    if system.strip():
        conversation.messages.append(Message("system", system))
    for index, wire in enumerate(ask.messages):
        try:
            conversation.take(wire)
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            return bad_value(
                f"messages[{index}]", f"messages[{index}]: {error}", "see the content blocks in docs/api.md"
            )
    return conversation


def bytes_for_anthropic(messages: Raw, conversation: Conversation) -> Raw | None:
    """The conversation as Anthropic's own engine may be given it; None where it has to be written anew."""
    if conversation.blank and not conversation.native:
        return None
    return cleaned(messages) if conversation.sealed or conversation.litter else messages


def extras(ask: WirePrompt, fields: dict[str, Raw]) -> dict[str, Raw]:
    """What has no place in our form, in the caller's bytes: fields that we do not know, and the rest of those we do."""
    extra = {name: value for name, value in fields.items() if name not in KNOWN}
    off = ask.thinking is not None and ask.thinking.type == "disabled"
    if ask.thinking is not None and not off:
        extra["thinking"] = fields["thinking"]
    if ask.output_config is not None:
        rest = decode_fields(fields["output_config"])
        rest.pop("format", None)
        if not off:  # else the effort is "none" in our form
            rest.pop("effort", None)
        if rest:
            extra["output_config"] = Raw(msgspec.json.encode(rest))
    return extra


def effort_from(ask: WirePrompt) -> Effort | None:
    """How long the model may think: not at all where thinking is off, else as the effort says."""
    if ask.thinking is not None and ask.thinking.type == "disabled":
        return "none"
    return ask.output_config.effort if ask.output_config is not None else None


def tool_from(wire: WireTool) -> Tool:
    """A tool definition in our form."""
    return Tool(wire.name, wire.description or "", wire.input_schema, wire.strict)


def choice_from(wire: WireToolChoice) -> Raw:
    """A choice among the tools in our form."""
    if isinstance(wire, ChooseOne):
        return Raw(msgspec.json.encode({"type": "function", "function": {"name": wire.name}}))
    return CHOICES[type(wire)]
