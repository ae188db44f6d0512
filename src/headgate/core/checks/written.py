"""Tool calls that a model wrote into its text, in the forms that local models write them.

    {"name": …, "arguments" or "parameters": {…}}          alone, in a list, or as OpenAI's `function` and `tool_calls`
    ```json … ```                                          the same in a fence that ends the answer
    <tool_call>{…}</tool_call>                             Hermes, Qwen
    <function=name>{…}</function>, <parameter=x>…          Llama, Qwen3-Coder, also inside <tool_call>
    [TOOL_CALLS][{…}], [TOOL_CALLS]name{…}                 Mistral
    <|python_tag|>{…}                                      Llama

It knows how calls look. It does not know whether a tool of that name exists, and what is cut in the middle or stands in
a code block that the answer goes on to talk about is no call.
"""

import json
import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from headgate.core.checks.material import said
from headgate.core.checks.mending import LONGEST, mend
from headgate.core.types import Tool

_SIGNS = ("<tool_call>", "<function=", "[TOOL_CALLS]", "<|python_tag|>")
_MARK = re.compile(r"<tool_call>|<function=|\[TOOL_CALLS\]|<\|python_tag\|>")
_BEGINS = re.compile(r"^[ \t]*(?:<tool_call>|<function=|\[TOOL_CALLS\]|<\|python_tag\|>)", re.MULTILINE)
_FENCED_JSON = re.compile(r"```(?:json|tool_call|tool_code)?\s*[{\[]")
_END_SIGNS = re.compile(r"(?:<\|(?:eot_id|eom_id|im_end|end_of_text|end)\|>|</s>)$")
_BETWEEN = re.compile(r"[\s;,]*")
_MISTRAL_NAME = re.compile(r"\s*([\w.-]+)(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?=\{)")
_FENCE_HEAD = re.compile(r"(?:json|tool_call|tool_code)?\s*", re.IGNORECASE)
_CALL_KEYS = frozenset({"name", "arguments", "parameters", "function", "id", "type", "index"})
_LIST_KEYS = frozenset({"tool_calls", "content", "role"})
_find_end = json.JSONDecoder(strict=False).raw_decode  # msgspec does not say where a document ends

Named = tuple[str, str]
"""A tool's name and its arguments as JSON text."""


class Written(Struct, frozen=True):
    """Calls that were found in a text."""

    calls: tuple[Named, ...]
    rest: str
    """The prose around them."""
    sure: bool
    """False: it might also be an example, so the arguments must fit the tool."""


def written_calls(text: str, tools: Mapping[str, Tool]) -> Written | None:
    """The calls in a text, whatever their names; None if it holds none that can be read."""
    text = said(text).strip()
    if text.endswith(">"):
        text = _END_SIGNS.sub("", text).strip()
    if not text.startswith("[TOOL_CALLS]") and text.startswith(("{", "[")):
        return _bare(text)
    fenced = (
        _fenced(text) if text.endswith("```") else None
    )  # if not, it goes on to talk about what it has shown
    if fenced is not None:
        return fenced
    return _marked(text, tools) if _has_sign(text) else None


def begins_call(text: str) -> bool:
    """Whether a line outside code begins with a sign that only calls begin with."""
    if not _has_sign(text):
        return False
    outside = "\n".join(text.split("```")[::2])
    return _BEGINS.search(outside) is not None


def may_become_call(opening: str) -> bool:
    """Whether the opening of an answer can still turn out to be a call."""
    begun = opening.lstrip().startswith(("{", "[", "<", "`"))
    return begun or _has_sign(opening) or _FENCED_JSON.search(opening) is not None


def _has_sign(text: str) -> bool:
    return any(sign in text for sign in _SIGNS)  # a tenth of what the pattern costs on an answer in words


# ── JSON alone, and in fences ────────────────────────────────────────────────────────────────────────────────────────


def _bare(text: str) -> Written | None:
    documents = _documents(text)
    calls = _all_named(documents) if documents else None
    if calls:
        return Written(tuple(calls), "", sure=True)
    end = _end_of_json(text, 0)
    if documents or '"name"' not in text or (end is not None and text[end:].strip(" \n}]")):
        return None  # no call, or words after one
    mended = mend(text)
    calls = _named(mended) if mended is not None else None
    return Written(tuple(calls), "", sure=False) if calls else None


