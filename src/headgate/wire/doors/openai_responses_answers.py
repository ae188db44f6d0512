"""Answers in OpenAI's Responses: Reply → bytes, Delta → events.

An answer is a list of items: what the model thought, what it says, what it calls. The thoughts are given as summaries,
the one form that all clients read. A stream announces each item, fills it and ends it; only at its end is the whole
`response` sent again, with its usage. It does not know how the request came in, nor how long anything took.

Source: OpenAI's API reference and the types of its Python client 3.57; Vercel's AI SDK (`@ai-sdk/openai` 3.0).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw

from headgate.core.types import Delta, Reply, Usage
from headgate.core.words import Finish
from headgate.wire import faults
from headgate.wire.doors import About, deltas_of
from headgate.wire.doors.openai_responses_ids import Kind, item_id
from headgate.wire.faults import Fault

RESPONSE_ID = "resp_"
"""What comes before our id in the id of a response."""

SHORTFALLS: Mapping[Finish, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete, in OpenAI's words."""
DEFAULTS: Mapping[str, Any] = {
    "background": False,
    "error": None,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a `response` repeats of a request that did not say it; null is what is left to the model."""

encode = msgspec.json.Encoder().encode

State = Literal["in_progress", "completed", "incomplete"]


def encode_reply(reply: Reply, about: About) -> bytes:
    """A whole reply as a `response`."""
    items: list[Item] = []
    for delta in deltas_of(reply) or (Delta(),):
        kind: Kind = "reasoning" if delta.reasoning else "message"
        if delta.tool_index is not None:
            kind = "function_call"
        item = Item(kind, about.request.id, items, delta.tool_id, delta.tool_name)
        item.add(delta.reasoning or delta.text or delta.tool_arguments, delta.logprobs)
        items.append(item)
    return response(about, items, reply)


def response(about: About, items: Iterable["Item"], end: Reply | Fault | None) -> bytes:
    """A `response`: ended by a reply or a fault, or None while it is under way."""
    short = SHORTFALLS.get(end.finish) if isinstance(end, Reply) else None
    state: State = "in_progress" if end is None else "completed"
    if short is not None or isinstance(end, Fault):
        state = "incomplete"
    value = {
        "id": RESPONSE_ID + about.request.id,
        "object": "response",
        "created_at": about.created,
        "status": "failed" if isinstance(end, Fault) else state,
        "model": about.model or about.request.asked,
        **DEFAULTS,
        **about.request.echo,
        "store": about.request.store,
        "incomplete_details": {"reason": short} if short is not None else None,
        "output": [item.value(state) for item in items],
        "usage": usage_out(end.usage) if isinstance(end, Reply) else None,
    }
    if isinstance(end, Fault):
        value["error"] = {"code": "server_error", "message": error_in(end)["message"]}
    return encode(value)


def usage_out(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's form, where cached tokens are part of the input."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.output,
    }


def error_in(fault: Fault) -> dict[str, Any]:
    """A fault in the form that it has outside streams, without its envelope."""
    error: dict[str, Any] = msgspec.json.decode(faults.encode(fault))["error"]
    return error


class Item:
    """One item of the output, whole or growing."""

    def __init__(
        self, kind: Kind, request_id: str, before: Sequence["Item"], call_id: str = "", name: str = ""
    ) -> None:
        self.kind = kind
        self.id = item_id(kind, request_id, sum([item.kind == kind for item in before]))
        self.index = len(before)
        self.call_id = call_id
        self.name = name
        self._texts: list[str] = []
        self._logprobs: list[bytes] = []

    def add(self, text: str, logprobs: Raw | None = None) -> None:
        """Take a piece."""
        self._texts.append(text)
        if logprobs is not None:
            self._logprobs.append(bytes(logprobs)[1:-1])

    @property
    def text(self) -> str:
        """What was thought or said, or a call's arguments."""
        return "".join(self._texts)

    @property
    def logprobs(self) -> Raw:
        """Of all its pieces, as an array."""
        return Raw(b"[" + b",".join([piece for piece in self._logprobs if piece]) + b"]")

    def part(self) -> dict[str, Any]:
        """The one part that a message or a reasoning has."""
        if self.kind == "reasoning":
            return {"type": "summary_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": self.logprobs}

    def value(self, state: State) -> dict[str, Any]:
        """The item as it is now; one that has only begun has no parts yet."""
        head = {"id": self.id, "type": self.kind}
        parts = [] if state == "in_progress" else [self.part()]
        if self.kind == "reasoning":
            return head | {"summary": parts}
        if self.kind == "message":
            return head | {"status": state, "role": "assistant", "content": parts}
        called = {"call_id": self.call_id, "name": self.name, "arguments": self.text}
        return head | {"status": state} | called


class EventEncoder:
    """One answer as a stream of `response.…` events, numbered as they come."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._number = 0
        self._items: list[Item] = []
        self._speaking: Item | None = None  # a message or a reasoning that has begun and not ended
        self._calls: dict[int, Item] = {}

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer, after the announcement of the item that it belongs to."""
        out = [self._opening()]
        if delta.reasoning:
            out.append(self._think(delta.reasoning))
        if delta.text or delta.logprobs is not None:
            out.append(self._say(delta.text, delta.logprobs))
        if delta.tool_index is not None:
            out.append(self._call(delta, delta.tool_index))
        return b"".join(out)

    def end(self, reply: Reply) -> bytes:
        """The ends of all items, then the whole response."""
        out = [self._opening()]
        if not self._items:
            out.append(self._say("", None))
        state: State = "incomplete" if reply.finish in SHORTFALLS else "completed"
        out.append(self._stop_speaking(state))
        for item in self._calls.values():
            done = {"item_id": item.id, "output_index": item.index, "name": item.name, "arguments": item.text}
            out.append(self._event("response.function_call_arguments.done", done))
            out.append(self._done(item, state))
        out.append(self._whole(f"response.{state}", reply))
        return b"".join(out)

    def fail(self, fault: Fault) -> bytes:
        """A failed response, and an error event in both forms that clients know; OpenAI's own raise on the nested one."""
        opening = self._opening()
        failed = self._whole("response.failed", fault)
        error = error_in(fault)
        flat = {name: error[name] for name in ("code", "message", "param")}
        return opening + failed + self._event("error", flat | {"error": error})

    # ── The items ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _think(self, text: str) -> bytes:
        begun, item = self._speak("reasoning")
        item.add(text)
        where = {"item_id": item.id, "output_index": item.index, "summary_index": 0}
        return begun + self._event("response.reasoning_summary_text.delta", where | {"delta": text})

    def _say(self, text: str, logprobs: Raw | None) -> bytes:
        begun, item = self._speak("message")
        if not text and logprobs is None:
            return begun
        item.add(text, logprobs)
        where = {"item_id": item.id, "output_index": item.index, "content_index": 0}
        piece = {"delta": text, "logprobs": logprobs if logprobs is not None else []}
        return begun + self._event("response.output_text.delta", where | piece)

    def _speak(self, kind: Kind) -> tuple[bytes, Item]:
        """The item of this kind that is open; where it is not, the events that open it."""
        if self._speaking is not None and self._speaking.kind == kind:
            return b"", self._speaking
        stopped = self._stop_speaking("completed")
        item = Item(kind, self._about.request.id, self._items)
        begun = self._begin(item)
        self._speaking = item
        name, where = part_place(item)
        return stopped + begun + self._event(f"{name}.added", where | {"part": item.part()}), item

    def _stop_speaking(self, state: State) -> bytes:
        item, self._speaking = self._speaking, None
        if item is None:
            return b""
        name, where = part_place(item)
        if item.kind == "reasoning":
            text = self._event("response.reasoning_summary_text.done", where | {"text": item.text})
        else:
            whole = {"text": item.text, "logprobs": item.logprobs}
            text = self._event("response.output_text.done", where | whole)
        return text + self._event(f"{name}.done", where | {"part": item.part()}) + self._done(item, state)

    def _call(self, delta: Delta, index: int) -> bytes:
        begun = b""
        item = self._calls.get(index)
        if item is None:
            begun = self._stop_speaking("completed")
            item = Item("function_call", self._about.request.id, self._items, delta.tool_id, delta.tool_name)
            self._calls[index] = item
            begun += self._begin(item)
        if not delta.tool_arguments:
            return begun
        item.add(delta.tool_arguments)
        piece = {"item_id": item.id, "output_index": item.index, "delta": delta.tool_arguments}
        return begun + self._event("response.function_call_arguments.delta", piece)

    def _begin(self, item: Item) -> bytes:
        self._items.append(item)
        added = {"output_index": item.index, "item": item.value("in_progress")}
        return self._event("response.output_item.added", added)

    def _done(self, item: Item, state: State) -> bytes:
        return self._event(
            "response.output_item.done", {"output_index": item.index, "item": item.value(state)}
        )

    # ── The events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _opening(self) -> bytes:
        if self._number:
            return b""
        return self._whole("response.created", None) + self._whole("response.in_progress", None)

    def _whole(self, name: str, end: Reply | Fault | None) -> bytes:
        return self._event(name, {"response": Raw(response(self._about, self._items, end))})

    def _event(self, name: str, value: dict[str, Any]) -> bytes:
        data = encode({"type": name, "sequence_number": self._number} | value)
        if (
            b"\n" in data
        ):  # the caller's own line breaks, in what is echoed: here they would end the event's data
            data = msgspec.json.format(data, indent=-1)
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def part_place(item: Item) -> tuple[str, dict[str, Any]]:
    """The name of the events around an item's one part, and where it is."""
    where = {"item_id": item.id, "output_index": item.index}
    if item.kind == "reasoning":
        return "response.reasoning_summary_part", where | {"summary_index": 0}
    return "response.content_part", where | {"content_index": 0}
