"""The door for Ollama's `/api/generate`: one prompt as a conversation of one turn. The way back is in `ollama_answers`.

What needs the engine's own tokens or template is refused with a reason: `suffix`, `raw`, `template`, and `context`, whose
tokens mean something only to the model that gave them. So answers carry no `context` either.

Source: Ollama 0.33.0-rc2 (`api/types.go`, `server/routes.go`), its Python client 0.6.3.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from headgate.core.types import Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors import NDJSON, About, Ready
from headgate.wire.doors.ollama_answers import LineEncoder, at_top, encode_reply, keep_alive
from headgate.wire.doors.ollama_words import Picture, WireAsk, content_from, decode_fields, ready, shared_from
from headgate.wire.doors.reading import bad_value, read
from headgate.wire.faults import Fault

NoText = Annotated[str | None, Meta(extra_json_schema={"enum": ["", None]})]
NoNumber = Annotated[int | None, Meta(extra_json_schema={"enum": [0, None]})]
"""Zero values, which Ollama's own client sends; any other is refused with a reason (`REFUSED`)."""


class WireGenerate(WireAsk, gc=False, kw_only=True):
    """The known top-level fields."""

    prompt: str | None = None
    system: str | None = None
    images: list[Picture] | None = None
    suffix: NoText = None
    template: NoText = None
    raw: Annotated[bool | None, Meta(extra_json_schema={"enum": [False, None]})] = None
    context: Annotated[list[int] | None, Meta(extra_json_schema={"enum": [[], None]})] = None
    width: NoNumber = None
    height: NoNumber = None
    steps: NoNumber = None


REFUSED = {
    "suffix": ("text is not filled in between a prompt and a suffix here", "ask for it in words"),
    "template": ("a prompt's template is its engine's own", "leave template out, and put the rest in system"),
    "raw": ("a prompt always goes through its model's template", "leave raw out"),
    "context": (
        "tokens of an earlier answer mean nothing to another model",
        "send the conversation to /api/chat",
    ),
    "width": ("pictures are not made here", "ask for text"),
    "height": ("pictures are not made here", "ask for text"),
    "steps": ("pictures are not made here", "ask for text"),
}
"""Fields that cannot be had: why, and what to do."""

KNOWN = frozenset(WireGenerate.__struct_fields__) - {"keep_alive"}
ASK = msgspec.json.Decoder(WireGenerate)


class OllamaGenerate(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "ollama"
    form: Any = ASK.type
    stream_type: bytes = NDJSON

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready:
        """A request in our normal form, what is wrong with it, or the answer to one that only wants a model loaded."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply with its `response`."""
        return encode_reply(reply, about, at_top)

    def keep_alive(self, about: About) -> bytes:
        """A line with an empty response."""
        return keep_alive(about, at_top)

    def stream_encoder(self, about: About) -> LineEncoder:
        """A writer of lines with a piece of the `response` each."""
        return LineEncoder(about, at_top)


def decode_request(body: bytes, request_id: str) -> Request | Fault | Ready:
    """A request in our normal form, what is wrong with it, or the answer to one that only wants a model loaded."""
    ask = read(ASK, body)
    if isinstance(ask, Fault):
        return ask
    problem = refused(ask)
    if problem is not None:
        return problem
    try:
        shared = shared_from(ask, decode_fields(body), KNOWN)
    except ValueError as error:
        return bad_value("format", str(error))
    try:
        content = content_from(ask.prompt or "", ask.images)
    except ValueError as error:
        return bad_value("images", str(error))
    if not ask.prompt:
        return ready(ask, request_id, at_top)
    system = (Message("system", ask.system),) if ask.system else ()
    return Request(id=request_id, asked=ask.model, messages=(*system, Message("user", content)), **shared)


def refused(ask: WireGenerate) -> Fault | None:
    """Why it cannot be had, if it asks for what a router cannot give."""
    for name, (why, hint) in REFUSED.items():
        if getattr(ask, name):
            return bad_value(name, f"{name}: {why}", hint, "unsupported_value")
    return None
