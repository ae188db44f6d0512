"""What Ollama's two doors read alike: options, format, thinking, images, and what asks only for loading.

Zero values are no values here: Ollama's own client sends `"format": ""` and `"template": ""` with every request. It does
not know which options a running Ollama is told; `wire.upstream.ollama_native` does.

Source: Ollama 0.33.0-rc2 (`api/types.go`, `server/routes.go`), its Python client 0.6.3.
"""

import binascii
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from headgate.core.types import TEXT, Format, Image, Part, Request, Text
from headgate.core.words import Effort
from headgate.wire.doors import Ready
from headgate.wire.doors.ollama_answers import Say, encode_loaded
from headgate.wire.doors.values import (
    LARGEST,
    NULL,
    ModelName,
    Penalty,
    Share,
    Stop,
    Temperature,
    TopLogprobs,
    null,
)

SPAN = Meta(ge=-LARGEST - 1, le=LARGEST)
Number = Annotated[int, SPAN] | Annotated[float, SPAN]
"""Go takes 100.0 for an integer, and so do we."""


WireFormat = Annotated[
    Raw, Meta(extra_json_schema={"anyOf": [{"type": "object"}, {"enum": ["json", "", None]}]})
]
"""An object is a JSON Schema; that it is one of these, `format_from` checks."""


SIGNS = {
    "PNG": "iVBORw0KGg[o-r][A-Za-z0-9+/]",
    "JPEG": "/9j/",
    "GIF": "R0lGO[A-P][A-Za-z0-9+/]{2}",
    "WEBP": "UklGR[g-v][A-Za-z0-9+/]{4}[BFJNRVZdhlptx159]XRUJQ",
}
"""How pictures begin in base64."""
GROUPS = "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
Picture = Annotated[str, Meta(extra_json_schema={"pattern": f"^({'|'.join(SIGNS.values())}){GROUPS}$"})]
"""A picture in base64. That it is one, `kind_of` finds out, which is quicker than a pattern."""


class WireOptions(Struct, gc=False):
    """The options that our own form has a word for; all others are kept for engines of this dialect."""

    num_predict: Number | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    top_k: Number | None = None
    seed: Number | None = None
    stop: Stop | list[Stop] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None


class WireAsk(Struct, gc=False, kw_only=True):
    """The fields that both doors know."""

    model: ModelName
    stream: bool | None = None
    format: WireFormat = field(default_factory=null)
    options: WireOptions | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    keep_alive: Number | str | None = None


OPTIONS = frozenset(WireOptions.__struct_fields__)
LEVELS: Mapping[str | bool, Effort] = {
    False: "none",
    True: "medium",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
}
"""What `think` asks for, as an effort; simply to think is the middle one, as for the models that know levels."""
AT_ONCE = frozenset({0, "0", "0s", "0m", "0h"})
"""Values of `keep_alive` that unload a model."""
PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_any = msgspec.json.Decoder().decode


def shared_from(ask: WireAsk, fields: Mapping[str, Raw], known: frozenset[str]) -> dict[str, Any]:
    """The fields of a `Request` that both doors fill alike; a field outside `known` is kept.

    Raises:
        ValueError: a format that is none, for people.
    """
    options = ask.options or WireOptions()
    limit, seed = whole(options.num_predict), whole(options.seed)
    return {
        "stream": ask.stream is not False,
        "max_tokens": limit if limit is not None and limit > 0 else None,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": whole(options.top_k),
        "seed": seed if seed is not None and seed >= 0 else None,
        "stop": (options.stop,) if isinstance(options.stop, str) else tuple(options.stop or ()),
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "effort": None if ask.think is None else LEVELS[ask.think],
        "format": format_from(ask.format),
        "logprobs": bool(ask.logprobs),
        "top_logprobs": ask.top_logprobs,
        "dialect": "ollama",
        "extra": extra_from(fields, known),
    }


def whole(number: Number | None) -> int | None:
    """An integer, also where a client wrote it as a fraction."""
    return None if number is None else int(number)


def format_from(raw: Raw) -> Format:
    """The asked format in our form.

    Raises:
        ValueError: neither "json" nor a schema, for people.
    """
    text = bytes(raw)
    if text in (b"null", b'""'):
        return TEXT
    if text == b'"json"':
        return Format("json")
    if text.startswith(b"{"):
        return Format("schema", raw)
    raise ValueError(f'format is {text[:40].decode("utf-8", "replace")}, but must be "json" or a JSON Schema')


def extra_from(fields: Mapping[str, Raw], known: frozenset[str]) -> dict[str, Raw]:
    """What our own form has no word for, in Ollama's: fields and, under `options`, options."""
    extra = {name: raw for name, raw in fields.items() if name not in known and raw != NULL}
    if "options" in fields and fields["options"] != NULL:
        options = decode_fields(fields["options"])
        rest = {name: raw for name, raw in options.items() if name not in OPTIONS and raw != NULL}
        if rest:
            extra["options"] = Raw(msgspec.json.encode(rest))
    return extra


def content_from(text: str, encoded: Sequence[str] | None) -> str | tuple[Part, ...]:
    """A message's content in our form: base64 pictures as `data:` URIs, before the words about them as Ollama puts them.

    Raises:
        ValueError: no base64, or no picture that engines take, for people.
    """
    if not encoded:
        return text
    parts: list[Part] = [
        Image(f"data:{kind_of(data, number)};base64,{data}") for number, data in enumerate(encoded)
    ]
    return (*parts, Text(text)) if text else tuple(parts)


def kind_of(encoded: str, number: int) -> str:
    """The media type of a picture in base64.

    Raises:
        ValueError: no base64, or no picture that engines take, for people.
    """
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError as error:
        raise ValueError(f"images[{number}] is not base64: {error}") from error
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    kind = next((kind for sign, kind in PICTURES if data.startswith(sign)), None)
    if kind is None:
        raise ValueError(f"images[{number}] is none of PNG, JPEG, GIF and WebP")
    return kind


def ready(ask: WireAsk, request_id: str, say: Say) -> Ready:
    """The answer to a request without a prompt. It asks Ollama to load the model, or to unload it; engines do as they do."""
    reason = "unload" if ask.keep_alive in AT_ONCE else "load"
    request = Request(id=request_id, asked=ask.model, messages=(), dialect="ollama")
    return Ready(request, partial(encode_loaded, ask.model, reason, say))
