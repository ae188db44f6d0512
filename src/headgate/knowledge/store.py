"""One base: its files, their chunks, the words and the vectors of these.

Every method is one transaction, so a base is sound whenever its process is killed: a file is in it with all its chunks or
not at all, and what has no vector yet is known as such. The object may go from thread to thread, but is for one at a time. It does
not know where files, chunks and vectors come from, or what is searched for.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from time import time_ns
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from headgate.core.chunking import Chunk
from headgate.core.citing import Passage
from headgate.core.tokens import estimate
from headgate.documents.types import Trouble
from headgate.knowledge.places import index_of
from headgate.knowledge.schema import apart, connect, unreadable
from headgate.knowledge.types import File, Piece, Stats
from headgate.knowledge.words import match

CHUNK: Final = 300
"""Tokens of a chunk, at most, unless somebody says otherwise."""

_TROUBLES: Final = msgspec.json.Decoder(tuple[Trouble, ...])
_HEADINGS: Final = msgspec.json.Decoder(tuple[str, ...])


class Kept(Struct, frozen=True, gc=False):
    """A chunk of the base, without its place."""

    id: int
    digest: bytes
    chunk: Chunk


class Base:
    """A knowledge base whose file is open.

    Raises:
        HeadgateError: from every method, when SQLite cannot use the file.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self.name = path.stem
        self._db = connect(path, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # ── What it was made with ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def model(self) -> str | None:
        """The embedding model; None when there are no vectors."""
        found: str | None = self._meta("model")
        return found

    @property
    def dimensions(self) -> int | None:
        """The length of its vectors; None when there are none."""
        found: int | None = self._meta("dimensions")
        return found

    @property
    def chunk(self) -> int | None:
        """Tokens of a chunk, at most; None before the first file."""
        found: int | None = self._meta("chunk")
        return found

    @property
    def weight(self) -> float | None:
        """Of the vectors in a hybrid search; None when it was not measured."""
        found: float | None = self._meta("weight")
        return found

    @property
    def weighed(self) -> int:
        """How many chunks there were when the weight was measured; 0 if it was not."""
        return int(self._meta("weighed") or 0)

    @property
    def local_only(self) -> bool:
        """Whether nothing of it may leave the user's machines."""
        return bool(self._meta("local_only"))

    @property
    def version(self) -> int:
        """A number that grows with every change of chunks or vectors, and that no earlier base of this name has had."""
        return int(self._meta("version") or 0)

    def note(self, **values: Any) -> None:
        """Keep what the base is made with: `dimensions`, `chunk`, `weight`, `weighed`, `local_only`."""
        with self._transaction() as db:
            self._note(db, values)

    def add_folders(self, folders: Iterable[Path]) -> None:
        """From now on these folders or files belong to the base."""
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO folders VALUES (?)", [(str(folder),) for folder in folders])

    def drop_folder(self, folder: str) -> int:
        """Forget a folder and what is in it, but not what is in another one as well; the number of files that were."""
        with self._transaction() as db:
            db.execute("DELETE FROM folders WHERE path = ?", (folder,))
        inside = [path for path in self.files() if is_under(path, folder)]
        others = self.folders
        return self.drop(path for path in inside if not any(is_under(path, other) for other in others))

    @property
    def folders(self) -> list[str]:
        """The folders and files that were added."""
        return [row[0] for row in self._all("SELECT path FROM folders ORDER BY path")]

    # ── Files and chunks ─────────────────────────────────────────────────────────────────────────────────────────────

    def files(self) -> dict[str, File]:
        """All files by their path."""
        rows = self._all("SELECT path, size, mtime, digest, chunk FROM files")
        return {
            path: File(path=path, size=size, mtime=mtime, digest=digest, chunk=chunk)
            for path, size, mtime, digest, chunk in rows
        }

    def empty_files(self) -> set[str]:
        """Files that gave no chunk, with a trouble that says why."""
        return {
            row[0]
            for row in self._all(
                "SELECT path FROM files WHERE troubles != '[]' AND NOT EXISTS (SELECT 1 FROM chunks WHERE file = files.id)"
            )
        }

    def touch(self, file: File) -> None:
        """A file's time has changed, but nothing in it."""
        with self._transaction() as db:
            db.execute(
                "UPDATE files SET size = ?, mtime = ? WHERE path = ?", (file.size, file.mtime, file.path)
            )

    def put(self, file: File, pieces: Sequence[Piece], troubles: Sequence[Trouble]) -> None:
        """Keep a file with its chunks, in place of what was kept of it before."""
        with self._transaction() as db:
            self._drop(db, [file.path])
            said = msgspec.json.encode(troubles).decode()
            number = db.execute(
                "INSERT INTO files (path, size, mtime, digest, chunk, troubles) VALUES (?, ?, ?, ?, ?, ?)",
                (file.path, file.size, file.mtime, file.digest, file.chunk, said),
            ).lastrowid
            for ordinal, (source, chunk) in enumerate((piece.source, piece.chunk) for piece in pieces):
                row = db.execute(
                    "INSERT INTO chunks (file, ordinal, source, headings, text, line, last_line, page, tokens, digest)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        number,
                        ordinal,
                        source,
                        msgspec.json.encode(chunk.headings).decode(),
                        chunk.text,
                        chunk.line,
                        chunk.last_line,
                        chunk.page,
                        estimate(chunk.text),
                        digest_of(chunk.content),
                    ),
                ).lastrowid
                indexed = as_indexed(source, chunk)
                db.execute(
                    "INSERT INTO words (rowid, name, heading, text) VALUES (?, ?, ?, ?)", (row, *indexed)
                )
            self._changed(db)

    def drop(self, paths: Iterable[str]) -> int:
        """Forget files; the number of those that were there."""
        with self._transaction() as db:
            dropped = self._drop(db, paths)
            if dropped:
                self._changed(db)
        return dropped

    def _drop(self, db: sqlite3.Connection, paths: Iterable[str]) -> int:
        dropped = 0
        for path in paths:
            rows = db.execute(
                "SELECT c.id, c.source, c.headings, c.text FROM chunks c JOIN files f ON f.id = c.file WHERE f.path = ?",
                (path,),
            ).fetchall()
            db.executemany(
                "INSERT INTO words (words, rowid, name, heading, text) VALUES ('delete', ?, ?, ?, ?)",
                [(row, *as_indexed(source, kept(*chunk))) for row, source, *chunk in rows],
            )
            dropped += db.execute("DELETE FROM files WHERE path = ?", (path,)).rowcount
        return dropped

    # ── Vectors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def missing(self) -> list[tuple[bytes, str]]:
        """Texts without a vector, each once, with their digests."""
        rows = self._all(
            "SELECT digest, headings, text FROM chunks c WHERE NOT EXISTS"
            " (SELECT 1 FROM vectors v WHERE v.digest = c.digest) GROUP BY digest ORDER BY min(id)"
        )
        return [(digest, kept(*chunk).content) for digest, *chunk in rows]

    def put_vectors(self, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep vectors by the digests of their texts."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO vectors (digest, vector) VALUES (?, ?)", vectors)
            self._changed(db)

    def begin_model(self, model: str) -> None:
        """From now on vectors are this model's; those that are there are forgotten."""
        with self._transaction() as db:
            db.execute("DELETE FROM vectors")
            self._note(db, {"model": model, "dimensions": None, "weight": None, "weighed": None})
            self._changed(db)

    def sweep(self) -> None:
        """Forget vectors whose text is in no chunk any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM chunks)")

    def vectors(self) -> Iterator[tuple[int, bytes]]:
        """All chunks that have a vector: id and vector, in the order of the ids."""
        yield from self._each(
            "SELECT c.id, v.vector FROM chunks c JOIN vectors v ON v.digest = c.digest ORDER BY c.id"
        )

    def vectors_of(self, ids: Sequence[int]) -> list[tuple[int, bytes]]:
        """The vectors of these chunks, as far as they are there."""
        return self._all(
            "SELECT c.id, v.vector FROM chunks c JOIN vectors v ON v.digest = c.digest WHERE c.id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(ids),),
        )

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def match(self, query: str, at_most: int) -> list[tuple[int, float]]:
        """Chunks by their words, best first: id and BM25 (higher is better)."""
        try:
            return match(self._db, query, at_most)
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from error

    def chunks(self, at_most: int = -1) -> list[Kept]:
        """Chunks in the order of their digests: some are as good as drawn, and the same for the same texts. -1 is all."""
        rows = self._all(
            "SELECT id, digest, headings, text FROM chunks ORDER BY digest, id LIMIT ?", (at_most,)
        )
        return [Kept(number, digest, kept(*chunk)) for number, digest, *chunk in rows]

    def passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Chunks as passages, as far as they are there."""
        rows = self._all(
            "SELECT id, source, headings, text, line, last_line, page FROM chunks WHERE id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(ids),),
        )
        return {
            number: Passage(
                source=source,
                heading=kept(headings, text).heading,
                text=text,
                line=line,
                last_line=last,
                page=page,
            )
            for number, source, headings, text, line, last, page in rows
        }

    def count(self) -> int:
        """How many chunks there are."""
        return int(self._all("SELECT count(*) FROM chunks")[0][0])

    def leave_out(self, troubles: Sequence[Trouble]) -> None:
        """Keep what of the folders is not read, in place of what was kept of that before."""
        self.note(left_out=msgspec.json.encode(troubles).decode())

    def troubles(self) -> tuple[Trouble, ...]:
        """What could not be read: of the folders, then of all files."""
        rows = self._all("SELECT troubles FROM files WHERE troubles != '[]' ORDER BY path")
        of_folders = self._meta("left_out") or "[]"
        return tuple(trouble for (said,) in [(of_folders,), *rows] for trouble in _TROUBLES.decode(said))

    def stats(self) -> Stats:
        """What the base holds."""
        files = self._all("SELECT count(*) FROM files")[0][0]
        chunks, tokens = self._all("SELECT count(*), coalesce(sum(tokens), 0) FROM chunks")[0]
        vectors = self._all(
            "SELECT count(*) FROM chunks c WHERE EXISTS (SELECT 1 FROM vectors v WHERE v.digest = c.digest)"
        )[0][0]
        beside = [path for path in index_of(self.path).glob("*") if path.is_file()]
        own = [self.path.with_suffix(end) for end in (".db", ".db-wal")]
        return Stats(
            name=self.name,
            path=str(self.path),
            folders=tuple(self.folders),
            files=files,
            chunks=chunks,
            tokens=tokens,
            bytes=sum(path.stat().st_size for path in (*own, *beside) if path.exists()),
            model=self.model,
            dimensions=self.dimensions,
            vectors=vectors,
            missing=chunks - vectors,
            chunk=self.chunk or CHUNK,
            weight=self.weight,
            local_only=self.local_only,
            troubles=self.troubles(),
        )

    # ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads inside see the same state."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from error

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from error

    def _each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from error

    def _meta(self, key: str) -> Any:
        rows = self._all("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def _note(self, db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    def _changed(self, db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO meta VALUES ('version', ?) ON CONFLICT (key) DO UPDATE SET value = value + 1",
            (time_ns(),),
        )


def digest_of(text: str) -> bytes:
    """The name of a text's content."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def kept(headings: str, text: str) -> Chunk:
    """A chunk as its row has it, without its place."""
    return Chunk(text=text, headings=_HEADINGS.decode(headings))


def as_indexed(source: str, chunk: Chunk) -> tuple[str, str, str]:
    """A chunk as its words are indexed: the file's name, the headings above it that are not in it, its text."""
    above = chunk.content.removesuffix(chunk.text)
    return apart(Path(source).name), apart(above), apart(chunk.text)


def is_under(path: str, folder: str) -> bool:
    """Whether a path is the folder, or lies in it."""
    return path == folder or Path(folder) in Path(path).parents
