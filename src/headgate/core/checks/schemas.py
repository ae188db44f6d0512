"""The caller's JSON schemas: each compiled once, and held against values. For answers in JSON and arguments of tools.

It knows whether a value fits; it does not know what the value is for, and nothing that a schema points to is fetched.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jsonschema_rs


LONGEST_REMEMBERED = 64 * 1024
"""Bytes of a schema; a longer one is compiled each time, or a few of them would fill the memory."""


def compiled(schema: bytes) -> "jsonschema_rs.Validator | str":
    """The schema's validator, or why there can be none."""
    return _remembered(schema) if len(schema) <= LONGEST_REMEMBERED else _compile(schema)


# The same few schemas come again and again. The memory is a pure function's: same bytes, same validator.
@lru_cache(maxsize=128)
def _remembered(schema: bytes) -> "jsonschema_rs.Validator | str":
    return _compile(schema)


def _compile(schema: bytes) -> "jsonschema_rs.Validator | str":
    import jsonschema_rs  # noqa: PLC0415 - 6 MB that only requests with a schema need

    try:
        return jsonschema_rs.validator_for(schema.decode(), retriever=_refuse_to_fetch)  # type: ignore[type-var]  # it takes JSON text, too
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:  # type: ignore[misc]  # it is an exception
        where = "/".join(map(str, getattr(error, "instance_path", ())))
        return f"{f'at {where}: ' if where else ''}{str(error).partition(chr(10))[0][:240]}"


def misfit(validator: "jsonschema_rs.Validator", value: Any) -> str | None:
    """Where and why the value does not fit, "at age: …"; None if it does."""
    if validator.is_valid(value):
        return None
    errors = list(validator.iter_errors(value))
    where = "/".join(map(str, errors[0].instance_path)) or "the top"
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"at {where}: {errors[0].message[:120]}{more}"


def kind_of(value: Any) -> str:
    """What a JSON value is, for a sentence."""
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "null")


def _refuse_to_fetch(uri: str) -> Any:
    """A schema's `$ref` to another place is never followed: nothing leaves the machine by surprise."""
    raise ValueError(f"{uri} is not in the schema, and nothing is fetched")
