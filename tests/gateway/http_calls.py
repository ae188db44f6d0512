"""A server with a handler that says what it was asked, and a client that speaks bytes."""

import asyncio
from contextlib import asynccontextmanager, suppress

from headgate.gateway.http import Server
from headgate.gateway.listening import bind, refuse

PLAIN = b"content-type: text/plain\r\n"


async def echo(call):
    """Says what it was asked; under /stream in three pieces; under /wait only when it is told to."""
    if call.path == "/stream":
        call.stream(200, PLAIN)
        for piece in (b"one ", b"two ", b"three"):
            await call.write(piece)
        call.end()
    else:
        size = "too much" if call.body is None else len(call.body)
        text = f"{call.method} {call.path} {size} {(call.body or b'')[:20].decode('latin-1')}"
        call.answer(200, PLAIN, text.encode())


@asynccontextmanager
async def serving(handle=echo, body_limit=1000, grace=5.0):
    server = Server(handle, body_limit=body_limit, refuse=refuse)
    listening = bind("127.0.0.1", 0)
    await server.open(listening)
    try:
        yield server, listening.getsockname()[1]
    finally:
        await server.close(grace)


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def response(reader, *, body=True):
    """Status, headers and body of one response with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    content = await reader.readexactly(int(headers["content-length"])) if body else b""
    return int(head[0].split()[1]), headers, content


def post(body, path="/echo", *lines):
    head = [f"POST {path} HTTP/1.1", "Host: x", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
