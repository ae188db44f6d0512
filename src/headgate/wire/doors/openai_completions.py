"""The door for OpenAI's Completions, the API before chat: bytes → Request, Reply → bytes, Delta → events.

The prompt becomes the message of a user, because the models behind the gate are spoken to in chats: it is answered, not
carried on. What would need the bare model (text put before or after a gap, the prompt repeated, its log-probabilities) is
refused with a reason. OpenAI's limit of 16 tokens for callers who name none does not hold here.

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from headgate.core.types import Delta, Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire import faults
from headgate.wire.doors import SSE, About
from headgate.wire.doors.openai_answers import DONE, encode, usage_out
from headgate.wire.doors.openai_chat import KEEP_ALIVE, OnlyOne, WireStreamOptions
from headgate.wire.doors.reading import bad_value, read
from headgate.wire.doors.values import ModelName, Penalty, Seed, Share, Stop, Temperature, Tokens
from headgate.wire.faults import Fault

CHAT_DOES = "ask /v1/chat/completions"


ONE_TEXT = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 1},
    ]
}
Prompt = Annotated[str | list[str | int | list[int]], Meta(extra_json_schema={"allOf": [ONE_TEXT]})]
"""What OpenAI takes; of that, one text can be had here, and all else is refused with a reason (`prompt_of`)."""


class WireAsk(Struct, gc=False):
    """The known top-level fields. Their names are OpenAI's; None and absent mean the same there."""

    model: ModelName
    prompt: Prompt
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: Stop | list[Stop] | None = None
    seed: Seed | None = None
    n: OnlyOne = None
    best_of: OnlyOne = None
    suffix: Annotated[str | None, Meta(extra_json_schema={"enum": ["", None]})] = None
    echo: Annotated[bool | None, Meta(extra_json_schema={"enum": [False, None]})] = None
    logprobs: Annotated[int | None, Meta(extra_json_schema={"enum": [None]})] = None


KNOWN = frozenset(WireAsk.__struct_fields__)

decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
ASK = msgspec.json.Decoder(WireAsk)


class Completions(Struct, frozen=True):
    """The door."""

    dialect: DialectName = "openai"
    form: Any = ASK.type
    stream_type: bytes = SSE

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault:
        """A request in our normal form, or what is wrong with it."""
        return decode_request(body, request_id)

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole reply as a `text_completion`."""
        value = head(about) | {"choices": [choice(reply.text, reply)], "usage": usage_out(reply.usage)}
        return encode(value)

    def keep_alive(self, about: About) -> bytes:  # noqa: ARG002  # other doors name the model
        """A comment, which clients ignore and proxies count as life."""
        return KEEP_ALIVE

    def stream_encoder(self, about: About) -> "ChunkEncoder":
        """A writer of `text_completion` chunks."""
        return ChunkEncoder(about)


def decode_request(body: bytes, request_id: str) -> Request | Fault:
    """A request in our normal form, or what is wrong with it."""
    ask = read(ASK, body)
    if isinstance(ask, Fault):
        return ask
    problem = check(ask)
    if problem is not None:
        return problem
    prompt = prompt_of(ask.prompt)
    if isinstance(prompt, Fault):
        return prompt
    return Request(
        id=request_id,
        asked=ask.model,
        messages=(Message("user", prompt),),
        stream=bool(ask.stream),
        include_usage=ask.stream_options is not None and bool(ask.stream_options.include_usage),
        max_tokens=ask.max_tokens,
        temperature=ask.temperature,
        top_p=ask.top_p,
        presence_penalty=ask.presence_penalty,
        frequency_penalty=ask.frequency_penalty,
        stop=() if ask.stop is None else (ask.stop,) if isinstance(ask.stop, str) else tuple(ask.stop),
        seed=ask.seed,
        extra={name: value for name, value in decode_fields(body).items() if name not in KNOWN},
    )


def check(ask: WireAsk) -> Fault | None:
    """What is wrong with the values, beyond their types."""
    for name, count in (("n", ask.n), ("best_of", ask.best_of)):
        if count is not None and count != 1:
            return cannot(
                name, f"{name} is {count}, but one answer is given per request", "send the request again"
            )
    if ask.suffix:
        return cannot(
            "suffix", "there is a suffix, but no model here fills a gap", "say in the prompt what is meant"
        )
    if ask.echo:
        return cannot(
            "echo", "echo is true, but the prompt is not repeated", "put it before the answer yourself"
        )
    if ask.logprobs is not None:
        return cannot("logprobs", "log-probabilities are not given in this form", CHAT_DOES)
    return None


def prompt_of(wire: str | list[str | int | list[int]]) -> str | Fault:
    """The one text that is asked."""
    texts = [wire] if isinstance(wire, str) else wire
    if any(not isinstance(text, str) for text in texts):
        return cannot(
            "prompt", "the prompt is made of token ids, which each model numbers otherwise", "send text"
        )
    if len(texts) > 1:
        return cannot(
            "prompt", f"there are {len(texts)} prompts, but one is answered per request", "send each alone"
        )
    if not texts or not texts[0]:
        return bad_value("prompt", "prompt is empty", "send a text")
    return str(texts[0])


def cannot(param: str, message: str, hint: str) -> Fault:
    """Something that is understood and cannot be had."""
    return bad_value(param, message, hint, "unsupported_value")


def head(about: About) -> dict[str, Any]:
    """What every piece of an answer begins with."""
    return {
        "id": f"cmpl-{about.request.id}",
        "object": "text_completion",
        "created": about.created,
        "model": about.model,
    }


def choice(text: str, reply: Reply | None) -> dict[str, Any]:
    """A piece of text, with the reason why it ends here if it does."""
    return {
        "text": text,
        "index": 0,
        "logprobs": None,
        "finish_reason": reply.finish if reply is not None else None,
    }


class ChunkEncoder:
    """One answer as a stream of `text_completion` chunks. What the model thinks has no place in them."""

    def __init__(self, about: About) -> None:
        self._include_usage = about.request.include_usage
        self._before = b"data: " + encode(head(about))[:-1] + b',"choices":['

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer's text."""
        return self._before + encode(choice(delta.text, None)) + b"]}\n\n" if delta.text else b""

    def end(self, reply: Reply) -> bytes:
        """The finish reason, the usage if it was asked for, and the end mark."""
        last = self._before + encode(choice("", reply)) + b"]}\n\n"
        if self._include_usage:
            last += self._before + b'],"usage":' + encode(usage_out(reply.usage)) + b"}\n\n"
        return last + DONE

    def fail(self, fault: Fault) -> bytes:
        """An error event, on which OpenAI's clients raise."""
        return faults.encode_in_stream(fault)
