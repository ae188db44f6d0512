"""Ollama's own chat protocol, `/api/chat`: Request → bytes, one object or lines of them → Deltas and a `Reply`.

The native protocol, because only here can a prompt be kept whole: `truncate` and `shift` are false always, and the
window (`num_ctx`) is fixed per model, since a change reloads it, as does any other option of `LOADING`. A prompt that
fills the window all the same was cut in silence, which is a failure. A reply is believed when its last object says `done`.

It does not know how long a request waited in Ollama's queue: the protocol does not say.

Source: Ollama 0.33.0-rc2, source and observation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta, Failure, Message, Model, Reply, Request, ToolCall, Usage
from headgate.core.words import Effort, FailureReason
from headgate.wire.ndjson import LineDecoder, OverlongLineError
from headgate.wire.upstream import (
    UNREADABLE,
    Headers,
    Pieces,
    has_names,
    mean_logprob,
    object_from,
    split_data_uri,
    unfit_image,
)
from headgate.wire.upstream.identity import same_model
from headgate.wire.upstream.tool_ids import ANY_ID, matched
from headgate.wire.upstream.trouble import classify, describe, failure_from, read_trouble
from headgate.wire.upstream.usage import Guess, figure, ollama_usage

NANO = 1e-9
TOP_LEVEL_SETTINGS = frozenset({"think", "keep_alive"})
"""A model's settings that stand beside `options`; all others stand in it."""
LOADING = frozenset(
    {
        *(
            "num_ctx",
            "num_batch",
            "num_gpu",
            "main_gpu",
            "num_thread",
            "use_mmap",
            "use_mlock",
            "numa",
            "low_vram",
        ),
        *("f16_kv", "logits_all", "vocab_only", "embedding_only", "draft_num_predict"),
    }
)
"""Options with which a model is loaded. A caller's would load it anew, for everyone."""
OURS = {
    "options": "",
    "keep_alive": "how long a model stays is set in its settings",
    "truncate": "a prompt is never cut in silence",
    "shift": "a prompt is never cut in silence",
    "_debug_render_only": "an answer is wanted, not its template",
}
"""Fields of Ollama's dialect that are not handed on as they are, and why."""
THINK: Mapping[Effort, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": True,
    "high": "high",
    "xhigh": "high",
    "max": "max",
}
"""How Ollama is told how long to think. True is the middle level, and the only one that its older versions know."""
ONLY_FORM = "as base64 data: URIs"

# ── What arrives: only the fields that we use ────────────────────────────────────────────────────────────────────────


class WireFunction(Struct):
    name: str = ""
    arguments: Raw = Raw(b"{}")


class WireCall(Struct):
    function: WireFunction
    id: str = ""


class WireMessage(Struct):
    content: str = ""
    thinking: str = ""
    tool_calls: list[WireCall] | None = None


