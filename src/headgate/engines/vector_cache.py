"""Vectors that were made before, in a file: a text that has not changed is not embedded again.

One thread of its own reads and writes, off the event loop. What was not asked for the longest goes first when the file is full.
It is a cache: a file that cannot be read is set aside, a disk that is full is a warning, and neither is anybody's failed request.
It does not know models; who asks says by `identity` which texts share vectors.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from time import time
from typing import TypeVar

FORM = 1
"""Of the file; one of another form is set aside."""

LOOK_UP = 500
"""Keys in one question to the file."""

FRESH = 3600
"""Seconds within which a second use of a vector is not written down."""

ROOM = 10
"""When the file is full, one of so many vectors goes at a time."""

TABLE = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
"""

Result = TypeVar("Result")

log = logging.getLogger("headgate.engines")


class VectorCache:
    """The vectors of one file, which is opened when it is first asked.

    Args:
        path: the file.
        limit: bytes that it may have.
        clock: Unix time in seconds.
    """

    def __init__(self, path: Path, limit: int, clock: Callable[[], float] = time) -> None:
        self.path = path
        self.limit = limit
        self.clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="headgate-vectors")
        self._file: sqlite3.Connection | None = None
        self._node = (0, 0)
        self._off = self._broken = False

    async def find(self, identity: str, texts: Sequence[str]) -> list[bytes | None]:
        """The vector of each text, as far as it is there."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._find, identity, texts)

    def keep(self, identity: str, texts: Sequence[str], vectors: Sequence[bytes]) -> None:
        """Have vectors written down, without waiting for it."""
        self._thread.submit(self._keep, identity, texts, vectors)

    async def close(self) -> None:
        """Write what is still to be written, and close the file."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._file is not None:
            self._file.close()

    # ── On the thread ────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, identity: str, texts: Sequence[str]) -> list[bytes | None]:
        keys = list(_keys(identity, texts))
        nothing: dict[bytes, bytes] = {}
        found = self._with_file(lambda file: self._look_up(file, keys), nothing)
        return [found.get(key) for key in keys]

    def _look_up(self, file: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        now = int(self.clock())
        found: dict[bytes, bytes] = {}
        seen: list[tuple[int, bytes]] = []
        for start in range(0, len(keys), LOOK_UP):
            some = keys[start : start + LOOK_UP]
            marks = ",".join("?" * len(some))
            rows = file.execute(f"SELECT key, vector, used FROM vectors WHERE key IN ({marks})", some)  # noqa: S608  # only marks
            for key, vector, used in rows:
                found[key] = vector
                if used < now - FRESH:
                    seen.append((now, key))
        if seen:
            with file:
                file.executemany("UPDATE vectors SET used = ? WHERE key = ?", seen)
        return found

    def _keep(self, identity: str, texts: Sequence[str], vectors: Sequence[bytes]) -> None:
        now = int(self.clock())
        rows = [(key, vector, now) for key, vector in zip(_keys(identity, texts), vectors, strict=True)]
        self._with_file(lambda file: self._write(file, rows), None)

    def _write(self, file: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes, int]]) -> None:
        with file:
            file.executemany("INSERT OR REPLACE INTO vectors (key, vector, used) VALUES (?, ?, ?)", rows)
        while self._size(file) > self.limit and (count := _number(file, "SELECT count(*) FROM vectors")):
            oldest = "SELECT rowid FROM vectors ORDER BY used, rowid LIMIT ?"
            with file:
                file.execute(f"DELETE FROM vectors WHERE rowid IN ({oldest})", (1 + count // ROOM,))  # noqa: S608  # a constant
            file.executescript("PRAGMA incremental_vacuum")  # all of it; one execute gives one page back

    def _size(self, file: sqlite3.Connection) -> int:
        """Bytes in use."""
        pages = _number(file, "PRAGMA page_count") - _number(file, "PRAGMA freelist_count")
        return pages * _number(file, "PRAGMA page_size")

    def _with_file(self, act: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Do something with the file. What goes wrong is said once, and is as if the vectors had not been there."""
        if self._off:
            return otherwise
        try:
            if self._file is not None and self._node != node_of(self.path):
                self._file.close()  # somebody deleted it, and wants none of its vectors any more
                self._file = None
            if self._file is None:
                self._file = self._open()
                self._node = node_of(self.path)
            return act(self._file)
        except sqlite3.OperationalError as error:  # locked, full, not ours to write
            log.warning("vectors are not kept now: %s: %s", self.path, error)
            if self._file is None:
                self._off = True
        except sqlite3.DatabaseError as error:
            self._set_aside(str(error))
            return self._with_file(act, otherwise)  # a new file, or none
        except OSError as error:
            log.warning("vectors are not kept: %s", error)
            self._off = True
        return otherwise

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self._drop_beside()  # left of a file that was deleted: its vectors would come back
        file = sqlite3.connect(self.path, timeout=2.0, check_same_thread=False)
        try:
            file.execute("PRAGMA auto_vacuum = INCREMENTAL")
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = NORMAL")
            form = _number(file, "PRAGMA user_version")
            if form not in (0, FORM):
                raise sqlite3.DatabaseError(f"it has form {form}, not {FORM}")  # noqa: TRY301  # set aside like any other
            file.executescript(f"{TABLE} PRAGMA user_version = {FORM};")
        except BaseException:
            file.close()
            raise
        return file

    def _set_aside(self, why: str) -> None:
        """Put a file that cannot be read out of the way, where a person finds it. If the next breaks too, none is kept."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None
        self._off, self._broken = self._broken, True
        aside = self.path.with_name(f"{self.path.name}.broken-{int(self.clock())}")
        try:
            self.path.replace(aside)
            self._drop_beside()
        except OSError as error:
            self._off = True
            log.warning(
                "%s cannot be read (%s), nor put aside: %s; vectors are not kept", self.path, why, error
            )
            return
        log.warning(
            "%s could not be read (%s) and was set aside as %s; vectors are kept anew",
            self.path,
            why,
            aside.name,
        )

    def _drop_beside(self) -> None:
        """Delete what SQLite keeps beside the file."""
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def node_of(path: Path) -> tuple[int, int]:
    """Which file lies at a path, as the disk tells files apart; zeros where none does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_dev, found.st_ino


def _keys(identity: str, texts: Iterable[str]) -> Iterable[bytes]:
    whose = blake2b(identity.encode(), digest_size=32).digest()
    return (
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32, key=whose).digest() for text in texts
    )


def _number(file: sqlite3.Connection, question: str) -> int:
    return int(file.execute(question).fetchone()[0])
