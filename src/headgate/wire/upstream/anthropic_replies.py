"""Anthropic's answers coming back: one body, or events in any cuts → Deltas and a `Reply`.

A reply is believed when it has a `stop_reason`, in streams also `message_stop`, and the model that was asked for.
Anthropic counts cached tokens beside `input_tokens`, as we do, and output cumulatively. Callers who speak Anthropic's
protocol too are given the content as it was written: seals on thinking, citations, the work of Anthropic's own tools
(`anthropic_content`). It does not know prices.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta, Failure, Model, Reply, Request, ToolCall, Usage
from headgate.core.words import FailureReason, Finish
from headgate.wire.sse import Event, OverlongEventError, SSEDecoder
from headgate.wire.upstream import UNREADABLE, Pieces
from headgate.wire.upstream.anthropic_content import Content, Piece, content_in
from headgate.wire.upstream.identity import same_model
from headgate.wire.upstream.trouble import classify, describe, read_trouble
from headgate.wire.upstream.usage import Guess, anthropic_usage, fields_of

# ── What arrives: only the fields that we use ────────────────────────────────────────────────────────────────────────


NULL = Raw(b"null")


class WireBlock(Piece):
    """A block, a piece of one, or the end of a message (`message_delta`)."""

    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")
    stop_reason: str | None = None
    stop_sequence: str | None = None


class WireReply(Struct):
    type: str = ""
    model: str = ""
    content: list[WireBlock] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = NULL
    error: Any = None


class WireEvent(Struct):
    type: str = ""
    message: WireReply | None = None
    index: int = 0
    content_block: WireBlock | None = None
    delta: WireBlock | None = None
    usage: Raw = NULL
    error: Any = None


decode_body = msgspec.json.Decoder(WireReply).decode
decode_event = msgspec.json.Decoder(WireEvent).decode

FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "pause_turn": "length",  # the turn is not over
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def decode_reply(body: bytes, request: Request, model: Model) -> Reply | Failure:
    """The answer in a body of status 200."""
    answer = Answer(request, model)
    try:
        wire = decode_body(body)
    except UNREADABLE as error:
        start = body[:120].decode("utf-8", "replace")
        return Failure(
            reason="malformed", detail=f"not a message of Anthropic's ({error}): {start}", status=200
        )
    if wire.error or wire.type == "error":
        trouble = read_trouble(body)
        return Failure(reason=classify(trouble, "http_error"), detail=describe(trouble), status=200)
    answer.named = wire.model
    answer.count(wire.usage)
    for index, block in enumerate(wire.content or ()):
        answer.open_block(index, block)
    if not wire.stop_reason:
        return answer.failed("malformed", "the reply has no stop_reason")
    answer.stop_reason, answer.stopped_by = wire.stop_reason, wire.stop_sequence or ""
    own = request.dialect == "anthropic" and wire.content is not None
    return answer.judged(content_in(body) if own else None)


class Answer:
    """What has arrived of an answer, whole or in pieces."""

    def __init__(self, request: Request, model: Model) -> None:
        self._request = request
        self._model = model
        self._text = Pieces()
        self._thinking = Pieces()
        self._calls: dict[int, list[str]] = {}  # index of the block → id, name, then pieces of the input
        self._whole: dict[int, str] = {}  # inputs that came in one piece
        self._usage: dict[str, Any] = {}
        self.named = ""
        self.stop_reason = ""
        self.stopped_by = ""

    def count(self, usage: Raw) -> None:
        """Take the newest figures; what is not repeated stays."""
        if usage != NULL:
            self._usage.update({name: told for name, told in fields_of(usage).items() if told is not None})

    def open_block(self, index: int, block: WireBlock) -> list[Delta]:
        """Take a block, or the start of one."""
        if block.type == "tool_use":
            self._calls[index] = [block.id, block.name]
            self._whole[index] = bytes(block.input).decode("utf-8", "replace")
            return [Delta(tool_index=self._place(index), tool_id=block.id, tool_name=block.name)]
        return self._add(block.text, block.thinking)

    def extend_block(self, index: int, piece: WireBlock) -> list[Delta]:
        """Take a piece of a block."""
        if piece.partial_json and index in self._calls:
            self._calls[index].append(piece.partial_json)
            return [Delta(tool_index=self._place(index), tool_arguments=piece.partial_json)]
        return self._add(piece.text, piece.thinking)

    def close_block(self, index: int) -> list[Delta]:
        """End a block: a call whose input came at its start, or never, gives its arguments now."""
        if len(self._calls.get(index, ())) != 2:
            return []
        arguments = self._whole[index]
        self._calls[index].append(arguments)
        return [Delta(tool_index=self._place(index), tool_arguments=arguments)]

    def _place(self, index: int) -> int:
        return sorted(self._calls).index(index)

    def _add(self, text: str, thinking: str) -> list[Delta]:
        if not (text or thinking):
            return []
        self._text.add(text)
        self._thinking.add(thinking)
        return [Delta(text, thinking)]

    def judged(self, blocks: Raw | None) -> Reply | Failure:
        """The whole answer, if the right model gave it and the window did not end it."""
        if self.stop_reason == "model_context_window_exceeded":
            return self.failed("context_overflow", "the answer ran into the end of the context window")
        if self.is_foreign():
            return self.wrong_model()
        calls = tuple(
            [
                ToolCall(known[0], known[1], "".join(known[2:]) or self._whole[index])
                for index, known in sorted(self._calls.items())
            ]
        )
        return Reply(
            text="".join(self._text),
            tool_calls=calls,
            reasoning="".join(self._thinking),
            finish=FINISHES.get(self.stop_reason, "stop"),
            stopped_by=self.stopped_by,
            answered_by=self.named,
            usage=self._spent(),
            blocks=blocks,
        )

    def is_foreign(self) -> bool:
        """Whether another model answers than the one asked for, its dated releases aside."""
        return not same_model(self._model.id, self.named, "dated")

    def wrong_model(self) -> Failure:
        """The failure when another model answers."""
        return self.failed("wrong_model", f"{self._model.id} was asked for, but {self.named} answered")

    def failed(self, reason: FailureReason, detail: str) -> Failure:
        """A failure that carries what had arrived and what it will have cost."""
        return Failure(
            reason=reason, detail=detail, status=200, usage=self._spent(), text="".join(self._text)
        )

    def _spent(self) -> Usage:
        called = [piece for known in self._calls.values() for piece in known[1:]]
        guess = Guess(self._request, [*self._text, *called], self._thinking)
        return anthropic_usage(self._usage, guess, whole=bool(self.stop_reason))


class AnthropicStream:
    """A streamed answer being read."""

    def __init__(self, request: Request, model: Model) -> None:
        self._events = SSEDecoder()
        self._answer = Answer(request, model)
        self._content = Content() if request.dialect == "anthropic" else None
        self._failure: Failure | None = None
        self._stopped = False
        self.over = False

    def feed(self, chunk: bytes) -> list[Delta]:
        """Take the next bytes; give what they add to the answer."""
        try:
            return self._take(self._events.feed(chunk))
        except OverlongEventError:
            self._fail(self.interrupted("malformed", "the stream does not consist of events"))
            return []

    def finish(self) -> Reply | Failure:
        """The body has ended: the answer, if its end is proven."""
        if not self.over:
            self._take(self._events.finish(), torn=True)
        if self._failure is not None:
            return self._failure
        if not (self._stopped and self._answer.stop_reason):
            missing = "message_stop" if self._answer.stop_reason else "stop_reason"
            return self.interrupted("broken_stream", f"the stream ended without {missing}")
        return self._answer.judged(self._content.whole() if self._content is not None else None)

    def interrupted(self, reason: FailureReason, detail: str) -> Failure:
        """A failure that carries what had arrived and what it will have cost."""
        return self._answer.failed(reason, detail)

    def _take(self, events: Sequence[Event], *, torn: bool = False) -> list[Delta]:
        """Take events; a `torn` one may be half, which is a cut and no garbage."""
        deltas: list[Delta] = []
        for event in events:
            if self.over:
                break
            try:
                deltas.extend(self._take_event(event))
            except UNREADABLE as error:
                if torn:
                    break
                start = event.data[:120].decode("utf-8", "replace")
                self._fail(self.interrupted("malformed", f"not an event of Anthropic's ({error}): {start}"))
        return deltas

    def _take_event(self, event: Event) -> list[Delta]:
        wire, answer, content = decode_event(event.data), self._answer, self._content
        if wire.type == "error" or wire.error or event.name == "error":
            trouble = read_trouble(event.data)
            self._fail(self.interrupted(classify(trouble, "broken_stream"), describe(trouble)))
        elif wire.type == "content_block_delta" and wire.delta is not None:
            deltas = answer.extend_block(wire.index, wire.delta)
            return deltas + content.extend(wire.index, wire.delta) if content is not None else deltas
        elif wire.type == "content_block_start" and wire.content_block is not None:
            if content is not None:
                content.open(wire.index, event.data)
            return answer.open_block(wire.index, wire.content_block)
        elif wire.type == "content_block_stop":
            deltas = answer.close_block(wire.index)
            return deltas + content.close(wire.index) if content is not None else deltas
        elif wire.type == "message_start" and wire.message is not None:
            answer.named = wire.message.model
            answer.count(wire.message.usage)
            if answer.is_foreign():
                self._fail(answer.wrong_model())
        elif wire.type == "message_delta":
            answer.count(wire.usage)
            if wire.delta is not None and wire.delta.stop_reason:
                answer.stop_reason = wire.delta.stop_reason
                answer.stopped_by = wire.delta.stop_sequence or ""
        elif wire.type == "message_stop":
            self._stopped = self.over = True
        return []

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self.over = True
