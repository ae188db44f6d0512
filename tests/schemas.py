"""JSON Schemas, with what versions of the library that writes them do not agree on left out."""

from typing import Any

NEWER = ("$schema", "propertyNames")
"""What some versions write and others do not."""


def told(schema: Any, *, names: bool = False) -> Any:
    """What a schema says: without keywords that newer versions add, and with choices in no order.

    Args:
        schema: it, or a part of it.
        names: whether its keys are names of fields, and no keywords.
    """
    if isinstance(schema, list):
        return [told(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: told(value, names=key in ("$defs", "properties") and not names)
        for key, value in schema.items()
        if names or key not in NEWER
    }
    if not names and "anyOf" in kept:
        kept["anyOf"].sort(key=str)
    return kept
