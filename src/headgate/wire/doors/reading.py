"""What all doors share when they read a body: JSON of the expected types, or a fault that names the place.

It does not know any protocol's fields; the doors bring their decoders.
"""

import re
from typing import Any, TypeVar

import msgspec

from headgate.core.types import Image
from headgate.wire.doors.expected import is_required, range_at, value_at, words_at
from headgate.wire.faults import Fault

Ask = TypeVar("Ask")

SEE_DOCS = "see docs/api.md"
HINTS = {
    "model": 'use "auto" to be routed',
    "messages": "send at least one message",
    "prompt": "send a text",
    "input": "send a text",
    "max_tokens": "say how many tokens the answer may have at most",
}
"""What to do about a field that is missing or empty."""

LONGEST = 60
"""Characters of an unknown word that are repeated."""

LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character beyond the first 65,536, as an escape; text that was cut at a wrong place ends in one."""


def read(decoder: msgspec.json.Decoder[Ask], body: bytes) -> Ask | Fault:
    """The body's value, or what is wrong with it."""
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into what it keeps raw or passes over
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return wrong_type(str(error), decoder.type, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return not_json(error, body)


def not_json(error: Exception, body: bytes) -> Fault:
    """It cannot be read at all."""
    why = str(error)
    if "surrogate" in why or (why.endswith("truncated") and LONE_SURROGATE.search(body)):
        why = "a text in it has half of a character, a lone surrogate"
    if isinstance(error, RecursionError):
        why = "it is nested too deeply"
    return Fault(
        status=400,
        message=f"the body is not valid JSON: {why}",
        hint="send a JSON object in UTF-8 with content-type application/json",
    )


def wrong_type(error: str, form: Any, body: bytes) -> Fault:
    """A field that is missing, of the wrong type or out of its range, named by its path."""
    what, _, path = error.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    if what.startswith("Object missing required field"):
        name = what.split("`")[1]
        return missing(f"{where}.{name}".lstrip("."))
    if where and what.endswith("got `null`"):
        return missing(where)
    if not where and not body.lstrip().startswith(b"{"):
        return Fault(
            status=400, message="the body is not a JSON object", hint='send {"model": "auto", …} as JSON'
        )
    if what.endswith("of length >= 1"):
        return bad_value(where, f"{where} is empty", HINTS.get(where, SEE_DOCS))
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", what)
    if unknown is not None:
        name = f"{where}.{unknown[1]}".lstrip(".")
        return bad_value(name, f"there is no field {name[:LONGEST]}", SEE_DOCS)
    wrong = re.fullmatch(r"Invalid (?:enum )?value (.*)", what)
    if wrong is not None:
        known = ", ".join(words_at(form, where))
        return bad_value(where, f"{where} is {wrong[1][:LONGEST]}", f"one of: {known}")
    bound = re.fullmatch(r"Expected `(int|float)` ([<>])= .*", what)
    if bound is not None:
        return out_of_range(form, where, body, whole=bound[1] == "int", below=bound[2] == ">")
    return bad_value(where, f"{where}: {what[:1].lower()}{what[1:]}", code="invalid_type")


def missing(param: str) -> Fault:
    """A field that has to be there and is not, or is null."""
    return bad_value(
        param, f"{param} is missing", HINTS.get(param, SEE_DOCS), code="missing_required_parameter"
    )


def out_of_range(form: Any, where: str, body: bytes, *, whole: bool, below: bool) -> Fault:
    """A number beyond what its type takes."""
    try:
        value = value_at(body, where)
    except (msgspec.DecodeError, RecursionError) as error:  # what comes later in the body is worse
        return not_json(error, body)
    must = range_at(form, where, below=below)
    return bad_value(
        where,
        f"{where} is {value}, but must be {must}" if value else f"{where} must be {must}",
        HINTS.get(where, SEE_DOCS)
        if "[" in where or is_required(form, where)
        else f"leave {where} out for the model's own default",
        f"{'integer' if whole else 'decimal'}_{'below_min' if below else 'above_max'}_value",
    )


def image_from(url: str) -> Image:
    """An image by its address, or as the bytes in a `data:` URI.

    Raises:
        ValueError: it is neither, for people.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() == "data" and ";base64," in rest[:200]:
        return Image(f"data:{rest}")
    if colon and scheme.lower() in ("http", "https") and rest.startswith("//"):
        return Image(f"{scheme.lower()}:{rest}")
    raise ValueError(f"an image is {url[:40]!r}, and neither an http(s):// address nor data:…;base64,…")


def bad_value(param: str, message: str, hint: str = SEE_DOCS, code: str = "invalid_value") -> Fault:
    """A value that cannot be taken, for people."""
    return Fault(status=400, message=message, param=param, code=code, hint=hint)


def no_object(param: str) -> Fault:
    """A schema that is none."""
    return bad_value(param, f"{param} is not an object", "send a JSON Schema", "invalid_type")
