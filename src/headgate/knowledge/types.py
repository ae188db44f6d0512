"""The values of knowledge bases: what goes in, what is found, and what a sync has done."""

from typing import Literal

from msgspec import Struct

from headgate.core.chunking import Chunk
from headgate.core.citing import Passage
from headgate.documents.types import Trouble

How = Literal["hybrid", "words", "vectors"]
"""How passages are found: by their words (BM25), by the likeness of their vectors, or by both."""
HOWS: tuple[How, ...] = ("hybrid", "words", "vectors")


class Piece(Struct, frozen=True, gc=False):
    """A chunk with the document that it is of."""

    source: str
    """The file, with a part's number behind a # where it has several."""
    chunk: Chunk


class File(Struct, frozen=True, gc=False, kw_only=True):
    """A file as it was when it was read, or looked at."""

    path: str
    size: int
    """Bytes."""
    mtime: int
    """Nanoseconds since 1970."""
    digest: bytes = b""
    chunk: int = 0
    """The most tokens of the chunks that it was cut into; 0 when it was not read."""


class Hit(Struct, frozen=True, gc=False, kw_only=True):
    """A passage that was found."""

    passage: Passage
    score: float
    """Higher is better; comparable within one search only."""
    by_words: int | None = None
    """Its place among those found by words, from 1; None when it is not among them."""
    by_vectors: int | None = None
    relevance: float | None = None
    """How probably it helps to answer, as a model that read it says, 0-1; None when none did."""
    snippet: str = ""
    """Its best piece, with the words of the question between `MARK` and `UNMARK`."""


MARK, UNMARK = "\x02", "\x03"
"""Around a word of the question in a snippet."""


class Found(Struct, frozen=True, kw_only=True):
    """What a search found, and how it was done in the end."""

    hits: tuple[Hit, ...]
    how: How
    note: str = ""
    """Why it was done otherwise than asked; "" when it was not."""
    hint: str = ""


class Progress(Struct, frozen=True, gc=False, kw_only=True):
    """How far a sync is."""

    step: Literal["looking", "reading", "embedding", "weighing"]
    files: int = 0
    """Read so far."""
    files_in_all: int | None = None
    """To be read; None is not known yet."""
    chunks: int = 0
    """Of the files read."""
    embedded: int = 0
    to_embed: int | None = None
    reused: int = 0
    """Chunks whose vector was there already."""
    seconds_left: float | None = None


class Summary(Struct, frozen=True, kw_only=True):
    """What a sync has done."""

    base: str
    read: int = 0
    """Files that were new or had changed."""
    unchanged: int = 0
    removed: int = 0
    """Files that are gone."""
    chunks: int = 0
    """Of the files that were read."""
    embedded: int = 0
    reused: int = 0
    missing: int = 0
    """Chunks of the base that have no vector, and are found by their words only."""
    problem: str = ""
    """Why vectors are missing; "" when none are, or none are wanted."""
    hint: str = ""
    notes: tuple[str, ...] = ()
    """What else a person should know: a folder that was moved, or is gone."""
    troubles: tuple[Trouble, ...] = ()
    """Files, or parts of them, that could not be read."""
    seconds: float = 0.0


class Stats(Struct, frozen=True, kw_only=True):
    """What a base holds."""

    name: str
    path: str
    folders: tuple[str, ...]
    files: int
    chunks: int
    tokens: int
    """Of all chunks, estimated from their bytes."""
    bytes: int
    """Of the base on the disk, with its index."""
    model: str | None
    """The embedding model; None when there are no vectors."""
    dimensions: int | None
    vectors: int
    missing: int
    chunk: int
    """Tokens of a chunk, at most."""
    weight: float | None = None
    """Of the vectors in a hybrid search, as measured on the base itself; None when it was not."""
    local_only: bool = False
    """Whether nothing of it may leave the user's machines."""
    troubles: tuple[Trouble, ...] = ()
