"""How one of the offered tools is chosen in OpenAI's Chat Completions: `tool_choice` → our form, which is OpenAI's too.

A choice among some of the tools leaves the others out, because no other
dialect can say it. It does not know what a tool does.

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct

from headgate.core.types import Tool
from headgate.wire.doors.reading import bad_value
from headgate.wire.faults import Fault


class WireNamed(Struct, gc=False):
    name: str


class WireChosen(Struct, gc=False, tag_field="type", tag="function"):
    """A tool, as a choice names it."""

    function: WireNamed


class WireOneOfSome(Struct, gc=False):
    """A tool among those that may be called; a tag that tells nothing apart would not be demanded."""

    type: Literal["function"]
    function: WireNamed


class WireAllowed(Struct, gc=False):
    mode: Literal["auto", "required"]
    tools: list[WireOneOfSome]


class WireAllowedTools(Struct, gc=False, tag_field="type", tag="allowed_tools"):
    allowed_tools: WireAllowed


WireChoice = Literal["none", "auto", "required"] | WireChosen | WireAllowedTools


def choose(
    tools: tuple[Tool, ...], choice: WireChoice | None, fields: Mapping[str, Raw]
) -> tuple[tuple[Tool, ...], Raw | None] | Fault:
    """The offered tools that may be called, and how one is chosen, in the words that all engines are told; or what is wrong.

    Args:
        tools: all that are offered.
        choice: the caller's.
        fields: of the request, as they came.
    """
    if choice is None:
        return tools, None
    if isinstance(choice, WireAllowedTools):
        names = {tool.function.name for tool in choice.allowed_tools.tools}
        tools = tuple([tool for tool in tools if tool.name in names])
        return tools, Raw(f'"{choice.allowed_tools.mode}"'.encode())
    if isinstance(choice, WireChosen) and choice.function.name not in [tool.name for tool in tools]:
        return bad_value(
            "tool_choice",
            f'tool_choice is the function "{choice.function.name[:100]}", which is none of tools',
            "name one of the tools",
        )
    return tools, fields["tool_choice"]
