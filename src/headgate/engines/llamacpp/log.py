"""llama.cpp's log: its tail in memory, a copy in a file, and the reason of a failed load found in it. It knows no process."""

import asyncio
import collections
import contextlib
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

_LINES = 200
_REASONS = (
    re.compile(r"error loading model: (.*)"),
    re.compile(r"(insufficient memory \(attempted to allocate .*\))"),
    re.compile(r"failed to initialize the context: (.*)"),
)
"""Best first."""


class Log:
    """The tail of the child's stderr, and a copy of all of it in a file if one is named."""

    def __init__(self, path: Path | None) -> None:
        self.lines = collections.deque[str](maxlen=_LINES)
        self._path = path
        self._new = 0

    async def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Take in a stream until its end."""
        assert stream is not None
        begun = b""
        with self._open_copy() as copy:
            while chunk := await stream.read(65536):
                if copy:
                    copy.write(chunk)
                *whole, begun = (begun + chunk).split(b"\n")
                for line in whole:
                    self.add(line.decode(errors="replace"))
        if begun:
            self.add(begun.decode(errors="replace"))

    def _open_copy(self) -> AbstractContextManager[BinaryIO | None]:
        if self._path is not None:
            try:
                return self._path.open("ab", buffering=0)
            except OSError as error:
                self.add(f"headgate: no log in {self._path}: {error.strerror}")
        return contextlib.nullcontext()

    def add(self, line: str) -> None:
        """Take in one line."""
        self.lines.append(line)
        self._new += 1

    def mark(self) -> None:
        """Remember this place."""
        self._new = 0

    def reason_since_mark(self) -> str:
        """The native reason of a failed load among the lines since the mark; "" when there is none."""
        new = list(self.lines)[-self._new :] if self._new else []
        found = (match for reason in _REASONS for line in new if (match := reason.search(line)))
        return next((match[1] for match in found), "")
