"""The turns of Anthropic's Messages as JSON Schema, for /openapi.json: what `anthropic_content` takes.

What may stand in a block depends on its type, and which blocks may stand in a turn on its role. Types do not say that, since
blocks that only Anthropic knows pass through as they are.
"""

from typing import Any

import msgspec

from headgate.wire.doors.anthropic_content import NATIVE_BLOCKS, WireBlock, WireSource
from headgate.wire.doors.values import IMAGE_URL

SOME = {"type": "string", "minLength": 1}


def block(kind: str, /, **fields: Any) -> dict[str, Any]:
    """A block of one type, with the fields that it must have."""
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **fields},
        "required": ["type", *fields],
    }


def content(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A text, or a list of such blocks."""
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": blocks}}]}


def fields_of(form: Any) -> dict[str, Any]:
    """What the fields of a type may be, where JSON is decoded as it that the body's own type leaves raw."""
    fields: dict[str, Any] = msgspec.json.schema(form)["$defs"][form.__name__]["properties"]
    return fields


TEXT = block("text", text={"type": "string"})
IMAGE = block(
    "image",
    source={
        "type": "object",
        "properties": fields_of(WireSource),
        "anyOf": [
            block("base64", media_type=SOME, data=SOME),
            block("url", url={"type": "string", "pattern": IMAGE_URL}),
            block("file"),
        ],
    },
)
NATIVE = {
    "type": "object",
    "properties": {
        "type": {
            "anyOf": [
                {"enum": sorted(NATIVE_BLOCKS.keys() - {"document"})},
                {"type": "string", "pattern": "_tool_result$"},
            ]
        }
    },
    "required": ["type"],
}
DOCUMENT = block("document")
DOCUMENT["properties"]["source"] = {"properties": {"type": {"type": "string"}}}
SEEN = (TEXT, IMAGE, DOCUMENT, NATIVE)
"""Blocks that show something."""
THOUGHTS = (
    {
        "type": "object",
        "properties": {"type": {"enum": ["thinking", "redacted_thinking"]}},
        "required": ["type"],
    },
)
RESULT = block("tool_result", tool_use_id=SOME)
RESULT["properties"]["content"] = {
    "anyOf": [content({"properties": fields_of(WireBlock), "anyOf": SEEN}), {"type": "null"}]
}
CALL = block("tool_use", id=SOME, name=SOME)
CALL["properties"]["input"] = {"type": "object"}

TURN: dict[str, Any] = {
    "anyOf": [
        {"properties": {"role": {"const": "user"}, "content": content(*SEEN, *THOUGHTS, RESULT)}},
        {"properties": {"role": {"const": "assistant"}, "content": content(*SEEN, *THOUGHTS, CALL)}},
        {"properties": {"role": {"const": "system"}, "content": content(TEXT)}},
    ]
}
"""A turn of the conversation."""
