"""GET over the web: follows redirects from host to host, and shows a token to the first host only.

It does not know proxies, cookies or what the bodies mean; the transport below it verifies certificates.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

from headgate import __version__
from headgate.engines.transport import (
    Clocks,
    Headers,
    HttpTransport,
    ResponseHead,
    ResponseStream,
    StreamEnd,
    TransportFailure,
)

_HOPS = 5
_MOVED = (301, 302, 303, 307, 308)


class Unreached:
    """The `ResponseStream` of a request that was not sent."""

    def __init__(self, detail: str) -> None:
        self.head: ResponseHead | TransportFailure = TransportFailure("refused", detail)
        self.end: StreamEnd | TransportFailure | None = TransportFailure("refused", detail)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Nothing."""
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece


class Web:
    """A way to one server and to whatever it points at.

    Args:
        home: the server's address; the only place that is shown the token.
        token: a secret.
        clocks: how long each answer may take.
    """

    def __init__(self, home: str, token: str | None, clocks: Clocks) -> None:
        self._home = _origin(home)
        self._secret = [("authorization", f"Bearer {token}")] if token else []
        self._clocks = clocks
        self._transports: dict[str, HttpTransport] = {}

    @asynccontextmanager
    async def get(self, url: str, headers: Headers = ()) -> AsyncGenerator[ResponseStream]:
        """What is found at an address, wherever that leads; leaving early hangs up."""
        for _ in range(_HOPS):
            async with self._ask(url, headers) as response:
                head = response.head
                if isinstance(head, TransportFailure) or head.status not in _MOVED:
                    yield response
                    return
                target = urljoin(url, head.headers.get("location") or "")
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                yield Unreached(f"{_origin(url)} leads to {_origin(target)}, which is not encrypted")
                return
            url = target
        yield Unreached(f"{self._home} leads from one address to the next without end")

    @asynccontextmanager
    async def _ask(self, url: str, headers: Headers) -> AsyncGenerator[ResponseStream]:
        parts = urlsplit(url)
        origin = _origin(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            if (transport := self._transports.get(origin)) is None:
                agent = [("user-agent", f"headgate/{__version__}")]
                transport = self._transports[origin] = HttpTransport(origin, headers=agent)
            secret = self._secret if origin == self._home else []
            call = transport.stream("GET", target, headers=[*headers, *secret], clocks=self._clocks)
        except ValueError as error:
            yield Unreached(f"the address {url} cannot be used: {error}")
            return
        async with call as response:
            yield response

    async def close(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
