"""Chat Completions coming back from an engine: one body, or events in any cuts → Deltas and a `Reply`.

A reply is believed when it is proven: a `finish_reason`, in streams also `[DONE]`, the model that was asked for, and
no error hidden under status 200. It does not know who sent it; `Profile` says what to expect.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from headgate.core.parts import PROMPT
from headgate.core.types import Delta, Failure, Model, Reply, Request, ToolCall, Usage
from headgate.core.words import FailureReason, Finish
from headgate.wire.sse import Event, OverlongEventError, SSEDecoder
from headgate.wire.upstream import UNREADABLE, Pieces, mean_logprob
from headgate.wire.upstream.identity import same_model
from headgate.wire.upstream.openai_profile import Profile
from headgate.wire.upstream.trouble import Trouble, classify, describe, read_trouble
from headgate.wire.upstream.truncation import cut_prompt
from headgate.wire.upstream.usage import (
    Guess,
    estimate_prompt,
    fields_of,
    inside,
    openai_usage,
    timings_usage,
)

# ── What arrives: only the fields that we use ────────────────────────────────────────────────────────────────────────
# What is read from bytes forms no cycles, and the collector need not look at it (`gc=False`): that halves the time of a chunk.

NULL = Raw(b"null")
NO_V1 = "Does the engine's url lack its /v1?"
"""What an unknown path most often means."""


class WireFunction(Struct, gc=False):
    name: str | None = None
    arguments: Raw = NULL


class WireCall(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: WireFunction | None = None


class WireMessage(Struct, gc=False):
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[WireCall] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None


class WireChoice(Struct, gc=False):
    message: WireMessage | None = None
    delta: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: Raw = NULL


class WireBody(Struct, gc=False):
    """A whole reply or one chunk of a stream."""

    choices: list[WireChoice] | None = None
    model: str | None = None
    usage: Raw = NULL
    service_tier: Any = None
    x_groq: Raw = NULL
    timings: Raw = NULL
    error: Any = None


class WireLogprobs(Struct, gc=False):
    content: Raw = NULL


class WireToken(Struct, gc=False):
    logprob: float | None = None


decode_body = msgspec.json.Decoder(WireBody).decode
decode_logprobs: Callable[[Raw], WireLogprobs | None] = msgspec.json.Decoder(WireLogprobs | None).decode
decode_tokens: Callable[[Raw], list[WireToken] | None] = msgspec.json.Decoder(list[WireToken] | None).decode
decode_text = msgspec.json.Decoder(str).decode

FINISHES: dict[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""Any other word means that the model stopped by itself: servers write "stop", "eos", "STOP" and more."""

# ── One whole body ───────────────────────────────────────────────────────────────────────────────────────────────────


def decode_reply(body: bytes, request: Request, model: Model, profile: Profile) -> Reply | Failure:
    """The answer in a body of status 200, which may be an error all the same."""
    try:
        wire = decode_body(body)
    except UNREADABLE as error:
        return unreadable(body, str(error), "http_error")
    if wire.error:
        return hidden_error(wire.error, "http_error")
    if not wire.choices or wire.choices[0].message is None:
        return Failure(reason="malformed", detail="the reply has no choices", status=200)
    choice, message = wire.choices[0], wire.choices[0].message
    answer = Answer(request, model, profile)
    answer.named = wire.model or ""
    answer.count(wire)
    answer.finish = choice.finish_reason or ""
    try:
        answer.take(message)
        answer.take_logprobs(choice.logprobs)
    except UNREADABLE as error:
        return Failure(reason="malformed", detail=f"unexpected shape of the reply: {error}", status=200)
    if not answer.finish:
        return Failure(
            reason="malformed", detail="the reply has no finish_reason", status=200, text=answer.text
        )
    return answer.judged()


def unreadable(body: bytes, problem: str, error_reason: FailureReason) -> Failure:
    """The failure of a body that is not what we expect: an error in another shape, or garbage."""
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE:
        start = read_trouble(body[:200]).message
        return Failure(reason="malformed", detail=f"not valid JSON ({problem}): {start}", status=200)
    if isinstance(value, dict) and value.get("error"):
        return hidden_error(value["error"], error_reason)
    return Failure(reason="malformed", detail=f"unexpected shape of the reply: {problem}", status=200)


