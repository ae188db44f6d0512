"""Server-sent events, read piece by piece: bytes in any cuts → events.

Follows the WHATWG rules for line ends, comments, several `data:` lines and the byte-order mark. It does not know what
the data means, nor when a stream is complete: that proof belongs to each protocol.
"""

from msgspec import Struct

LONGEST_EVENT = 16 * 1024 * 1024
"""Bytes that one event may take before we stop believing that it is one."""
BOM = b"\xef\xbb\xbf"


class Event(Struct, frozen=True, gc=False):
    """One event: its data, several lines joined by newlines, and its name ("" when the server gave none)."""

    data: bytes
    name: str = ""


class OverlongEventError(ValueError):
    """The server sends and sends without ever ending an event."""


class SSEDecoder:
    """Turns the bytes of an event stream into events, however the network cut them."""

    __slots__ = ("_after_cr", "_at_start", "_data", "_name", "_rest", "_size")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []
        self._name = ""
        self._size = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and give the events that they complete.

        Raises:
            OverlongEventError: an event grew beyond `LONGEST_EVENT`.
        """
        if self._at_start or self._after_cr or b"\r" in chunk:
            chunk = self._with_plain_line_ends(chunk)
        head, newline, tail = chunk.partition(b"\n")
        self._rest.append(head)
        self._size += len(chunk)
        events: list[Event] = []
        if newline:
            lines = tail.split(b"\n")
            lines.insert(0, b"".join(self._rest))
            self._rest = [lines.pop()]
            for line in lines:
                self._take(line, events)
        if self._size > LONGEST_EVENT:
            raise OverlongEventError
        return events

    def finish(self) -> list[Event]:
        """Give the event that the server forgot to end with an empty line, if there is one."""
        events: list[Event] = []
        if line := b"".join(self._rest):
            self._take(line, events)
        self._take(b"", events)
        self._rest = []
        return events

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        """Make every line end one newline, and remove the byte-order mark."""
        if self._at_start:
            chunk = b"".join((*self._rest, chunk))
            self._rest = []
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._rest = [chunk]
                return b""
            self._at_start = False
            chunk = chunk.removeprefix(BOM)
        if not chunk:
            return chunk
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append(Event(b"\n".join(self._data), self._name))
            self._data, self._name, self._size = [], "", 0
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
