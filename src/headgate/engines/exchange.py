"""One call to an engine: a dialect's bytes over a transport, under the engine's clocks.

The transport's clocks count bytes; tokens are counted here, because many engines open a stream, or say that they are
still alive, long before the first token. All adapters ask through an `Exchange`, so that what may go wrong on the way becomes a `Failure` in one place. It does
not know any protocol, never retries, and never shows a key: an engine that repeats ours in its error is censored.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from time import perf_counter
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from headgate.config.engine import EngineSettings
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import FailureReason
from headgate.engines.pace import SILENCE, Pace
from headgate.engines.patience import Patience
from headgate.engines.transport import (
    Clocks,
    FailureKind,
    Headers,
    Response,
    ResponseHead,
    ResponseStream,
    StreamEnd,
    Transport,
    TransportFailure,
)
from headgate.wire.ndjson import LineDecoder, OverlongLineError
from headgate.wire.upstream import Dialect, EmbeddingDialect, Endpoint, StreamDecoder

Result = TypeVar("Result", Reply, Failure, Reply | Failure)
Answering = Coroutine[Any, Any, Reply | Failure]
"""An answer under way. What only hands it on is no coroutine itself: each layer of them costs as much as a check."""

REASONS: dict[FailureKind, FailureReason] = {
    "refused": "refused",
    "timeout": "timeout",
    "broken": "broken_stream",
}
LOOK = Clocks(connect=1.0, first_byte=1.8, between_bytes=1.0, total=1.9)
"""For a glance at an engine's health, which may take two seconds."""
LIST = Clocks(connect=2.0, first_byte=10.0, between_bytes=5.0, total=15.0)
NO_TIME = Failure(reason="timeout", detail="no time was left to ask")
TAIL = 0.05
"""Seconds that an engine gets to end its body after its end mark, so that the connection can be kept."""


