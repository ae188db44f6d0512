"""What is kept for an audit as bytes, and back: JSON, in which the caller's own bytes stand as he sent them.

A field that is either raw JSON or missing cannot be read back by its type, because every JSON fits it. So these are written beside
the request, by their names, and put back into it. This module does not know where the bytes are kept, nor whether they are sealed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from headgate.core.audits import Material
from headgate.core.types import Request

RAW: Final = ("tool_choice", "raw_messages", "raw_system", "raw_tools")
"""Fields of a request that are raw JSON, or None; `format.schema` is one more."""
SCHEMA: Final = "schema"

MOST: Final = 1_000_000
"""Bytes of the largest material that is kept."""


class _Kept(Struct, frozen=True, omit_defaults=True):
    material: Material
    raw: Mapping[str, Raw] = {}


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Kept).decode


def material_bytes(material: Material) -> bytes:
    """The material as JSON.

    Raises:
        ValueError: a text in it is no Unicode, such as half of a surrogate pair.
    """
    request = material.request
    raw: dict[str, Raw] = {name: value for name in RAW if (value := getattr(request, name)) is not None}
    if request.format.schema is not None:
        raw[SCHEMA] = request.format.schema
    if raw:
        material = replace(material, request=_with(request, dict.fromkeys(raw)))
    return _encode(_Kept(material, raw))


def least_size(material: Material) -> int:
    """About the bytes that the material takes as JSON, or fewer: quick to know, however long it is."""
    request = material.request
    size = sum([len(said.text) for said in material.said])
    for message in request.messages:
        size += len(message.text) + sum([len(image.url) for image in message.images])
    raws = (request.raw_messages, request.raw_system, request.raw_tools, *request.extra.values())
    return size + sum([len(raw) for raw in raws if raw is not None])


def material_from(plain: bytes) -> Material:
    """The material that the bytes tell.

    Raises:
        msgspec.MsgspecError: they tell none.
    """
    kept = _decode(plain)
    return (
        replace(kept.material, request=_with(kept.material.request, kept.raw)) if kept.raw else kept.material
    )


def _with(request: Request, raw: Mapping[str, Raw | None]) -> Request:
    """The request with these raw fields."""
    changes: dict[str, Any] = {name: value for name, value in raw.items() if name in RAW}
    if SCHEMA in raw:
        changes["format"] = replace(request.format, schema=raw[SCHEMA])
    return replace(request, **changes)
