"""The HTTP/1.1 server by itself, byte by byte over a real socket."""

import asyncio
import json
from contextlib import suppress

import pytest
from http_calls import PLAIN, connected, echo, post, response, serving

from headgate.gateway import http


async def test_calls_on_one_connection_are_answered_in_order_even_when_sent_at_once():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"".join(post(b"%d" % number) for number in range(50)))
        for number in range(50):
            status, headers, body = await response(reader)
            assert (status, body) == (200, b"POST /echo %d %d" % (len(str(number)), number))
            assert "gmt" in headers["date"]


async def test_a_request_reads_the_same_however_it_is_split():
    wire = post(b"0123456789", "/a?b=c")
    async with serving() as (_, port), connected(port) as (reader, writer):
        for size in (1, 7, 40):
            for at in range(0, len(wire), size):
                writer.write(wire[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            assert (await response(reader))[2] == b"POST /a 10 0123456789"


async def test_a_chunked_body_is_put_together():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert (await response(reader))[2] == b"POST / 5 abcde"


async def test_a_body_beyond_the_limit_is_not_kept_and_the_connection_goes_on():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"x" * 500_000) + post(b"y"))
        assert (await response(reader))[2] == b"POST /echo too much "
        assert (await response(reader))[2] == b"POST /echo 1 y"


async def test_head_gets_the_length_and_no_body():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\nHost: x\r\n\r\n")
        _, headers, _ = await response(reader, body=False)
        assert headers["content-length"] == str(len("HEAD /x 0 "))
        assert (await response(reader))[2] == b"GET /y 0 "


async def test_who_waits_for_a_word_before_the_body_gets_it():
    async with serving() as (_, port), connected(port) as (reader, writer):
        head, body = post(b"later", "/", "Expect: 100-continue").split(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await response(reader))[2] == b"POST / 5 later"


async def test_a_stream_is_chunked_and_the_connection_goes_on():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert await reader.readuntil(b"0\r\n\r\n") == b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"
        writer.write(post(b"z"))
        assert (await response(reader))[2] == b"POST /echo 1 z"


async def test_http_1_0_gets_no_chunks_and_its_stream_ends_with_the_connection():
    async with serving() as (_, port):
        async with connected(port) as (reader, writer):
            writer.write(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert body == b"one two three"
            assert b"chunked" not in head
            assert b"connection: close" in head
        async with connected(port) as (reader, writer):
            writer.write(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n")
            status, headers, body = await response(reader)
            assert (status, headers["connection"], body) == (200, "keep-alive", b"GET /a 0 ")
            assert (await response(reader))[1]["connection"] == "close"
            assert await reader.read() == b""


async def test_who_asks_for_the_end_of_the_connection_gets_it():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"z", "/", "Connection: close"))
        assert (await response(reader))[1]["connection"] == "close"
        assert await reader.read() == b""


async def test_a_wish_for_another_protocol_is_passed_over():
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"still here", "/", *lines))
        assert (await response(reader))[2] == b"POST / 10 still here"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # a TLS hello: https:// instead of http://
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"x-long: " + b"y" * 200_000, 431),
        (b"GET /" + b"a" * 200_000, 431),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 400),
    ],
    ids=["tls", "two lengths", "smuggled", "long header", "long path", "proxy"],
)
async def test_what_is_no_request_is_refused_with_a_reason_and_a_hint(wire, status):
    async with serving() as (_, port):
        async with connected(port) as (reader, writer):
            writer.write(wire)
            said, headers, body = await response(reader)
            assert (said, headers["connection"]) == (status, "close")
            assert json.loads(body)["error"]["hint"]
            with suppress(ConnectionResetError):  # what we did not read is answered so by the kernel
                assert await reader.read() == b""
        async with connected(port) as (reader, writer):
            writer.write(post(b"z"))
            assert (await response(reader))[0] == 200


async def test_garbage_behind_a_request_takes_nothing_else_down():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"z") + b"\x00\x01garbage\r\n\r\n")
        with suppress(ConnectionResetError):
            await reader.read()
        async with connected(port) as (other, to_other):
            to_other.write(post(b"z"))
            assert (await response(other))[0] == 200


async def test_a_handler_that_fails_ends_its_connection_and_no_other(caplog):
    async def fails(call):
        if call.path == "/fail":
            raise ZeroDivisionError
        await echo(call)

    async with serving(fails) as (_, port), connected(port) as (other, to_other):
        async with connected(port) as (reader, writer):
            writer.write(post(b"z", "/fail"))
            assert await reader.read() == b""
        to_other.write(post(b"z"))
        assert (await response(other))[0] == 200
        assert "ZeroDivisionError" in caplog.text


async def test_closing_lets_requests_under_way_end_and_idle_callers_go():
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def waits(call):
        begun.set()
        await go_on.wait()
        await echo(call)

    async with serving(waits) as (server, port), connected(port) as (idle, _), connected(port) as (busy, ask):
        ask.write(post(b"z"))
        await begun.wait()
        closing = asyncio.create_task(server.close(10))
        assert await idle.read() == b""
        with pytest.raises(OSError, match=r"refused|reset|Connect"):
            await asyncio.open_connection("127.0.0.1", port)
        go_on.set()
        status, headers, _ = await response(busy)
        assert (status, headers["connection"]) == (200, "close")
        await closing


async def test_closing_does_not_wait_for_ever():
    told = []
    begun = asyncio.Event()

    async def never(call):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(call.gone)
            call.answer(503, PLAIN, b"closing")
            raise

    async with serving(never) as (server, port), connected(port) as (reader, writer):
        writer.write(post(b"z"))
        await begun.wait()
        await asyncio.gather(server.close(0.05), reader.readuntil(b"closing"))
        assert told == [False]


async def test_a_caller_who_hangs_up_takes_his_request_with_him():
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def never(call):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set_result(call.gone)

    async with serving(never) as (server, port):
        async with connected(port) as (_, writer):
            writer.write(post(b"z"))
            await begun.wait()
        async with asyncio.timeout(10):
            assert await ended
            while server.connections:
                await asyncio.sleep(0)


async def test_who_writes_waits_for_who_reads():
    wrote = 0
    total = 64

    async def floods(call):
        nonlocal wrote
        call.stream(200, PLAIN)
        for _ in range(total):
            await call.write(b"x" * 1_000_000)
            wrote += 1
        call.end()

    async with serving(floods) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000_000)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(200):
            await asyncio.sleep(0)
        assert wrote < total
        end = b""
        async with asyncio.timeout(20):
            while not end.endswith(b"0\r\n\r\n"):
                end = (end + await reader.read(1_000_000))[-5:]
        assert wrote == total
        writer.close()


async def test_a_silent_connection_is_closed_and_a_busy_one_is_not(monkeypatch):
    monkeypatch.setattr(http, "SILENCE", 0.1)
    monkeypatch.setattr(http, "TICK", 0.02)
    go_on = asyncio.Event()

    async def waits(call):
        await go_on.wait()
        await echo(call)

    async with (
        serving(waits) as (_, port),
        connected(port) as (busy, ask),
        connected(port) as (half, write_half),
    ):
        ask.write(post(b"z"))
        write_half.write(b"POST / HTTP/1.1\r\nContent-")
        with suppress(ConnectionResetError):
            assert await half.read() == b""
        go_on.set()
        assert (await response(busy))[0] == 200
