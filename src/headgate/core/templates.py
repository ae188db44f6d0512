"""An agent's input template, filled: "Client: {client}" and the fields of an input → what is asked.

"{{" and "}}" are braces. It does not know where an input comes from.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from headgate.core.runs import Given

PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
FIELD = re.compile(r"[^\W\d][\w-]*")

WHOLE = "input"
"""The field that a text without fields is."""


class Unfit(Struct, frozen=True):
    """Why an input is none for an agent, or a template none at all."""

    problem: str
    hint: str = ""


def fields_of(template: str) -> tuple[str, ...] | Unfit:
    """The fields that a template asks for, each once, in their order; or why it is no template."""
    found: dict[str, None] = {}
    for piece in PIECE.finditer(template):
        name = piece[1]
        if name is not None and FIELD.fullmatch(name):
            found[name] = None
        elif name is not None:
            return Unfit(
                f'"{{{name}}}" is no field', 'a field is one word, {client}; write "{{" and "}}" for braces'
            )
        elif piece[0] in "{}":
            return Unfit(f'a "{piece[0]}" stands alone', 'write "{{" and "}}" for braces')
    return tuple(found)


def fill_template(template: str, given: Given) -> str | Unfit:
    """The template with the fields of an input in their places.

    A text alone is the field `input`. Where the template asks for nothing but `input` and fields are given, all of them are
    written out, a line each.
    """
    wanted = fields_of(template)
    if isinstance(wanted, Unfit):
        return wanted
    fields: Mapping[str, Any] = {WHOLE: given} if isinstance(given, str) else given
    if wanted == (WHOLE,) and WHOLE not in fields:
        said = any(written(value).strip() for value in fields.values())
        lines = (f"{name}: {written(value)}" for name, value in fields.items())
        fields = {WHOLE: "\n".join(lines) if said else ""}
    missing = [name for name in wanted if name not in fields]
    if missing:
        return Unfit(f"the input has no {' and no '.join(missing)}", f"give {how_to_give(wanted)}")
    if wanted and not any(written(fields[name]).strip() for name in wanted):
        return Unfit("the input is empty", f"give {how_to_give(wanted)}")

    def value_of(piece: re.Match[str]) -> str:
        return written(fields[piece[1]]) if piece[1] is not None else piece[0][0]

    return PIECE.sub(value_of, template)


def how_to_give(wanted: tuple[str, ...]) -> str:
    """An input with these fields, as people would write it."""
    return "a text" if wanted == (WHOLE,) else "{" + ", ".join(f'"{name}": …' for name in wanted) + "}"


def written(value: Any) -> str:
    """A field's value as text: nothing for nothing, JSON for what is neither text nor number."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
