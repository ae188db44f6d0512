"""The values that several doors take, with their limits.

A limit stands in the type of a field, so that three read it in one place: the decoder, which refuses what lies outside;
`expected`, which tells the caller; and /openapi.json. It does not know any protocol's fields.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw

from headgate.core.words import TextUse

LARGEST = 2**31 - 1
"""Of a count that an engine is told: many hold it in 32 bits."""

ROUTED = {"anyOf": [{"enum": ["auto", "auto:local", "auto:cheap", "auto:quality"]}, {"type": "string"}]}
ModelName = Annotated[str, Meta(min_length=1, examples=["auto"], extra_json_schema=ROUTED)]
"""Words by which a request is routed, or a task, an agent or a model of the config."""
Tokens = Annotated[int, Meta(ge=1, le=LARGEST)]
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Stop = Annotated[str, Meta(min_length=1)]
"""A text at which an answer ends; every answer begins with an empty one."""
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Dimensions = Annotated[int, Meta(ge=1, le=16_384)]
"""Of a vector; the longest in use have 8192."""
InputType = Literal[
    "query", "document", "passage", "search_query", "search_document", "classification", "clustering"
]
"""What texts to embed are for, as clients of Cohere, Voyage and NVIDIA say it."""
USES: Mapping[str, TextUse] = {
    "query": "query",
    "search_query": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
}
"""What that means here; the others are for neither."""
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
TopLogprobs = Annotated[int, Meta(ge=0, le=20)]

IMAGE_URL = r"^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:[\s\S]{0,192};base64,)"
ImageUrl = Annotated[str, Meta(extra_json_schema={"pattern": IMAGE_URL})]
"""The address of an image, or its bytes in a `data:` URI; `reading.image_from` sees to it."""

JsonObject = dict[str, Raw]
"""An object of which only that is known."""
RawObject = Annotated[Raw, Meta(extra_json_schema={"type": ["object", "null"]})]
"""An object or null, as the caller wrote it. That it is one, the door checks (`is_object`)."""

NULL = Raw(b"null")
EMPTY = Raw(b"{}")


def null() -> Raw:
    """For raw JSON that a caller leaves out: a union with None would let nothing but null in."""
    return NULL


def empty() -> Raw:
    """For an object that a caller leaves out, where null is not one."""
    return EMPTY


def is_object(raw: Raw) -> bool:
    """Whether raw JSON is an object or null, and so a `RawObject`: nothing else begins like one of them."""
    return memoryview(raw)[0] in b"{n"


def object_of(raw: Raw) -> Raw:
    """The object, where null and nothing stand for one that is empty."""
    return EMPTY if raw == NULL else raw
