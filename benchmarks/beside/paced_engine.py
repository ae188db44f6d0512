"""A streaming engine that is never the limit: Chat Completions as events, as many and as far apart as the prompt says.

    python paced_engine.py                prints its port

A prompt that says `[400 chunks, 20 ms apart]` gets 400 chunks at that pace, the first at once; 0 ms is as fast as they
are taken. `GET /sent` tells how many bytes of the newest stream the kernel has taken. It knows no model and no errors.
"""

import asyncio
import re

import uvloop

ASKED = re.compile(rb"\[(\d+) chunks, (\d+) ms apart\]")
AT_ONCE = 64
"""Chunks in one write when there is no pace."""

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


def event(choices: bytes, more: bytes = b"") -> bytes:
    """One event in the form of today's servers, as one piece of the HTTP body."""
    data = (
        b'data: {"id":"chatcmpl-canned","object":"chat.completion.chunk","created":1760000000,"model":"bench",'
        b'"choices":[' + choices + b"]" + more + b"}\n\n"
    )
    return b"%x\r\n%b\r\n" % (len(data), data)


def token(number: int) -> bytes:
    """A token of the answer; no two neighbours are the same, so that no check finds a repetition."""
    return event(
        b'{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}' % (number % 997)
    )


TOKENS = [token(number) for number in range(997)]
OPENING = event(b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}')
ENDING = (
    event(b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}')
    + event(b"", b',"usage":{"prompt_tokens":30,"completion_tokens":400,"total_tokens":430}')
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)


class Stream(asyncio.Protocol):
    """One connection, one stream at a time."""

    newest: "Stream | None" = None
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.asked = b""
        self.sent = self.chunks = self.number = 0
        self.every = self.due = 0.0
        self.paused = False
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream protocol is given a stream transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.timer is not None:
            self.timer.cancel()
        self.chunks = 0

    def data_received(self, data: bytes) -> None:
        self.asked += data
        if self.asked.startswith(b"GET /sent"):
            newest = Stream.newest
            sent = newest.sent - newest.transport.get_write_buffer_size() if newest is not None else 0
            self.answer(b"%d" % sent)
        elif self.asked.startswith(b"GET") and self.asked.endswith(b"\r\n\r\n"):
            self.answer(b'{"object":"list","data":[{"id":"bench","object":"model"}]}')
        elif (found := ASKED.search(self.asked)) and self.asked.endswith(b"}"):
            self.asked = b""
            self.begin(int(found[1]), int(found[2]) / 1000)

    def answer(self, body: bytes) -> None:
        self.asked = b""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)

    def begin(self, chunks: int, every: float) -> None:
        Stream.newest = self
        self.number, self.chunks, self.every, self.due, self.sent = 0, chunks, every, self.loop.time(), 0
        self.write(HEAD + OPENING)
        if every:
            self.next()
        else:
            self.pour()

    def next(self) -> None:
        """The chunk that is due, and a timer for the one after it."""
        self.write(TOKENS[self.number % 997])
        self.number += 1
        if self.number >= self.chunks:
            self.write(ENDING)
            return
        self.due += self.every
        self.timer = self.loop.call_at(self.due, self.next)

    def pour(self) -> None:
        """All that is taken, in turns of the event loop."""
        if self.paused or self.number >= self.chunks:
            return
        until = min(self.number + AT_ONCE, self.chunks)
        self.write(b"".join([TOKENS[number % 997] for number in range(self.number, until)]))
        self.number = until
        if self.number >= self.chunks:
            self.write(ENDING)
        else:
            self.loop.call_soon(self.pour)

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if not self.every:
            self.pour()


async def serve() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Stream, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
