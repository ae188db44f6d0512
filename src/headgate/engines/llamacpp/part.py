"""What has come so far of one big file, on the disk: it grows, is continued by a later try, and is proven before it counts.

    FILE.part        the bytes
    FILE.part.json   of which version of the file they are; another version starts anew
    FILE             appears at the end, by one rename, after size, checksum and the first bytes were right

Everything here blocks for as long as the disk takes. It does not know where the bytes come from; `hugging_face` does.
"""

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from headgate.core.types import Failure
from headgate.core.words import FailureReason
from headgate.engines.llamacpp.header import MAGIC

SPARE = 256 * 1024 * 1024
"""Bytes that a download leaves free on the disk."""

AGAIN = "run it again"
ON = "run it again: it goes on where it stopped"


class Goal(Struct, frozen=True, kw_only=True):
    """One file to fetch, and how it will be known."""

    url: str
    path: Path
    size: int
    sha256: str | None
    """None: only the size and the first bytes can be checked."""

    @property
    def part(self) -> Path:
        """Where the bytes gather."""
        return self.path.with_name(f"{self.path.name}.part")

    def is_met(self) -> bool:
        """Whether the file is there already, and is this one. Reads all of it."""
        if not self.path.is_file() or self.path.stat().st_size != self.size:
            return False
        with self.path.open("rb") as file:
            return self.sha256 in (None, hashlib.file_digest(file, "sha256").hexdigest())


class Version(Struct, frozen=True):
    """Which content a part belongs to."""

    size: int
    sha256: str | None
    etag: str | None = None


class StoppedError(Exception):
    """The download cannot go on. An expected failure on its way out of nested blocks; it never leaves `hugging_face`."""

    def __init__(self, reason: FailureReason, what: str, hint: str, status: int | None = None) -> None:
        super().__init__(what)
        self.failure = Failure(reason=reason, detail=what, status=status, hint=hint)


class Part:
    """The bytes of a file so far. Making one reads them, so that their checksum is known; nobody else may write them.

    Raises:
        StoppedError: another process is at it.
        OSError: the disk says no.
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self._path = goal.part
        self._note = goal.path.with_name(f"{goal.path.name}.part.json")
        goal.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab")
        try:
            self._reserve()
            self.etag = self._etag_of_same_version()
            self.have = self._read()
            if self.have and (self.have > goal.size or not (self.etag or goal.sha256)):
                self.clear()
        except BaseException:
            self._file.close()
            raise

    def _reserve(self) -> None:
        if sys.platform == "win32":
            return  # there, nobody can rename a file that another process has open
        import fcntl  # noqa: PLC0415 - it is not everywhere

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoppedError(
                "refused",
                f"{self.goal.path.name} is being downloaded by another process",
                "wait for that one",
            ) from None

    def _etag_of_same_version(self) -> str | None:
        """What the server called the version that we have; if it is not the one that we want, nothing is kept of it."""
        version = None
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            version = msgspec.json.decode(self._note.read_bytes(), type=Version)
        if version is None or (version.size, version.sha256) != (self.goal.size, self.goal.sha256):
            self._file.truncate(0)
            return None
        return version.etag

    def _read(self) -> int:
        with self._path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256")
            return file.tell()

    def begin(self, etag: str | None) -> None:
        """Remember which version the bytes are of that come now."""
        version = Version(self.goal.size, self.goal.sha256, etag)
        self._note.write_bytes(msgspec.json.encode(version))

    def append(self, data: bytes) -> None:
        """Write more of it."""
        if not self.have and data[:4] != MAGIC[: len(data)]:
            self.discard()
            raise StoppedError(
                "malformed",
                f"{self.goal.path.name} came as something that is no GGUF file",
                f"a proxy or a login page may be in between: open {self.goal.url} in a browser",
            )
        self._file.write(data)
        self._digest.update(data)
        self.have += len(data)

    def clear(self) -> None:
        """Start anew."""
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self.have = 0
        self.etag = None

    def finish(self) -> None:
        """Prove that it is whole and right, and make it the file."""
        goal = self.goal
        if goal.sha256 is not None and self._digest.hexdigest() != goal.sha256:
            self.discard()
            raise StoppedError("malformed", f"{goal.path.name} came with a wrong checksum", AGAIN)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(goal.path)
        self._note.unlink(missing_ok=True)
        if sys.platform != "win32":  # there, a folder cannot be opened
            folder = os.open(goal.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Leave nothing of it."""
        self.clear()
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files; what has come so far stays, and of nothing there is no file."""
        with contextlib.suppress(OSError):  # the disk may be full still
            self._file.close()
        if not self.have:
            self._path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)


def look_for_room(goals: Sequence[Goal]) -> None:
    """Go on only if all files fit onto the disk, with what has come of them already.

    Raises:
        StoppedError: they do not.
    """
    folder = goals[0].path.parent
    folder.mkdir(parents=True, exist_ok=True)
    there = sum(path.stat().st_size for goal in goals for path in (goal.path, goal.part) if path.is_file())
    missing = sum(goal.size for goal in goals) - there
    free = shutil.disk_usage(folder).free
    if free < missing + SPARE:
        raise StoppedError(
            "refused",
            f"{goals[0].path.name} needs {_gigabytes(missing)} more, and {_gigabytes(free)} are free in {folder}",
            f"make room, and leave {_gigabytes(SPARE)} to spare",
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
