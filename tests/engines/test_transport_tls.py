"""TLS with a real server and an authority of our own: trusted when named, refused with a reason when not."""

import asyncio
import shutil
import ssl
import subprocess

import pytest
from transport_doubles import OK, PATIENT, answering, reaching, read_request, serving

from headgate.engines.transport import Clocks, HttpTransport, Response, StreamEnd, TransportFailure

SOON = 5.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with `ca.pem`, and a server's `key.pem` and `cert.pem` for `localhost` signed by it."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates for this test")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "leaf.ext").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    make_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout"
    ca_subject = "-subj /CN=an-authority-of-our-own -addext keyUsage=critical,keyCertSign"
    sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext"
    for command in (
        f"req -x509 {make_key} ca.key -out ca.pem -days 2 {ca_subject}",
        f"req -new {make_key} key.pem -out leaf.csr -subj /CN=localhost",
        f"x509 -req -in leaf.csr -out cert.pem {sign}",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def server_side(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    return context


async def test_a_named_authority_is_trusted_and_the_connection_kept(authority, server_side):
    asked_for = []
    server_side.sni_callback = lambda _, name, __: asked_for.append(name)
    async with serving(answering(OK), ssl=server_side) as server:
        server.host = "localhost"
        async with reaching(server, ca_file=str(authority / "ca.pem")) as transport:
            for _ in range(2):
                response = await transport.request("GET", "/", clocks=PATIENT)
                assert isinstance(response, Response), response
                assert response.body == b"ok"
        assert (server.connections, asked_for) == (1, ["localhost"])


async def test_an_unknown_authority_is_refused_and_the_reason_told(server_side):
    async with serving(answering(OK), ssl=server_side) as server:
        server.host = "localhost"
        async with reaching(server) as transport:
            failure = await transport.request("GET", "/", clocks=PATIENT)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.retryable) == ("refused", False)
    assert failure.detail.startswith("the certificate of localhost:")
    assert "unable to get local issuer certificate" in failure.detail


async def test_a_certificate_for_another_name_is_refused_and_the_reason_told(authority, server_side):
    trust = str(authority / "ca.pem")  # it is for localhost, and not for 127.0.0.1
    async with (
        serving(answering(OK), ssl=server_side) as server,
        reaching(server, ca_file=trust) as transport,
    ):
        failure = await transport.request("GET", "/", clocks=PATIENT)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.retryable) == ("refused", False)
    assert "mismatch" in failure.detail


async def test_a_server_without_tls_is_refused():
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async with serving(answer) as server:
        server.scheme = "https"
        async with reaching(server) as transport:
            failure = await asyncio.wait_for(transport.request("GET", "/", clocks=PATIENT), SOON)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.retryable) == ("refused", False)
    assert "TLS with 127.0.0.1:" in failure.detail


async def test_a_server_that_never_shakes_hands_runs_into_the_connect_clock():
    async def answer(reader, writer):
        await reader.read()
        await asyncio.Event().wait()

    clocks = Clocks(connect=0.05, first_byte=5, between_bytes=5, total=5)
    async with serving(answer) as server:
        server.scheme = "https"
        async with reaching(server) as transport:
            failure = await asyncio.wait_for(transport.request("GET", "/", clocks=clocks), SOON)
    assert isinstance(failure, TransportFailure)
    assert (failure.kind, failure.clock, failure.retryable) == ("timeout", "connect", True)


async def test_closing_does_not_wait_for_a_handshake_under_way():
    connected = asyncio.Event()

    async def answer(reader, writer):
        await reader.read(1)
        connected.set()
        await asyncio.Event().wait()

    async with serving(answer) as server:
        server.scheme = "https"
        async with reaching(server) as transport:
            under_way = asyncio.create_task(transport.request("GET", "/", clocks=PATIENT))
            await connected.wait()
            await asyncio.wait_for(transport.close(), SOON)
            failure = await under_way
    assert isinstance(failure, TransportFailure)
    assert failure.kind == "refused"


async def test_large_bodies_pass_both_ways_at_the_speed_of_the_slower_side(authority, server_side):
    size = 8 * 1024 * 1024

    async def answer(reader, writer):
        _, body = await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 65_536):
            writer.write(body[at : at + 65_536])
            await writer.drain()
        await reader.read()

    async with serving(answer, ssl=server_side) as server:
        server.host = "localhost"
        async with reaching(server, ca_file=str(authority / "ca.pem")) as transport:
            got = []
            body = bytes(range(256)) * (size // 256)
            async with transport.stream("POST", "/", body=body, clocks=PATIENT) as stream:
                async for piece in stream:
                    got.append(piece)
                    await asyncio.sleep(0)
            assert isinstance(stream.end, StreamEnd)
            assert b"".join(got) == body


def test_a_ca_file_that_is_none_is_an_error_at_once(tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    for path in ("ca.pem", "missing.pem"):
        with pytest.raises(ValueError, match="holds no readable certificates"):
            HttpTransport("https://localhost", ca_file=str(tmp_path / path))
    with pytest.raises(ValueError, match="https:// only"):
        HttpTransport("http://localhost", ca_file=str(tmp_path / "ca.pem"))
