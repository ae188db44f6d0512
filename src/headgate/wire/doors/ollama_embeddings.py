"""Ollama's two doors for embeddings: `/api/embed` with many texts, and the older `/api/embeddings` with one.

Each text becomes a message of the user. `truncate` is read and means nothing here: no text is ever cut, so one that does not
fit is an error whatever the caller says. `options` and `keep_alive` go along to Ollama and to nobody else.

Source: Ollama 0.33.0-rc2 as observed, and the types of its Python client 0.6.3 (docs/api.md).
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors import About
from headgate.wire.doors.reading import bad_value, out_of_range, read
from headgate.wire.faults import Fault
from headgate.wire.vectors import unpack

A_SECOND = 1_000_000_000
"""Ollama counts nanoseconds."""

NULL = Raw(b"null")

FORWARDED = frozenset({"options", "keep_alive"})


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


decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_texts = msgspec.json.Decoder(WireTexts).decode
decode_text = msgspec.json.Decoder(WireText).decode


class OllamaEmbed(Struct, frozen=True):
    """The door `/api/embed`."""

    dialect: DialectName = "ollama"

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        ask = read(decode_texts, body)
        if isinstance(ask, Fault):
            return ask
        texts = [ask.input] if isinstance(ask.input, str) else ask.input
        problem = check("input", ask.model, texts) or out_of_range((("dimensions", ask.dimensions, 1, None),))
        return problem or request_from(request_id, ask.model, texts, body, ask.dimensions)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """All vectors, with what Ollama tells of the work."""
        return msgspec.json.encode(
            {
                "model": about.model,
                "embeddings": [unpack(vector) for vector in reply.vectors],
                "total_duration": int(reply.seconds * A_SECOND),
                "load_duration": int(reply.loading * A_SECOND),
                "prompt_eval_count": reply.usage.prompt,
            }
        )


class OllamaEmbeddings(Struct, frozen=True):
    """The older door `/api/embeddings`."""

    dialect: DialectName = "ollama"

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        ask = read(decode_text, body)
        if isinstance(ask, Fault):
            return ask
        return check("prompt", ask.model, [ask.prompt]) or request_from(
            request_id, ask.model, [ask.prompt], body
        )

    def encode_reply(self, reply: Reply, about: About) -> bytes:  # noqa: ARG002  # this answer names no model
        """The one vector."""
        return msgspec.json.encode({"embedding": unpack(reply.vectors[0])})


def check(field: str, model: str, texts: list[str]) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    if not model:
        return bad_value("model", "model is empty", 'use "auto:embedding", or a model that makes embeddings')
    if not texts or "" in texts:
        return bad_value(field, f"{field} has no text, or an empty one", "send texts with something in them")
    return None


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
        extra={name: fields[name] for name in FORWARDED & fields.keys() if fields[name] != NULL},
    )
