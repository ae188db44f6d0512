"""Does the answer have the asked form, and can it be given that form without guessing? `asked-format` and `repair`.

JSON is parsed strictly (msgspec) and held against the caller's schema (jsonschema-rs). Repair takes off fences and
chatter, closes what small models forget to close, and keeps the result only if it is valid. It does not know what the
values should be, and never touches an answer that ran out of tokens: closing its brackets would hide the loss.
"""

from typing import Any

import msgspec

from headgate.core.checks.material import said
from headgate.core.checks.mending import bare_json, mend
from headgate.core.checks.schemas import compiled, kind_of, misfit
from headgate.core.types import Answer, Format, Reply, Verdict

_NOT_ASKED = Verdict("asked-format", None, "free text was asked")
_TOOL = Verdict("asked-format", None, "it calls a tool")
_FITS = Verdict("asked-format", 1.0, "it has the asked form")


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
    if has_form(asked, reply.text):
        return reply
    inner = bare_json(said(reply.text))
    if has_form(asked, inner):
        return msgspec.structs.replace(reply, text=inner)
    mended = mend(inner)
    if mended is not None and has_form(asked, mended):
        return msgspec.structs.replace(reply, text=mended)
    return reply


def has_form(asked: Format, text: str) -> bool:
    """Whether the text is JSON of the asked form."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return _misfit(asked, value) is None


def _misfit(asked: Format, value: Any) -> tuple[bool, str] | None:
    """Why the value does not fit, or None if it does. The flag is False if the schema itself is at fault."""
    if asked.kind == "json" or asked.schema is None:
        return None if isinstance(value, dict) else (True, f"a JSON object was asked, not {kind_of(value)}")
    validator = compiled(bytes(asked.schema))
    if isinstance(validator, str):
        return False, f"the asked schema cannot be used: {validator}"
    problem = misfit(validator, value)
    return None if problem is None else (True, f"it does not fit the schema {problem}")
