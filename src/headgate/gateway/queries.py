"""The query of a path, read as a type: what is wrong with it is said in one way everywhere, and /openapi.json tells the same types.

It does not know any path's words.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from headgate.wire.doors.reading import LONGEST, bad_value
from headgate.wire.faults import Fault

Query = TypeVar("Query", bound=Struct)

LATEST = 253_402_214_400
"""Unix seconds that a date can still be made of: the last day of the year 9999."""
Moment = Annotated[float, Meta(ge=0, le=LATEST)]
"""A time that a caller names."""


def read_query(form: type[Query], query: str) -> Query | Fault:
    """What a query asks for, or what is wrong with it. Words that are not known here are passed over, as everywhere."""
    known = words_of(form)
    words: dict[str, str] = {}
    for name, word in parse_qsl(query, keep_blank_values=True):
        if name in words and name in known:
            return bad_value(name, f"{name} is there more than once", "send it once")
        words[name] = word
    try:
        return msgspec.convert(words, form, strict=False)  # a query has only texts, also for numbers
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        return bad_value(name, f'{name} is "{words[name][:LONGEST]}"', fitting(known[name], words[name]))


@cache
def words_of(form: type[Struct]) -> Mapping[str, Mapping[str, Any]]:
    """The words of a query, each with its JSON Schema."""
    properties: Mapping[str, Mapping[str, Any]] = msgspec.json.schema(form)["$defs"][form.__name__][
        "properties"
    ]
    return properties


def fitting(wanted: Mapping[str, Any], word: str) -> str:
    """What would have been right in the place of a word, for people."""
    known = wanted.get("enum", ())
    if close := get_close_matches(word[:LONGEST], known, n=1):
        return f'did you mean "{close[0]}"?'
    if known:
        return f"one of: {', '.join(known)}"
    if wanted.get("format") == "date":
        return "write a day as 2026-11-23"
    if "minimum" in wanted:
        return f"send a {wanted['type']} from {wanted['minimum']} to {wanted['maximum']}"
    return "send the id of an entry of this list"
