"""A base is brought up to date with its folders: only what changed is read, only what is new is embedded.

    look at the folders → read what is new or has changed → forget what is gone → embed what has no vector

First all words are in the base, so that it can be searched; then come the vectors, batch by batch, each kept at once. Killed
at any moment, the next sync goes on where this one was. It does not know which model embeds.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from time import perf_counter
from typing import Final

from msgspec.structs import replace

from headgate.core.errors import EngineError, UsageError
from headgate.core.runs import Embedder
from headgate.documents.types import Trouble
from headgate.knowledge import places, reading, vectors
from headgate.knowledge.embedding import embed
from headgate.knowledge.store import CHUNK, Base, is_under
from headgate.knowledge.types import File, Progress, Summary
from headgate.knowledge.weighing import weigh

ABREAST: Final = 48
"""Texts in one call of the embedder."""
AT_ONCE: Final = 2
"""Calls of the embedder under way: the next is ready when one ends."""
GROWN: Final = 4
"""Times as many chunks as when the vectors were last weighed, from which on they are weighed again."""
MOVED: Final = 0.8
"""Share of a missing folder's files that have to be elsewhere before it counts as moved."""

Tell = Callable[[Progress], None]


async def sync(
    name: str,
    folders: Sequence[str | Path],
    embedder: Embedder | None,
    tell: Tell = lambda _: None,
    *,
    chunk: int | None = None,
    local_only: bool | None = None,
    rebuild: bool = False,
    retry: bool = True,
) -> Summary:
    """Add folders to a base, and bring all of it up to date. A base that is not there is made.

    Args:
        name: of the base.
        folders: new folders or files of it; none brings up to date what it has.
        embedder: makes the vectors. None leaves chunks without one: they are found by their words.
        tell: is told how far it is.
        chunk: tokens of a chunk, at most; None leaves it as it is. Another number than before reads all files again.
        local_only: from now on nothing of it may leave the user's machines, or may again; None leaves it as it is. Whose machine the
            embedder is on, the caller knows.
        rebuild: another model than before may embed everything again.
        retry: read files again that gave nothing: what they need may have been installed since.

    Raises:
        UsageError: a folder is not there; or the vectors are another model's and `rebuild` was not said.
        HeadgateError: the base cannot be used, or another process writes to it.
    """
    path = places.place_of(name)
    roots = await asyncio.to_thread(roots_of, folders)
    with places.writing(path):
        base = await asyncio.to_thread(Base, path, create=True)
        try:
            if local_only is not None:
                await asyncio.to_thread(base.note, local_only=local_only)
            return await Sync(base, embedder, tell, rebuild=rebuild).run(roots, chunk, retry=retry)
        finally:
            await asyncio.to_thread(base.close)


def roots_of(folders: Sequence[str | Path]) -> list[Path]:
    """Folders and files as a base notes them.

    Raises:
        UsageError: one is not there.
    """
    roots = [Path(folder).expanduser().resolve() for folder in folders]
    for given, root in zip(folders, roots, strict=True):
        if not root.exists():
            raise UsageError(f"there is no {given}", "name folders or files that are there")
    return roots


