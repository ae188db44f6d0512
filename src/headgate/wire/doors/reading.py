"""What all doors share when they read a body: JSON of the expected types, or a fault that names the place.

It does not know any protocol's fields; the doors bring their decoders.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from headgate.core.types import Image
from headgate.wire.faults import Fault

Ask = TypeVar("Ask")

SEE_DOCS = "see docs/api.md"
HINTS = {"model": 'use "auto" to be routed', "messages": "send at least one message", "input": "send a text"}
"""What to do about a field that is missing."""


def read(decode: Callable[[bytes], Ask], body: bytes) -> Ask | Fault:
    """The body's value, or what is wrong with it."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        return wrong_type(str(error), body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Fault(
            status=400,
            message=f"the body is not valid JSON: {error}",
            hint="send a JSON object in UTF-8 with content-type application/json",
        )


def wrong_type(error: str, body: bytes) -> Fault:
    """A field that is missing or has the wrong type, named by its path."""
    what, _, path = error.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    if what.startswith("Object missing required field"):
        name = what.split("`")[1]
        where = f"{where}.{name}".lstrip(".")
        return Fault(
            status=400,
            message=f"{where} is missing",
            param=where,
            code="missing_required_parameter",
            hint=HINTS.get(where, SEE_DOCS),
        )
    if not where and not body.lstrip().startswith(b"{"):
        return Fault(
            status=400, message="the body is not a JSON object", hint='send {"model": "auto", …} as JSON'
        )
    return Fault(
        status=400,
        message=f"{where}: {what[:1].lower()}{what[1:]}",
        param=where,
        code="invalid_type",
        hint=SEE_DOCS,
    )


def out_of_range(
    limits: Iterable[tuple[str, float | None, float, float | None]], code: str = "invalid_value"
) -> Fault | None:
    """The first of (name, value, least, most) whose value lies outside; None is no value and no limit."""
    for name, value, least, most in limits:
        if value is None or (least <= value and (most is None or value <= most)):
            continue
        must = f"between {least:g} and {most:g}" if most is not None else f"at least {least:g}"
        return Fault(
            status=400,
            message=f"{name} is {value:g}, but must be {must}",
            param=name,
            code=code if most is not None else "integer_below_min_value",
            hint=f"leave {name} out for the model's own default",
        )
    return None


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
