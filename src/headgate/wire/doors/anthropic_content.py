"""What stands in a conversation of Anthropic's Messages: blocks → our messages.

What every engine can be told becomes `Message`s: text, images, calls of tools, their results, thoughts. What only Anthropic's
own engine can be told (documents, files, the work of its own tools) is named in `native`, and gets there in the caller's
bytes. Thinking carries a seal. Anthropic's own thinking must come back to Anthropic unchanged; thinking of other engines'
models goes out under a seal of ours, and is taken out of the bytes again before Anthropic sees it, because it would refuse
it. It does not know the other fields of a request.

Source: Anthropic's API reference, version 2026-10-21, and the types of its Python client 2.14 (docs/api.md).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct, field

from headgate.core.tokens import BYTES_PER_TOKEN, PER_IMAGE, guess_document
from headgate.core.types import Image, Message, Part, Text, ToolCall
from headgate.wire.doors.reading import image_from
from headgate.wire.doors.values import empty, null

SEAL = "headgate"
"""The signature of thinking that no model of Anthropic's has thought."""

NATIVE_BLOCKS = {
    "document": "a document",
    "search_result": "a search result",
    "container_upload": "a file",
    "tool_reference": "a reference to a tool",
    "browser_state": "the state of a browser",
    "server_tool_use": "the work of Anthropic's own tools",
}
"""Blocks that are carried to Anthropic's own engines only, as the caller wrote them."""
OWN_TOOLS = NATIVE_BLOCKS["server_tool_use"]
PLAIN_BLOCKS = ("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking")
FAILED = "The tool failed:"


class WireBlock(Struct, gc=False):
    """Any block: only the fields that we use."""

    type: str
    text: str | None = None
    thinking: str = ""
    signature: str = ""
    source: Raw = field(default_factory=null)
    id: str = ""
    name: str = ""
    input: Raw = field(default_factory=empty)
    tool_use_id: str = ""
    content: Raw = field(default_factory=null)
    is_error: bool | None = None


