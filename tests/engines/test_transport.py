"""Whole responses over real sockets, on both event loops: what is read, what is refused, and when waiting ends."""

import asyncio
import socket
import tracemalloc

import pytest
from transport_doubles import OK, PATIENT, Silence, answering, reaching, read_request, serving

from headgate.engines.transport import Clocks, HttpTransport, Response, ResponseHeaders, TransportFailure

SOON = 5.0  # seconds that nothing here comes near, unless it hangs


async def ask(answer, method="GET", body=b"", clocks=PATIENT, **options):
    async with serving(answer) as server, reaching(server, **options) as transport:
        return await transport.request(method, "/", body=body, clocks=clocks)


async def test_the_request_on_the_wire_is_exactly_this():
    heard = []

    async def answer(reader, writer):
        heard.append(await read_request(reader))
        writer.write(OK)
        await reader.read()

    async with serving(answer) as server:
        transport = HttpTransport(server.url + "/api/", headers=[("Authorization", "Bearer k")])
        headers = [("content-type", "application/json")]
        await transport.request("POST", "/v1/chat?x=1", headers=headers, body=b'{"a":1}', clocks=PATIENT)
        await transport.close()
    assert heard == [
        (
            b"POST /api/v1/chat?x=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept-encoding: identity\r\n"
            b"Authorization: Bearer k\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n"
            % server.port,
            b'{"a":1}',
        )
    ]


def test_response_headers_are_found_in_any_case_of_letters():
    headers = ResponseHeaders([(b"Content-TYPE", b"text/html"), (b"x-a", b""), (b"X-A", b"2")])
    assert headers.get("content-type") == headers.get(b"CONTENT-type") == "text/html"
    assert headers.get("x-a") == ""
    assert headers.get("x-b") is None


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\ntrailer: t\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "status", "body"),
    [
        (CHUNKED, 200, b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: l\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 307 Elsewhere\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 307, b""),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\nbad", 500, b"bad"),
    ],
    ids=["chunked", "interim heads", "204", "304", "redirect", "error"],
)
async def test_responses_of_every_framing_leave_the_connection_usable(wire, status, body):
    async with serving(answering(wire)) as server, reaching(server) as transport:
        for _ in range(2):
            response = await transport.request("GET", "/", clocks=PATIENT)
            assert isinstance(response, Response), response
            assert (response.status, response.body) == (status, body)
            assert response.headers.get("trailer") is response.headers.get("link") is None
        assert server.connections == 1


async def test_the_answer_to_head_has_no_body_whatever_it_promises():
    response = await ask(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"), method="HEAD")
    assert isinstance(response, Response)
    assert (response.body, response.headers.get("content-length")) == (b"", "1000")


async def test_a_response_written_byte_by_byte_is_read():
    async def answer(reader, writer):
        await read_request(reader)
        for byte in CHUNKED:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    response = await ask(answer)
    assert isinstance(response, Response)
    assert response.body == b"abcde"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_a_body_that_only_the_hang_up_ends_is_marked_as_unproven(head):
    response = await ask(answering(head + b"perhaps all", close=True))
    assert isinstance(response, Response)
    assert (response.body, response.complete) == (b"perhaps all", False)


@pytest.mark.parametrize(
    ("wire", "detail"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nconte", "within the head"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "after 4 body bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf", "after 4 body bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n", "after 4 body bytes"),
    ],
    ids=["before the head", "in the head", "in the body", "in a chunk", "between chunks"],
)
async def test_a_cut_response_is_broken_and_only_an_unbegun_one_may_be_retried(wire, detail):
    failure = await ask(answering(wire, close=True))
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.bytes_received, failure.retryable) == ("broken", len(wire), not wire)
    assert detail in failure.detail


@pytest.mark.parametrize(
    ("wire", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
            "does not speak HTTP",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n", "bytes of headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "bytes of headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000, "bytes of headers"),
        (CHUNKED[:-2] + b"t: y\r\n" * 80_000, "bytes of headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000, "longer than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "longer than 1000 bytes"),
    ],
    ids=[
        "garbage",
        "upgrade",
        "two framings",
        "long header",
        "long head",
        "1xx flood",
        "trailers",
        "body",
        "no end",
    ],
)
async def test_what_is_no_acceptable_answer_is_broken_and_not_worth_a_retry(wire, detail):
    failure = await ask(answering(wire), body_limit=1000)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.retryable) == ("broken", False)
    assert detail in failure.detail


