"""What a field may be, for the sentence about one that is something else.

The decoder names the place and the bound that was broken; the value, and all that would have been right, are looked up
here in the same types. Only bad requests come this way, so nothing is kept. It does not know any protocol's fields.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, inspect

SMALL = 1000
"""Up to here both ends of a range are worth telling; beyond, only the one that was passed."""
SHOWN = 40
"""Characters of a wrong value that are repeated."""

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def kinds_at(form: Any, path: str) -> Iterator[inspect.Type]:
    """The types that a value at a path like `messages[0].role` may have; those of tags are literals."""
    kinds = list(flat(inspect.type_info(form)))
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        kinds = [
            kind
            for parent in kinds
            for inner in (items_of(parent) if step[0] == "[" else fields_of(parent, step))
            for kind in flat(inner)
        ]
    yield from kinds


def flat(kind: inspect.Type) -> Iterator[inspect.Type]:
    """A type without its metadata; of a union, each member."""
    if isinstance(kind, inspect.Metadata):
        yield from flat(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from flat(member)
    else:
        yield kind


def items_of(kind: inspect.Type) -> Iterator[inspect.Type]:
    """What a list or an object of unknown keys holds."""
    if isinstance(kind, inspect.ListType):
        yield kind.item_type
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type


def fields_of(kind: inspect.Type, name: str) -> Iterator[inspect.Type]:
    """The type of a field, or the one value that it has where it tells structs apart."""
    if not isinstance(kind, inspect.StructType):
        return
    if kind.tag_field == name and kind.tag is not None:
        yield inspect.LiteralType((kind.tag,))
    for known in kind.fields:
        if known.encode_name == name:
            yield known.type


def words_at(form: Any, path: str) -> list[str]:
    """The words that may stand at a path; none if it is no place for one of a few words."""
    literals = [kind for kind in kinds_at(form, path) if isinstance(kind, inspect.LiteralType)]
    return [str(value) for literal in literals for value in literal.values]


def range_at(form: Any, path: str, *, below: bool) -> str:
    """The range of a number at a path, as "between 0 and 2"; of a wide one only the end that was passed."""
    for kind in kinds_at(form, path):
        if isinstance(kind, inspect.IntType | inspect.FloatType):
            least, most = kind.ge, kind.le
            if least is not None and most is not None and most <= SMALL:
                return f"between {least:g} and {most:g}"
            return f"at least {least}" if below else f"at most {most}"
    return "another"


def is_required(form: Any, name: str) -> bool:
    """Whether a body must have the field."""
    return any(
        known.encode_name == name and known.required
        for kind in flat(inspect.type_info(form))
        if isinstance(kind, inspect.StructType)
        for known in kind.fields
    )


def value_at(body: bytes, path: str) -> str:
    """The value at a path of names, as the caller wrote it; "" in a list, which is not looked through."""
    value = body
    for name in path.split("."):
        if "[" in name:
            return ""
        value = bytes(decode_fields(value).get(name, Raw(b"")))
    return value[:SHOWN].decode("utf-8", "replace")
