"""Responses read as they come: nothing held back, nothing piled up, and no cut taken for an end."""

import asyncio
from contextlib import suppress

import pytest
from transport_doubles import OK, PATIENT, Silence, answering, reaching, read_request, serving

from headgate.engines.transport import Clocks, ResponseHead, StreamEnd, TransportFailure

SOON = 5.0
EVENT_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_each_chunk_is_given_before_the_next_one_is_sent():
    seen = asyncio.Semaphore(0)

    async def answer(reader, writer):
        await read_request(reader)
        writer.write(EVENT_STREAM)
        for number in range(5):
            writer.write(chunk(b"data: %d\n\n" % number))
            await seen.acquire()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with serving(answer) as server, reaching(server) as transport:
        got = []
        async with transport.stream("POST", "/", body=b"{}", clocks=PATIENT) as stream:
            assert isinstance(stream.head, ResponseHead)
            assert stream.head.headers.get("content-type") == "text/event-stream"
            async for piece in stream:
                assert stream.end is None
                got.append(piece)
                seen.release()
        assert got == [b"data: %d\n\n" % number for number in range(5)]
        assert isinstance(stream.end, StreamEnd)
        assert (stream.end.bytes_received, stream.end.complete) == (45, True)
        assert stream.end.timing.first_byte <= stream.end.timing.total


async def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next_one():
    answer = answering(EVENT_STREAM + chunk(b"one") + b"0\r\n\r\n", OK)
    async with serving(answer) as server, reaching(server) as transport:
        for expected in (b"one", b"ok", b"ok"):
            async with transport.stream("GET", "/", clocks=PATIENT) as stream:
                assert b"".join([piece async for piece in stream]) == expected
        assert server.connections == 1


@pytest.mark.parametrize(
    "wire",
    [
        EVENT_STREAM + chunk(b"half"),
        EVENT_STREAM + chunk(b"half") + b"ff\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
    ],
    ids=["between chunks", "in a chunk", "in a counted body"],
)
async def test_a_cut_stream_is_never_a_clean_finish(wire):
    async with serving(answering(wire, close=True)) as server, reaching(server) as transport:
        async with transport.stream("GET", "/", clocks=PATIENT) as stream:
            assert b"".join([piece async for piece in stream]) == b"half"
        assert isinstance(stream.end, TransportFailure)
        assert (stream.end.kind, stream.end.bytes_received) == ("broken", len(wire))
        assert not stream.end.retryable


async def test_a_stream_that_only_the_hang_up_ends_is_marked_as_unproven():
    wire = b"HTTP/1.1 200 OK\r\n\r\nperhaps all"
    async with serving(answering(wire, close=True)) as server, reaching(server) as transport:
        async with transport.stream("GET", "/", clocks=PATIENT) as stream:
            assert b"".join([piece async for piece in stream]) == b"perhaps all"
        assert isinstance(stream.end, StreamEnd)
        assert not stream.end.complete


async def test_a_stream_without_a_head_has_its_failure_for_head_and_end():
    async with serving(answering(b"", close=True)) as server, reaching(server) as transport:
        async with transport.stream("GET", "/", clocks=PATIENT) as stream:
            assert [piece async for piece in stream] == []
        assert isinstance(stream.head, TransportFailure)
        assert stream.end is stream.head
        assert stream.head.retryable


@pytest.mark.parametrize(
    ("first", "clocks", "clock", "received"),
    [
        (EVENT_STREAM, Clocks(connect=5, first_byte=0.05, between_bytes=0.001, total=5), "first_byte", b""),
        (
            EVENT_STREAM + chunk(b"a"),
            Clocks(connect=5, first_byte=5, between_bytes=0.05, total=5),
            "between_bytes",
            b"a",
        ),
        (
            EVENT_STREAM + chunk(b"a"),
            Clocks(connect=5, first_byte=5, between_bytes=5, total=0.05),
            "total",
            b"a",
        ),
    ],
    ids=["before the first byte", "between bytes", "in all"],
)
async def test_a_stalled_stream_ends_by_the_right_clock_after_what_had_come(first, clocks, clock, received):
    silence = Silence(first)
    async with serving(silence) as server, reaching(server) as transport:
        async with asyncio.timeout(SOON), transport.stream("GET", "/", clocks=clocks) as stream:
            assert isinstance(stream.head, ResponseHead)
            assert b"".join([piece async for piece in stream]) == received
        await asyncio.wait_for(silence.hung_up.wait(), SOON)
    assert isinstance(stream.end, TransportFailure)
    assert (stream.end.kind, stream.end.clock) == ("timeout", clock)