async def test_nobody_listening_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: the port is ours and refuses
        transport = HttpTransport(f"http://127.0.0.1:{taken.getsockname()[1]}")
        failure = await transport.request("GET", "/", clocks=PATIENT)
        await transport.close()
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.retryable) == ("refused", True)
    assert "nothing listens at 127.0.0.1:" in failure.detail


@pytest.mark.parametrize(
    ("first", "clocks", "clock"),
    [
        (b"", Clocks(connect=5, first_byte=0.05, between_bytes=5, total=5), "first_byte"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n",
            Clocks(connect=5, first_byte=0.05, between_bytes=0.001, total=5),
            "first_byte",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nx",
            Clocks(connect=5, first_byte=5, between_bytes=0.05, total=5),
            "between_bytes",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nx", Clocks(connect=5, first_byte=5, between_bytes=5, total=0.05), "total"),
        (b"", Clocks(connect=5, first_byte=5, between_bytes=5, total=0.05), "total"),
    ],
    ids=[
        "nothing comes",
        "only the head comes",
        "the body stalls",
        "the body never ends",
        "no answer in all the time",
    ],
)
async def test_each_clock_ends_the_wait_it_is_for_and_hangs_up(first, clocks, clock):
    silence = Silence(first)
    async with serving(silence) as server, reaching(server) as transport:
        failure = await asyncio.wait_for(transport.request("GET", "/", clocks=clocks), SOON)
        await asyncio.wait_for(silence.hung_up.wait(), SOON)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.clock, failure.retryable) == ("timeout", clock, False)
    assert "0.05 s" in failure.detail


async def test_a_timer_set_for_a_patient_request_does_not_delay_an_impatient_one():
    async def answer(reader, writer):
        await read_request(reader)
        writer.write(OK)
        await reader.read()

    async with serving(answer) as server, reaching(server) as transport:
        assert isinstance(await transport.request("GET", "/", clocks=PATIENT), Response)
        impatient = Clocks(connect=5, first_byte=0.05, between_bytes=5, total=5)
        failure = await asyncio.wait_for(transport.request("GET", "/", clocks=impatient), SOON)
        assert isinstance(failure, TransportFailure)
        assert (failure.clock, server.connections) == ("first_byte", 1)


async def test_cancelling_a_request_hangs_up_on_the_server_at_once():
    silence = Silence(b"HTTP/1.1 200 OK\r\n\r\nthe beginning")
    async with serving(silence) as server, reaching(server) as transport:
        task = asyncio.create_task(transport.request("GET", "/", clocks=PATIENT))
        await silence.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(silence.hung_up.wait(), SOON)


async def test_a_large_body_is_sent_without_a_second_copy_in_memory():
    size = 50 * 1024 * 1024
    body = bytes(size)
    taken = 0

    async def answer(reader, writer):
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        while taken < size:
            taken += len(await reader.read(1 << 16))
        writer.write(OK)
        await reader.read()

    async with serving(answer) as server, reaching(server) as transport:
        tracemalloc.start()
        try:
            response = await transport.request("POST", "/", body=body, clocks=PATIENT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert isinstance(response, Response)
        assert taken == size
        assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    "linger", [True, False], ids=["the server lingers", "the server hangs up with bytes unread"]
)
async def test_an_early_refusal_is_read_while_the_body_is_still_going_out(linger):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig")
        await writer.drain()
        if linger:
            writer.transport.pause_reading()
            await reader.read(-1)

    response = await asyncio.wait_for(ask(answer, method="POST", body=bytes(20 * 1024 * 1024)), SOON)
    assert isinstance(response, Response)
    assert (response.status, response.body) == (413, b"big")


async def test_an_ipv6_address_is_reached():
    try:
        async with serving(answering(OK), bind="::1") as server:
            server.host = "[::1]"
            async with reaching(server) as transport:
                assert isinstance(await transport.request("GET", "/", clocks=PATIENT), Response)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