def hidden_error(error: Any, otherwise: FailureReason) -> Failure:
    """The failure of an error under status 200."""
    trouble = read_trouble(msgspec.json.encode({"error": error}))
    if trouble.message.startswith("Unexpected endpoint"):
        trouble = Trouble(f"{trouble.message}. {NO_V1}")
    return Failure(reason=classify(trouble, otherwise), detail=describe(trouble), status=200)


# ── An answer being put together ─────────────────────────────────────────────────────────────────────────────────────


class Answer:
    """What has arrived of an answer, whole or in pieces."""

    def __init__(self, request: Request, model: Model, profile: Profile) -> None:
        self._request = request
        self._model = model
        self._profile = profile
        self._text = Pieces()
        self._reasoning = Pieces()
        self._calls: dict[int, list[str]] = {}  # index → id, name, then pieces of arguments
        self._logprobs: list[float | None] = []
        self._tokens: list[bytes] = []
        self.named = ""
        self._usage = NULL
        self._timings = NULL
        self._service: Any = None
        self.finish = ""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def empty(self) -> bool:
        """Nothing has arrived that an answer is made of."""
        return not (self._text or self._reasoning or self._calls)

    def take(self, message: WireMessage) -> list[Delta]:
        """Add a message, or a piece of one; give what it adds.

        Raises:
            msgspec.DecodeError: the arguments of a tool call are no JSON.
        """
        deltas: list[Delta] = []
        content = message.content
        if isinstance(content, list):
            content = "".join([part["text"] for part in content if isinstance(part.get("text"), str)])
        text = content or message.refusal or ""
        reasoning = message.reasoning_content or message.reasoning or ""
        if not isinstance(reasoning, str):
            reasoning = ""
        if text:
            self._text.add(text)
        if reasoning:
            self._reasoning.add(reasoning)
        if text or reasoning:
            deltas.append(Delta(text, reasoning))
        if message.tool_calls:
            deltas.extend([self._take_call(call) for call in message.tool_calls])
        return deltas

    def _take_call(self, call: WireCall) -> Delta:
        function = call.function or WireFunction()
        raw = bytes(function.arguments)
        arguments = "" if raw == b"null" else decode_text(raw) if raw.startswith(b'"') else raw.decode()
        index, call_id, name = call.index, call.id or "", function.name or ""
        if index is None:  # some servers do not count: an id or a name begins the next call
            index = len(self._calls) if call_id or name or not self._calls else max(self._calls)
        known = self._calls.setdefault(index, ["", ""])
        call_id = "" if known[0] else call_id or f"call_{self._request.id}_{index}"
        name = "" if known[1] else name  # told once: some servers repeat it, and clients join all pieces
        known[0] += call_id
        known[1] += name
        known.append(arguments)
        return Delta(tool_index=index, tool_id=call_id, tool_name=name, tool_arguments=arguments)

    def take_logprobs(self, raw: Raw) -> Raw | None:
        """Add the log-probabilities of a piece; give those the caller asked for.

        Raises:
            msgspec.DecodeError: they have another shape than OpenAI's.
        """
        if raw == NULL:
            return None
        listed = decode_logprobs(raw)
        if listed is None or not (tokens := decode_tokens(listed.content)):
            return None
        self._logprobs.extend([token.logprob for token in tokens])
        if not self._request.logprobs:
            return None
        self._tokens.append(bytes(listed.content).strip()[1:-1])
        return listed.content

    def judged(self) -> Reply | Failure:
        """The whole answer, if the right model gave it and there is something in it."""
        if not same_model(self._model.id, self.named, self._profile.identity):
            return self.wrong_model()
        if self._profile.empty_is_failure and self.empty:
            return self.nothing()
        usage = self.spent()
        if usage.has_exact(PROMPT) and (cut := cut_prompt(self._request, usage.prompt)) is not None:
            return replace(cut, usage=usage, text=self.text)
        calls: tuple[ToolCall, ...] = ()
        if self._calls:
            known = [self._calls[index] for index in sorted(self._calls)]
            calls = tuple([ToolCall(call[0], call[1], "".join(call[2:]) or "{}") for call in known])
        finish = FINISHES.get(self.finish, "stop")
        return Reply(
            text=self.text,
            tool_calls=calls,
            reasoning="".join(self._reasoning),
            finish="tool_calls" if calls and finish == "stop" else finish,
            answered_by=self.named,
            usage=usage,
            logprob=mean_logprob(self._logprobs) if self._logprobs else None,
            logprobs=Raw(b"[" + b",".join(self._tokens) + b"]") if self._tokens else None,
        )

    def wrong_model(self) -> Failure:
        """The failure when another model answers."""
        return Failure(
            reason="wrong_model",
            detail=f"{self._model.id} was asked for, but {self.named} answered",
            status=200,
            usage=self.spent(),
            text=self.text,
        )

    def nothing(self) -> Failure:
        """The failure when a success holds nothing: an overflow in disguise, if the prompt is that long."""
        prompt = max(estimate_prompt(self._request), self.spent().prompt)
        window = self._model.context
        if window is not None and prompt >= 0.8 * window:
            detail = f"an empty answer to some {prompt} prompt tokens, with a window of {window}"
            return Failure(reason="context_overflow", detail=detail, status=200)
        return Failure(reason="malformed", detail="an empty answer under status 200", status=200)

    def count(self, wire: WireBody) -> None:
        """Take the newest figures; they are read when somebody wants to know them."""
        if wire.usage != NULL:
            self._usage = wire.usage
        elif wire.x_groq != NULL and (told := inside(fields_of(wire.x_groq), "usage")):
            self._usage = Raw(msgspec.json.encode(told))
        if wire.timings != NULL:
            self._timings = wire.timings
        if wire.service_tier is not None:
            self._service = wire.service_tier

    def spent(self) -> Usage:
        """The tokens so far: the engine's count, and our estimate where it has none."""
        fields = fields_of(self._usage)
        if not fields and self._timings != NULL:
            fields = timings_usage(fields_of(self._timings))
        said: Sequence[str] = self._text
        if self._calls:
            said = [*said, *[piece for known in self._calls.values() for piece in known[1:]]]
        return openai_usage(
            fields,
            Guess(self._request, said, self._reasoning),
            whole=bool(self.finish),
            service=self._service,
            says_cost=self._profile.says_cost,
        )


