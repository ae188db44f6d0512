"""The ids of items in OpenAI's Responses: which answer an item belongs to, and which one of its kind it is there.

They are counted by kind, and not by their place among all items, so that an id says what it stands for to anyone who
knows the whole answer, however its pieces came in a stream. It does not know answers.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Kind = Literal["reasoning", "message", "function_call"]

PREFIXES: Mapping[Kind, str] = {"reasoning": "rs", "message": "msg", "function_call": "fc"}
KINDS: Mapping[str, Kind] = {prefix: kind for kind, prefix in PREFIXES.items()}
MOST_DIGITS = 6


class ItemId(Struct, frozen=True):
    """An id of ours, or of somebody else's in as far as it can be read."""

    kind: Kind | None
    answer: str
    """The id of the request that it answers; "" when it is not ours."""
    number: int


def item_id(kind: Kind, answer: str, number: int) -> str:
    """The id of an item."""
    return f"{PREFIXES[kind]}_{answer}_{number}"


def read_item_id(text: str) -> ItemId:
    """What an id says."""
    prefix, _, rest = text.partition("_")
    answer, _, digits = rest.rpartition("_")
    if not digits.isdecimal() or len(digits) > MOST_DIGITS:
        answer, digits = "", "0"
    return ItemId(KINDS.get(prefix), answer, int(digits))
