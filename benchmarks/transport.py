"""What does one small request cost the client? CPU and wall microseconds, against a canned server next door.

    python benchmarks/transport.py [--requests 20000] [--tasks 16] [--streams 200]

The server is a bare asyncio protocol on uvloop in a process of its own: it answers every request head with the same
1 KB and does not look at it. CPU is this process's user and system time, so the server's share is not in it. Where
aiohttp is installed, the same load through it gives the ratio.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import multiprocessing
import time
from collections.abc import Awaitable, Callable

import uvloop

from headgate.engines.transport import Clocks, HttpTransport, Response, StreamEnd

CLOCKS = Clocks(connect=2, first_byte=30, between_bytes=10, total=60)
QUESTION = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 900 + b'"}]}'
ANSWER = b'{"choices":[{"message":{"content":"' + b"y" * 960 + b'"}}]}'
CANNED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: x\r\nserver: canned\r\ncontent-length: %d\r\n\r\n%b"
PIECE = b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'
PIECES = 50
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

Ask = Callable[[], Awaitable[None]]


class Canned(asyncio.Protocol):
    """Answers each small POST with 1 KB, and each GET with fifty chunks, one per turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"POST"):
            self.transport.write(CANNED % (len(ANSWER), ANSWER))
        else:
            self.transport.write(STREAM_HEAD)
            self.loop.call_later(0.001, self.send_piece, PIECES)

    def send_piece(self, left: int) -> None:
        if left == 0:
            self.transport.write(b"0\r\n\r\n")
        else:
            self.transport.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            self.loop.call_later(0.001, self.send_piece, left - 1)


def serve(told: "multiprocessing.Queue[int]") -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
        told.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())


async def measure(name: str, ask: Ask, requests: int, tasks: int, unit: str = "request") -> float:
    """Print and return CPU microseconds per call of `ask`, the best of three rounds."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await ask()

    rounds = []
    for _ in range(3):
        await worker(3)
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker(requests // tasks) for _ in range(tasks)))
        done = requests // tasks * tasks
        rounds.append(((time.process_time() - cpu) / done * 1e6, (time.perf_counter() - wall) / done * 1e6))
    cpu_us, wall_us = min(rounds)
    print(f"{name:<44} {cpu_us:8.1f} µs CPU   {wall_us:8.1f} µs wall   per {unit}")
    return cpu_us


async def run(port: int, requests: int, tasks: int, streams: int) -> None:
    base = f"http://127.0.0.1:{port}"
    headers = (("content-type", "application/json"), ("authorization", "Bearer none"))
    transport = HttpTransport(base, headers=headers)

    async def ask() -> None:
        response = await transport.request("POST", "/v1/chat/completions", body=QUESTION, clocks=CLOCKS)
        if not isinstance(response, Response) or len(response.body) != len(ANSWER):
            raise SystemExit(f"error: {response}")

    async def listen() -> None:
        async with transport.stream("GET", "/", clocks=CLOCKS) as stream:
            async for _ in stream:
                pass
        if not isinstance(stream.end, StreamEnd) or stream.end.bytes_received != len(PIECE) * PIECES:
            raise SystemExit(f"error: {stream.end}")

    alone = await measure("headgate, one request at a time", ask, requests, 1)
    loaded = await measure(f"headgate, {tasks} tasks", ask, requests, tasks)
    streamed = await measure(f"headgate, {PIECES}-chunk streams, 20 tasks", listen, streams, 20, "stream")
    await transport.close()

    if importlib.util.find_spec("aiohttp") is None:
        print("aiohttp is not installed here: no comparison")
        return
    import aiohttp

    async with aiohttp.ClientSession(headers=dict(headers)) as session:

        async def ask_aiohttp() -> None:
            async with session.post(f"{base}/v1/chat/completions", data=QUESTION) as response:
                await response.read()

        async def listen_aiohttp() -> None:
            async with session.get(base) as response:
                async for _ in response.content.iter_any():
                    pass

        print(
            f"ratio {await measure('aiohttp, one request at a time', ask_aiohttp, requests, 1) / alone:.1f}"
        )
        print(f"ratio {await measure(f'aiohttp, {tasks} tasks', ask_aiohttp, requests, tasks) / loaded:.1f}")
        cost = await measure(
            f"aiohttp, {PIECES}-chunk streams, 20 tasks", listen_aiohttp, streams, 20, "stream"
        )
        print(f"ratio {cost / streamed:.1f}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--requests", type=int, default=20_000)
    options.add_argument("--tasks", type=int, default=16)
    options.add_argument("--streams", type=int, default=200)
    given = options.parse_args()
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[int] = context.Queue()
    server = context.Process(target=serve, args=(told,), daemon=True)
    server.start()
    try:
        uvloop.run(run(told.get(timeout=20), given.requests, given.tasks, given.streams))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
