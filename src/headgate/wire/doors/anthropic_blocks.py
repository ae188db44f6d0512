"""The content of an answer in the blocks that Anthropic's own engine wrote: kept as they are, or cut into deltas.

They are used only while they still say what the reply says: an answer that was mended since speaks for itself. It does not
know events or envelopes.

Source: Anthropic's API reference, version 2026-10-21 (docs/api.md).
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta, Reply, ToolCall
from headgate.wire.upstream import UNREADABLE

CITATION = "citations_delta"
END = "content_block_stop"
"""Types of a delta's `block` that is no block: a citation for the text before it, and the end of the block that is open."""
ENDED = Delta(block=Raw(b'{"type":"content_block_stop"}'))


class WireKind(Struct, gc=False):
    type: str = ""


class WireBlock(Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")
    citations: list[Raw] | None = None


decode_kind = msgspec.json.Decoder(WireKind).decode
decode_raw = msgspec.json.Decoder(list[Raw]).decode
decode_block = msgspec.json.Decoder(WireBlock).decode
decode_blocks = msgspec.json.Decoder(list[WireBlock]).decode


def kind_of(block: Raw) -> str:
    """The type of a block."""
    return decode_kind(block).type


def own_blocks(reply: Reply) -> Raw | None:
    """The answer in its own blocks, if it has any and still says the same."""
    if reply.blocks is None:
        return None
    try:
        blocks = decode_blocks(reply.blocks)
        calls = tuple([call_of(block) for block in blocks if block.type == "tool_use"])
    except UNREADABLE:  # an engine that only speaks like Anthropic's
        return None
    text = "".join([block.text for block in blocks])
    return reply.blocks if text == reply.text and calls == reply.tool_calls else None


def call_of(block: WireBlock) -> ToolCall:
    """The call in a block."""
    return ToolCall(block.id, block.name, bytes(block.input).decode())


def cut_blocks(blocks: Raw) -> Sequence[Delta]:
    """An answer's own blocks as deltas."""
    deltas: list[Delta] = []
    calls = 0
    for raw in decode_raw(blocks):
        block = decode_block(raw)
        if block.type == "text":
            deltas.append(Delta(block.text))
            deltas += [
                Delta(block=Raw(b'{"type":"%b","citation":%b}' % (CITATION.encode(), bytes(citation))))
                for citation in block.citations or ()
            ]
        elif block.type == "thinking":
            deltas += [Delta(reasoning=block.thinking), Delta(signature=block.signature)]
        elif block.type == "tool_use":
            call = call_of(block)
            deltas.append(
                Delta(tool_index=calls, tool_id=call.id, tool_name=call.name, tool_arguments=call.arguments)
            )
            calls += 1
        else:
            deltas.append(Delta(block=raw))
            continue
        deltas.append(ENDED)
    return deltas
