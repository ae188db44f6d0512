"""The door for OpenAI's Responses: bytes → Request. The way back is in `openai_responses_answers`.

What only OpenAI can do (its own tools, its kept prompts and conversations, work in the background) is refused with a
reason. What it shares with Chat Completions is kept for engines of that dialect (`Request.extra`). A conversation that
goes on from an earlier answer is only named here (`Request.previous`): the gate has kept it, or not. Where single items
of earlier answers are named, the request is read to its end once the gate has looked for them (`Referring`).

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from headgate.core.policy import AUTO
from headgate.core.types import TEXT, Format, Message, Reply, Request, Tool
from headgate.core.words import DialectName, Effort
from headgate.wire.doors import SSE, About, Referring
from headgate.wire.doors.openai_chat import KEEP_ALIVE
from headgate.wire.doors.openai_responses_answers import RESPONSE_ID, EventEncoder, encode_reply
from headgate.wire.doors.openai_responses_items import Conversation, WireItem, answers_named, no_item
from headgate.wire.doors.openai_responses_shapes import CHOICE, ITEM, SAYS_SOMETHING, SPEAKS
from headgate.wire.doors.reading import bad_value, no_object, read
from headgate.wire.doors.values import (
    NULL,
    ModelName,
    RawObject,
    Share,
    Temperature,
    Tokens,
    TopLogprobs,
    is_object,
    null,
    object_of,
)
from headgate.wire.faults import Fault

LOGPROBS = "message.output_text.logprobs"
INCLUDED = frozenset({LOGPROBS, "reasoning.encrypted_content"})
"""What may be asked to be included. Reasoning is given as it is, so there is nothing to encrypt."""


class TextFormat(Struct, gc=False, tag_field="type", tag="text"):
    pass


class JsonFormat(Struct, gc=False, tag_field="type", tag="json_object"):
    pass


class SchemaFormat(Struct, gc=False, tag_field="type", tag="json_schema"):
    schema: Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
    name: str = "answer"


WireFormat = TextFormat | JsonFormat | SchemaFormat


class WireText(Struct, gc=False):
    format: WireFormat | None = None
    verbosity: Raw = field(default_factory=null)


class WireReasoning(Struct, gc=False):
    effort: Effort | None = None


class WireTool(Struct, gc=False):
    type: Annotated[str, Meta(extra_json_schema={"const": "function"})]
    name: Annotated[str, Meta(extra_json_schema={"minLength": 1})] = ""
    description: str | None = None
    parameters: RawObject = field(default_factory=null)
    strict: bool | None = None


class WireNamed(Struct, gc=False):
    type: str
    name: str = ""


class WireChoice(Struct, gc=False):
    type: str
    name: str = ""
    mode: Literal["auto", "required"] = "auto"
    tools: list[WireNamed] = []


class WirePrompt(Struct, gc=False, kw_only=True):
    """The known top-level fields. Their names are OpenAI's; None and absent mean the same there."""

    model: ModelName | None = None
    input: str | Annotated[list[Annotated[WireItem, Meta(extra_json_schema=ITEM)]], SPEAKS] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: Annotated[bool | None, Meta(extra_json_schema={"enum": [False, None]})] = None
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    text: WireText | None = None
    reasoning: WireReasoning | None = None
    tools: list[Annotated[WireTool, Meta(extra_json_schema={"required": ["name"]})]] | None = None
    tool_choice: Annotated[str | WireChoice | None, Meta(extra_json_schema={"allOf": [CHOICE]})] = None
    parallel_tool_calls: bool | None = None
    include: list[Annotated[str, Meta(extra_json_schema={"enum": sorted(INCLUDED)})]] | None = None
    top_logprobs: TopLogprobs | None = None
    truncation: Annotated[str | None, Meta(extra_json_schema={"enum": ["disabled", None]})] = None


class WireAsk(WirePrompt, gc=False, kw_only=True):
    """The same for an answer, which somebody must give."""

    model: ModelName


OWN = frozenset({"metadata", "max_tool_calls", "stream_options"})
"""Fields that need nothing done here: a label, a limit on tools that are not run here, padding against eavesdroppers."""
KNOWN = OWN | frozenset(WireAsk.__struct_fields__)
ECHOED = (
    *("instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls"),
    *("previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "temperature", "text"),
    *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
)
"""Fields that the answer repeats."""
REFUSED = {
    "conversation": "conversations are kept by OpenAI and not here",
    "prompt": "prompt templates are kept by OpenAI and not here",
    "context_management": "conversations are not shortened here",
    "moderation": "nothing is moderated here",
    "access_programs": "access programs are OpenAI's",
    "image": "images are passed on as they are",
}
"""Fields that ask for what cannot be had, and why."""
CHATS = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
}
"""Words of Chat Completions, which are said otherwise here."""
CHOICES = frozenset({"none", "auto", "required"})

