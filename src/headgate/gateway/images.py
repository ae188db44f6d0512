"""Images that callers give by address, fetched for engines that want the bytes: only if the user allows it.

A caller could use the gate to look into the network that it stands in, so an address is fetched only if every address that
its host name leads to is a public one; the connection goes to exactly the address that was looked at, and a redirect is
looked at anew. What comes must say that it is an image of a kind that models take, and not be too large.

It does not know which engine will answer, and keeps nothing.
"""

import asyncio
import ipaddress
import socket
from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.parse import urljoin, urlsplit

from msgspec.structs import replace

from headgate.core.types import Image, Message, Request
from headgate.engines.transport import Clocks, HttpTransport, TransportFailure
from headgate.wire.faults import Fault

KINDS = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
CLOCKS = Clocks(connect=5.0, first_byte=10.0, between_bytes=5.0, total=20.0)
REDIRECTS = 3
AT_ONCE = 8
"""Images of one request that are fetched at a time."""

TUNNELS = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""Public IPv6 addresses that lead to an IPv4 address, which may be a private one."""


class UnfetchedError(Exception):
    """Why an image was not fetched, for people."""


def is_public(address: str) -> bool:
    """Whether an IP address lies in the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped.is_global
        if any(found in tunnel for tunnel in TUNNELS):
            return False
    return found.is_global and not found.is_multicast


class Images:
    """Fetches images.

    Args:
        limit: bytes that an image may have.
        admits: says of an IP address whether it may be asked.
    """

    def __init__(self, limit: int, admits: Callable[[str], bool] = is_public) -> None:
        self._limit = limit
        self._admits = admits

    async def fetch(self, request: Request) -> Request | Fault:
        """The request with every image as bytes, or why one of them could not be had."""
        urls = tuple(
            {
                image.url
                for message in request.messages
                for image in message.images
                if not image.url.startswith("data:")
            }
        )
        gate = asyncio.Semaphore(AT_ONCE)

        async def get(url: str) -> str:
            async with gate:
                return await self._get(url)

        try:
            fetched = await asyncio.gather(*(get(url) for url in urls))
        except UnfetchedError as error:
            return Fault(
                status=400,
                message=f"an image could not be fetched: {error}",
                code="invalid_image_url",
                param="messages",
                hint="send the image itself, as a data: URI",
            )
        found = dict(zip(urls, fetched, strict=True))
        messages = tuple([with_images(message, found) for message in request.messages])
        return replace(request, messages=messages, raw_messages=None)

    async def _get(self, url: str) -> str:
        """An image as a data: URI.

        Raises:
            UnfetchedError: it could not be had.
        """
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(url)
            if isinstance(answer, bytes):
                return answer.decode()
            url = urljoin(url, answer)
        raise UnfetchedError(f"{url[:200]} is more than {REDIRECTS} redirects away")

    async def _ask(self, url: str) -> bytes | str:
        """The image as a data: URI in bytes, or the address that it is to be found at."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UnfetchedError(f"{url[:200]} is no address: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise UnfetchedError(f"{url[:200]} is no http:// or https:// address")
        address = await self._look_up(host, port or (443 if parts.scheme == "https" else 80))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        try:
            transport = HttpTransport(base, address=address, max_connections=1, body_limit=self._limit)
        except ValueError as error:
            raise UnfetchedError(f"{url[:200]} is no address that can be asked: {error}") from error
        try:
            got = await transport.request("GET", target, headers=(("accept", "image/*"),), clocks=CLOCKS)
        except ValueError as error:
            raise UnfetchedError(f"{url[:200]} is no address that can be asked: {error}") from error
        finally:
            await transport.close()
        if isinstance(got, TransportFailure):
            raise UnfetchedError(f"{url[:200]}: {got.detail}")
        location = got.headers.get("location")
        if got.status in (301, 302, 303, 307, 308) and location:
            return location
        if got.status != 200:
            raise UnfetchedError(f"{url[:200]} answers {got.status}")
        kind = (got.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind not in KINDS:
            raise UnfetchedError(
                f"{url[:200]} is {kind or 'of no type'}, and none of {', '.join(sorted(KINDS))}"
            )
        return f"data:{kind};base64,".encode() + b64encode(got.body)

    async def _look_up(self, host: str, port: int) -> str:
        """The address to ask, if all that the name leads to may be asked.

        Raises:
            UnfetchedError: the name is not known, or leads where the gate does not go.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise UnfetchedError(f"the host name {host} is not known") from error
        addresses: Sequence[str] = [str(entry[4][0]) for entry in found]
        if not addresses or not all(self._admits(address) for address in addresses):
            raise UnfetchedError(f"{host} leads to a private address, where nothing is fetched")
        return addresses[0]


def with_images(message: Message, found: dict[str, str]) -> Message:
    """The message with its images as bytes."""
    if isinstance(message.content, str) or not message.images:
        return message
    parts = [
        Image(found.get(part.url, part.url)) if isinstance(part, Image) else part for part in message.content
    ]
    return replace(message, content=tuple(parts))
