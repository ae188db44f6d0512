"""A transport whose server is a function: for engines that say what no double would say."""

import inspect

import msgspec

from headgate.engines.transport import Response, ResponseHead, ResponseHeaders, StreamEnd, Timing

NOW = Timing(0.0, 0.0, 0.0)
JSON = ResponseHeaders([(b"content-type", b"application/json")])


class ScriptedTransport:
    """`respond(method, path, body)` gives a body, a status and a body, or (for streams) an async generator of pieces."""

    def __init__(self, respond):
        self.respond = respond
        self.asked = []

    def _answer(self, method, target, body):
        value = msgspec.json.decode(body) if body else None
        self.asked.append((method, target, value))
        answer = self.respond(method, target, value)
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(answer, dict | list):
            answer = msgspec.json.encode(answer)
        return status, answer

    async def request(self, method, target, *, headers=(), body=b"", clocks):
        status, answer = self._answer(method, target, body)
        return Response(status, JSON, answer, NOW)

    def stream(self, method, target, *, headers=(), body=b"", clocks):
        return ScriptedStream(*self._answer(method, target, body))

    async def close(self):
        pass


class ScriptedStream:
    def __init__(self, status, answer):
        self.pieces = answer if inspect.isasyncgen(answer) else _one(answer)
        self.head = ResponseHead(status, JSON)
        self.end = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.pieces.aclose()

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await anext(self.pieces)
        except StopAsyncIteration:
            self.end = StreamEnd(0, NOW)
            raise


async def _one(piece):
    yield piece