class WireToken(Struct):
    """A token's log-probability; written again with every field, because OpenAI's form leaves none out."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list["WireToken"] = []


class WireObject(Struct):
    """A whole reply or one line of a stream. Ollama leaves out zeros."""

    model: str = ""
    message: WireMessage | None = None
    done: bool = False
    done_reason: str = ""
    load_duration: int = 0
    prompt_eval_count: Any = 0
    eval_count: Any = 0
    logprobs: list[WireToken] | None = None
    error: Any = None


decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_object = msgspec.json.Decoder(WireObject).decode

# ── What we send ─────────────────────────────────────────────────────────────────────────────────────────────────────


class OllamaNative(Struct, frozen=True):
    """The dialect."""

    path: str = "/api/chat"

    def encode_request(self, request: Request, model: Model, *, stream: bool) -> bytes | Failure:
        """The request's body; a failure for images that are not base64 `data:` URIs, since Ollama fetches nothing."""
        messages = _messages(matched(request.messages, ANY_ID))
        if messages is None:
            return unfit_image("Ollama", ONLY_FORM)
        body: dict[str, Any] = {"model": model.id, "messages": messages, "stream": stream}
        if request.extra and request.dialect == "ollama":
            body = {name: raw for name, raw in request.extra.items() if name not in OURS} | body
        body.update(truncate=False, shift=False)
        for name in TOP_LEVEL_SETTINGS & model.settings.keys():
            body[name] = model.settings[name]
        if request.effort is not None and (request.effort == "none" or _thinks(model)):
            body["think"] = THINK[request.effort]
        if options := options_for(request, model):
            body["options"] = options
        if request.format.kind == "schema" and request.format.schema is not None:
            body["format"] = request.format.schema
        elif request.format.kind != "text":
            body["format"] = "json"
        if request.tools and not _forbids_tools(request):
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in request.tools
            ]
        if request.logprobs or model.held_to_confidence:
            body["logprobs"] = True
            if request.top_logprobs is not None:
                body["top_logprobs"] = request.top_logprobs
        return msgspec.json.encode(body)

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model."""
        notes = dropped(request)
        if request.effort not in (None, "none") and not _thinks(model):
            notes.append(f"think: dropped, {model.id} does not think")
        elif request.effort == "xhigh":
            notes.append('think: "xhigh" is sent as "high"')
        if any(message.role == "developer" for message in request.messages):
            notes.append("developer messages: sent as system messages")
        if has_names(request.messages):
            notes.append("name of messages: dropped, Ollama has none")
        if matched(request.messages, ANY_ID) is not request.messages:
            notes.append("messages: every tool call gets an id of its own, and its result")
        if _forbids_tools(request):
            notes.append("tools: dropped, because tool_choice is none")
        elif request.tools and request.tool_choice is not None and bytes(request.tool_choice) != b'"auto"':
            notes.append(f"tool_choice: dropped, Ollama lets {model.id} choose")
        if request.tools and request.parallel_tools is False:
            notes.append(f"parallel_tool_calls: dropped, Ollama lets {model.id} choose")
        return tuple(notes)

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The answer in a body of status 200."""
        stream = OllamaStream(request, model, whole=True)
        stream.feed(body)
        return stream.finish()

    def stream_decoder(self, request: Request, model: Model) -> "OllamaStream":
        """A reader for a streamed answer."""
        return OllamaStream(request, model)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure behind an error status."""
        failure = failure_from(status, headers, body)
        if status == 403 and not body:
            detail = "Ollama refused the Host header; ask it by localhost or an IP address"
            return msgspec.structs.replace(failure, detail=detail)
        return failure


def options_for(request: Request, model: Model) -> dict[str, Any]:
    """The options of a call: the user's settings, what the caller may choose, and the window, which is the model's."""
    settings = model.settings
    options = (
        {name: value for name, value in settings.items() if name not in TOP_LEVEL_SETTINGS}
        if settings
        else {}
    )
    if "options" in request.extra and request.dialect == "ollama":
        told = decode_fields(request.extra["options"])
        options.update((name, raw) for name, raw in told.items() if name not in LOADING)
    asked = {
        "num_ctx": model.context,
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "seed": request.seed,
        "stop": request.stop or None,
    }
    options.update((name, value) for name, value in asked.items() if value is not None)
    return options


def _thinks(model: Model) -> bool:
    """Whether it may be asked to think: Ollama refuses a request to a model that cannot."""
    return "thinking" in model.capabilities or bool(model.settings.get("think"))


def dropped(request: Request) -> list[str]:
    """What of the caller's own words is not handed on, one sentence each."""
    if request.dialect != "ollama":
        return [f"{name}: dropped, it is no word of Ollama's protocol" for name in sorted(request.extra)]
    notes = [f"{name}: dropped, {OURS[name]}" for name in sorted(request.extra) if OURS.get(name)]
    told = decode_fields(request.extra["options"]) if "options" in request.extra else {}
    loading = [name for name in sorted(told) if name in LOADING]
    return notes + [f"{name}: dropped, another value would load the model anew" for name in loading]


def _forbids_tools(request: Request) -> bool:
    return bool(request.tools) and request.tool_choice is not None and bytes(request.tool_choice) == b'"none"'


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]] | None:
    """The conversation, or None if an image cannot be carried."""
    tool_names = {call.id: call.name for message in messages for call in message.tool_calls}
    told = []
    for message in messages:
        body: dict[str, Any] = {
            "role": "system" if message.role == "developer" else message.role,
            "content": message.text,
        }
        if not isinstance(message.content, str) and message.images:
            payloads = [split_data_uri(image.url) for image in message.images]
            if None in payloads:
                return None
            body["images"] = [payload[1] for payload in payloads if payload is not None]
        if message.reasoning:
            body["thinking"] = message.reasoning
        if message.tool_calls:
            body["tool_calls"] = [
                {
                    "id": call.id,
                    "function": {"index": index, "name": call.name, "arguments": object_from(call.arguments)},
                }
                for index, call in enumerate(message.tool_calls)
            ]
        if message.tool_call_id is not None:
            body["tool_call_id"] = message.tool_call_id
            body["tool_name"] = message.name or tool_names.get(message.tool_call_id, "")
        told.append(body)
    return told


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