class Exchange:
    """How an adapter asks its engine.

    Args:
        transport: the way there; closing the exchange closes it.
        dialect: what is spoken.
        settings: the clocks, and the key that must not be shown.
    """

    def __init__(self, transport: Transport, dialect: Dialect, settings: EngineSettings) -> None:
        self._transport = transport
        self._dialect = dialect
        self._settings = settings
        self._paces: dict[str, Pace] = {}

    def chat(self, request: Request, model: Model, within: float, headers: Headers = ()) -> Answering:
        """Ask once and wait for the whole answer, `within` seconds at most."""
        body = self._dialect.encode_request(request, model, stream=False)
        return self._answer(self._dialect, body, request, model, within=within, headers=headers)

    def embed(self, dialect: EmbeddingDialect, request: Request, model: Model, within: float) -> Answering:
        """Ask once for a vector of each text, `within` seconds at most."""
        body = dialect.encode_texts(request, model)
        return self._answer(dialect, body, request, model, within=within, headers=())

    async def _answer(
        self,
        endpoint: Endpoint,
        body: bytes | Failure,
        request: Request,
        model: Model,
        *,
        within: float,
        headers: Headers,
    ) -> Reply | Failure:
        if not isinstance(body, bytes):
            return body
        if within <= 0:
            return NO_TIME
        started = perf_counter()
        response = await self._transport.request(
            "POST",
            endpoint.path,
            headers=headers,
            body=body,
            clocks=self._clocks(within, within, self._settings.between_tokens or SILENCE),
        )
        if not isinstance(response, Response):
            return replace(_failed(response), seconds=perf_counter() - started)
        if 200 <= response.status < 300:
            result = endpoint.decode_reply(response.body, request, model)
        else:
            result = endpoint.decode_error(response.status, response.headers, response.body)
        timing = response.timing
        return self._censored(replace(result, first_token=timing.first_byte, seconds=timing.total))

    async def stream(
        self, request: Request, model: Model, within: float, headers: Headers = ()
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once and give the answer as it comes; the last item is the whole answer, or why there is none."""
        dialect = self._dialect
        body = dialect.encode_request(request, model, stream=True)
        if isinstance(body, Failure) or within <= 0:
            yield body if isinstance(body, Failure) else NO_TIME
            return
        started = perf_counter()
        first: float | None = None
        pace = self._paces.get(model.id) or self._paces.setdefault(model.id, self._new_pace())
        patience_first, silence = pace.first_token(len(body)), pace.silence
        last, gap = started, 0.0
        clocks = self._clocks(patience_first, within, silence=patience_first + silence)
        async with self._transport.stream(
            "POST", dialect.path, headers=headers, body=body, clocks=clocks
        ) as response:
            head = response.head
            if isinstance(head, TransportFailure):
                result: Reply | Failure = _failed(head)
            elif not 200 <= head.status < 300 or _is_document(head):
                result = await self._whole(response, head, request, model)
                first = perf_counter() - started
                for delta in _pieces(result):
                    yield delta
            else:
                decoder = dialect.stream_decoder(request, model)
                chunks = aiter(response)
                try:
                    with Patience() as patience:
                        while not decoder.over:
                            limit = silence if first else patience_first - perf_counter() + started
                            chunk = await patience.wait(anext(chunks, b""), limit)
                            if not chunk:
                                break
                            if first:
                                now = perf_counter()
                                gap, last = max(gap, now - last), now
                            for delta in decoder.feed(chunk):
                                if not first:
                                    last = perf_counter()
                                    first = last - started
                                yield delta
                    result = _result(decoder, response.end)
                except TimeoutError:
                    result = decoder.interrupted("timeout", _impatience(patience_first, silence, first))
                if isinstance(result, Reply):
                    if first:
                        pace.note(len(body), first, gap)
                    await _read_to_end(response)
            yield self._censored(replace(result, first_token=first, seconds=perf_counter() - started))

    async def get(self, target: str, headers: Headers = (), clocks: Clocks = LOOK) -> Response | Failure:
        """Look something up; any status but a success is a failure."""
        return await self.send("GET", target, headers, b"", clocks)

    async def post(self, target: str, value: Any, clocks: Clocks = LOOK) -> Response | Failure:
        """Look something up with a question in JSON."""
        return await self.send("POST", target, (), msgspec.json.encode(value), clocks)

    async def delete(self, target: str, value: Any, clocks: Clocks = LOOK) -> Response | Failure:
        """Have something deleted; what, is said in JSON."""
        return await self.send("DELETE", target, (), msgspec.json.encode(value), clocks)

    def lines(self, target: str, value: Any, clocks: Clocks) -> AsyncGenerator[bytes | Failure]:
        """Ask for a report that comes line by line; a failure is its last item. Closing the generator hangs up."""
        return self.receive("POST", target, (), msgspec.json.encode(value), clocks)

    async def receive(
        self, method: str, target: str, headers: Headers, body: bytes, clocks: Clocks
    ) -> AsyncGenerator[bytes | Failure]:
        """Send any call whose answer comes line by line; a failure is its last item. Closing the generator hangs up."""
        sent = self._transport.stream(method, target, headers=headers, body=body, clocks=clocks)
        async with sent as response:
            head = response.head
            if isinstance(head, TransportFailure):
                yield _failed(head)
                return
            if not 200 <= head.status < 300:
                said = b"".join([chunk async for chunk in response])
                yield self._censored(self._dialect.decode_error(head.status, head.headers, said))
                return
            decoder = LineDecoder()
            try:
                async for chunk in response:
                    for line in decoder.feed(chunk):
                        yield line
            except OverlongLineError:
                yield Failure(reason="malformed", detail="the engine sends without ever ending a line")
                return
            for line in decoder.finish():
                yield line
            if isinstance(response.end, TransportFailure):
                yield _failed(response.end)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def send(
        self, method: str, target: str, headers: Headers, body: bytes, clocks: Clocks
    ) -> Response | Failure:
        """Send any call; any status but a success is a failure."""
        response = await self._transport.request(method, target, headers=headers, body=body, clocks=clocks)
        if isinstance(response, TransportFailure):
            return _failed(response)
        if 200 <= response.status < 300:
            return response
        return self._censored(self._dialect.decode_error(response.status, response.headers, response.body))

    async def _whole(
        self, response: ResponseStream, head: ResponseHead, request: Request, model: Model
    ) -> Reply | Failure:
        """The whole body at once: of an error, or of an engine that does not stream."""
        body = b"".join([chunk async for chunk in response])
        if not 200 <= head.status < 300:
            return self._dialect.decode_error(head.status, head.headers, body)
        if isinstance(response.end, TransportFailure):
            return _failed(response.end)
        return self._dialect.decode_reply(body, request, model)

    def _clocks(self, first_byte: float, within: float, silence: float) -> Clocks:
        return Clocks(
            connect=min(self._settings.connect, within),
            first_byte=min(first_byte, within),
            between_bytes=min(silence, within),
            total=within,
        )

    def _new_pace(self) -> Pace:
        settings = self._settings
        return Pace(settings.first_token, settings.between_tokens, at_home=settings.local)

    def _censored(self, result: Result) -> Result:
        """The result without our key, should the engine have repeated it."""
        key = self._settings.key
        if key and isinstance(result, Failure) and key in result.detail:
            return replace(result, detail=result.detail.replace(key, "…"))
        return result


def _failed(failure: TransportFailure) -> Failure:
    return Failure(reason=REASONS[failure.kind], detail=failure.detail)


def _result(decoder: StreamDecoder, end: StreamEnd | TransportFailure | None) -> Reply | Failure:
    """What a stream came to; its end mark counts even if the connection broke after it."""
    if isinstance(end, TransportFailure) and not decoder.over:
        return decoder.interrupted(REASONS[end.kind], end.detail)
    return decoder.finish()


def _impatience(patience_first: float, silence: float, first: float | None) -> str:
    if first is None:
        return f"no token came within {patience_first:.3g} s"
    return f"the engine fell silent for {silence:.3g} s in the middle of its answer"


def _is_document(head: ResponseHead) -> bool:
    """One JSON document in place of a stream: how some engines report an error under status 200."""
    return (head.headers.get("content-type") or "").startswith("application/json")


def _pieces(result: Reply | Failure) -> Sequence[Delta]:
    """The deltas of an answer that came in one piece."""
    if isinstance(result, Failure):
        return ()
    calls = [
        Delta(tool_index=index, tool_id=call.id, tool_name=call.name, tool_arguments=call.arguments)
        for index, call in enumerate(result.tool_calls)
    ]
    text = (
        [Delta(result.text, result.reasoning, logprobs=result.logprobs)]
        if result.text or result.reasoning
        else []
    )
    return [*text, *calls]


async def _read_to_end(response: ResponseStream) -> None:
    try:
        async with asyncio.timeout(TAIL):
            async for _ in response:
                pass
    except TimeoutError:
        pass  # leaving the stream closes the connection
