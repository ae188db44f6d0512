"""What callers speak: bytes ↔ values for each protocol of a client, without I/O.

A `Door` decodes requests of one protocol into our normal form and encodes answers, streams and errors back. Behind any
door any engine may answer; a `StreamingDoor` writes streams too. What a caller asks and cannot be had is refused with a
reason, or named in `Request.native` or `Request.extra`; it is never dropped here. A door does not know which paths it is
served under, nor headers, sockets and clocks: `gateway` does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from headgate.core.types import Delta, Message, Reply, Request
from headgate.core.words import DialectName
from headgate.wire.doors.anthropic_blocks import cut_blocks, own_blocks
from headgate.wire.faults import Fault

SSE = b"text/event-stream; charset=utf-8"
NDJSON = b"application/x-ndjson"


class About(Struct, frozen=True, gc=False):
    """What an answer says about itself, beyond the answer."""

    request: Request
    model: str
    """The engine's own name of the model that answers; "" when none does yet."""
    received: float
    """Unix time in seconds at which the request came."""
    prompt_tokens: int = 0
    """Tokens of the prompt as measured, for protocols that tell them before the engine does."""

    @property
    def created(self) -> int:
        """The whole second."""
        return int(self.received)


class Ready(Struct, frozen=True):
    """A request that needs no model's answer, only its existence: Ollama's clients ask so for a model to be loaded."""

    request: Request
    body: Callable[[float], bytes]
    """The answer, once it is known at which Unix time the request came."""


class Referring(Struct, frozen=True):
    """A request that names earlier answers instead of repeating them: it can be read once they are known."""

    answers: frozenset[str]
    """The ids of the requests that they answer."""
    read: Callable[[Mapping[str, Message]], Request | Fault]
    """The request, given those answers that there are."""


class StreamEncoder(Protocol):
    """One streamed answer being written. Each method gives the bytes to send now; an opening is sent when it is due."""

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer."""
        ...

    def end(self, reply: Reply) -> bytes:
        """The end of the answer, with its end mark; all its deltas have been given before."""
        ...

    def fail(self, fault: Fault) -> bytes:
        """An error in the middle of the stream, and no end mark."""
        ...


class Reader(Protocol):
    """What understands the requests of one client protocol."""

    @property
    def dialect(self) -> DialectName:
        """Whose words it uses; errors take that dialect's form."""
        ...

    @property
    def form(self) -> Any:
        """The type that its requests are decoded as; /openapi.json tells it to everybody."""
        ...

    def decode_request(self, body: bytes, request_id: str) -> Request | Fault | Ready | Referring:
        """A request in our normal form, what is wrong with it, an answer that needs no model, or a request in part."""
        ...


class Counter(Reader, Protocol):
    """A way to ask how long a prompt is."""

    def encode_count(self, tokens: int) -> bytes:
        """The number of tokens."""
        ...


class Door(Reader, Protocol):
    """One client protocol, both ways."""

    def encode_reply(self, reply: Reply, about: About) -> bytes:
        """A whole answer."""
        ...


class StreamingDoor(Door, Protocol):
    """A client protocol whose answers can also be streamed."""

    @property
    def stream_type(self) -> bytes:
        """The content type of its streams."""
        ...

    def keep_alive(self, about: About) -> bytes:
        """A sign of life before the answer, which clients pass over."""
        ...

    def stream_encoder(self, about: About) -> StreamEncoder:
        """A writer of one streamed answer."""
        ...


def deltas_of(reply: Reply) -> Sequence[Delta]:
    """A whole reply cut into deltas, for streams whose answer was held until it was judged."""
    own = own_blocks(reply)
    if own is not None:
        return cut_blocks(own)
    deltas: list[Delta] = []
    if reply.reasoning:
        deltas.append(Delta(reasoning=reply.reasoning))
    if reply.text:
        deltas.append(Delta(reply.text, logprobs=reply.logprobs))
    deltas += [
        Delta(tool_index=index, tool_id=call.id, tool_name=call.name, tool_arguments=call.arguments)
        for index, call in enumerate(reply.tool_calls)
    ]
    return deltas
