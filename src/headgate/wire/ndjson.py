"""Newline-delimited JSON, read piece by piece: bytes in any cuts → whole lines.

It does not parse the lines and does not know which of them ends a stream.
"""

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes that one line may take before we stop believing that it is one."""


class OverlongLineError(ValueError):
    """The server sends without ever ending a line."""


class LineDecoder:
    """Turns the bytes of an NDJSON stream into lines without their line ends; empty lines are left out."""

    __slots__ = ("_rest", "_size")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and give the lines that they complete.

        Raises:
            OverlongLineError: a line grew beyond `LONGEST_LINE`.
        """
        head, newline, tail = chunk.partition(b"\n")
        self._rest.append(head)
        self._size += len(head)
        if self._size > LONGEST_LINE:
            raise OverlongLineError
        if not newline:
            return []
        *lines, rest = tail.split(b"\n")
        lines.insert(0, b"".join(self._rest))
        self._rest, self._size = [rest], len(rest)
        return [stripped for line in lines if (stripped := line.strip())]

    def finish(self) -> list[bytes]:
        """Give the last line, if the server did not end it."""
        line = b"".join(self._rest).strip()
        self._rest, self._size = [], 0
        return [line] if line else []
