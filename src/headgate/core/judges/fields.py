"""Do two answers in JSON say the same, field by field? The arguments of tool calls are compared likewise.

Numbers count by value, texts as people read them, dates by their day. A list's order counts, unless the schema says `uniqueItems`. A
field of free text that differs, and a short text that only says more than the other, are for a reader to compare: then this judge
abstains. What the gate fills in itself, a confidence, is no part of the answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any, Literal

import msgspec

from headgate.core.audits import Pair, Said
from headgate.core.checks.material import said
from headgate.core.checks.mending import bare_json
from headgate.core.checks.schemas import compiled, misfit
from headgate.core.judges.found import Ruling
from headgate.core.judges.meaning import sense_of, unmatched
from headgate.core.marking import TOLERANCE, plain

Way = Literal["same", "other", "unsure"]

FREE = 6
"""Words from which on a text is free: two good ones differ."""
SHOWN = 3
"""Fields that are named in a reason."""
OURS = frozenset({"confidence", "probability"})
"""Fields that say how sure a model is, and not what it says."""

_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|[^\W\d_]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}\.? [^\W\d_]{3,9} \d{4}"
)
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def fields(pair: Pair) -> Ruling | None:
    """As good if all fields agree, worse if one plainly does not or the local answer has not the asked form; else None."""
    if pair.paid.tool_calls or pair.local.tool_calls:
        return tool_calls(pair)
    asked = pair.request.format
    bare = asked.kind != "text"
    paid = value_in(pair.paid, bare=bare)
    if paid is None or not (bare or isinstance(paid, dict | list)):
        return None
    local = value_in(pair.local, bare=bare)
    if local is None:
        if asked.kind == "text":
            return None
        return Ruling(False, "the local answer is no JSON", 0.0)
    schema: Any = {}
    if asked.schema is not None:
        validator = compiled(bytes(asked.schema))
        if isinstance(validator, str) or misfit(validator, paid) is not None:
            return None  # the reference itself is wrong
        if (problem := misfit(validator, local)) is not None:
            return Ruling(False, f"the local answer does not fit the schema {problem}", 0.0)
        schema = msgspec.json.decode(asked.schema)
    return weigh(local, paid, schema, "field")


def tool_calls(pair: Pair) -> Ruling | None:
    """The same tools with the same arguments; None where one calls a tool and the other speaks."""
    local, paid = pair.local.tool_calls, pair.paid.tool_calls
    if not local or not paid:
        return None
    if sorted(call.name for call in local) != sorted(call.name for call in paid):
        names = " and ".join(call.name for call in local), " and ".join(call.name for call in paid)
        return Ruling(False, f"the local answer calls {names[0]}, the paid one {names[1]}", 0.0)
    try:
        told = [
            {
                f"{at}. {call.name}": msgspec.json.decode(call.arguments or "{}")
                for at, call in enumerate(calls, 1)
            }
            for calls in (
                sorted(local, key=lambda call: (call.name, call.arguments)),
                sorted(paid, key=lambda call: (call.name, call.arguments)),
            )
        ]
    except msgspec.DecodeError:
        return None
    return weigh(told[0], told[1], {}, "argument")


def weigh(local: Any, paid: Any, schema: Any, what: str) -> Ruling | None:
    """What the comparison of two values comes to."""
    ways = list(compare_values(local, paid, schema, "", schema))
    other = [path or "the whole" for path, way in ways if way == "other"]
    if other:
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        return Ruling(False, f"they differ in {', '.join(other[:SHOWN])}{more}", 0.0)
    if not ways or any(way == "unsure" for _, way in ways):
        return None
    return Ruling(True, f"all {len(ways)} {what}s agree" if len(ways) > 1 else f"the {what} agrees", 1.0)


def value_in(answer: Said, *, bare: bool) -> Any:
    """The JSON value that an answer is; None if it is none.

    Args:
        answer: a model's.
        bare: whether words around it are passed over, because JSON was asked for. A fence around all of it always is.
    """
    text = said(answer.text).strip()
    fenced = _FENCE.fullmatch(text)
    text = fenced[1] if fenced else text
    for form in (text, bare_json(text)) if bare else (text,):
        try:
            return msgspec.json.decode(form)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def compare_values(local: Any, paid: Any, schema: Any, path: str, root: Any) -> Iterator[tuple[str, Way]]:
    """Each leaf with its place, and whether both have the same there."""
    schema = resolved(schema, root)
    if isinstance(paid, dict) and isinstance(local, dict):
        described = schema.get("properties", {})
        for name in {**paid, **local}:
            if name not in OURS:
                inner = described.get(name, {}) if isinstance(described, dict) else {}
                where = f"{path}.{name}" if path else str(name)
                yield from compare_values(local.get(name), paid.get(name), inner, where, root)
    elif isinstance(paid, list) and isinstance(local, list):
        yield from compare_lists(local, paid, schema, path, root)
    else:
        yield path, compare_leaves(local, paid)


def compare_lists(
    local: Sequence[Any], paid: Sequence[Any], schema: Mapping[str, Any], path: str, root: Any
) -> Iterator[tuple[str, Way]]:
    """The items of two lists: in their order, or as a set where the schema says so."""
    items = schema.get("items", {})
    if schema.get("uniqueItems") is True:
        rest = list(local)
        for at, item in enumerate(paid):
            ways = [(one, verdict(one, item, items, root)) for one in rest]
            partner = next((one for one, way in ways if way == "same"), None)
            if partner is not None or any(way == "same" for _, way in ways):
                rest.remove(partner)
                yield f"{path}[{at}]", "same"
            else:
                yield f"{path}[{at}]", "unsure" if any(way == "unsure" for _, way in ways) else "other"
        if len(local) > len(paid):
            yield path, "unsure" if any(is_free(item) for item in rest) else "other"
        return
    if len(local) != len(paid):
        yield path, "unsure" if any(is_free(item) for item in (*local, *paid)) else "other"
        return
    leaves = [
        list(compare_values(a, b, items, f"{path}[{at}]", root))
        for at, (a, b) in enumerate(zip(local, paid, strict=True))
    ]
    if any(way == "other" for item in leaves for _, way in item) and same_items(local, paid, items, root):
        yield path, "unsure"  # nobody says whether the order counts
        return
    for item in leaves:
        yield from item


def same_items(local: Sequence[Any], paid: Sequence[Any], items: Any, root: Any) -> bool:
    """Whether two lists hold the same, in whatever order."""
    rest = list(local)
    for item in paid:
        at = next((at for at, one in enumerate(rest) if verdict(one, item, items, root) == "same"), None)
        if at is None:
            return False
        del rest[at]
    return not rest


def verdict(local: Any, paid: Any, schema: Any, root: Any) -> Way:
    """All of two values in one word."""
    ways = {way for _, way in compare_values(local, paid, schema, "", root)}
    return "other" if "other" in ways else "unsure" if "unsure" in ways else "same"


def compare_leaves(local: Any, paid: Any) -> Way:
    """Whether two values that hold no others are the same."""
    if any(local == nothing and type(local) is type(nothing) for nothing in _NOTHING):
        local = None
    if any(paid == nothing and type(paid) is type(nothing) for nothing in _NOTHING):
        paid = None
    if local is None or paid is None:
        return "same" if local is paid else "unsure" if is_free(local if paid is None else paid) else "other"
    if isinstance(local, bool) or isinstance(paid, bool):
        return "same" if local is paid else "other"
    numbers = number_in(local), number_in(paid)
    if numbers[0] is not None and numbers[1] is not None:
        return "same" if isclose(numbers[0], numbers[1], rel_tol=TOLERANCE) else "other"
    if isinstance(local, str) and isinstance(paid, str):
        return compare_texts(local, paid)
    return "other"


def compare_texts(local: str, paid: str) -> Way:
    """Whether two texts are the same; of free ones, and where one says more than the other, a reader has to say."""
    a, b = plain(local), plain(paid)
    if a == b:
        return "same"
    if _DATE.fullmatch(local.strip()) and _DATE.fullmatch(paid.strip()):
        days = sense_of(local).figures, sense_of(paid).figures
        return "same" if not unmatched(*days) and not unmatched(*reversed(days)) else "other"
    if is_free(local) or is_free(paid) or a in b or b in a:
        return "unsure"
    return "unsure" if set(a.split()) & set(b.split()) else "other"


def number_in(value: Any) -> float | None:
    """A number, also one that is written as a text."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def is_free(value: Any) -> bool:
    """Whether a value is text that two good answers would write differently, or holds such."""
    if isinstance(value, str):
        return len(value.split()) >= FREE
    if isinstance(value, dict):
        return any(map(is_free, value.values()))
    return isinstance(value, list) and any(map(is_free, value))


def resolved(schema: Any, root: Any) -> Mapping[str, Any]:
    """A schema, followed to where it points inside its own document; {} where that leads nowhere."""
    for _ in range(10):
        if not isinstance(schema, dict):
            return {}
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            return schema
        schema = root
        for part in pointer[2:].split("/"):
            schema = (
                schema.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(schema, dict) else {}
            )
    return {}