NONE_KNOWN: Mapping[str, Message] = {}
"""The earlier answers of a request that names none."""

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
ASK = msgspec.json.Decoder(WireAsk)
PROMPT = msgspec.json.Decoder(WirePrompt)


class Responses(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "openai"
    form: Any = Annotated[WireAsk, SAYS_SOMETHING]
    stream_type: bytes = SSE

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Referring:
        """A request in our normal form, or what is wrong with it."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply as a `response`."""
        return encode_reply(reply, about)

    def keep_alive(self, about: About) -> bytes:  # noqa: ARG002  # other doors name the model
        """A comment, which clients ignore and proxies count as life."""
        return KEEP_ALIVE

    def stream_encoder(self, about: About) -> EventEncoder:
        """A writer of `response.…` events."""
        return EventEncoder(about)


class InputTokens(Struct, frozen=True):
    """The door for counting: what a request would take, without asking a model."""

    dialect: DialectName = "openai"
    form: Any = Annotated[WirePrompt, SAYS_SOMETHING]

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Referring:
        """A request in our normal form, or what is wrong with it; it may come without a model."""
        return decode_request(body, request_id, PROMPT)

    def encode_count(self, tokens: int) -> bytes:
        """The count."""
        return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": tokens})


def decode_request(
    body: bytes,
    request_id: str,
    decoder: msgspec.json.Decoder[Any] = ASK,
) -> Request | Fault | Referring:
    """A request in our normal form, or what is wrong with it.

    Args:
        body: as it came.
        request_id: ours.
        decoder: of a request that names a model, or of one that need not.
    """
    ask: WirePrompt | Fault = read(decoder, body)
    if isinstance(ask, Fault):
        return ask
    fields = decode_fields(body)
    problem = unknown_here(fields) or check(ask)
    if problem is not None:
        return problem
    understand = partial(request_from, ask, fields, request_id)
    answers = answers_named(ask.input) if isinstance(ask.input, list) else None
    return Referring(answers, understand) if answers else understand(NONE_KNOWN)


def request_from(
    ask: WirePrompt, fields: Mapping[str, Raw], request_id: str, known: Mapping[str, Message]
) -> Request | Fault:
    """What is asked, in our normal form.

    Args:
        ask: the fields that are understood.
        fields: all of them.
        request_id: ours.
        known: the earlier answers whose items may be named, by the ids of their requests.
    """
    try:
        said = said_in(ask.input, known)
    except LookupError as missing:
        return no_item(str(missing))
    except ValueError as error:
        return bad_value("input", str(error), 'see "Responses" in docs/api.md')
    chosen = choose(ask)
    if isinstance(chosen, Fault):
        return chosen
    tools, tool_choice = chosen
    first = (Message("system", ask.instructions),) if ask.instructions else ()
    text = ask.text or WireText()
    previous = ask.previous_response_id or ""
    if not (said or previous):
        return nothing_said()
    extra = {name: value for name, value in fields.items() if name not in KNOWN}
    if text.verbosity != NULL:
        extra["verbosity"] = text.verbosity
    return Request(
        id=request_id,
        asked=ask.model or AUTO,
        messages=first + said,
        stream=bool(ask.stream),
        max_tokens=ask.max_output_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        effort=ask.reasoning.effort if ask.reasoning is not None else None,
        format=format_from(text.format),
        tools=tools,
        tool_choice=tool_choice,
        parallel_tools=ask.parallel_tool_calls,
        logprobs=bool(ask.top_logprobs) or LOGPROBS in (ask.include or ()),
        top_logprobs=ask.top_logprobs,
        extra=extra,
        previous=previous.removeprefix(RESPONSE_ID) or previous,
        said=len(said),
        remember=ask.store is not False,
        store=ask.store is not False,
        echo={name: fields[name] for name in ECHOED if fields.get(name, NULL) != NULL},
    )


def unknown_here(fields: Mapping[str, Raw]) -> Fault | None:
    """The first field that has no meaning here."""
    for name, why in REFUSED.items():
        if fields.get(name, NULL) != NULL:
            return bad_value(name, f"{name} cannot be had: {why}", f"leave {name} out", "unsupported_value")
    for name, meant in CHATS.items():
        if name in fields:
            return bad_value(
                name, f"{name} is a word of Chat Completions", f"here it is {meant}", "unknown_parameter"
            )
    return None


def check(ask: WirePrompt) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    if not ask.input and not ask.previous_response_id:
        return nothing_said()
    if ask.background:
        return unsupported("background", "background is true, but every answer is given on the spot")
    if ask.truncation not in (None, "disabled"):
        return unsupported("truncation", f'truncation is "{ask.truncation[:40]}", but no prompt is cut here')
    strange = next((word for word in ask.include or () if word not in INCLUDED), None)
    if strange is not None:
        return unsupported(
            "include", f"include asks for {strange[:60]!r}, which belongs to a tool that is not run here"
        )
    wanted = ask.text.format if ask.text is not None else None
    if isinstance(wanted, SchemaFormat) and (wanted.schema == NULL or not is_object(wanted.schema)):
        return no_object("text.format.schema")
    for index, tool in enumerate(ask.tools or ()):
        if not is_object(tool.parameters):
            return no_object(f"tools[{index}].parameters")
    return None


def unsupported(param: str, message: str) -> Fault:
    """Something that is understood and cannot be had."""
    return bad_value(param, message, f"leave {param} out", "unsupported_value")


def nothing_said() -> Fault:
    """There is no input, or nothing in it that is for a model."""
    return bad_value(
        "input", "input is missing", "send a text or a list of items", "missing_required_parameter"
    )


def said_in(wire: str | list[WireItem] | None, known: Mapping[str, Message]) -> tuple[Message, ...]:
    """What the caller says, in our form.

    Raises:
        ValueError: an item cannot be understood, for people.
        LookupError: an item names another that is not known, by this id.
    """
    if not wire:
        return ()
    if isinstance(wire, str):
        return (Message("user", wire),)
    conversation = Conversation(known)
    for item in wire:
        conversation.add(item)
    return conversation.messages()


def choose(ask: WirePrompt) -> tuple[tuple[Tool, ...], Raw | None] | Fault:
    """The tools that may be called, and how one is chosen, in Chat Completions' form."""
    foreign = sorted({tool.type for tool in ask.tools or () if tool.type != "function"})
    if foreign:
        return bad_value(
            "tools",
            f"the tools {', '.join(foreign)[:200]} cannot be run here; only OpenAI has them",
            'offer functions of your own: {"type": "function", "name": ..., "parameters": {...}}',
            "unsupported_value",
        )
    if any(not tool.name for tool in ask.tools or ()):
        return bad_value(
            "tools",
            "a tool of type function has no name",
            'it is flat here: {"type": "function", "name": ..., "parameters": {...}}',
        )
    tools = tuple([tool_from(tool) for tool in ask.tools or ()])
    choice = ask.tool_choice
    if choice is None:
        return tools, None
    if isinstance(choice, str):
        if choice not in CHOICES:
            return bad_value(
                "tool_choice", f'tool_choice is "{choice[:40]}"', "none, auto, required or a function"
            )
        return tools, raw(choice)
    if choice.type == "function" and choice.name:
        if choice.name not in [tool.name for tool in tools]:
            return bad_value(
                "tool_choice",
                f'tool_choice is the function "{choice.name[:100]}", which is none of tools',
                "name one of the tools",
            )
        return tools, raw({"type": "function", "function": {"name": choice.name}})
    if choice.type == "allowed_tools" and all(tool.type == "function" for tool in choice.tools):
        allowed = {tool.name for tool in choice.tools}
        return tuple([tool for tool in tools if tool.name in allowed]), raw(choice.mode)
    return unsupported(
        "tool_choice", f"tool_choice is of the type {choice.type[:40]!r}, which cannot be run here"
    )


def raw(value: Any) -> Raw:
    """A value as JSON."""
    return Raw(msgspec.json.encode(value))


def tool_from(wire: WireTool) -> Tool:
    """A tool definition in our form."""
    return Tool(wire.name, wire.description or "", object_of(wire.parameters), wire.strict)


def format_from(wire: WireFormat | None) -> Format:
    """The asked format in our form."""
    if wire is None or isinstance(wire, TextFormat):
        return TEXT
    if isinstance(wire, JsonFormat):
        return Format("json")
    return Format("schema", wire.schema, wire.name)
