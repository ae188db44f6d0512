"""Texts → vectors, as engines speak it: OpenAI's `/embeddings` and Ollama's `/api/embed`, both ways.

Nothing is cut: Ollama is told so (`truncate: false`), and an engine that cuts in silence gets no text that comes near its
window. A reply is believed when the model that was asked for gave one vector for each text, all of one length (the asked
one), of finite numbers. It does not know sockets and clocks, nor which texts belong together.

Source: OpenAI's API reference; Ollama 0.33.0-rc2 and llama-server b11549 as observed; LM Studio's issue tracker.
"""

from binascii import Error
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.tokens import NEAR, longest
from headgate.core.types import Failure, Model, Reply, Request, Usage
from headgate.wire.upstream import UNREADABLE, Headers
from headgate.wire.upstream.identity import same_model
from headgate.wire.upstream.ollama_native import NANO, OURS, OllamaNative, dropped, options_for
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import Profile
from headgate.wire.upstream.openai_replies import NULL, hidden_error, unreadable
from headgate.wire.upstream.usage import Guess, fields_of, ollama_usage, openai_usage
from headgate.wire.vectors import pack, problem_with

IDS_SPELLED = "input: token ids are sent as the text that they spell"

# ── OpenAI ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class WireVector(Struct):
    """One vector: numbers, or base64 of little-endian float32."""

    embedding: str | list[float]
    index: int | None = None


class WireVectors(Struct):
    """The answer of `/embeddings`."""

    data: list[WireVector] | None = None
    model: str | None = None
    usage: Raw = NULL
    service_tier: Any = None
    error: Any = None


decode_vectors = msgspec.json.Decoder(WireVectors).decode

OPENAI_FIELDS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
"""What OpenAI's API takes; it refuses all others."""


class OpenAIEmbeddings(Struct, frozen=True):
    """The dialect in one profile's accent."""

    profile: Profile
    path: str = "/embeddings"

    def encode_texts(self, request: Request, model: Model) -> bytes | Failure:
        """The request's body; token ids go as they came where they are the model's own, else as the text they spell."""
        profile = self.profile
        if profile.cuts_texts and (failure := too_near(request, model)) is not None:
            return failure
        extra = request.extra if request.dialect == "openai" else {}
        body: dict[str, Any] = {**model.settings, **extra}
        body.pop("encoding_format", None)  # what the caller gets is the door's business
        own_ids = request.token_ids and request.raw_messages is not None and model.engine_kind == "openai"
        body["model"] = model.id
        body["input"] = request.raw_messages if own_ids else texts_of(request)
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if profile.base64_vectors:
            body["encoding_format"] = "base64"
        if profile.accepts is not None:
            body = {name: value for name, value in body.items() if name in OPENAI_FIELDS}
        return msgspec.json.encode(body)

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The vectors in a body of status 200, which may be an error all the same."""
        try:
            wire = decode_vectors(body)
            if wire.error:
                return hidden_error(wire.error, "http_error")
            found = [pack(item.embedding) for item in in_order(wire.data or ())]
        except UNREADABLE as error:
            return unreadable(body, str(error), "http_error")
        except Error as error:
            return Failure(reason="malformed", detail=f"a vector is not base64: {error}", status=200)
        spent = openai_usage(
            fields_of(wire.usage),
            Guess(request),
            service=wire.service_tier,
            says_cost=self.profile.says_cost,
        )
        named = wire.model or ""
        if not same_model(model.id, named, self.profile.identity):
            return wrong_model(model, named, spent)
        return proven(found, request, spent, answered_by=named)

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model."""
        notes = []
        for name in sorted(request.extra.keys() - {"encoding_format"}):
            if request.dialect != "openai":
                notes.append(f"{name}: dropped, it is no word of OpenAI's protocol")
            elif self.profile.accepts is not None and name not in OPENAI_FIELDS:
                notes.append(f"{name}: dropped, {self.profile.name} does not take it")
        if request.token_ids and model.engine_kind != "openai":
            notes.append(IDS_SPELLED)
        return tuple(notes)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure behind an error status."""
        return OpenAIChat(self.profile).decode_error(status, headers, body)


def in_order(data: Sequence[WireVector]) -> Sequence[WireVector]:
    """The vectors in the order of their texts, where the engine counts them."""
    if any(item.index is None for item in data):
        return data
    return sorted(data, key=lambda item: item.index or 0)


def too_near(request: Request, model: Model) -> Failure | None:
    """The failure of a text that an engine might cut without a word."""
    if model.context is None or (tokens := longest(request)) * (1 + NEAR) <= model.context:
        return None
    return Failure(
        reason="context_overflow",
        detail=f"a text of about {tokens:,} tokens comes near the window of {model.context:,}, and {model.engine} "
        "would cut it without a word; it was not sent",
    )


# ── Ollama ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class WireEmbedded(Struct):
    """The answer of `/api/embed`. Ollama leaves out zeros."""

    embeddings: list[list[float]] | None = None
    model: str = ""
    load_duration: int = 0
    prompt_eval_count: Any = 0


decode_embedded = msgspec.json.Decoder(WireEmbedded).decode


class OllamaEmbed(Struct, frozen=True):
    """The dialect."""

    path: str = "/api/embed"

    def encode_texts(self, request: Request, model: Model) -> bytes | Failure:
        """The request's body, with the options of a chat."""
        body: dict[str, Any] = {"model": model.id, "input": texts_of(request), "truncate": False}
        if request.extra and request.dialect == "ollama":
            body = {name: raw for name, raw in request.extra.items() if name not in OURS} | body
        if "keep_alive" in model.settings:
            body["keep_alive"] = model.settings["keep_alive"]
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if options := options_for(request, model):
            body["options"] = options
        return msgspec.json.encode(body)

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The vectors in a body of status 200."""
        try:
            wire = decode_embedded(body)
        except UNREADABLE as error:
            return unreadable(body, str(error), "http_error")
        if wire.embeddings is None:
            return unreadable(body, "it has no embeddings", "http_error")
        spent = ollama_usage(wire.prompt_eval_count, 0, Guess(request))
        if not same_model(model.id, wire.model):
            return wrong_model(model, wire.model, spent)
        found = [pack(vector) for vector in wire.embeddings]
        return proven(found, request, spent, answered_by=wire.model, loading=wire.load_duration * NANO)

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:  # noqa: ARG002  # the protocol
        """What of the request is dropped or said otherwise for this model."""
        heeded = ("encoding_format:", "input_type:") if request.use else ("encoding_format:",)
        notes = [note for note in dropped(request) if not note.startswith(heeded)]
        return tuple([*notes, IDS_SPELLED] if request.token_ids else notes)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure behind an error status."""
        return OllamaNative().decode_error(status, headers, body)


# ── Both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def texts_of(request: Request) -> list[str]:
    """The texts to embed."""
    return [message.text for message in request.messages]


def proven(
    found: Sequence[bytes], request: Request, spent: Usage, *, answered_by: str, loading: float = 0.0
) -> Reply | Failure:
    """The reply, if there is one sound vector for each text."""
    problem = problem_with(found, len(request.messages), request.dimensions)
    if problem:
        return Failure(reason="malformed", detail=problem, status=200, usage=spent)
    return Reply(text="", vectors=tuple(found), usage=spent, answered_by=answered_by, loading=loading)


def wrong_model(model: Model, named: str, spent: Usage) -> Failure:
    """The failure when another model answers: its vectors say nothing beside those of the right one."""
    detail = f"{model.id} was asked for, but {named} answered"
    return Failure(reason="wrong_model", detail=detail, status=200, usage=spent)
