"""A client that hides nothing: one request, and what came back, byte for byte and to which end.

The libraries that people use forgive a lot: a body that breaks off, a stream without its end mark, an event that is no JSON. A
judge must not, so it reads by itself. It knows HTTP/1.1 and Chat Completions, and not what is right.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httptools
from msgspec import Struct

End = Literal["whole", "cut", "late", "unreachable"]
"""How a reply ended: as HTTP says it should; by a lost connection or garbage; not in time; or there was nobody."""


class Received(Struct, frozen=True):
    """A reply, as far as it came."""

    end: End
    status: int = 0
    """0 when there was not even a status."""
    content_type: str = ""
    body: bytes = b""
    why: str = ""
    """The error of the socket or the parser, if there was one."""


class Said(Struct):
    """What a reply says."""

    text: str = ""
    calls: list[list[str]] = []
    """Tool calls: name and arguments, as they were written."""
    finish: str = ""
    usage: dict[str, Any] | None = None
    model: str = ""
    done: bool = False
    trouble: str = ""
    """Why this is visibly no clean answer; "" if it is one."""


class _Reading:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.status = 0
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.whole = True

    def received(self, end: End, why: str = "") -> Received:
        """What has come by now."""
        kind = self.headers.get("content-type", "")
        return Received(end, self.status, kind, b"".join(self.body), why)

    @property
    def ends_with_the_connection(self) -> bool:
        """HTTP/1.0's way, which some servers still go: neither a length nor chunks."""
        return bool(self.status) and not {"content-length", "transfer-encoding"} & self.headers.keys()


async def post(url: str, body: bytes, headers: Mapping[str, str], within: float) -> Received:
    """Send one request on a connection of its own, and wait for the end of the reply.

    Args:
        url: where to.
        body: JSON.
        headers: beyond the usual ones.
        within: seconds.
    """
    reading = _Reading()
    where = urlsplit(url)
    secure = ssl.create_default_context() if where.scheme == "https" else None
    host, port = where.hostname or "", where.port or (443 if secure else 80)
    lines = {
        "host": where.netloc,
        "content-type": "application/json",
        "content-length": str(len(body)),
    } | dict(headers)
    head = f"POST {where.path} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in lines.items()
    )
    writer = None
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, port, ssl=secure)
            writer.write(head.encode("latin-1") + b"\r\n" + body)
            while not reading.whole:
                data = await reader.read(2**16)
                if not data:
                    whole = reading.ends_with_the_connection
                    return reading.received("whole" if whole else "cut", "the connection was closed")
                reading.parser.feed_data(data)
    except TimeoutError:
        return reading.received("late")
    except httptools.HttpParserError as error:
        return reading.received("cut", f"no HTTP: {error}")
    except OSError as error:
        return reading.received("cut" if writer is not None else "unreachable", str(error))
    finally:
        if writer is not None:
            writer.close()
    return reading.received("whole")


def read(received: Received, *, stream: bool) -> Said:
    """What a reply of status 200 says, and what is visibly wrong with it."""
    if not stream:
        said = Said(done=True)
        _take(said, received.body, "message")
    elif "text/event-stream" in received.content_type:
        said = _read_events(received.body)
    else:
        return Said(trouble=f"no stream of events: {_start(received.body)}")
    if not said.trouble:
        missing = [
            word for word, there in (("finish_reason", said.finish), ("[DONE]", said.done)) if not there
        ]
        if missing:
            said.trouble = f"no {' and no '.join(missing)}"
        elif said.finish not in ("stop", "tool_calls"):
            said.trouble = f"finish_reason {said.finish}"
    return said


def error_in(body: bytes) -> str:
    """What an error's body says, in a line."""
    try:
        value = json.loads(body)
    except ValueError:
        return _start(body)
    inner = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(inner, dict):
        inner = inner.get("message", inner)
    return _start(str(inner).encode())


def _read_events(body: bytes) -> Said:
    said = Said()
    kind = ""
    for line in body.split(b"\n"):
        name, _, value = line.rstrip(b"\r").partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            kind = value.decode("utf-8", "replace")
        elif name == b"data" and not said.done:
            if value.startswith(b"[DONE]"):
                said.done = True
            elif kind == "error":
                said.trouble = f"an error event: {error_in(value)}"
            else:
                _take(said, value, "delta")
            kind = ""
        if said.trouble:
            break
    return said


def _take(said: Said, document: bytes, holder: str) -> None:
    """Add one document, the whole reply or one chunk, to what was said."""
    try:
        value = json.loads(document)
    except ValueError:
        said.trouble = f"no JSON: {_start(document)}"
        return
    if not isinstance(value, dict) or value.get("error"):
        said.trouble = f"an error: {error_in(document)}"
        return
    said.model = value.get("model") or said.model
    said.usage = value.get("usage") or said.usage
    for choice in value.get("choices") or ():
        said.finish = choice.get("finish_reason") or said.finish
        part = choice.get(holder) or {}
        said.text += part.get("content") or ""
        for position, call in enumerate(part.get("tool_calls") or ()):
            index = call.get("index", position)
            while len(said.calls) <= index:
                said.calls.append(["", ""])
            function = call.get("function") or {}
            said.calls[index][0] += function.get("name") or ""
            said.calls[index][1] += function.get("arguments") or ""


def _start(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return text if len(text) <= 160 else text[:159] + "…"
