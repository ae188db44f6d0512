"""Where requests go: address, TLS and the constant part of every request head, checked once.

A request head is built here and only here, so that a line break can get into none. It does not know connections,
nor what the headers are for.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from headgate.engines.connection import TransportFailure

Headers = Sequence[tuple[str, str]]

_FRAMING = {"connection", "content-length", "transfer-encoding", "expect", "upgrade", "te"}
_OURS = frozenset(_FRAMING | {"host", "accept-encoding"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_VALUE = re.compile(r"[\t -~\x80-\xff]*").fullmatch
_TARGET = re.compile(r'/[!"$-~]*').fullmatch
LINES_AT_MOST = 64
"""Request lines that are kept."""
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def encode_headers(headers: Headers) -> bytes:
    """Encode header lines. Raises `ValueError` for what would break the head or change where the body ends."""
    lines = []
    for name, value in headers:
        if _TOKEN(name) is None:
            raise ValueError(f"header name {name!r} has characters that HTTP does not allow")
        if name.lower() in _OURS:
            raise ValueError(f"header {name!r} is set by the transport itself")
        if _VALUE(value) is None:
            raise ValueError(f"the value of header {name!r} has characters that HTTP does not allow")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


class Origin:
    """One server: where it is, how to trust it, and what every request to it begins with.

    Raises:
        ValueError: if the address, a header or the `ca_file` is unusable. No message repeats a header's value.
    """

    __slots__ = ("_fixed", "_lines", "_prefix", "host", "label", "port", "tls")

    def __init__(self, base_url: str, headers: Headers, ca_file: str | None) -> None:
        url = urlsplit(base_url)
        if "@" in url.netloc or url.query or url.fragment:
            raise ValueError("a base address has no user, query or fragment; credentials belong into headers")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{base_url!r} is not an http:// or https:// address")
        secure = url.scheme == "https"
        if ca_file is not None and not secure:
            raise ValueError("a ca_file makes sense with https:// only")
        self.host = url.hostname if ":" in url.hostname else url.hostname.encode("idna").decode("ascii")
        self.port = url.port or (443 if secure else 80)
        self._prefix = url.path.rstrip("/")
        if self._prefix and _TARGET(self._prefix) is None:
            raise ValueError(f"the path of {base_url!r} has characters that must be percent-encoded")
        bare = f"[{self.host}]" if ":" in self.host else self.host
        self.label = f"{bare}:{self.port}"
        authority = bare if url.port is None else self.label
        if _VALUE(authority) is None or " " in authority:
            raise ValueError(f"{base_url!r} has no usable host name")
        fixed = f" HTTP/1.1\r\nhost: {authority}\r\naccept-encoding: identity\r\n".encode("ascii")
        self._fixed = fixed + encode_headers(headers)
        self._lines: dict[tuple[str, str], bytes] = {}
        self.tls = _tls_context(ca_file) if secure else None

    def request_head(self, method: str, target: str, headers: Headers, length: int) -> bytes:
        """Encode the head of a request with `length` bytes of body. Raises `ValueError` as `encode_headers` does."""
        line = self._lines.get((method, target)) or self._line(method, target)
        more = encode_headers(headers) if headers else b""
        if length or method in _WITH_BODY:
            return b"%b%bcontent-length: %d\r\n\r\n" % (line, more, length)
        return b"%b%b\r\n" % (line, more)

    def _line(self, method: str, target: str) -> bytes:
        """The request line and what follows it in every request; an engine is asked for a handful of them."""
        if _TOKEN(method) is None or _TARGET(target) is None:
            raise ValueError(
                f"{method!r} {target!r} is no request line; percent-encode what is not plain ASCII"
            )
        line = f"{method} {self._prefix}{target}".encode("ascii") + self._fixed
        if len(self._lines) < LINES_AT_MOST:
            self._lines[method, target] = line
        return line

    def refusal(self, error: OSError) -> TransportFailure:
        """Say why no connection came about. Another try is no use where a certificate is not trusted."""
        where = self.label
        if isinstance(error, ssl.SSLCertVerificationError):
            detail = f"the certificate of {where} is not trusted: {error.verify_message}"
            return TransportFailure("refused", detail)
        if isinstance(error, ssl.SSLError):
            return TransportFailure("refused", f"TLS with {where} failed: {error.reason or error}")
        if isinstance(error, socket.gaierror):
            detail = f"the host name in {where} is not known"
        elif isinstance(error, ConnectionRefusedError):
            detail = f"nothing listens at {where}"
        else:
            reason = error.strerror or str(error) or type(error).__name__
            detail = f"cannot connect to {where}: {reason}"
        return TransportFailure("refused", detail, retryable=True)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"ca_file {ca_file!r} holds no readable certificates: {error}") from error
    return context
