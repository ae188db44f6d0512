"""Are the tool calls sound, and can a call that went wrong on its way be saved? `valid-tool-calls` and `recover`.

A call is held against the tools of the request: its name, its arguments, and whether a call was wanted at all. Local
models write calls into their text, encode arguments twice and forget brackets; `recover` undoes that where the result
is a call to an offered tool. It does not know whether the right tool was called, or with the right values, and never
touches an answer that ran out of tokens.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.core.checks.formats import has_form
from headgate.core.checks.material import said
from headgate.core.checks.mending import bare_json, mend
from headgate.core.checks.schemas import compiled, kind_of, misfit
from headgate.core.checks.written import Written, begins_call, written_calls
from headgate.core.types import Answer, Reply, Request, Tool, ToolCall, Verdict

_NAME = "valid-tool-calls"
_NO_TOOLS = Verdict(_NAME, None, "no tools were offered")
_NO_CALL = Verdict(_NAME, None, "it calls no tool, and need not")
_FITS = Verdict(_NAME, 1.0, "its tool calls fit their tools")
_ANYTHING = (b"", b"{}", b"null", b"true")


def valid_tool_calls(answer: Answer) -> Verdict:
    """1.0 if every call fits a tool of the request; 0.3 if only the arguments do not; 0.0 for any other fault.

    Other faults: a tool that was not offered, arguments that are no JSON object, a call where none was allowed, none
    where one was demanded, and a call in the text that could not be recovered. None: no tools and no calls.
    """
    request, calls = answer.request, answer.reply.tool_calls
    if not request.tools and not calls:
        return _NO_TOOLS
    wish, name = choice_of(request)
    if not calls:
        return _judge_silence(answer, wish, name)
    if wish == "none":
        return Verdict(_NAME, 0.0, f"it calls {calls[0].name}, and no tool was to be called")
    if name and name not in [call.name for call in calls]:
        return Verdict(_NAME, 0.0, f"it calls {calls[0].name}, and {name} was to be called")
    tools = {tool.name: tool for tool in request.tools}
    verdicts = [_judge_call(call, tools.get(call.name)) for call in calls]
    return min(verdicts, key=lambda verdict: 2.0 if verdict.score is None else verdict.score)


def choice_of(request: Request) -> tuple[str, str]:
    """The wish in `tool_choice`: "auto", "none" or "required", and the name of the tool if one was demanded by name."""
    if request.tool_choice is None:
        return "auto", ""
    try:
        value = msgspec.json.decode(request.tool_choice)
    except (msgspec.DecodeError, RecursionError):
        return "auto", ""
    if isinstance(value, str):
        return value, ""
    function = value.get("function") if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return ("required", name) if isinstance(name, str) else ("auto", "")


def _judge_silence(answer: Answer, wish: str, name: str) -> Verdict:
    """The verdict on an answer without calls, to a request with tools."""
    if wish == "required":
        return Verdict(_NAME, 0.0, f"{name or 'a tool'} was to be called, and was not")
    if wish == "none":
        return _NO_CALL
    tools = {tool.name: tool for tool in answer.request.tools}
    written = _written(answer, tools)
    if written is None:
        if not begins_call(answer.reply.text):
            return _NO_CALL
        return Verdict(_NAME, 0.0, "it writes a tool call into its text that cannot be read")
    unknown = [called for called, _ in written.calls if called not in tools]
    if not written.sure:
        return _NO_CALL
    if unknown:
        return Verdict(_NAME, 0.0, f"it calls {unknown[0]} in its text, which is not among the offered tools")
    return Verdict(_NAME, 0.0, f"it writes its call of {written.calls[0][0]} as text")


def _judge_call(call: ToolCall, tool: Tool | None) -> Verdict:
    if tool is None:
        return Verdict(_NAME, 0.0, f"it calls {call.name or '“”'}, which is not among the offered tools")
    try:
        value = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Verdict(_NAME, 0.0, f"the arguments for {call.name} are not JSON: {error}")
    if not isinstance(value, dict):
        return Verdict(_NAME, 0.0, f"the arguments for {call.name} are {kind_of(value)}, not an object")
    if (schema := bytes(tool.parameters).strip()) in _ANYTHING:
        return _FITS
    validator = compiled(schema)
    if isinstance(validator, str):
        return Verdict(_NAME, None, f"the schema of {call.name} cannot be used: {validator}")
    problem = misfit(validator, value)
    if problem is None:
        return _FITS
    return Verdict(_NAME, 0.3, f"the arguments for {call.name} do not fit its schema {problem}")


# ── Saving what can be saved ─────────────────────────────────────────────────────────────────────────────────────────


def recover(answer: Answer) -> Reply:
    """The reply with calls in its text made real, and arguments that nearly fit mended; else the reply itself.

    A call in the text becomes real only if the reply has no other and its tool was offered. Mended arguments are kept
    only if they fit the tool's schema.
    """
    request, reply = answer.request, answer.reply
    if not request.tools or reply.finish not in ("stop", "tool_calls"):
        return reply
    tools = {tool.name: tool for tool in request.tools}
    if reply.tool_calls:
        calls = tuple([_mended(call, tools.get(call.name)) for call in reply.tool_calls])
        return reply if calls == reply.tool_calls else replace(reply, tool_calls=calls)
    if choice_of(request)[0] == "none":
        return reply
    written = _written(answer, tools)
    if written is None or not all(name in tools for name, _ in written.calls):
        return reply
    calls = tuple(
        [
            _mended(ToolCall(f"call_{request.id}_{index}", name, arguments), tools[name])
            for index, (name, arguments) in enumerate(written.calls)
        ]
    )
    if not written.sure and not all(_fits(call.arguments, tools[call.name]) for call in calls):
        return reply
    return replace(reply, text=written.rest, tool_calls=calls, finish="tool_calls")


def _written(answer: Answer, tools: Mapping[str, Tool]) -> Written | None:
    """The calls in the reply's text, unless the text is the JSON that was asked for."""
    text, asked = answer.reply.text, answer.request.format
    if asked.kind != "text" and not begins_call(text) and has_form(asked, bare_json(said(text))):
        return None
    return written_calls(text, tools)


def _mended(call: ToolCall, tool: Tool | None) -> ToolCall:
    """The call, with arguments that fit where they nearly did: encoded twice, left open, or empty."""
    if tool is None or _fits(call.arguments, tool):
        return call
    text = call.arguments.strip()
    value = _decoded(text)
    if isinstance(value, str):
        text = value.strip()
    elif value is not None:
        return call
    for candidate in (text or "{}", mend(text)):
        if candidate is not None and _fits(candidate, tool):
            return replace(call, arguments=candidate)
    return call


def _fits(arguments: str, tool: Tool) -> bool:
    """Whether the arguments are an object that the tool takes. A schema that cannot be used refuses nothing."""
    value = _decoded(arguments)
    if not isinstance(value, dict):
        return False
    schema = bytes(tool.parameters).strip()
    validator = "" if schema in _ANYTHING else compiled(schema)
    return isinstance(validator, str) or misfit(validator, value) is None


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
