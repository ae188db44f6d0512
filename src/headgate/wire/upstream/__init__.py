"""What engines speak: bytes ↔ values for each protocol of an engine, without I/O.

A `Dialect` encodes requests, decodes replies and reads streams piece by piece; an `EmbeddingDialect` does so for vectors. It knows one protocol and the habits of
those who speak it. It does not know addresses, keys, sockets or clocks: the adapters in `engines` do, and they fill
in the seconds.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from headgate.core.types import Delta, Failure, Message, Model, Reply, Request
from headgate.core.words import FailureReason

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a stranger's JSON may raise: it is none, is no UTF-8, or is nested without end."""


class Headers(Protocol):
    """Response headers: anything that gives the value of a name in lower case, or None."""

    def get(self, name: str, /) -> str | None:
        """The header's first value."""
        ...


class StreamDecoder(Protocol):
    """One streamed answer being read. Bytes may be cut anywhere.

    `over` turns true when nothing more can matter: the end mark was read, or the stream has failed.
    """

    over: bool

    def feed(self, chunk: bytes) -> list[Delta]:
        """Take the next bytes; give what they add to the answer."""
        ...

    def finish(self) -> Reply | Failure:
        """The body has ended: the whole answer, if the engine proved its end, else why there is none."""
        ...

    def interrupted(self, reason: FailureReason, detail: str) -> Failure:
        """The body has broken off: a failure that carries what had arrived, and what it will have cost."""
        ...


class Endpoint(Protocol):
    """One thing that an engine can be asked for."""

    @property
    def path(self) -> str:
        """Where requests go, after the engine's address."""
        ...

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The answer in a body that came with a status of success."""
        ...

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure in a body that came with another status."""
        ...


class EmbeddingDialect(Endpoint, Protocol):
    """How one engine protocol asks for vectors."""

    def encode_texts(self, request: Request, model: Model) -> bytes | Failure:
        """The request's body, or why this dialect cannot say it."""
        ...

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model, one sentence each."""
        ...


class Dialect(Endpoint, Protocol):
    """One engine protocol: how it asks for answers."""

    def encode_request(self, request: Request, model: Model, *, stream: bool) -> bytes | Failure:
        """The request's body, or why this dialect cannot say it."""
        ...

    def stream_decoder(self, request: Request, model: Model) -> StreamDecoder:
        """A reader for the body of a streamed answer."""
        ...

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model, one sentence each."""
        ...


MANY = 1024
"""Pieces of a text that are kept apart."""


class Pieces(list[str]):
    """A text that comes in many small pieces, kept in few: each of them costs fifty bytes beyond its letters."""

    def add(self, piece: str) -> None:
        """Take the next piece."""
        self.append(piece)
        if len(self) >= MANY:
            self[:] = ["".join(self)]


def has_names(messages: Sequence[Message]) -> bool:
    """Whether anybody who speaks is named; of a tool's result the name is its tool's."""
    return any(message.name is not None and message.role != "tool" for message in messages)


def mean_logprob(logprobs: Sequence[float | None]) -> float | None:
    """The mean log-probability of an answer's tokens; None without evidence."""
    known = [value for value in logprobs if value is not None]
    return sum(known) / len(known) if known else None


def object_from(arguments: str) -> dict[str, Any]:
    """A tool call's arguments as an object; what is none stands inside one, so that it is not lost."""
    try:
        value = msgspec.json.decode(arguments or "{}")
    except UNREADABLE:
        value = arguments
    return value if isinstance(value, dict) else {"arguments": value}


def split_data_uri(url: str) -> tuple[str, str] | None:
    """Media type and base64 payload of a `data:` URI; None for any other address."""
    head, comma, payload = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return head[5:-7].partition(";")[0] or "image/png", payload


def unfit_image(engine: str, allowed: str) -> Failure:
    """The failure of a request whose image this dialect cannot carry: refused here, as the engine would."""
    return Failure(reason="http_error", detail=f"{engine} takes images {allowed} only; this one was not sent")
