"""The pool of connections: which one serves next, which one never again, who waits, and what closing leaves."""

import asyncio
from functools import partial

import pytest
from transport_doubles import OK, PATIENT, Silence, answering, reaching, read_request, serving, until

from headgate.engines.transport import Clocks, HttpTransport, Response, TransportFailure

SOON = 5.0  # seconds that nothing here comes near, unless it hangs


async def test_a_connection_serves_one_request_after_another():
    async with serving(answering(OK)) as server, reaching(server) as transport:
        for _ in range(3):
            response = await transport.request("POST", "/v1/chat", body=b"{}", clocks=PATIENT)
            assert isinstance(response, Response)
            assert (response.status, response.body, response.complete) == (200, b"ok", True)
            assert 0 < response.timing.connect <= response.timing.first_byte <= response.timing.total
        assert server.connections == 1


async def test_an_answer_that_nobody_asked_for_is_given_to_nobody():
    served, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader, writer):
        await read_request(reader)
        writer.write(OK)
        if not served.is_set():
            await served.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")
        await reader.read()
        gone.set()

    async with serving(answer) as server, reaching(server) as transport:
        await transport.request("GET", "/", clocks=PATIENT)
        served.set()
        await asyncio.wait_for(gone.wait(), SOON)
        response = await transport.request("GET", "/", clocks=PATIENT)
        assert isinstance(response, Response)
        assert (response.body, server.connections) == (b"ok", 2)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",
        OK + b"HTTP/1.1 204 No Content\r\n\r\n",
        OK + b"HTTP/1.1 2",
        OK + b"junk",
    ],
    ids=[
        "asked to close",
        "HTTP/1.0",
        "a second answer",
        "an empty one",
        "half a one",
        "junk behind the end",
    ],
)
async def test_a_connection_is_not_used_again_after(wire):
    async with serving(answering(wire)) as server, reaching(server) as transport:
        for _ in range(2):
            response = await transport.request("GET", "/", clocks=PATIENT)
            assert isinstance(response, Response)
            assert response.body == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize(
    ("last_words", "connections", "result"),
    [(b"", 2, Response), (b"H", 1, TransportFailure)],
    ids=["no byte had arrived", "a byte had arrived"],
)
async def test_a_stale_connection_is_replaced_only_if(last_words, connections, result):
    first = True

    async def answer(reader, writer):
        nonlocal first
        await read_request(reader)
        writer.write(OK)
        await read_request(reader)
        writer.write(last_words if first else OK)
        if first:
            first = False
            writer.close()
            await writer.wait_closed()

    async with serving(answer) as server, reaching(server) as transport:
        assert isinstance(await transport.request("POST", "/", clocks=PATIENT), Response)
        assert isinstance(await transport.request("POST", "/", clocks=PATIENT), result)
        assert server.connections == connections


async def test_a_stale_connection_is_replaced_exactly_once(monkeypatch):
    asked = 0

    async def answer(reader, writer):
        nonlocal asked
        while True:
            await read_request(reader)
            asked += 1
            if asked > 1:
                break
            writer.write(OK)

    async with serving(answer) as server, reaching(server) as transport:
        assert isinstance(await transport.request("GET", "/", clocks=PATIENT), Response)
        connect = transport._connect

        async def get_one_that_was_in_use(*args):
            connection = await connect(*args)
            connection.reused = True
            return connection

        monkeypatch.setattr(transport, "_connect", get_one_that_was_in_use)
        failure = await transport.request("GET", "/", clocks=PATIENT)
        assert isinstance(failure, TransportFailure)
        assert (failure.kind, failure.retryable, asked) == ("broken", True, 3)


async def test_a_connection_is_not_used_again_when_the_answer_came_before_the_whole_request():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.Event().wait()

    async with serving(answer) as server, reaching(server) as transport:
        for _ in range(2):
            response = await transport.request("POST", "/", body=bytes(20 * 1024 * 1024), clocks=PATIENT)
            assert isinstance(response, Response)
        assert server.connections == 2


async def test_five_hundred_requests_share_eight_connections():
    async with serving(answering(OK)) as server, reaching(server, max_connections=8) as transport:
        asked = [transport.request("GET", "/", clocks=PATIENT) for _ in range(500)]
        assert all(isinstance(response, Response) for response in await asyncio.gather(*asked))
        assert server.open_most <= server.connections <= 8


async def test_waiting_for_a_free_connection_has_its_own_clock():
    silence = Silence()
    async with serving(silence) as server, reaching(server, max_connections=1) as transport:
        holder = asyncio.create_task(transport.request("GET", "/", clocks=PATIENT))
        await silence.asked.wait()
        hurried = Clocks(connect=0.05, first_byte=5, between_bytes=5, total=5)
        failure = await asyncio.wait_for(transport.request("GET", "/", clocks=hurried), SOON)
        assert isinstance(failure, TransportFailure)
        assert (failure.kind, failure.clock, failure.retryable) == ("timeout", "pool", True)
        holder.cancel()


async def test_a_connection_given_to_a_cancelled_waiter_goes_to_the_next_one(monkeypatch):
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(reader, writer):
        while True:
            await read_request(reader)
            asked.set()
            await go.wait()
            writer.write(OK)

    async with serving(answer) as server, reaching(server, max_connections=1) as transport:
        ask = partial(transport.request, "GET", "/", clocks=PATIENT)
        holder = asyncio.create_task(ask())
        await asked.wait()
        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        await until(lambda: len(transport._waiting) == 2)
        keep = transport._keep

        def keep_and_cancel(connection):
            keep(connection)
            first.cancel()

        monkeypatch.setattr(transport, "_keep", keep_and_cancel)
        holder.add_done_callback(lambda _: monkeypatch.undo())
        go.set()
        assert isinstance(await asyncio.wait_for(second, SOON), Response)
        assert first.cancelled()
        assert server.connections == 1


async def test_an_idle_connection_is_closed_after_its_time():
    gone = asyncio.Event()

    async def answer(reader, writer):
        await read_request(reader)
        writer.write(OK)
        await reader.read()
        gone.set()

    async with serving(answer) as server, reaching(server, idle_limit=0.05) as transport:
        assert isinstance(await transport.request("GET", "/", clocks=PATIENT), Response)
        await asyncio.wait_for(gone.wait(), SOON)


async def test_closing_ends_what_is_under_way_and_refuses_what_comes_later():
    silence = Silence()
    async with serving(silence) as server:
        transport = HttpTransport(server.url, max_connections=1)
        under_way = asyncio.create_task(transport.request("GET", "/", clocks=PATIENT))
        await silence.asked.wait()
        waiting = asyncio.create_task(transport.request("GET", "/", clocks=PATIENT))
        await until(lambda: transport._waiting)
        await asyncio.wait_for(transport.close(), SOON)
        later = await transport.request("GET", "/", clocks=PATIENT)
        kinds = [getattr(failure, "kind", None) for failure in (await under_way, await waiting, later)]
        assert kinds == ["broken", "refused", "refused"]
        assert not transport._open


async def test_a_server_that_hangs_up_on_whoever_connects_is_broken_and_not_waited_for():
    async def answer(reader, writer):
        writer.close()

    async with serving(answer) as server, reaching(server) as transport:
        failure = await asyncio.wait_for(transport.request("GET", "/", clocks=PATIENT), SOON)
        assert isinstance(failure, TransportFailure)
        assert (failure.kind, failure.retryable, server.connections) == ("broken", True, 1)
