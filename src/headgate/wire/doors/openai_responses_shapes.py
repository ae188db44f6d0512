"""The items, tools and choices of OpenAI's Responses as JSON Schema, for /openapi.json.

What an item must have depends on its type, and a type that is not known here is refused with a reason of its own. The types
that decode them do not say that; `openai_responses` and `openai_responses_items` do it.
"""

from typing import Any

from msgspec import Meta

from headgate.wire.doors.openai_responses_items import TEXTS
from headgate.wire.doors.values import IMAGE_URL

NAME = {"type": "string", "minLength": 1}
TEXT = {
    "properties": {"type": {"enum": sorted(TEXTS)}, "text": {"type": "string"}},
    "required": ["type", "text"],
}
REFUSAL = {"properties": {"type": {"const": "refusal"}}, "required": ["type"]}
IMAGE = {
    "properties": {"type": {"const": "input_image"}, "image_url": {"type": "string", "pattern": IMAGE_URL}},
    "required": ["type", "image_url"],
}


def some(*parts: dict[str, Any]) -> dict[str, Any]:
    """A text, or a list of such parts."""
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object", "anyOf": parts}}]}


ITEM = {
    "anyOf": [
        {"properties": {"type": {"const": "item_reference"}, "id": NAME}, "required": ["type", "id"]},
        {
            "properties": {
                "type": {"const": "message"},
                "id": NAME,
                "role": {"type": "null"},
                "content": {"type": "null"},
            },
            "required": ["id"],
        },
        {
            "properties": {
                "type": {"const": "message"},
                "role": {"enum": ["system", "developer", "user"]},
                "content": some(TEXT, IMAGE),
            },
            "required": ["role", "content"],
        },
        {
            "properties": {
                "type": {"const": "message"},
                "role": {"const": "assistant"},
                "content": some(TEXT, REFUSAL),
            },
            "required": ["role", "content"],
        },
        {
            "properties": {
                "type": {"const": "reasoning"},
                "summary": {"items": TEXT},
                "content": {"anyOf": [some(TEXT), {"type": "null"}]},
            },
            "required": ["type"],
        },
        {
            "properties": {
                "type": {"const": "function_call"},
                "call_id": {"type": "string"},
                "name": {"type": "string"},
            },
            "required": ["type", "call_id", "name"],
        },
        {
            "properties": {
                "type": {"const": "function_call_output"},
                "call_id": {"type": "string"},
                "output": some(TEXT, IMAGE),
            },
            "required": ["type", "call_id", "output"],
        },
    ]
}
"""What `Conversation` takes."""

FUNCTION = {
    "properties": {"type": {"const": "function"}, "name": {"minLength": 1}},
    "required": ["type", "name"],
}
CHOICE = {
    "anyOf": [
        {"enum": ["none", "auto", "required", None]},
        {"type": "object", **FUNCTION},
        {
            "type": "object",
            "properties": {
                "type": {"const": "allowed_tools"},
                "tools": {"items": {"properties": {"type": {"const": "function"}}, "required": ["type"]}},
            },
            "required": ["type"],
        },
    ]
}
"""What `choose` takes."""

WORDS = {"properties": {"text": {"type": "string", "minLength": 1}}, "required": ["text"]}
SPEAKS = Meta(
    extra_json_schema={
        "contains": {
            "anyOf": [
                {"properties": {"type": {"not": {"const": "reasoning"}}}},
                {
                    "properties": {"summary": {"type": "array", "contains": WORDS}},
                    "required": ["summary"],
                },
            ]
        }
    }
)
"""A list of items says something: reasoning that cannot be read is nothing to go on from."""

SAYS_SOMETHING = Meta(
    extra_json_schema={
        "anyOf": [
            {
                "required": ["input"],
                "properties": {"input": {"type": ["string", "array"], "minLength": 1, "minItems": 1}},
            },
            {
                "required": ["previous_response_id"],
                "properties": {"previous_response_id": {"type": "string", "minLength": 1}},
            },
        ]
    }
)
"""A request says something, or goes on from an earlier answer (`check`)."""
