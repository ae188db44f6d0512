"""Ollama's two doors for embeddings: `/api/embed` with many texts, and the older `/api/embeddings` with one.

Each text becomes a message of the user. No text at all only asks for a model to be loaded, and is answered at once. `truncate`,
`options` and `keep_alive` are kept for engines of this dialect, which obey as much of them as they do for a chat.

Source: Ollama 0.33.0-rc2 as observed, and the types of its Python client 0.6.3 (docs/api.md).
"""

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from headgate.core.types import Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors import About, Ready
from headgate.wire.doors.ollama_answers import nanoseconds
from headgate.wire.doors.ollama_words import NULL, decode_fields
from headgate.wire.doors.reading import bad_value, out_of_range, read
from headgate.wire.faults import Fault
from headgate.wire.vectors import unpack

KNOWN = frozenset({"model", "input", "prompt", "dimensions"})
"""Fields that have a place in a `Request`."""


class WireTexts(Struct, gc=False):
    """The fields of `/api/embed`."""

    model: str
    input: str | list[str]
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, Any] | None = None


class WireText(Struct, gc=False):
    """The fields of `/api/embeddings`."""

    model: str
    prompt: str
    options: dict[str, Any] | None = None


decode_texts = msgspec.json.Decoder(WireTexts).decode
decode_text = msgspec.json.Decoder(WireText).decode


class OllamaEmbed(Struct, frozen=True):
    """The door `/api/embed`."""

    dialect: DialectName = "ollama"

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one without a text."""
        ask = read(decode_texts, body)
        if isinstance(ask, Fault):
            return ask
        texts = [ask.input] if isinstance(ask.input, str) else ask.input
        problem = check("input", ask.model, texts) or out_of_range((("dimensions", ask.dimensions, 1, None),))
        if problem is not None:
            return problem
        request = request_from(request_id, ask.model, texts, body, ask.dimensions)
        return request if any(texts) else Ready(request, partial(encode_loaded, ask.model))

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """All vectors, with what Ollama tells of the work."""
        return msgspec.json.encode(
            {
                "model": about.model,
                "embeddings": [unpack(vector) for vector in reply.vectors],
                "total_duration": nanoseconds(reply.seconds),
                "load_duration": nanoseconds(reply.loading),
                "prompt_eval_count": reply.usage.prompt,
            }
        )


class OllamaEmbeddings(Struct, frozen=True):
    """The older door `/api/embeddings`."""

    dialect: DialectName = "ollama"

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one without a text."""
        ask = read(decode_text, body)
        if isinstance(ask, Fault):
            return ask
        problem = check("prompt", ask.model, [ask.prompt])
        if problem is not None:
            return problem
        request = request_from(request_id, ask.model, [ask.prompt], body)
        return request if ask.prompt else Ready(request, lambda _: b'{"embedding":[]}')

    def encode_reply(self, reply: Reply, about: About) -> bytes:  # noqa: ARG002  # this answer names no model
        """The one vector."""
        return msgspec.json.encode({"embedding": unpack(reply.vectors[0])})


def check(field: str, model: str, texts: list[str]) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    if not model:
        return bad_value("model", "model is empty", 'use "auto:embedding", or a model that makes embeddings')
    if "" in texts[len(texts) == 1 :]:
        return bad_value(field, f"{field} has an empty text", "leave empty texts out")
    return None


def encode_loaded(model: str, _: float) -> bytes:
    """The answer to a request that only wanted a model loaded."""
    return msgspec.json.encode({"model": model, "embeddings": []})


def request_from(
    request_id: str, model: str, texts: list[str], body: bytes, dimensions: int | None = None
) -> Request:
    """The request in our normal form."""
    fields = decode_fields(body)
    return Request(
        id=request_id,
        asked=model,
        messages=tuple([Message("user", text) for text in texts]),
        kind="embedding",
        dimensions=dimensions,
        dialect="ollama",
        extra={name: value for name, value in fields.items() if name not in KNOWN and value != NULL},
    )