def _fenced(text: str) -> Written | None:
    whole = _all_named(_documents(_unfenced(text[3:-3])) or []) if text.startswith("```") else None
    if whole:
        return Written(tuple(whole), "", sure=True)
    pieces = text.split("```")
    calls: list[Named] = []
    for block in pieces[1::2]:
        more = _all_named(_documents(_unfenced(block)) or [])
        if not more:
            return None
        calls += more
    rest = "".join(pieces[::2]).strip()
    return Written(tuple(calls), rest, sure=not rest)


def _unfenced(block: str) -> str:
    head = _FENCE_HEAD.match(block)
    return block[head.end() if head else 0 :].strip()


def _documents(text: str) -> list[str] | None:
    """The JSON documents that the text consists of, one or more; None if there is anything else in it."""
    found, at = [], 0
    while at < len(text):
        end = _end_of_json(text, at)
        if end is None:
            return None
        found.append(text[at:end])
        at = _past(_BETWEEN, text, end)
    return found


def _end_of_json(text: str, at: int) -> int | None:
    if text[at : at + 1] not in ("{", "["):
        return None
    try:
        return _find_end(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


# ── Marked calls ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _marked(text: str, tools: Mapping[str, Tool]) -> Written | None:
    calls: list[Named] = []
    rest: list[str] = []
    at = fences = 0
    inline = False
    while (mark := _MARK.search(text, at)) is not None:
        before = text[at : mark.start()]
        fences += before.count("```")
        if fences % 2 or before.endswith("`"):  # it shows code
            rest.append(text[at : mark.end()])
            at = mark.end()
            continue
        found = _after(mark, text, tools)
        if found is None:
            return None
        inline = inline or before.rpartition("\n")[2].strip() != ""
        rest.append(before)
        calls += found[0]
        at = found[1]
    after = text[at:].strip()
    if not calls or (inline and after):  # in the middle of a sentence it is talked about
        return None
    return Written(tuple(calls), "".join([*rest, text[at:]]).strip(), sure=True)


def _after(mark: re.Match[str], text: str, tools: Mapping[str, Tool]) -> tuple[list[Named], int] | None:
    """The calls that a mark announces, and where they end."""
    sign, at = mark.group(), mark.end()
    if sign == "<function=":
        return _function(text, at, tools)
    at = _past(_BETWEEN, text, at)
    if sign == "<tool_call>":
        function = text.startswith("<function=", at)
        found = (
            _function(text, at + len("<function="), tools)
            if function
            else _json_calls(text, at, "</tool_call>")
        )
        return (found[0], _skip(text, found[1], "</tool_call>")) if found else None
    if sign == "[TOOL_CALLS]" and (name := _MISTRAL_NAME.match(text, at)) is not None:
        document, end = _json(text, name.end(), "[TOOL_CALLS]")
        return ([(name.group(1), document)], end) if document is not None else None
    return _json_calls(text, at, sign)


def _json_calls(text: str, at: int, stop: str) -> tuple[list[Named], int] | None:
    """Calls in JSON, one document or several."""
    calls: list[Named] = []
    while text[at : at + 1] in ("{", "["):
        document, end = _json(text, at, stop)
        more = _named(document, bare=False) if document is not None else None
        if more is None:
            return None
        calls += more
        at = _past(_BETWEEN, text, end)
    return (calls, at) if calls else None


def _json(text: str, at: int, stop: str) -> tuple[str | None, int]:
    """The document that begins here, mended if it must be, and where it ends: at `stop` if nothing else says so."""
    end = _end_of_json(text, at)
    if end is not None:
        return text[at:end], end
    end = text.find(stop, at)
    end = len(text) if end < 0 else end
    return mend(text[at:end].strip()) if len(text) <= LONGEST else None, end


def _function(text: str, at: int, tools: Mapping[str, Tool]) -> tuple[list[Named], int] | None:
    """`name>{…}</function>`, or the same with `<parameter=x>` in place of JSON."""
    name, closed, _ = text[at : at + 200].partition(">")
    if not closed:
        return None
    start = at + len(name) + 1
    name = name.strip(" \"'")
    inner = _past(_BETWEEN, text, start)
    if text.startswith("{", inner):
        document, end = _json(text, inner, "</function>")
        return ([(name, document)], _skip(text, end, "</function>")) if document is not None else None
    end = text.find("</function>", start)
    if end < 0:
        return None
    body = text[start:end].strip()
    if body and not body.startswith("<parameter="):
        return None
    return [(name, _parameters(body, tools.get(name)))], end + len("</function>")


def _parameters(body: str, tool: Tool | None) -> str:
    """Arguments as JSON from `<parameter=x>value</parameter>`: texts where the tool wants texts, else what they say."""
    kinds = _kinds(tool)
    arguments: dict[str, Raw | str] = {}
    for piece in body.split("<parameter=")[1:]:
        name, _, value = piece.partition(">")
        value = value.rpartition("</parameter>")[0] or value
        value = value.removeprefix("\n").removesuffix("\n")
        plain = kinds.get(name.strip(), "string") == "string"
        arguments[name.strip()] = value if plain else _literal(value)
    return msgspec.json.encode(arguments).decode()


def _kinds(tool: Tool | None) -> dict[str, str]:
    """The declared type of each property; "" where there is more than one."""
    try:
        schema = msgspec.json.decode(tool.parameters) if tool is not None else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}
    kinds = {name: one.get("type", "") for name, one in properties.items() if isinstance(one, dict)}
    return {name: kind if isinstance(kind, str) else "" for name, kind in kinds.items()}


