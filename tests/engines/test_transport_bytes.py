"""Bytes without sockets: however a response is split, it reads the same, and no text breaks out of a request's head."""

import asyncio
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engines.connection import Connection
from headgate.engines.origin import encode_headers
from headgate.engines.transport import Clocks, HttpTransport

CLOCKS = Clocks(connect=5, first_byte=5, between_bytes=5, total=5)


class Wire(asyncio.Transport):
    """A socket that answers the first write with `pieces`, one a turn of the loop, and then hangs up."""

    def __init__(self, connection, pieces):
        super().__init__()
        self.connection = connection
        self.pieces = pieces

    def write(self, data):
        for piece in self.pieces:
            asyncio.get_running_loop().call_soon(self.deliver, piece)
        asyncio.get_running_loop().call_soon(self.hang_up)

    def deliver(self, piece):
        if self.connection.open:
            self.connection.data_received(piece)

    def hang_up(self):
        if self.connection.open:
            self.connection.connection_lost(None)

    def abort(self):
        pass


async def read(pieces):
    connection = Connection("a double", 1 << 20, lambda _: None)
    connection.connection_made(Wire(connection, pieces))
    failure = await connection.exchange(
        b"GET / HTTP/1.1\r\n\r\n", b"", CLOCKS, perf_counter(), bodiless=False, streaming=False
    )
    return failure, connection.status, connection.headers, connection.take_body(), connection.complete


def encoded(body, sizes):
    if sizes is None:
        return b"HTTP/1.1 200 OK\r\nx-empty:\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    wire, at = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 0
    for size in (*sizes, len(body)):
        if part := body[at : at + size]:
            wire += b"%x\r\n%b\r\n" % (len(part), part)
        at += size
    return wire + b"0\r\nlast: words\r\n\r\n"


def split(wire, cuts):
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(wire)}), len(wire)]
    return [wire[start:end] for start, end in pairwise(edges)]


@given(
    body=st.binary(max_size=300),
    sizes=st.none() | st.lists(st.integers(1, 40), max_size=8),
    cuts=st.lists(st.integers(1, 500), max_size=30),
)
def test_a_response_reads_the_same_however_it_is_chunked_and_split(body, sizes, cuts):
    failure, status, headers, got, complete = asyncio.run(read(split(encoded(body, sizes), cuts)))
    assert (failure, status, got, complete) == (None, 200, body, True)
    assert b"last" not in dict(headers)


@pytest.mark.parametrize("sizes", [None, [3, 1, 7]], ids=["counted", "chunked"])
def test_a_response_cut_at_any_byte_is_broken(sizes):
    wire = encoded(b"some body of an answer", sizes)
    for length in range(1, len(wire)):
        failure, *_ = asyncio.run(read([wire[:length]]))
        assert failure is not None, wire[:length]
        assert (failure.kind, failure.bytes_received, failure.retryable) == ("broken", length, False)


@pytest.mark.parametrize("sizes", [None, [3, 1, 7]], ids=["counted", "chunked"])
def test_a_response_in_single_bytes_or_in_two_pieces_at_any_byte_is_whole(sizes):
    wire = encoded(b"some body of an answer", sizes)
    for cuts in (range(len(wire)), *([at] for at in range(1, len(wire)))):
        assert asyncio.run(read(split(wire, cuts)))[0] is None


def test_a_long_body_in_tiny_chunks_is_not_taken_for_endless_headers():
    pieces = [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        *[b"1\r\n", b"x\r\n"] * 25_000,
        b"0\r\n\r\n",
    ]
    failure, _, _, body, _ = asyncio.run(read(pieces))
    assert (failure, body) == (None, b"x" * 25_000)


@given(name=st.text(max_size=20), value=st.text(max_size=40))
def test_a_header_is_one_line_or_an_error(name, value):
    try:
        line = encode_headers([(name, value)])
    except ValueError:
        return
    assert line == f"{name}: {value}\r\n".encode("latin-1")
    assert line.count(b"\r") == line.count(b"\n") == 1
    assert b"\0" not in line


@pytest.mark.parametrize("text", ["a\r\nx: y", "a\n", "\n", "a\rb", "a\0b", "snow \N{SNOWMAN}"])
def test_line_breaks_and_nulls_get_into_no_part_of_a_request(text):
    transport = HttpTransport("http://127.0.0.1:1")
    for method, target, headers in [
        ("GET", "/" + text, ()),
        ("GET" + text, "/", ()),
        ("GET", "/", [("x", text)]),
        ("GET", "/", [("x" + text, "y")]),
    ]:
        with pytest.raises(ValueError):
            transport.stream(method, target, headers=headers, clocks=CLOCKS)
    with pytest.raises(ValueError):
        HttpTransport("http://127.0.0.1:1", headers=[("x", text)])


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "HOST", "Connection", "accept-encoding"]
)
def test_the_headers_that_frame_a_request_belong_to_the_transport(name):
    with pytest.raises(ValueError, match="set by the transport itself"):
        encode_headers([(name, "1")])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "host:80",
        "http://",
        "http://u:secret@host",
        "http://host/?a=1",
        "http://host/a b",
        "http://h h/",
    ],
)
def test_an_address_that_cannot_be_used_is_an_error_and_gives_no_secret_away(url):
    with pytest.raises(ValueError) as error:
        HttpTransport(url)
    assert "secret" not in str(error.value)


async def test_a_connection_lost_before_its_exchange_is_not_waited_for():
    connection = Connection("a double", 1 << 20, lambda _: None)
    connection.connection_made(Wire(connection, []))
    connection.connection_lost(None)
    call = connection.exchange(
        b"GET / HTTP/1.1\r\n\r\n", b"", CLOCKS, perf_counter(), bodiless=False, streaming=False
    )
    failure = await asyncio.wait_for(call, 1)
    assert failure is not None
    assert failure.retryable


async def test_a_farewell_that_crosses_a_request_is_not_taken_for_its_answer():
    connection = Connection("a double", 1 << 20, lambda _: None)
    connection.connection_made(Wire(connection, []))
    asked = asyncio.create_task(
        connection.exchange(
            b"GET / HTTP/1.1\r\n\r\n", b"", CLOCKS, perf_counter(), bodiless=False, streaming=False
        )
    )
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
    failure = await asked
    assert failure.kind == "broken"
    assert failure.retryable
    assert not failure.bytes_received
    assert not connection.open