class WireMessage(Struct, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[WireBlock]


class WireKind(Struct, gc=False):
    """What kind of source a document has."""

    type: str = ""


class WireSource(Struct, gc=False):
    """Where an image is."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""


decode_kind = msgspec.json.Decoder(WireKind).decode
decode_source = msgspec.json.Decoder(WireSource).decode
decode_result = msgspec.json.Decoder(str | list[WireBlock] | None).decode
decode_block = msgspec.json.Decoder(WireBlock).decode
decode_blocks = msgspec.json.Decoder(list[Raw]).decode
decode_turns = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class Conversation:
    """A conversation being read.

    `native` names what only Anthropic's engines can be told, and `beyond` guesses its tokens. `blank`: there is a turn, or a result of a tool, with text of
    white space alone, which Anthropic refuses. `litter`: there is such text beside other blocks. `sealed`: there is thinking
    under our seal.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.native: set[str] = set()
        self.beyond = 0
        self.blank = False
        self.litter = False
        self.sealed = False

    def take(self, wire: WireMessage) -> None:
        """Take a turn. Results of tools become messages of their own.

        Raises:
            ValueError: a block that cannot stand there, for people.
        """
        if isinstance(wire.content, str):
            self.blank = self.blank or not wire.content.strip()
            self.messages.append(Message(wire.role, wire.content))
            return
        parts: list[Part] = []
        calls: list[ToolCall] = []
        thoughts: list[str] = []
        results = 0
        if any(is_blank(block) for block in wire.content):
            if all(is_blank(block) for block in wire.content):
                self.blank = True
            else:
                self.litter = True
        for block in wire.content:
            kind = block.type
            if wire.role == "system" and kind != "text":
                raise ValueError(f"a system message holds text alone, no {kind[:40]}")
            if kind == "tool_use":
                demand(wire.role, "assistant", kind)
                calls.append(call_from(block))
            elif kind == "tool_result":
                demand(wire.role, "user", kind)
                if parts:
                    self.messages.append(Message("user", content_of(parts)))
                    parts = []
                self.messages.append(self.result_from(block))
                results += 1
            elif kind == "thinking":
                thoughts.append(block.thinking)
                self.sealed = self.sealed or block.signature == SEAL
            elif kind != "redacted_thinking":  # which nobody but Anthropic can read
                parts += self.parts_from(block)
        if parts or calls or thoughts or not results:
            self.blank = self.blank or not wire.content
            self.messages.append(
                Message(wire.role, content_of(parts), tuple(calls), reasoning="".join(thoughts))
            )

    def result_from(self, block: WireBlock) -> Message:
        """What a tool gave; a failure says so in its text.

        Raises:
            ValueError: it is not a result, for people.
        """
        if not block.tool_use_id:
            raise ValueError("a tool_result has no tool_use_id")
        try:
            wire = decode_result(block.content)
        except msgspec.ValidationError as error:
            raise ValueError(f"content of a tool_result: {error}") from error
        content = wire or ""
        if not isinstance(content, str):
            self.blank = self.blank or any(is_blank(inner) for inner in content)
            content = content_of([part for inner in content for part in self.parts_from(inner)])
        if block.is_error:
            content = f"{FAILED} {content}" if isinstance(content, str) else (Text(FAILED), *content)
        return Message("tool", content, tool_call_id=block.tool_use_id)

    def parts_from(self, block: WireBlock) -> Sequence[Part]:
        """A text or an image, or nothing where it is native.

        Raises:
            ValueError: a block of a kind we do not know, for people.
        """
        kind = block.type
        if kind == "text":
            if block.text is None:
                raise ValueError("a text block has no text in it")
            return (Text(block.text),)
        if kind == "image":
            return self.image_from(block.source)
        if kind in NATIVE_BLOCKS or kind.endswith("_tool_result"):
            self.native.add(NATIVE_BLOCKS.get(kind, OWN_TOOLS))
            self.beyond += tokens_in(block)
            return ()
        known = ", ".join((*PLAIN_BLOCKS, *NATIVE_BLOCKS))
        raise ValueError(f"a content block has the type {kind[:40]!r}, which is none of {known}")

    def image_from(self, raw: Raw) -> Sequence[Image]:
        """An image's bytes or address; nothing where it is a file that only Anthropic has.

        Raises:
            ValueError: it has neither, for people.
        """
        try:
            source = decode_source(raw)
        except msgspec.ValidationError as error:
            raise ValueError(f"source of an image: {error}") from error
        if source.type == "base64" and source.data and source.media_type:
            return (Image(f"data:{source.media_type};base64,{source.data}"),)
        if source.type == "url" and source.url:
            return (image_from(source.url),)
        if source.type == "file":
            self.native.add("a file")
            self.beyond += PER_IMAGE
            return ()
        raise ValueError(
            "the source of an image is neither base64 with media_type and data, nor a url, nor a file"
        )


def tokens_in(block: WireBlock) -> int:
    """Tokens that a block of Anthropic's own probably has."""
    held = sum(len(bytes(raw)) for raw in (block.content, block.input)) - len(b"null{}")
    if block.type != "document":
        return guess_document(0, max(held, BYTES_PER_TOKEN))
    source = bytes(block.source)
    kind = decode_kind(source).type if source.startswith(b"{") else ""
    if kind == "base64":
        return guess_document(len(source), held)
    return guess_document(0, held + (len(source) if kind in ("text", "content") else 0))


def demand(role: str, needed: str, kind: str) -> None:
    """Only the assistant calls tools, and only the user brings results.

    Raises:
        ValueError: it is otherwise, for people.
    """
    if role != needed:
        raise ValueError(f"a {kind} block stands in a message of the {role}, but belongs to the {needed}")


def call_from(block: WireBlock) -> ToolCall:
    """A call of a tool; its input stays as it was written.

    Raises:
        ValueError: it is no call, for people.
    """
    arguments = bytes(block.input).decode()
    if not block.name or not block.id or not arguments.startswith("{"):
        raise ValueError("a tool_use block has no id, no name, or an input that is not an object")
    return ToolCall(block.id, block.name, arguments)


def content_of(parts: Sequence[Part]) -> str | tuple[Part, ...]:
    """Parts as a message's content: one text alone is a string."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return tuple(parts) or ""


def is_blank(block: WireBlock) -> bool:
    """Whether a block is text of white space alone."""
    return block.type == "text" and block.text is not None and not block.text.strip()


def cleaned(messages: Raw) -> Raw:
    """The conversation's bytes without thinking under our seal and without blank text; all else as it was."""
    turns = []
    for turn in decode_turns(messages):
        content = bytes(turn["content"])
        if content.startswith(b"["):
            blocks = decode_blocks(content)
            kept = [block for block in blocks if not is_refused(block)]
            if len(kept) < len(blocks):
                if not kept:
                    continue
                turn["content"] = Raw(msgspec.json.encode(kept))
        turns.append(turn)
    return Raw(msgspec.json.encode(turns))


def is_refused(raw: Raw) -> bool:
    """Whether a block is thinking under our seal, or blank text: Anthropic refuses both."""
    block = decode_block(raw)
    return (block.type == "thinking" and block.signature == SEAL) or is_blank(block)