async def test_leaving_a_stream_early_hangs_up_on_the_server_at_once():
    silence = Silence(EVENT_STREAM + chunk(b"enough"))
    async with serving(silence) as server, reaching(server) as transport:
        async with transport.stream("GET", "/", clocks=PATIENT) as stream:
            async for piece in stream:
                assert piece == b"enough"
                break
        assert stream.end is None
        await asyncio.wait_for(silence.hung_up.wait(), SOON)


@pytest.mark.parametrize("first", [b"", EVENT_STREAM], ids=["waiting for the head", "waiting for a chunk"])
async def test_cancelling_a_stream_hangs_up_on_the_server_at_once(first):
    async def listen():
        async with transport.stream("GET", "/", clocks=PATIENT) as stream:
            async for _ in stream:
                pass

    silence = Silence(first)
    async with serving(silence) as server, reaching(server) as transport:
        task = asyncio.create_task(listen())
        await silence.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(silence.hung_up.wait(), SOON)


async def silence_of(event, seconds):
    """Wait until `event` has not been set for so long."""
    with suppress(TimeoutError):
        while True:
            event.clear()
            await asyncio.wait_for(event.wait(), seconds)


async def test_a_slow_consumer_stops_the_server_and_loses_nothing():
    piece, count = b"x" * 65_536, 512  # 32 MiB
    sent = 0
    progress = asyncio.Event()

    async def answer(reader, writer):
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(piece) * count))
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            progress.set()
        await reader.read()

    # The silence that we cause ourselves is longer than `between_bytes` and no reason to give up.
    clocks = Clocks(connect=5, first_byte=5, between_bytes=0.15, total=30)
    async with serving(answer) as server, reaching(server) as transport:
        async with transport.stream("GET", "/", clocks=clocks) as stream:
            await silence_of(progress, 0.4)
            (connection,) = transport._open
            assert 256 * 1024 <= connection._buffered <= 768 * 1024
            assert sent < 24 * 1024 * 1024  # the rest is what the kernel holds for a socket that nobody reads
            got = 0
            async for data in stream:
                got += len(data)
        assert got == sent == len(piece) * count
        assert isinstance(stream.end, StreamEnd)


async def test_the_head_of_an_early_refusal_is_given_while_its_body_is_still_to_come():
    seen = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\n")
        await seen.wait()
        writer.write(b"big")
        await asyncio.Event().wait()

    async with serving(answer) as server, reaching(server) as transport, asyncio.timeout(SOON):
        async with transport.stream("POST", "/", body=bytes(20 * 1024 * 1024), clocks=PATIENT) as stream:
            assert isinstance(stream.head, ResponseHead)
            assert stream.head.status == 413
            seen.set()
            assert b"".join([piece async for piece in stream]) == b"big"
        assert isinstance(stream.end, StreamEnd)


async def test_an_endless_stream_is_cut_at_the_body_limit():
    async def answer(reader, writer):
        await read_request(reader)
        writer.write(EVENT_STREAM)
        while True:
            writer.write(chunk(b"x" * 1000))
            await writer.drain()

    async with serving(answer) as server, reaching(server, body_limit=100_000) as transport:
        async with asyncio.timeout(SOON), transport.stream("GET", "/", clocks=PATIENT) as stream:
            async for _ in stream:
                pass
        assert isinstance(stream.end, TransportFailure)
        assert "longer than 100000 bytes" in stream.end.detail
