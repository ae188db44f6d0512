"""A conversation's tool calls and their results, matched in the ids that one engine takes.

A conversation may have begun on another engine, whose ids have other letters, come again in each turn, or are missing;
and a client may have cut its beginning off. Engines refuse all of that, each in its own way. Here every call gets an id
that fits and is its own, every result follows its call, and what has no partner is said in another way.

The same beginning of a conversation always gets the same ids, so that an engine's prompt cache still knows it. It does
not know which engine takes what; `engines.profiles` does.
"""

import re
from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.types import Message, Text, ToolCall

NO_RESULT = "No result of this call is known."


class ToolIds(Struct, frozen=True):
    """Which ids of tool calls an engine takes, and how an id is made where one does not fit."""

    pattern: str = r".+"
    prefix: str = "call_"
    digits: int = 24
    """Hexadecimal digits after the prefix."""

    def fits(self, call_id: str) -> bool:
        """Whether the engine takes the id."""
        return re.fullmatch(self.pattern, call_id) is not None

    def made(self, seed: str) -> str:
        """An id that fits, always the same for the same seed."""
        return self.prefix + sha256(seed.encode("utf-8", "replace")).hexdigest()[: self.digits]


ANY_ID = ToolIds()


def matched(messages: tuple[Message, ...], ids: ToolIds) -> tuple[Message, ...]:
    """The conversation with its calls and results matched; the very same tuple if they are already."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages
    if _is_matched(messages, ids):
        return messages
    told: list[Message] = []
    used: set[str] = set()
    at = 0
    while at < len(messages):
        asking = _while_assistant(messages, at)
        answers = _until_assistant(messages, at + len(asking))
        told += _turn(asking, answers, ids, used)
        at += len(asking) + len(answers)
    return tuple(told)


def _is_matched(messages: Sequence[Message], ids: ToolIds) -> bool:
    """Whether every call has its own fitting id, and its result right after it, in order. Most conversations are so."""
    fits = re.compile(ids.pattern).fullmatch
    used: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        if message.role == "tool":
            if not waiting or message.tool_call_id != waiting.pop():
                return False
        elif waiting:
            return False
        elif message.tool_calls:
            waiting = [call.id for call in reversed(message.tool_calls)]
            before = len(used)
            used.update(waiting)
            if len(used) - before < len(waiting) or not all(map(fits, waiting)):
                return False
    return not waiting


def _while_assistant(messages: Sequence[Message], at: int) -> Sequence[Message]:
    end = at
    while end < len(messages) and messages[end].role == "assistant":
        end += 1
    return messages[at:end]


def _until_assistant(messages: Sequence[Message], at: int) -> Sequence[Message]:
    end = at
    while end < len(messages) and messages[end].role != "assistant":
        end += 1
    return messages[at:end]


def _turn(
    asking: Sequence[Message], answers: Sequence[Message], ids: ToolIds, used: set[str]
) -> list[Message]:
    """What the assistant said, each call followed by its result, then all that was said to the assistant."""
    calls = [call for message in asking for call in message.tool_calls]
    results: list[Message | None] = [None] * len(calls)
    others: list[Message] = []
    for message in answers:
        place = _place(message, calls, results) if message.role == "tool" else None
        if place is not None:
            results[place] = message
        else:
            others.append(_as_words(message) if message.role == "tool" else message)
    told: list[Message] = []
    found = iter(results)
    for message in asking:
        named = [_with_id(call, ids, used) for call in message.tool_calls]
        unchanged = all(new is old for new, old in zip(named, message.tool_calls, strict=True))
        told.append(message if unchanged else replace(message, tool_calls=tuple(named)))
        told += [_result(call, result) for call, result in zip(named, found, strict=False)]
    return told + others


def _place(message: Message, calls: Sequence[ToolCall], results: Sequence[Message | None]) -> int | None:
    """The first call still without a result that this one belongs to: by id, else, where one has none, by name."""
    for place, call in enumerate(calls):
        if results[place] is not None:
            continue
        if call.id and message.tool_call_id:
            if call.id == message.tool_call_id:
                return place
        elif not message.name or message.name == call.name:
            return place
    return None


def _with_id(call: ToolCall, ids: ToolIds, used: set[str]) -> ToolCall:
    """The call under an id that fits and that no earlier call has."""
    call_id = call.id
    if not ids.fits(call_id) or call_id in used:
        call_id = ids.made(call.id or f"\n{len(used)}")
        tries = 0
        while call_id in used:
            tries += 1
            call_id = ids.made(f"{call.id}\n{len(used)}\n{tries}")
    used.add(call_id)
    return call if call_id == call.id else replace(call, id=call_id)


def _result(call: ToolCall, result: Message | None) -> Message:
    if result is None:
        return Message("tool", NO_RESULT, tool_call_id=call.id)
    return result if result.tool_call_id == call.id else replace(result, tool_call_id=call.id)


def _as_words(result: Message) -> Message:
    """A result whose call is gone, as the user's words."""
    lead = f"The tool {result.name}" if result.name else "A tool"
    lead += ", called earlier, gave this result:"
    if isinstance(result.content, str):
        return Message("user", f"{lead}\n\n{result.content}")
    return Message("user", (Text(lead), *result.content))
