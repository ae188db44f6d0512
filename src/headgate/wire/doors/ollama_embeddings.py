"""Ollama's two doors for embeddings: `/api/embed` with many texts, and the older `/api/embeddings` with one.

Each text becomes a message of the user. No text at all only asks for a model to be loaded, and is answered at once. `truncate`,
`options` and `keep_alive` are kept for engines of this dialect, which obey as much of them as they do for a chat.

Source: Ollama 0.33.0-rc2 as observed, and the types of its Python client 0.6.3 (docs/api.md).
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from headgate.core.types import Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors import About, Ready
from headgate.wire.doors.ollama_answers import nanoseconds
from headgate.wire.doors.ollama_words import decode_fields
from headgate.wire.doors.reading import bad_value, read
from headgate.wire.doors.values import NULL, USES, Dimensions, InputType, ModelName
from headgate.wire.faults import Fault
from headgate.wire.vectors import unpack

KNOWN = frozenset({"model", "input", "prompt", "dimensions", "input_type"})
"""Fields that have a place in a `Request`."""


SOME_TEXTS = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
        {"type": "array", "items": {"type": "string"}, "maxItems": 1},
    ]
}
"""No text at all asks for a model to be loaded; beside others there may be no empty one."""


class WireTexts(Struct, gc=False):
    """The fields of `/api/embed`."""

    model: ModelName
    input: Annotated[str | list[str], Meta(extra_json_schema={"allOf": [SOME_TEXTS]})]
    truncate: bool | None = None
    dimensions: Dimensions | None = None
    input_type: InputType | None = None
    """No word of Ollama's: what the texts are for."""
    options: dict[str, Any] | None = None


class WireText(Struct, gc=False):
    """The fields of `/api/embeddings`."""

    model: ModelName
    prompt: str
    input_type: InputType | None = None
    options: dict[str, Any] | None = None


TEXTS = msgspec.json.Decoder(WireTexts)
TEXT = msgspec.json.Decoder(WireText)


class OllamaEmbed(Struct, frozen=True):
    """The door `/api/embed`."""

    dialect: DialectName = "ollama"
    form: Any = TEXTS.type

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one without a text."""
        ask = read(TEXTS, body)
        if isinstance(ask, Fault):
            return ask
        texts = [ask.input] if isinstance(ask.input, str) else ask.input
        if len(texts) > 1 and "" in texts:
            return bad_value("input", "input has an empty text", "leave empty texts out")
        request = request_from(request_id, ask, texts, body, ask.dimensions)
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
    form: Any = TEXT.type

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one without a text."""
        ask = read(TEXT, body)
        if isinstance(ask, Fault):
            return ask
        request = request_from(request_id, ask, [ask.prompt], body)
        return request if ask.prompt else Ready(request, lambda _: b'{"embedding":[]}')

    def encode_reply(self, reply: Reply, about: About) -> bytes:  # noqa: ARG002  # this answer names no model
        """The one vector."""
        return msgspec.json.encode({"embedding": unpack(reply.vectors[0])})


def encode_loaded(model: str, _: float) -> bytes:
    """The answer to a request that only wanted a model loaded."""
    return msgspec.json.encode({"model": model, "embeddings": []})


def request_from(
    request_id: str, ask: WireTexts | WireText, texts: list[str], body: bytes, dimensions: int | None = None
) -> Request:
    """The request in our normal form."""
    fields = decode_fields(body)
    return Request(
        id=request_id,
        asked=ask.model,
        messages=tuple([Message("user", text) for text in texts]),
        kind="embedding",
        dimensions=dimensions,
        use=USES.get(ask.input_type or ""),
        dialect="ollama",
        extra={name: value for name, value in fields.items() if name not in KNOWN and value != NULL},
    )
