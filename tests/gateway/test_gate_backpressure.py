"""A caller who reads slowly holds the engine back, all the way through the gate."""

import asyncio
import socket
from contextlib import asynccontextmanager

from test_gate_streams import body_of

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MODELS = b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"data":[{"id":"m"}]}'
SMALL = 32 * 1024
"""Of a socket's buffer at the far ends; what the kernel grants inside the gate grows to some MB as it likes."""
MUCH = 32 * 1024 * 1024
STILL = 1.5
"""Seconds without a byte, after which an engine that never pauses by itself counts as held back: longer than the silence that
the gate allows to engines."""


def event(data: bytes) -> bytes:
    return b"%x\r\ndata: %b\n\n\r\n" % (len(data) + 8, data)


PIECE = event(b'{"model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}' % (b"word " * 800))
ENDING = (
    event(b'{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
    + event(b"[DONE]")
    + b"0\r\n\r\n"
)


class TirelessEngine:
    """Writes one stream as fast as it is taken: until it is held back once, or `MUCH` has gone out."""

    def __init__(self) -> None:
        self.pieces = 0
        self.stopped = asyncio.Event()

    @property
    def sent(self) -> int:
        return self.pieces * len(PIECE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            writer.write(HEAD)
            while not self.stopped.is_set() and self.sent < MUCH:
                self.pieces += 1
                writer.write(PIECE)
                try:
                    await asyncio.wait_for(writer.drain(), STILL)
                except TimeoutError:
                    self.stopped.set()
            self.stopped.set()
            writer.write(ENDING)
            await writer.drain()
        else:
            writer.write(MODELS)
        writer.close()


@asynccontextmanager
async def tireless_engine():
    engine = TirelessEngine()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    async with await asyncio.start_server(engine.serve, sock=listening):
        yield engine, listening.getsockname()[1]


async def test_an_engine_is_held_back_while_the_caller_does_not_read_and_nothing_is_lost(open_bench):
    async with tireless_engine() as (engine, engine_port), asyncio.timeout(50):

        def change(page: str) -> str:
            before, _, after = page.partition('kind = "ollama"\n')
            after = after.partition("\n")[2]
            page = f'{before}kind = "openai_compatible"\nurl = "http://127.0.0.1:{engine_port}/v1"\n{after}'
            return page.replace('id = "llama3.1:8b"', 'id = "m"').replace("5s", "40s")

        async with open_bench(mode="pass", change=change) as bench:
            loop = asyncio.get_running_loop()
            with socket.socket() as caller:
                caller.setblocking(False)
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
                await loop.sock_connect(caller, ("127.0.0.1", int(bench.url.rpartition(":")[2])))
                body = body_of()
                head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
                await loop.sock_sendall(caller, head % len(body) + body)

                await engine.stopped.wait()
                assert engine.sent < MUCH

                said = bytearray()
                while not said.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
                    said += await loop.sock_recv(caller, 1 << 20)
                assert said.count(b'"content":"word ') == engine.pieces
