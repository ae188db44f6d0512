"""What a strict reading found in the HTTP server's first version: each of these was broken once."""

import asyncio
import socket
from contextlib import suppress

import pytest
from http_calls import PLAIN, connected, echo, post, response, serving

from headgate.gateway import http


@pytest.mark.parametrize("attempt", range(3))
async def test_a_request_sent_at_once_after_connecting_gets_its_word_and_its_refusal(attempt):
    async with serving() as (_, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
            assert (await asyncio.to_thread(sock.recv, 100)).startswith(b"HTTP/1.1 100")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"nonsense\r\n\r\n")
            assert (await asyncio.to_thread(sock.recv, 100)).startswith(b"HTTP/1.1 400")


async def test_one_word_and_no_more_is_said_to_who_also_wishes_for_another_protocol():
    lines = ("Expect: 100-continue", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"twice", "/", *lines))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await response(reader))[2] == b"POST / 5 twice"


async def test_a_wish_for_another_protocol_keeps_the_rest_of_what_was_said():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"z", "/", "Connection: close, Upgrade", "Upgrade: h2c"))
        assert (await response(reader))[1]["connection"] == "close"
        assert await reader.read() == b""
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\none two three")


async def test_many_wishes_for_another_protocol_in_one_packet_are_only_work():
    wish = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(wish * 1500)
        for _ in range(1500):
            assert (await response(reader))[0] == 200


async def test_what_stands_before_garbage_is_answered_and_then_the_garbage_refused():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"1") + post(b"2") + b"\x00garbage\r\n\r\n")
        assert (await response(reader))[2] == b"POST /echo 1 1"
        assert (await response(reader))[2] == b"POST /echo 1 2"
        assert (await response(reader))[0] == 400
        assert await reader.read() == b""


async def test_what_comes_behind_the_last_request_does_not_take_its_answer():
    async def slow(call):
        await asyncio.sleep(0.05)
        await echo(call)

    async with serving(slow) as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"z", "/", "Connection: close"))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(post(b"too late"))
        assert (await response(reader))[2] == b"POST / 1 z"


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"x-a: b\r\n" * 20_000, b"1;" + b"x" * 200_000],
    ids=["trailers", "mark of a chunk"],
)
async def test_trailers_and_marks_between_chunks_have_an_end(endless):
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + endless)
        assert (await response(reader))[0] in (400, 431)


async def test_a_trailer_changes_no_header():
    seen = []

    async def look(call):
        seen.append(call.headers)
        await echo(call)

    async with serving(look) as (_, port), connected(port) as (reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nOrigin: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nOrigin: there\r\n\r\n"
        )
        assert (await response(reader))[0] == 200
        assert seen[0][b"origin"] == b"here"


async def test_an_answer_that_breaks_off_ends_the_connection_and_no_other_answer_goes_into_it():
    async def breaks(call):
        if call.path == "/break":
            call.stream(200, PLAIN)
            await call.write(b"one")
        else:
            await echo(call)

    async with serving(breaks) as (_, port), connected(port) as (reader, writer):
        writer.write(post(b"z", "/break") + post(b"z"))
        assert (await reader.read()).endswith(b"\r\n\r\n3\r\none\r\n")


async def test_pipelining_does_not_fill_the_memory():
    taken = asyncio.Event()

    async def waits(call):
        await taken.wait()
        await echo(call)

    async with serving(waits) as (server, port), connected(port) as (_, writer):
        writer.transport.set_write_buffer_limits(high=0)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:
                    writer.write(post(b"z") * 1000)
                    await writer.drain()
        (connection,) = server.connections
        assert len(connection._calls) < 20_000
        writer.transport.abort()
        taken.set()


async def test_closing_waits_for_a_stream_and_not_for_its_callers_next_request():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def streams(call):
        call.stream(200, PLAIN)
        await call.write(b"one")
        begun.set()
        await go_on.wait()
        call.end()

    async with serving(streams) as (server, port), connected(port) as (reader, writer):
        writer.write(post(b"z"))
        await begun.wait()
        closing = asyncio.create_task(server.close(60))
        await asyncio.sleep(0)
        go_on.set()
        async with asyncio.timeout(5):
            await closing
            assert (await reader.read()).endswith(b"one\r\n0\r\n\r\n")


async def test_who_is_told_twice_to_close_closes_at_once():
    begun = asyncio.Event()

    async def never(_):
        begun.set()
        await asyncio.Event().wait()

    async with serving(never) as (server, port), connected(port) as (_, writer):
        writer.write(post(b"z"))
        await begun.wait()
        closing = asyncio.create_task(server.close(60))
        await asyncio.sleep(0)
        server.cancel()
        async with asyncio.timeout(5):
            await closing


async def test_a_caller_who_does_not_read_cannot_hold_a_gate_that_is_told_twice():
    answered = asyncio.Event()

    async def much(call):
        call.answer(200, PLAIN, b"x" * 30_000_000)
        answered.set()

    async with serving(much) as (server, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(post(b"z"))
            await answered.wait()
            closing = asyncio.create_task(server.close(60))
            await asyncio.sleep(0)
            server.cancel()
            async with asyncio.timeout(10):
                await closing
            assert not server.connections


async def test_a_caller_who_never_reads_his_answer_is_let_go(monkeypatch):
    monkeypatch.setattr(http, "SILENCE", 0.1)
    monkeypatch.setattr(http, "TICK", 0.02)

    async def much(call):
        call.answer(200, PLAIN, b"x" * 30_000_000)

    async with serving(much) as (server, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(post(b"z"))
            async with asyncio.timeout(10):
                while not server.connections:
                    await asyncio.sleep(0.01)
                while server.connections:
                    await asyncio.sleep(0.01)


async def test_a_caller_who_reads_slowly_is_not_let_go(monkeypatch):
    monkeypatch.setattr(http, "SILENCE", 1.0)
    monkeypatch.setattr(http, "TICK", 0.02)
    size = 12_000_000

    async def much(call):
        call.answer(200, PLAIN, b"x" * size)

    async with serving(much) as (_, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(post(b"z"))
            got = 0
            while got < size:
                piece = await asyncio.to_thread(sock.recv, 1_000_000)
                assert piece
                got += len(piece)
                await asyncio.sleep(0.12)


async def test_an_answer_that_took_long_does_not_make_its_connection_silent(monkeypatch):
    monkeypatch.setattr(http, "SILENCE", 1.0)
    monkeypatch.setattr(http, "TICK", 0.02)

    async def slow(call):
        await asyncio.sleep(1.2)
        await echo(call)

    async with serving(slow) as (_, port), connected(port) as (reader, writer):
        for _ in range(2):
            writer.write(post(b"z"))
            assert (await response(reader))[0] == 200
            await asyncio.sleep(0.1)


async def test_a_request_line_may_name_the_host():
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(
            b"GET http://127.0.0.1/a?b HTTP/1.1\r\nHost: x\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert (await response(reader))[2] == b"GET /a 0 "
        assert (await response(reader))[2] == b"OPTIONS * 0 "


async def test_small_pieces_are_sent_without_delay():
    async with serving() as (server, port), connected(port) as (_, writer):
        writer.write(b"GET")
        while not server.connections:
            await asyncio.sleep(0)
        (connection,) = server.connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
