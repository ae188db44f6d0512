"""Answers in Anthropic's Messages: Reply → bytes, Delta → events.

An answer of Anthropic's own engine goes out in its own blocks, seals and citations included. Thinking of any other model gets
a seal of ours (`anthropic_content.SEAL`), because clients give thinking back and Anthropic must not be shown it. Cached
tokens stand beside `input_tokens`, not in it. It does not know how the request came in, nor how long anything took.

Source: Anthropic's API reference, version 2026-10-21, and the types of its Python client 2.14 (docs/api.md).
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import Raw

from headgate.core.types import Delta, Reply, ToolCall, Usage
from headgate.core.words import Finish
from headgate.wire import faults
from headgate.wire.doors import About
from headgate.wire.doors.anthropic_blocks import CITATION, END, kind_of, own_blocks
from headgate.wire.doors.anthropic_content import SEAL
from headgate.wire.faults import Fault
from headgate.wire.upstream import object_from

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

STOPS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

TIERS = frozenset({"standard", "priority", "batch"})
"""What a client of Anthropic's knows to be a tier."""

Kind = Literal["text", "thinking", "tool_use"]

BEGINNINGS: dict[Kind, bytes] = {
    "text": b'{"type":"text","text":""}',
    "thinking": b'{"type":"thinking","thinking":"","signature":""}',
}
"""The block that each kind starts with; a call's has its id and name in it."""

encode = msgspec.json.Encoder().encode


def encode_reply(reply: Reply, about: About) -> bytes:
    """A whole reply as a `message`."""
    return encode(
        envelope(about)
        | {
            "content": own_blocks(reply) or blocks_of(reply, about),
            "stop_reason": stop_reason(reply),
            "stop_sequence": reply.stopped_by or None,
            "stop_details": None,
            "usage": usage_out(reply.usage)
            | {
                "cache_creation": {
                    "ephemeral_5m_input_tokens": reply.usage.cache_write_5m,
                    "ephemeral_1h_input_tokens": reply.usage.cache_write_1h,
                },
                "service_tier": reply.usage.service if reply.usage.service in TIERS else "standard",
            },
        }
    )


def envelope(about: About) -> dict[str, Any]:
    """What a message says of itself."""
    return {"id": f"msg_{about.request.id}", "type": "message", "role": "assistant", "model": about.model}


def blocks_of(reply: Reply, about: About) -> list[dict[str, Any]]:
    """The content of an answer that another engine gave."""
    blocks: list[dict[str, Any]] = []
    if reply.reasoning:
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": SEAL})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [block_of(call, index, about) for index, call in enumerate(reply.tool_calls)]
    return blocks


def block_of(call: ToolCall, index: int, about: About) -> dict[str, Any]:
    """A call of a tool; its arguments are an object here."""
    return {
        "type": "tool_use",
        "id": id_of(call.id, index, about),
        "name": call.name,
        "input": object_from(call.arguments),
    }


def id_of(call_id: str, index: int, about: About) -> str:
    """An id in the letters that Anthropic takes: it will be given back, and Anthropic may see it then."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", call_id) or f"toolu_{about.request.id}_{index}"


def stop_reason(reply: Reply) -> str:
    """Why the model stopped, in Anthropic's words."""
    if reply.stopped_by:
        return "stop_sequence"
    if reply.tool_calls and reply.finish == "stop":
        return "tool_use"
    return STOPS[reply.finish]


def usage_out(usage: Usage) -> dict[str, Any]:
    """Usage in Anthropic's form."""
    out: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.searches:
        out["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return out


class EventEncoder:
    """One answer as a stream of events: one block after the other, each with a start, pieces and a stop."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._begun = False
        self._next = 0
        """The index of the next block."""
        self._open: Kind | None = None
        self._sealed = False
        self._calls: dict[int, int] = {}
        """The number of a call → the index of its block."""

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer; the first is preceded by the message's start."""
        out = self._opening()
        if delta.reasoning:
            out += self._block("thinking", fresh=self._sealed)
            out += self._piece(b'"thinking_delta","thinking":', delta.reasoning)
        if delta.signature:
            out += self._block("thinking", fresh=self._sealed) + self._seal(delta.signature)
        if delta.text:
            out += self._block("text") + self._piece(b'"text_delta","text":', delta.text)
        if delta.tool_index is not None:
            out += self._call(delta.tool_index, delta)
        if delta.block is not None:
            out += self._native(delta.block)
        return out

    def end(self, reply: Reply) -> bytes:
        """The end of the last block, the stop reason with the usage, and the end mark."""
        out = self._opening() + self._close()
        delta = {"stop_reason": stop_reason(reply), "stop_sequence": reply.stopped_by or None}
        out += event(
            b"message_delta", b'"delta":%b,"usage":%b' % (encode(delta), encode(usage_out(reply.usage)))
        )
        return out + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def fail(self, fault: Fault) -> bytes:
        """An error event, on which Anthropic's clients raise."""
        return faults.encode_in_stream(fault, "anthropic", self._about.request.id)

    def _opening(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = envelope(self._about) | {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_out(Usage(input=self._about.prompt_tokens)),
        }
        return event(b"message_start", b'"message":' + encode(message))

    def _block(self, kind: Kind, *, fresh: bool = False) -> bytes:
        """Nothing while a block of this kind is open, else the end of the last and the start of a new one."""
        if self._open == kind and not fresh:
            return b""
        return self._close() + self._start(kind, BEGINNINGS[kind])

    def _start(self, kind: Kind, block: bytes) -> bytes:
        index, self._next, self._open, self._sealed = self._next, self._next + 1, kind, False
        return event(b"content_block_start", b'"index":%d,"content_block":%b' % (index, block))

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        seal = self._seal(SEAL) if self._open == "thinking" and not self._sealed else b""
        self._open = None
        return seal + event(b"content_block_stop", b'"index":%d' % (self._next - 1))

    def _seal(self, signature: str) -> bytes:
        self._sealed = True
        return self._piece(b'"signature_delta","signature":', signature)

    def _piece(self, start: bytes, text: str, index: int | None = None) -> bytes:
        at = self._next - 1 if index is None else index
        return event(b"content_block_delta", b'"index":%d,"delta":{"type":%b%b}' % (at, start, encode(text)))

    def _call(self, number: int, delta: Delta) -> bytes:
        """A piece of a call. Engines write one call after the other; a straggler still finds its own block."""
        out = b""
        if number not in self._calls:
            call_id = id_of(delta.tool_id, number, self._about)
            block = {"type": "tool_use", "id": call_id, "name": delta.tool_name, "input": {}}
            out = self._close() + self._start("tool_use", encode(block))
            self._calls[number] = self._next - 1
        if delta.tool_arguments:
            out += self._piece(
                b'"input_json_delta","partial_json":', delta.tool_arguments, self._calls[number]
            )
        return out

    def _native(self, block: Raw) -> bytes:
        """A whole block of Anthropic's, or a citation for the block that is open, or its end."""
        kind = kind_of(block)
        if kind == END:
            return self._close()
        if kind == CITATION:
            out = self._block("text")
            return out + event(b"content_block_delta", b'"index":%d,"delta":%b' % (self._next - 1, block))
        index, out = self._next, self._close()
        self._next += 1
        out += event(b"content_block_start", b'"index":%d,"content_block":%b' % (index, block))
        return out + event(b"content_block_stop", b'"index":%d' % index)


def event(name: bytes, fields: bytes) -> bytes:
    """A server-sent event, whose type stands in its data too."""
    return b'event: %b\ndata: {"type":"%b",%b}\n\n' % (name, name, fields)