def _literal(value: str) -> Raw | str:
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value
    return Raw(value.strip().encode())


def _skip(text: str, at: int, sign: str) -> int:
    """Past the sign, if it is what comes next."""
    next_at = _past(_BETWEEN, text, at)
    return next_at + len(sign) if text.startswith(sign, next_at) else at


# ── From JSON to names and arguments ─────────────────────────────────────────────────────────────────────────────────


def _all_named(documents: list[str]) -> list[Named] | None:
    calls: list[Named] = []
    for document in documents:
        more = _named(document)
        if more is None:
            return None
        calls += more
    return calls


def _named(document: str, *, bare: bool = True) -> list[Named] | None:
    """The calls of a document: one, a list, or OpenAI's `tool_calls`. None if anything in it is no call.

    A `bare` one is known by its arguments alone, so they must be there.
    """
    try:
        value = msgspec.json.decode(document, type=dict[str, Raw] | list[Raw])
        if isinstance(value, dict) and "tool_calls" in value and value.keys() <= _LIST_KEYS:
            value = msgspec.json.decode(value["tool_calls"], type=list[Raw])
        items = value if isinstance(value, list) else [value]
        calls = [_call(item, bare=bare) for item in items]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return [call for call in calls if call is not None] if calls and None not in calls else None


def _call(item: Raw | dict[str, Raw], *, bare: bool) -> Named | None:
    """One call; None for an object that is none.

    Raises:
        msgspec.DecodeError: it is no object, or a name is no text.
    """
    fields = item if isinstance(item, dict) else msgspec.json.decode(item, type=dict[str, Raw])
    if not fields.keys() <= _CALL_KEYS:
        return None
    name = fields.get("name")
    function = fields.get("function")
    if function is not None and bytes(function).startswith(b"{"):
        fields = msgspec.json.decode(function, type=dict[str, Raw])
        name = fields.get("name")
    elif function is not None:
        name = function
    raw = fields.get("arguments", fields.get("parameters"))
    if name is None or (raw is None and bare):
        return None
    arguments = _object(raw) if raw is not None else "{}"
    return (msgspec.json.decode(name, type=str), arguments) if arguments is not None else None


def _object(raw: Raw) -> str | None:
    """Arguments as the JSON text of an object, also where they came as a text that holds one."""
    text = bytes(raw).decode().strip()
    if text.startswith('"'):
        text = msgspec.json.decode(raw, type=str).strip() or "{}"
    if text == "null":
        return "{}"
    return text if text.startswith("{") else None