# ── A stream ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class OpenAIStream:
    """A streamed answer being read."""

    def __init__(self, request: Request, model: Model, profile: Profile) -> None:
        self._events = SSEDecoder()
        self._answer = Answer(request, model, profile)
        self._asked = model.id
        self._profile = profile
        self._failure: Failure | None = None
        self._done = False
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
        if self._answer.empty and self._profile.empty_is_failure:
            return self._answer.nothing()
        if not (self._done and self._answer.finish):
            missing = "finish_reason" if not self._answer.finish else "[DONE]"
            return self.interrupted("broken_stream", f"the stream ended without {missing}")
        return self._answer.judged()

    def interrupted(self, reason: FailureReason, detail: str) -> Failure:
        """A failure that carries what had arrived and what it will have cost."""
        answer = self._answer
        return Failure(reason=reason, detail=detail, status=200, usage=answer.spent(), text=answer.text)

    def _take(self, events: Sequence[Event], *, torn: bool = False) -> list[Delta]:
        """Take events; a `torn` one may be half, which is a cut and no garbage."""
        deltas: list[Delta] = []
        for event in events:
            if self.over:
                break
            if event.data.startswith(b"[DONE]"):
                self._done = self.over = True
            else:
                try:
                    self._take_chunk(event, deltas)
                except UNREADABLE as error:
                    if torn:
                        break
                    failure = unreadable(event.data, str(error), "broken_stream")
                    self._fail(self.interrupted(failure.reason, failure.detail))
        return deltas

    def _take_chunk(self, event: Event, deltas: list[Delta]) -> None:
        wire = decode_body(event.data)
        answer = self._answer
        if wire.error or event.name == "error":
            failure = hidden_error(wire.error or event.data.decode(), "broken_stream")
            self._fail(self.interrupted(failure.reason, failure.detail))
            return
        if wire.model and not answer.named:
            answer.named = wire.model
            if not same_model(self._asked, wire.model, self._profile.identity):
                self._fail(answer.wrong_model())
                return
        answer.count(wire)
        if not wire.choices:
            return
        choice = wire.choices[0]
        if choice.delta is not None:
            new = answer.take(choice.delta)
            logprobs = answer.take_logprobs(choice.logprobs)
            if logprobs is not None:
                first = new.pop(0) if new and new[0].tool_index is None else Delta()
                new.insert(0, Delta(first.text, first.reasoning, logprobs=logprobs))
            deltas.extend(new)
        if choice.finish_reason == "error":
            self._fail(self.interrupted("broken_stream", "the engine ended the stream with an error"))
        elif choice.finish_reason:
            answer.finish = choice.finish_reason

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self.over = True
