"""An outcome that no row can hold, made one that a row can hold: what cannot be kept is unknown, and all the rest stands.

    a figure that is no number, or too large for 64 bits in its unit    None; 0 where there has to be one
    half of a character in a text                                       "?"

Such values are refused or read as unknown before they come here; this is for the one that was overlooked. It does not know rows.
"""

from functools import cache
from typing import Any, Final, get_args

from msgspec import Struct
from msgspec.structs import fields, replace

MOST: Final = 9e9
"""The largest figure that has a place in 64 bits as billionths, the finest unit of the ledger. In seconds it is the year 2255."""
LARGEST: Final = 2**53
"""The largest count. JSON knows no larger ones that are exact."""


def storable(value: Any) -> Any:
    """The same, with what a row can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if -MOST <= value <= MOST else None
    if isinstance(value, int):
        return value if -LARGEST < value < LARGEST else None
    if isinstance(value, tuple):
        return tuple([storable(part) for part in value])
    if isinstance(value, Struct):
        needed = _needed(type(value))
        kept = {name: storable(getattr(value, name)) for name in value.__struct_fields__}
        return replace(value, **{k: 0 if v is None and k in needed else v for k, v in kept.items()})
    return value


@cache
def _needed(form: type[Struct]) -> frozenset[str]:
    """The fields that may not be None."""
    return frozenset(
        field.name
        for field in fields(form)
        if field.type is not type(None) and type(None) not in get_args(field.type)
    )
