"""How one of the offered tools is chosen in OpenAI's Chat Completions: `tool_choice` → our form, which is OpenAI's too.

What says nothing is refused, and not taken for "auto". A choice among some of the tools leaves the others out, because no other
dialect can say it. It does not know what a tool does.

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Tool
from headgate.wire.doors.reading import bad_value
from headgate.wire.faults import Fault

NULL = Raw(b"null")
CHOICES = ("none", "auto", "required")
"""How tools are chosen, in one word."""
PLAIN_CHOICES = frozenset(f'"{word}"'.encode() for word in CHOICES)


class WireNamed(Struct, gc=False):
    name: str


class WireChosen(Struct, gc=False):
    """A tool, as a choice names it."""

    type: Literal["function"]
    function: WireNamed


class WireAllowed(Struct, gc=False):
    mode: Literal["auto", "required"]
    tools: list[WireChosen]


class WireChoice(Struct, gc=False):
    type: Literal["function", "allowed_tools"]
    function: WireNamed | None = None
    allowed_tools: WireAllowed | None = None


decode_choice = msgspec.json.Decoder(WireChoice).decode


def choose(tools: tuple[Tool, ...], raw: Raw) -> tuple[tuple[Tool, ...], Raw | None] | Fault:
    """The offered tools that may be called, and how one is chosen, in the words that all engines are told; or what is wrong."""
    if raw == NULL:
        return tools, None
    if bytes(raw) in PLAIN_CHOICES:
        return tools, raw
    try:
        choice = decode_choice(raw)
    except msgspec.ValidationError:
        return no_choice(bytes(raw))
    allowed, named = choice.allowed_tools, choice.function
    if choice.type == "allowed_tools" and allowed is not None:
        names = {tool.function.name for tool in allowed.tools}
        tools = tuple([tool for tool in tools if tool.name in names])
        return tools, Raw(f'"{allowed.mode}"'.encode())
    if choice.type != "function" or named is None:
        return no_choice(bytes(raw))
    if named.name not in [tool.name for tool in tools]:
        return bad_value(
            "tool_choice",
            f'tool_choice is the function "{named.name[:100]}", which is none of tools',
            "name one of the tools",
        )
    return tools, raw


def no_choice(raw: bytes) -> Fault:
    """A `tool_choice` that says nothing."""
    return bad_value(
        "tool_choice",
        f"tool_choice is {raw[:100].decode('utf-8', 'replace')}",
        f'{", ".join(CHOICES)}, or {{"type": "function", "function": {{"name": "..."}}}}',
    )
