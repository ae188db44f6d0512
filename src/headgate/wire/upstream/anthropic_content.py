"""The content of an answer as Anthropic wrote it, for callers who speak Anthropic's protocol and will give it back.

A whole answer's content is there to be cut out; a streamed one's is put together again, block by block, from its start and
pieces. It does not know what an answer means, nor when it is whole: `anthropic_replies` does.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta
from headgate.wire.upstream import UNREADABLE

SHARED = frozenset({"text", "thinking", "tool_use"})
"""Kinds of blocks whose pieces have a place of their own in a `Delta`."""
ENDED = Delta(block=Raw(b'{"type":"content_block_stop"}'))
"""The end of such a block: two texts in a row are two, and a citation belongs to one of them."""


class WireContent(Struct):
    content: Raw


class WireStart(Struct):
    content_block: dict[str, Raw] = {}


decode_content = msgspec.json.Decoder(WireContent).decode
decode_start = msgspec.json.Decoder(WireStart).decode
decode_text = msgspec.json.Decoder(str).decode
encode = msgspec.json.encode


def content_in(body: bytes) -> Raw:
    """The content of a whole answer, to the byte."""
    return decode_content(body).content


class Piece(Struct):
    """A block of content, or a piece of one (`*_delta`): only the fields that we use."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: Raw = Raw(b"null")


class Block:
    """A block being put together."""

    def __init__(self, start: dict[str, Raw]) -> None:
        self.start = start
        self.kind = decode_text(start["type"]) if "type" in start else ""
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.input: list[str] = []
        self.signature: list[str] = []
        self.citations: list[Raw] = []

    def whole(self) -> dict[str, Any]:
        """The block with all that came since its start."""
        block: dict[str, Any] = dict(self.start)
        for name, pieces in (("text", self.text), ("thinking", self.thinking), ("signature", self.signature)):
            if pieces:
                begun = decode_text(self.start[name]) if name in self.start else ""
                block[name] = begun + "".join(pieces)
        if self.citations:
            block["citations"] = self.citations
        written = "".join(self.input)
        if written and is_json(written):
            block["input"] = Raw(written.encode())
        return block


class Content:
    """The content of a streamed answer."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}

    def open(self, index: int, event: bytes) -> None:
        """Take a block's start, from the event that brings it."""
        self._blocks[index] = Block(decode_start(event).content_block)

    def extend(self, index: int, piece: Piece) -> list[Delta]:
        """Take a piece of a block; give what no other delta says."""
        block = self._blocks.get(index)
        if block is None:
            return []
        for pieces, new in (
            (block.text, piece.text),
            (block.thinking, piece.thinking),
            (block.input, piece.partial_json),
            (block.signature, piece.signature),
        ):
            if new:
                pieces.append(new)
        if piece.type != "citations_delta":
            return []
        block.citations.append(piece.citation)
        return [Delta(block=Raw(encode({"type": piece.type, "citation": piece.citation})))]

    def close(self, index: int) -> list[Delta]:
        """Take a block's end; give that, after the seal of thinking; or the whole of a block that has no other form."""
        block = self._blocks.get(index)
        if block is None:
            return []
        if block.kind not in SHARED:
            return [Delta(block=Raw(encode(block.whole())))]
        return [Delta(signature="".join(block.signature)), ENDED] if block.signature else [ENDED]

    def whole(self) -> Raw:
        """All blocks, in order."""
        return Raw(encode([block.whole() for _, block in sorted(self._blocks.items())]))


def is_json(text: str) -> bool:
    """Whether the text is a JSON value; an input that was cut off is none."""
    try:
        msgspec.json.decode(text)
    except UNREADABLE:
        return False
    return True
