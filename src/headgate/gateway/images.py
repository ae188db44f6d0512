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

PATIENCE = 30.0
"""Seconds that all images of one request get together."""

INTERNET = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given to anybody. What lies outside leads to a network of one's own, or to an IPv4 address."""
TUNNEL = ipaddress.ip_network("2002::/16")
"""Leads to an IPv4 address too, which may be a private one."""


class UnfetchedError(Exception):
    """Why an image was not fetched, for people."""


def is_public(address: str) -> bool:
    """Whether an IP address lies in the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped.is_global
        if found not in INTERNET or found in TUNNEL:
            return False
    return found.is_global and not found.is_multicast


def by_address(request: Request) -> bool:
    """Whether any image of the request is an address, and not the bytes themselves."""
    return any(not image.url.startswith("data:") for message in request.messages for image in message.images)


class Images:
    """Fetches images.

    Args:
        limit: bytes that the images of a request may have, all together.
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
        within = PATIENCE if request.within is None else min(PATIENCE, request.within)
        try:
            async with asyncio.timeout(within):
                fetched = await self._get_all(urls)
        except (UnfetchedError, TimeoutError) as error:
            reason = str(error) or f"not within {within:g} s"
            return Fault(
                status=400,
                message=f"an image could not be fetched: {reason}",
                code="invalid_image_url",
                param="messages",
                hint="send the image itself, as a data: URI",
            )
        found = dict(zip(urls, fetched, strict=True))
        messages = tuple([with_images(message, found) for message in request.messages])
        return replace(request, messages=messages, raw_messages=None)

    async def _get_all(self, urls: Sequence[str]) -> Sequence[str]:
        """Images as data: URIs. The first that cannot be had ends the work on all.

        Raises:
            UnfetchedError: one could not be had, or they are too large together.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        size = 0

        async def get(url: str) -> str:
            nonlocal size
            async with gate:
                image = await self._get(url)
            size += (len(image) - image.index(",")) * 3 // 4
            if size > self._limit:
                raise UnfetchedError(f"the images have more than {self._limit:,} bytes together")
            return image

        tasks = [asyncio.create_task(get(url), name="headgate-image") for url in urls]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _get(self, url: str) -> str:
        """An image as a data: URI.

        Raises:
            UnfetchedError: it could not be had.
        """
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(url)
            if isinstance(answer, bytes):
                return answer.decode()
            try:
                url = urljoin(url, answer)
            except ValueError as error:
                raise UnfetchedError(f"{url[:200]} leads to {answer[:200]}, which is no address") from error
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
        except (OSError, UnicodeError) as error:  # a name that can be none, with an empty or overlong part
            raise UnfetchedError(f"the host name {host[:200]} is not known") from error
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