class Sync:
    """One bringing up to date."""

    def __init__(self, base: Base, embedder: Embedder | None, tell: Tell, *, rebuild: bool) -> None:
        self.base = base
        self.embedder = embedder
        self.rebuild = rebuild
        self.progress = Progress(step="looking")
        self._tell = tell
        self._notes: list[str] = []
        self._done = Summary(base=base.name)

    async def run(self, roots: Sequence[Path], chunk: int | None, *, retry: bool) -> Summary:
        """Do it all; what was done."""
        began = perf_counter()
        embedder = self._usable()
        await asyncio.to_thread(self.base.add_folders, roots)
        self.say()
        await self._read(chunk, retry=retry)
        problem = hint = ""
        if embedder is not None:
            problem, hint = await self._embed(embedder)
        await asyncio.to_thread(self.base.sweep)
        stats = await asyncio.to_thread(self.base.stats)
        return replace(
            self._done,
            chunks=self.progress.chunks,
            embedded=self.progress.embedded,
            reused=self.progress.reused,
            missing=stats.missing,
            problem=problem,
            hint=hint,
            notes=tuple(self._notes),
            troubles=stats.troubles,
            seconds=perf_counter() - began,
        )

    def say(self, **news: object) -> None:
        """Tell how far it is."""
        self.progress = replace(self.progress, **news)
        self._tell(self.progress)

    def _usable(self) -> Embedder | None:
        """The embedder, if its vectors can be added to those that are there.

        Raises:
            UsageError: they are another model's, and nobody has said that all may be embedded again.
        """
        if self.embedder is None:
            return None
        absent = vectors.missing_extra()
        if absent:
            self._notes.append(
                f"{absent} is not installed, so the base is searched by words only: {vectors.EXTRA}"
            )
            return None
        before = self.base.model
        if before is not None and before != self.embedder.model and not self.rebuild:
            raise UsageError(
                f"{self.base.name} was embedded by {before}, and vectors of {self.embedder.model} cannot be compared with those",
                f"headgate kb sync {self.base.name} --rebuild embeds everything again; or embed with {before}",
            )
        return self.embedder

    # ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, chunk: int | None, *, retry: bool) -> None:
        base = self.base
        size = chunk or base.chunk or CHUNK
        found, left_out = await asyncio.to_thread(reading.look, base.folders)
        await asyncio.to_thread(base.note, chunk=size)
        await asyncio.to_thread(base.leave_out, left_out)
        kept = await asyncio.to_thread(base.files)
        failed = await asyncio.to_thread(base.empty_files) if retry else set()
        new = [
            file
            for path, file in found.items()
            if path in failed
            or (before := kept.get(path)) is None
            or (before.size, before.mtime, before.chunk) != (file.size, file.mtime, size)
        ]
        self.say(step="reading", files_in_all=len(new))
        began, total, seen, read = perf_counter(), sum(file.size for file in new), 0, 0
        for number, file in enumerate(new, start=1):
            before = None if file.path in failed else kept.get(file.path)
            chunks = await asyncio.to_thread(self._take, replace(file, chunk=size), before)
            read += chunks is not None
            seen += file.size
            left = (perf_counter() - began) * (total - seen) / seen if seen else None
            self.say(files=number, chunks=self.progress.chunks + (chunks or 0), seconds_left=left)
        gone = await asyncio.to_thread(self._gone, kept.keys() - found.keys())
        removed = await asyncio.to_thread(base.drop, gone)
        self._done = replace(self._done, read=read, unchanged=len(found) - read, removed=removed)

    def _take(self, file: File, before: File | None) -> int | None:
        """Read one file into the base; the number of its chunks, or None if nothing in it has changed."""
        try:
            with Path(file.path).open("rb") as opened:
                digest = file_digest(opened, lambda: blake2b(digest_size=16)).digest()
        except OSError as error:
            trouble = Trouble(source=file.path, message=f"cannot be read: {error.strerror}")
            self.base.put(file, [], [trouble])
            return 0
        if before is not None and (before.digest, before.chunk) == (digest, file.chunk):
            self.base.touch(file)
            return None
        chunks, troubles = reading.take(file.path, file.chunk)
        self.base.put(replace(file, digest=digest), chunks, troubles)
        return len(chunks)

    def _gone(self, paths: Iterable[str]) -> list[str]:
        """Of the files that were not found, those to be forgotten.

        Those of a folder that is gone as a whole are kept, it may be a disk that is not there just now; unless the folder has
        moved to where we found it.
        """
        gone = sorted(paths)
        for folder in self.base.folders:
            inside = [path for path in gone if is_under(path, folder)]
            if not reading.is_away(folder, inside):
                continue
            here = self.base.files()
            elsewhere = {file.digest for path, file in here.items() if not is_under(path, folder)}
            moved = sum(here[path].digest in elsewhere for path in inside)
            if inside and moved >= MOVED * len(inside):
                self.base.drop_folder(folder)
                self._notes.append(
                    f"{folder} is gone, and its files are in the other folders: it is forgotten"
                )
            else:
                self._notes.append(
                    f"{folder} is not there, so what was read of it is kept; headgate kb rm {self.base.name} {folder} forgets it"
                )
            gone = [path for path in gone if not is_under(path, folder)]
        return gone

    # ── Vectors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _embed(self, embedder: Embedder) -> tuple[str, str]:
        """Make the vectors that are missing; why that did not go to the end, and what to do."""
        base, model = self.base, embedder.model
        if base.model != model or self.rebuild:
            await asyncio.to_thread(base.begin_model, model)
        texts = await asyncio.to_thread(base.missing)
        self.say(
            step="embedding",
            to_embed=len(texts),
            reused=max(0, self.progress.chunks - len(texts)),
            seconds_left=None,
        )
        batches = iter([texts[at : at + ABREAST] for at in range(0, len(texts), ABREAST)])
        began = perf_counter()
        one_at_a_time = asyncio.Lock()
        failed: list[EngineError] = []

        async def work() -> None:
            while not failed and (batch := next(batches, None)):
                try:
                    made = await embed(embedder, [text for _, text in batch])
                except EngineError as error:
                    failed.append(error)
                    return
                async with one_at_a_time:
                    await asyncio.to_thread(self._keep, [digest for digest, _ in batch], made)
                done = self.progress.embedded + len(batch)
                left = (perf_counter() - began) * (len(texts) - done) / done
                self.say(embedded=done, seconds_left=left)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        if not failed:
            try:
                await self._weigh(embedder)
            except EngineError as error:
                failed = [error]
        return (failed[0].message, failed[0].hint) if failed else ("", "")

    async def _weigh(self, embedder: Embedder) -> None:
        """Measure what vectors are worth in this base, at first and when it has grown much since.

        Raises:
            EngineError: the embedder failed.
        """
        count = await asyncio.to_thread(self.base.count)
        if count < GROWN * max(self.base.weighed, 1):
            return
        self.say(step="weighing", seconds_left=None)
        weight = await weigh(self.base, embedder)
        await asyncio.to_thread(self.base.note, weight=weight, weighed=count if weight is not None else None)

    def _keep(self, digests: list[bytes], made: list[bytes]) -> None:
        dimensions = self.base.dimensions
        if dimensions is None:
            dimensions = len(made[0]) // 4
            self.base.note(dimensions=dimensions)
        self.base.put_vectors(zip(digests, vectors.stored(made, dimensions), strict=True))
