"""Images by address: fetched only when the user allows it, never from a private address, and never without a reason."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from headgate.core.types import Image, Message, Request, Text
from headgate.gateway.images import Images, is_public
from headgate.wire.faults import Fault

PNG = b"\x89PNG\r\n\x1a\n"
SEEN = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}
]
LOCAL_EYES = (
    'id = "llama3.1:8b"',
    'id = "llama3.1:8b"\ncapabilities = ["images", "json", "schema", "tools"]',
)
PAID_EYES = ('id = "claude-sonnet-5-5"', 'id = "claude-sonnet-5-5"\ncapabilities = ["images", "tools"]')


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.9", False),
        ("172.20.1.1", False),
        ("169.254.169.254", False),  # where clouds keep their secrets
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
        ("fec0::1", False),
    ],
)
def test_only_addresses_of_the_open_internet_are_public(address, public):
    assert is_public(address) is public


async def test_an_address_goes_only_to_engines_that_fetch_it_themselves(open_bench):
    def change(page):
        return page.replace(*LOCAL_EYES).replace(*PAID_EYES)

    async with open_bench(change=change) as bench:
        said = await bench.ask(SEEN)
        assert said.headers["x-headgate-model"] == "claude"
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"llama": "capability"}
        assert "this one is an address" in outcome.decision.candidates[0].detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.png", "http://localhost/a.png", "http://[::1]/a.png"])
async def test_a_private_address_is_never_asked(open_bench, url):
    def change(page):
        return page.replace("body_limit_mb = 1", "body_limit_mb = 1\nfetch_images = true")

    async with open_bench(change=change) as bench:
        said = await bench.ask(
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
        )
        assert (said.status, said.json["error"]["code"]) == (400, "invalid_image_url")
        assert "private address" in said.json["error"]["message"]
        assert not bench.ollama.calls or all(call.path != "/api/chat" for call in bench.ollama.calls)


SHELF = {
    "/a.png": (200, {"content-type": "image/png"}, PNG),
    "/moved": (302, {"location": "/a.png"}, b""),
    "/round": (302, {"location": "/round"}, b""),
    "/astray": (302, {"location": "http://[::1"}, b""),
    "/out": (302, {"location": "http://[::1]:1/secret"}, b""),
    "/page": (200, {"content-type": "text/html"}, b"<html>"),
    "/large.png": (200, {"content-type": "image/png"}, PNG * 100),
}


class Shelf(BaseHTTPRequestHandler):
    """A server of images, and of what is none."""

    def do_GET(self):
        status, headers, body = SHELF.get(self.path.partition("?")[0], (404, {}, b""))
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def shelf():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def silence():
    """A server that never answers."""
    server = await asyncio.start_server(lambda reader, _: reader.read(), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def asked(*urls):
    parts = (Text("What is this?"), *(Image(url) for url in urls))
    return Request(id="r", asked="auto", messages=(Message("user", parts),))


async def test_what_is_fetched_takes_the_place_of_its_address(shelf):
    images = Images(limit=500, admits=lambda address: True)
    got = await images.fetch(asked(f"{shelf}/a.png", f"{shelf}/moved", "data:image/png;base64,AAAA"))
    assert isinstance(got, Request)
    first, second, third = (image.url for image in got.messages[0].images)
    assert first == second == "data:image/png;base64,iVBORw0KGgo="
    assert third == "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/round", "more than 3 redirects"),
        ("/page", "text/html"),
        ("/large.png", "bytes"),
        ("/nowhere", "answers 404"),
        ("/astray", "no address"),
    ],
)
async def test_what_is_no_image_is_refused_with_the_reason(shelf, path, why):
    got = await Images(limit=500, admits=lambda address: True).fetch(asked(shelf + path))
    assert isinstance(got, Fault)
    assert why in got.message


async def test_a_redirect_to_a_private_address_is_not_followed(shelf):
    got = await Images(limit=500, admits=lambda address: address == "127.0.0.1").fetch(asked(f"{shelf}/out"))
    assert isinstance(got, Fault)
    assert "private address" in got.message


@pytest.mark.parametrize("host", ["a..example.org", f"{'a' * 64}.example.org"])
async def test_a_host_name_that_can_be_none_is_not_known(open_bench, host):
    def change(page):
        return page.replace("body_limit_mb = 1", "body_limit_mb = 1\nfetch_images = true")

    seen = {"type": "image_url", "image_url": {"url": f"http://{host}/a.png"}}
    async with open_bench(change=change) as bench:
        said = await bench.ask([{"role": "user", "content": [seen]}])
        assert (said.status, said.json["error"]["code"]) == (400, "invalid_image_url")
        assert "is not known" in said.json["error"]["message"]


async def test_the_images_of_a_request_are_not_too_large_together(shelf):
    images = Images(limit=100, admits=lambda address: True)
    assert isinstance(await images.fetch(asked(*[f"{shelf}/a.png?{n}" for n in range(3)])), Request)
    got = await images.fetch(asked(*[f"{shelf}/a.png?{n}" for n in range(30)]))
    assert isinstance(got, Fault)
    assert "more than 100 bytes together" in got.message


async def test_images_take_no_longer_than_the_caller_waits(silence):
    within = msgspec.structs.replace(asked(f"{silence}/a.png"), within=0.2)
    got = await Images(limit=500, admits=lambda address: True).fetch(within)
    assert isinstance(got, Fault)
    assert "not within 0.2 s" in got.message


@pytest.mark.parametrize(
    "asked", [{"model": "auto:local"}, {"headers": {"x_headgate_privacy": "local_only"}}]
)
async def test_what_must_stay_at_home_asks_nobody_for_its_images(open_bench, asked):
    def change(page):
        page = page.replace("body_limit_mb = 1", "body_limit_mb = 1\nfetch_images = true")
        return page.replace(*LOCAL_EYES).replace(*PAID_EYES)

    seen = json.loads(json.dumps(SEEN).replace("example.org", "no-such-host.invalid"))
    async with open_bench(change=change) as bench:
        said = await bench.ask(seen, **asked)
        assert "could not be fetched" not in said.json["error"]["message"]
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"llama": "capability", "claude": "privacy"}


async def test_an_address_without_tls_is_not_for_anthropic(open_bench):
    async with open_bench(change=lambda page: page.replace(*PAID_EYES)) as bench:
        seen = json.loads(json.dumps(SEEN).replace("https://", "http://"))
        said = await bench.ask(seen)
        assert (said.status, said.json["error"]["code"]) == (400, "unsupported_request")
        assert "bytes or https:// addresses" in said.json["error"]["message"]


@pytest.mark.parametrize(
    ("url", "status"),
    [("DATA:image/png;base64,iVBORw0KGgo=", 200), ("data:image/svg+xml,<svg/>", 400), ("/etc/passwd", 400)],
)
async def test_an_image_is_bytes_or_an_address(open_bench, url, status):
    async with open_bench(change=lambda page: page.replace(*LOCAL_EYES)) as bench:
        part = {"type": "image_url", "image_url": {"url": url}}
        assert (await bench.ask([{"role": "user", "content": [part]}])).status == status


async def test_a_name_that_also_leads_to_a_private_address_is_not_asked(shelf, monkeypatch):
    async def both(host, port, **_):
        return [(None, None, None, "", ("93.184.216.34", port)), (None, None, None, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    got = await Images(limit=500).fetch(asked(f"{shelf}/a.png"))
    assert isinstance(got, Fault)
    assert "private address" in got.message
