"""JSON Schemas, where engines are particular about them: closed ones, and ones without bounds.

It does not validate answers; a check does that, with the schema as the caller wrote it.
"""

from typing import Any

import msgspec
from msgspec import Raw

from headgate.wire.upstream import UNREADABLE

UNBOUNDED = frozenset({"minimum", "maximum", "multipleOf", "minLength", "maxLength"})
"""Words that Anthropic does not take in a schema."""
NAMED = frozenset({"properties", "$defs", "definitions"})
"""Words whose values hold schemas under names of the caller's."""
VALUES = frozenset({"enum", "const", "default", "examples", "required"})
"""Words whose values are no schemas."""


def is_closed(schema: Raw) -> bool:
    """Whether OpenAI lets the schema be marked strict: no object takes more, or less, than its properties."""
    if b'"additionalProperties"' not in bytes(schema):
        return False
    try:
        return _is_closed(msgspec.json.decode(schema))
    except UNREADABLE:
        return False


def close(schema: Raw) -> tuple[Raw, tuple[str, ...]] | None:
    """The schema as Anthropic takes it, and which words were left out or put in.

    Returns:
        The schema's own bytes if nothing had to change; None if it needs what cannot be said, objects with free names,
        or is nested without end.
    """
    changes: set[str] = set()
    try:
        closed = _close(msgspec.json.decode(schema), changes)
    except (_FreeNamesError, *UNREADABLE):
        return None
    return (Raw(msgspec.json.encode(closed)) if changes else schema), tuple(sorted(changes))


class _FreeNamesError(Exception):
    """An object whose properties the schema does not name."""


def _is_closed(node: Any) -> bool:
    if isinstance(node, list):
        return all(_is_closed(item) for item in node)
    if not isinstance(node, dict):
        return True
    if node.get("type") == "object":
        names = set(node.get("properties", ()))
        if node.get("additionalProperties") is not False or names != set(node.get("required", ())):
            return False
    return all(_is_closed(value) for word, value in node.items() if word not in VALUES)


def _close(node: Any, changes: set[str]) -> Any:
    if isinstance(node, list):
        return [_close(item, changes) for item in node]
    if not isinstance(node, dict):
        return node
    closed: dict[str, Any] = {}
    for word, value in node.items():
        if word in UNBOUNDED:
            changes.add(f"{word} left out")
        elif word in NAMED and isinstance(value, dict):
            closed[word] = {name: _close(inner, changes) for name, inner in value.items()}
        else:
            closed[word] = value if word in VALUES else _close(value, changes)
    kind = closed.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        if not closed.get("properties") or isinstance(closed.get("additionalProperties"), dict):
            raise _FreeNamesError
        if closed.get("additionalProperties") is not False:
            closed["additionalProperties"] = False
            changes.add("objects closed")
    return closed
