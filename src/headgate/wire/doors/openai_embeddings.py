"""The door for OpenAI's embeddings: texts, or the token ids of texts → Request; vectors → bytes.

Each text becomes a message of the user. Token ids are ids of cl100k_base, as OpenAI's models and LangChain count; what they
spell is filled in by whoever has the vocabulary, and the caller's own bytes go along for OpenAI itself. It does not know
which models can embed.

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from headgate.core.types import Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors import About
from headgate.wire.doors.reading import bad_value, read
from headgate.wire.doors.values import USES, Count, Dimensions, InputType, ModelName
from headgate.wire.faults import Fault
from headgate.wire.vectors import unpack

MOST_TEXTS = 2048
"""In one request, as at OpenAI."""

BASE64 = Raw(b'"base64"')

LAST_TOKEN = 100_255
"""Of cl100k_base, without its special tokens; whoever has the vocabulary refuses what lies beyond."""

TOKEN_ID = {"type": "integer", "minimum": 0, "maximum": LAST_TOKEN}


ONE_KIND = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": MOST_TEXTS},
        {"type": "array", "items": TOKEN_ID, "minItems": 1},
        {
            "type": "array",
            "items": {"type": "array", "items": TOKEN_ID, "minItems": 1},
            "minItems": 1,
            "maxItems": MOST_TEXTS,
        },
    ]
}
"""Texts only, or ids only; the types alone would let a mixture in, so `check` looks again."""


class WireTexts(Struct, gc=False):
    """The known fields. None and absent mean the same."""

    model: ModelName
    input: Annotated[str | list[str | Count | list[Count]], Meta(extra_json_schema={"allOf": [ONE_KIND]})]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Dimensions | None = None
    input_type: InputType | None = None


KNOWN = frozenset({"model", "input", "dimensions"})
"""Fields that have a place in a `Request`; `encoding_format` stays among the others until the answer is written, and `input_type`
for engines that know it."""

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
ASK = msgspec.json.Decoder(WireTexts)


class OpenAIEmbeddings(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "openai"
    form: Any = ASK.type

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        ask = read(ASK, body)
        if isinstance(ask, Fault):
            return ask
        texts, ids = texts_from(ask.input), ids_from(ask.input)
        problem = check(ask, texts, ids)
        if problem is not None:
            return problem
        fields = decode_fields(body)
        return Request(
            id=request_id,
            asked=ask.model,
            messages=tuple([Message("user", text) for text in texts or [""] * len(ids)]),
            kind="embedding",
            dimensions=ask.dimensions,
            use=USES.get(ask.input_type or ""),
            token_ids=ids,
            extra={name: value for name, value in fields.items() if name not in KNOWN},
            raw_messages=fields["input"] if ids else None,
        )

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """The vectors as a list of `embedding` objects."""
        as_base64 = about.request.extra.get("encoding_format") == BASE64
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": b64encode(vector).decode() if as_base64 else unpack(vector),
            }
            for index, vector in enumerate(reply.vectors)
        ]
        tokens = reply.usage.prompt
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return msgspec.json.encode({"object": "list", "data": data, "model": about.model, "usage": usage})


def texts_from(given: str | list[str | int | list[int]]) -> list[str]:
    """The input's texts; none if it is not made of texts alone."""
    items = [given] if isinstance(given, str) else given
    texts = [item for item in items if isinstance(item, str)]
    return texts if len(texts) == len(items) else []


def ids_from(given: str | list[str | int | list[int]]) -> tuple[tuple[int, ...], ...]:
    """The input's token ids, text by text; none if it is not made of ids alone. A flat list of ids is one text."""
    flat = tuple([item for item in given if isinstance(item, int)])
    if flat:
        return (flat,) if len(flat) == len(given) else ()
    nested = tuple([tuple(item) for item in given if isinstance(item, list)])
    return nested if len(nested) == len(given) else ()


def check(ask: WireTexts, texts: list[str], ids: tuple[tuple[int, ...], ...]) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    if not ask.input:
        return bad_value("input", "input is empty", "send at least one text")
    items = texts or ids
    if not items:
        return bad_value("input", "input mixes texts and token ids", "send texts only, or ids only")
    if len(items) > MOST_TEXTS:
        return bad_value(
            "input", f"input has {len(items):,} texts, but {MOST_TEXTS:,} is the most", "send them in parts"
        )
    empty = next((index for index, item in enumerate(items) if not item), None)
    if empty is not None:
        return bad_value(f"input[{empty}]", f"input[{empty}] is empty", "leave empty texts out")
    return None
