"""Does the answer have the asked form, and can it be given that form without guessing? `asked-format` and `repair`.

JSON is parsed strictly (msgspec) and held against the caller's schema (jsonschema-rs). Repair takes off fences and
chatter, closes what small models forget to close, and keeps the result only if it is valid. It does not know what the
values should be, and never touches an answer that ran out of tokens: closing its brackets would hide the loss.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.core.checks.material import said
from headgate.core.types import Answer, Format, Reply, Verdict

if TYPE_CHECKING:
    import jsonschema_rs

_NOT_ASKED = Verdict("asked-format", None, "free text was asked")
_TOOL = Verdict("asked-format", None, "it calls a tool")
_FITS = Verdict("asked-format", 1.0, "it has the asked form")
_LONGEST_REPAIR = 32_000
"""Characters that are mended: the mender takes a millisecond for each thousand, and all requests wait for it."""
_DEEPEST_REPAIR = 40
"""Brackets within brackets. A model that opens brackets for ever would keep the mender busy for seconds."""


def asked_format(answer: Answer) -> Verdict:
    """1.0 if the answer is what was asked for; 0.3 for JSON of another shape; 0.0 for no JSON; None for free text."""
    asked = answer.request.format
    if asked.kind == "text":
        return _NOT_ASKED
    if answer.reply.tool_calls:
        return _TOOL
    try:
        value = msgspec.json.decode(answer.reply.text)
    except (msgspec.DecodeError, RecursionError) as error:
        return Verdict("asked-format", 0.0, f"it is not JSON: {error}")
    problem = _misfit(asked, value)
    if problem is None:
        return _FITS
    usable, why = problem
    return Verdict("asked-format", 0.3 if usable else None, why)


def repair(answer: Answer) -> Reply:
    """The reply with its text turned into valid JSON, if JSON was asked and that can be done; else the reply itself.

    "Valid" includes the caller's schema. The text of an answer that is already valid is returned untouched.
    """
    reply, asked = answer.reply, answer.request.format
    if asked.kind == "text" or reply.tool_calls or reply.finish == "length":
        return reply
    if _fits(asked, reply.text):
        return reply
    inner = _bare_json(said(reply.text))
    if _fits(asked, inner):
        return msgspec.structs.replace(reply, text=inner)
    if not inner.startswith(("{", "[")) or len(inner) > _LONGEST_REPAIR or _depth(inner) > _DEEPEST_REPAIR:
        return reply
    import json_repair  # noqa: PLC0415 - 45 ms of import that only a broken answer needs

    try:
        mended = json_repair.repair_json(inner, skip_json_loads=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return reply
    if isinstance(mended, str) and _fits(asked, mended):
        return msgspec.structs.replace(reply, text=mended)
    return reply


def _depth(text: str) -> int:
    """How deep the brackets go, those inside strings included."""
    depth = deepest = 0
    for sign in text:
        if sign in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "}]":
            depth -= 1
    return deepest


def _bare_json(text: str) -> str:
    """The text from its first bracket to its last, without the fences and words around it."""
    if "```" in text:
        block = text.split("```")[1]
        text = block[4:] if block[:4].lower() == "json" else block
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        return text.strip()
    end = max(text.rfind("}"), text.rfind("]"))
    # A missing last bracket leaves nothing to cut at: the rest is kept for the mender.
    return text[min(starts) : end + 1].strip() if end > min(starts) else text[min(starts) :].strip()


def _fits(asked: Format, text: str) -> bool:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return _misfit(asked, value) is None


def _misfit(asked: Format, value: Any) -> tuple[bool, str] | None:
    """Why the value does not fit, or None if it does. The flag is False if the schema itself is at fault."""
    if asked.kind == "json" or asked.schema is None:
        return None if isinstance(value, dict) else (True, f"a JSON object was asked, not {_kind(value)}")
    validator = _compiled(bytes(asked.schema))
    if isinstance(validator, str):
        return False, f"the asked schema cannot be used: {validator}"
    if validator.is_valid(value):
        return None
    errors = list(validator.iter_errors(value))
    where = "/".join(map(str, errors[0].instance_path)) or "the top"
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return True, f"it does not fit the schema at {where}: {errors[0].message[:120]}{more}"


def _kind(value: Any) -> str:
    return {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}.get(
        type(value), "null"
    )


def _refuse_to_fetch(address: str) -> Any:
    """A schema's `$ref` to another place is never followed: nothing leaves the machine by surprise."""
    raise ValueError(f"{address} is not in the schema, and nothing is fetched")


# The same few schemas come again and again. The memory is a pure function's: same bytes, same validator.
@lru_cache(maxsize=128)
def _compiled(schema: bytes) -> "jsonschema_rs.Validator | str":
    """The schema's validator, or why there can be none."""
    import jsonschema_rs  # noqa: PLC0415 - 15 MB that only requests with a schema need

    try:
        return jsonschema_rs.validator_for(schema.decode(), retriever=_refuse_to_fetch)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return str(error).partition("\n")[0][:120]
