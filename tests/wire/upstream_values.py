"""Requests, models and bodies that the tests of the engines' dialects share."""

from pathlib import Path
from typing import Any

import msgspec

from headgate.core.types import Failure, Message, Model, Reply, Request
from headgate.wire.upstream import Dialect

CAPTURES = Path(__file__).parent.parent / "data" / "captures" / "upstream"

PNG = "data:image/png;base64,iVBORw0KGgo="
CLOSED = msgspec.Raw(
    b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}'
)


def captured(name: str) -> bytes:
    return (CAPTURES / name).read_bytes()


def a_request(*texts: str, **fields: Any) -> Request:
    messages = fields.pop("messages", None) or tuple(
        Message("user", text) for text in texts or ("Is 7 prime?",)
    )
    return Request(id="r1", asked="auto", messages=messages, **fields)


def a_model(model_id: str = "toy-micro", **fields: Any) -> Model:
    return Model(
        **{"name": "m", "engine": "e", "engine_kind": "openai_compatible", "id": model_id, "local": True}
        | fields
    )


def sent(dialect: Dialect, request: Request, model: Model, *, stream: bool = False) -> dict[str, Any]:
    """The body that would go out, decoded."""
    body = dialect.encode_request(request, model, stream=stream)
    assert isinstance(body, bytes), body
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def replied(result: Reply | Failure) -> Reply:
    assert isinstance(result, Reply), result
    return result


def failed(result: Reply | Failure) -> Failure:
    assert isinstance(result, Failure), result
    return result


def read_stream(dialect: Dialect, pieces: list[bytes], request: Request, model: Model) -> Any:
    """Deltas and the result of a stream that came in these pieces."""
    decoder = dialect.stream_decoder(request, model)
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.finish()


def sse(*values: Any, done: bool = True) -> bytes:
    events = [b"data: " + msgspec.json.encode(value) + b"\n\n" for value in values]
    return b"".join([*events, b"data: [DONE]\n\n" if done else b""])


def lines(*values: Any) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def named_events(*values: dict[str, Any]) -> bytes:
    """Anthropic's framing: the type is the event's name too."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (v["type"].encode(), msgspec.json.encode(v)) for v in values)
