"""JSON Schemas, with what versions of the library that writes them do not agree on left out."""

from typing import Any

OF_NAMES = ("$defs", "properties")
PLAIN = (
    *(
        "$ref",
        "default",
        "description",
        "enum",
        "exclusiveMinimum",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
    ),
    *("required", "title", "type"),
)


def told(schema: Any) -> Any:
    """What a schema says of every field: without keywords that newer versions add, and with choices in no order."""
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key in PLAIN}
    for key, value in schema.items():
        if key in OF_NAMES:
            kept[key] = {name: told(one) for name, one in value.items()}
        elif key in ("additionalProperties", "items"):
            kept[key] = told(value)
        elif key == "prefixItems":
            kept[key] = [told(one) for one in value]
        elif key == "anyOf":
            kept[key] = sorted((told(one) for one in value), key=str)
    return kept