class OllamaStream:
    """An answer being read, from many objects or, if `whole`, from one."""

    def __init__(self, request: Request, model: Model, *, whole: bool = False) -> None:
        self._whole = whole
        self._request = request
        self._model = model
        self._lines = LineDecoder()
        self._text = Pieces()
        self._thinking = Pieces()
        self._calls: list[ToolCall] = []
        self._tokens: list[WireToken] = []
        self._last: WireObject | None = None
        self._failure: Failure | None = None
        self.over = False

    def feed(self, chunk: bytes) -> list[Delta]:
        """Take the next bytes; give what they add to the answer."""
        try:
            lines = self._lines.feed(chunk)
        except OverlongLineError:
            self._fail("malformed", "the stream does not consist of lines")
            return []
        deltas: list[Delta] = []
        for line in lines:
            if not self.over:
                deltas.extend(self._take_line(line))
        return deltas

    def finish(self) -> Reply | Failure:
        """The body has ended: the answer, if its end is proven."""
        for line in () if self.over else self._lines.finish():
            self._take_line(line, torn=not self._whole)
        if self._failure is not None:
            return self._failure
        last = self._last
        if last is None:
            return self.interrupted("broken_stream", "the stream ended without done: true")
        window, used = self._model.context, figure(last.prompt_eval_count) or 0
        if window is not None and used >= window:
            detail = f"the prompt was cut in silence: {used} tokens fill the window of {window}"
            return self.interrupted("context_overflow", detail)
        return Reply(
            text="".join(self._text),
            tool_calls=tuple(self._calls),
            reasoning="".join(self._thinking),
            finish="tool_calls" if self._calls else "length" if last.done_reason == "length" else "stop",
            answered_by=last.model,
            usage=self._spent(),
            logprob=mean_logprob([token.logprob for token in self._tokens]),
            logprobs=Raw(msgspec.json.encode(self._tokens))
            if self._request.logprobs and self._tokens
            else None,
            loading=last.load_duration * NANO,
        )

    def interrupted(self, reason: FailureReason, detail: str) -> Failure:
        """A failure that carries what had arrived and what it will have cost."""
        return Failure(
            reason=reason, detail=detail, status=200, usage=self._spent(), text="".join(self._text)
        )

    def _take_line(self, line: bytes, *, torn: bool = False) -> list[Delta]:
        """Take an object; a `torn` one may be half, which is a cut and no garbage."""
        try:
            wire = decode_object(line)
        except UNREADABLE as error:
            if torn:
                return []
            self._fail(
                "malformed", f"not an object of Ollama's ({error}): {line[:120].decode('utf-8', 'replace')}"
            )
            return []
        if wire.error:
            trouble = read_trouble(line)
            self._fail(classify(trouble, "http_error" if self._whole else "broken_stream"), describe(trouble))
            return []
        if not same_model(self._model.id, wire.model):
            self._fail("wrong_model", f"{self._model.id} was asked for, but {wire.model} answered")
            return []
        if wire.done:
            self._last = wire
            self.over = True
        if wire.logprobs:
            self._tokens.extend(wire.logprobs)
        return self._take_message(wire) if wire.message is not None else []

    def _take_message(self, wire: WireObject) -> list[Delta]:
        message = wire.message or WireMessage()
        deltas: list[Delta] = []
        if message.content or message.thinking:
            self._text.add(message.content)
            self._thinking.add(message.thinking)
            asked = wire.logprobs and self._request.logprobs
            logprobs = Raw(msgspec.json.encode(wire.logprobs)) if asked else None
            deltas.append(Delta(message.content, message.thinking, logprobs=logprobs))
        for call in message.tool_calls or ():
            index = len(self._calls)
            name, arguments = call.function.name, bytes(call.function.arguments).decode("utf-8", "replace")
            call_id = call.id or f"call_{self._request.id}_{index}"
            self._calls.append(ToolCall(call_id, name, arguments))
            deltas.append(Delta(tool_index=index, tool_id=call_id, tool_name=name, tool_arguments=arguments))
        return deltas

    def _spent(self) -> Usage:
        called = [text for call in self._calls for text in (call.name, call.arguments)]
        guess = Guess(self._request, [*self._text, *called], self._thinking)
        last = self._last
        return guess.usage() if last is None else ollama_usage(last.prompt_eval_count, last.eval_count, guess)

    def _fail(self, reason: FailureReason, detail: str) -> None:
        self._failure = self.interrupted(reason, detail)
        self.over = True
