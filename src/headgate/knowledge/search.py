"""Passages for a question, from a base: by words, by vectors, or by both.

    shelf = Shelf()
    found = await shelf.search("handbook", "How long do refunds take?", embedder=embedder)

A shelf keeps the vectors of the bases that were asked lately in memory, within a limit. What cannot be done as asked (no embedder, no
extra, another model) is done by words, and `Found.note` says why. It does not know how answers are written.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from headgate.core.errors import HeadgateError, UsageError
from headgate.core.runs import Embedder
from headgate.knowledge import places, vectors
from headgate.knowledge.fusion import UNWEIGHED, Fused, fuse
from headgate.knowledge.rerank import READ, Judge, rerank
from headgate.knowledge.schema import TOKENIZER, apart
from headgate.knowledge.store import Base
from headgate.knowledge.types import MARK, UNMARK, Found, Hit, How
from headgate.knowledge.words import query_of

DEEP: Final = 100
"""Passages of each order that are fused."""
MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of vectors that a shelf keeps; one base alone may have more."""
SNIPPET: Final = 32
"""Words of a snippet, at most."""


class Shelf:
    """The bases of this machine, and the vectors of those asked lately.

    Args:
        memory: bytes of vectors that are kept.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._vectors: OrderedDict[Path, vectors.Vectors] = OrderedDict()
        self._loading = asyncio.Lock()

    @property
    def held(self) -> int:
        """Bytes of vectors in memory."""
        return sum(one.size for one in self._vectors.values())

    async def search(
        self,
        name: str,
        question: str,
        *,
        k: int = 5,
        embedder: Embedder | None = None,
        how: How = "hybrid",
        judge: Judge | None = None,
    ) -> Found:
        """The best passages for a question.

        Args:
            name: of the base.
            question: in any words.
            k: how many, at most.
            embedder: makes the question's vector.
            how: by what. "hybrid" becomes "words" where there are no vectors, and says so.
            judge: reads the first twenty together with the question, and puts them in order.

        Raises:
            UsageError: there is no such base; or "vectors" were asked for and cannot be had.
            EngineError: "vectors" were asked for, and the embedder failed.
            HeadgateError: the base cannot be used.
        """
        path = places.find(name)
        question = question.encode("utf-8", "replace").decode()
        asked: bytes | None = None
        note = hint = ""
        if how != "words" and question.strip():
            note, hint = await asyncio.to_thread(self._obstacle, path, embedder)
            if not note and embedder is not None:
                try:
                    asked = (await embedder.embed([question], query=True))[0]
                except HeadgateError as error:
                    if how == "vectors":
                        raise
                    note, hint = f"searched by words only: {error.message}", error.hint
            elif how == "vectors":
                raise UsageError(note, hint)
        async with self._loading:
            many = k if judge is None else max(k, READ)
            found = await asyncio.to_thread(self._search, path, question, asked, many, how)
        hits = found.hits if judge is None else await rerank(question, found.hits, judge)
        return replace(found, hits=hits[:k], note=note, hint=hint)

    def _obstacle(self, path: Path, embedder: Embedder | None) -> tuple[str, str]:
        """Why a base cannot be searched by vectors, and what to do; "" when it can."""
        with Base(path) as base:
            model, name = base.model, base.name
        if embedder is None:
            return "searched by words only: the config has no embedding model", ""
        absent = vectors.missing_extra()
        if absent:
            return f"searched by words only: {absent} is not installed", vectors.EXTRA
        if model is None:
            return f"searched by words only: {name} has no vectors", f"headgate kb sync {name}"
        if model != embedder.model:
            return (
                f"searched by words only: {name} was embedded by {model}, and the question would be by {embedder.model}",
                f"headgate kb sync {name} --rebuild embeds everything again",
            )
        return "", ""

    def _search(self, path: Path, question: str, asked: bytes | None, k: int, how: How) -> Found:
        query = query_of(question)
        with Base(path) as base, base.snapshot():
            by_words = base.match(query, max(k, DEEP)) if query and how != "vectors" else []
            by_vectors = self._load(base).like(base, asked, max(k, DEEP)) if asked is not None else []
            weight = UNWEIGHED if base.weight is None else base.weight
            if how == "hybrid" and asked is not None:
                fused = fuse(by_words, by_vectors, weight)
            elif how == "vectors":
                fused = [
                    Fused(one, score, None, place) for place, (one, score) in enumerate(by_vectors, start=1)
                ]
            else:
                how = "words"
                fused = [
                    Fused(one, score, place, None) for place, (one, score) in enumerate(by_words, start=1)
                ]
            best = fused[:k]
            passages = base.passages([one.id for one in best])
        there = [one for one in best if one.id in passages]
        snippets = snip([passages[one.id].text for one in there], query)
        hits = [
            Hit(
                passage=passages[one.id],
                score=one.score,
                by_words=one.by_words,
                by_vectors=one.by_vectors,
                snippet=snippet,
            )
            for one, snippet in zip(there, snippets, strict=True)
        ]
        return Found(hits=tuple(hits), how=how)

    def _load(self, base: Base) -> vectors.Vectors:
        """The base's vectors, from memory if they have not changed."""
        kept = self._vectors.pop(base.path, None)
        if kept is None or kept.version != base.version:
            kept = vectors.load(base)
        self._vectors[base.path] = kept
        while len(self._vectors) > 1 and self.held > self._memory:
            self._vectors.popitem(last=False)
        return kept


def snip(texts: list[str], query: str | None) -> list[str]:
    """The piece of each text that has most of the question's words, these marked; of a text without any its beginning.

    The tokenizer of the index itself decides what a word of the question is, so endings and accents are marked as they are found.
    """
    pieces = [
        " ".join(text.split()[:SNIPPET]) + (" …" if len(text.split()) > SNIPPET else "") for text in texts
    ]
    if query is None or not texts:
        return pieces
    db = sqlite3.connect(":memory:")
    try:
        db.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize = '{TOKENIZER}')")
        db.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)",
            [(n, apart(text)) for n, text in enumerate(texts)],
        )
        statement = "SELECT rowid, snippet(texts, 0, ?, ?, ' … ', ?) FROM texts WHERE texts MATCH ?"
        for number, piece in db.execute(statement, (MARK, UNMARK, SNIPPET, query)):
            pieces[number] = " ".join(piece.split())
    finally:
        db.close()
    return pieces
