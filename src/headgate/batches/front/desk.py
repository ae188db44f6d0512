"""All batch clients of one gate: their files and batches, and the work on those that are open.

The folder belongs to one gate at a time; another one that is open beside it says so. Batches go on when the gate opens, side by side,
with so many requests under way as the models take. It does not know HTTP.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from time import time
from typing import BinaryIO

from headgate.batches.front.book import OVER, BatchObject, Book, Counts, Kept
from headgate.batches.front.course import Course
from headgate.batches.front.files import Files, share
from headgate.batches.front.inside import KEY, Door
from headgate.batches.lock import lock, unlock
from headgate.batches.results import sync_file
from headgate.gateway.caller import Call
from headgate.gateway.keys import OWN, holder

DAY = 86_400
OURS = ("x-headgate-caller", "x-headgate-task", "x-headgate-privacy")
"""What a client may say of all requests of a batch."""

log = logging.getLogger("headgate.batches")


class Desk:
    """Where batch clients are served.

    Args:
        folder: for all of it; it is made when it is needed.
        door: answers the requests of batches: the gate.
        at_once: requests of all batches under way at a time.
    """

    def __init__(self, folder: Path, door: Door, at_once: int) -> None:
        self.folder = folder
        self.files: Files
        self.book: Book
        self._door = door
        self._at_once = at_once
        self._room = asyncio.Semaphore(at_once)
        self._lock: int | None = None
        self._courses: dict[str, tuple[Course, asyncio.Task[None]]] = {}

    def open(self) -> bool:
        """Take the folder, and go on with what is open. False: another gate has it.

        Raises:
            OSError: it cannot be made or read.
        """
        if self._lock is not None:
            return True
        for name in ("files", "jobs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not lock(file):
            os.close(file)
            return False
        try:
            self.files, self.book = Files(self.folder / "files"), Book(self.folder / "jobs")
        except BaseException:
            os.close(file)
            raise
        self._lock = file
        for kept in self.book.all.values():
            if kept.batch.status not in OVER:
                self._begin(kept)
        return True

    def go_on(self) -> None:
        """Go on with the batches of a gate before this one, if there was one."""
        if self.folder.exists():
            try:
                self.open()
            except OSError as error:
                log.warning("the batches in %s cannot be gone on with: %s", self.folder, error)

    def new_upload(self) -> BinaryIO:
        """A file for what is being uploaded; it is gone when it is closed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.TemporaryFile(dir=self.folder)

    def headers_of(self, call: Call) -> dict[str, str]:
        """What the client says of all requests of a batch. His key is not among it, because it would be kept; its name is."""
        said = {name: call.headers.get(name.encode()) for name in OURS}
        headers = {name: value.decode("latin-1") for name, value in said.items() if value is not None}
        whose = holder.get()
        name = whose.name or (OWN if whose.admin else "")
        return headers | ({KEY: name} if name else {})

    async def create(
        self,
        endpoint: str,
        requests: Path | Callable[[BinaryIO], object],
        *,
        prefix: str,
        input_file: str = "",
        metadata: dict[str, str] | None,
        headers: dict[str, str],
        lives: int | None,
    ) -> BatchObject:
        """A new batch, which is on the disk when this returns. The input is written on another thread.

        Args:
            endpoint: where its requests go.
            requests: its input: a file that is there, or what writes one.
            prefix: of its id.
            input_file: the id of that file.
            metadata: the client's own words.
            headers: what he says of all its requests.
            lives: seconds that the results are kept; None is until they are deleted.
        """
        now = int(time())
        name = self.book.new_id(prefix)
        place = self.book.place(name) / "input.jsonl"
        try:
            await asyncio.to_thread(lay_down, requests, place)
        except OSError:
            rmtree(place.parent, ignore_errors=True)
            raise
        batch = BatchObject(
            id=name,
            endpoint=endpoint,
            input_file_id=input_file,
            completion_window="24h",
            created_at=now,
            expires_at=now + DAY,
            request_counts=Counts(),
            metadata=metadata,
        )
        kept = Kept(batch=batch, headers=headers, lives=lives)
        self.book.keep(kept)
        self._begin(kept)
        return batch

    def remove(self, kept: Kept) -> None:
        """Remove a batch that is over, and the files of its results."""
        for name in (kept.batch.output_file_id, kept.batch.error_file_id):
            if name is not None:
                self.files.delete(name)
        self.book.remove(kept.batch.id)

    def cancel(self, name: str) -> None:
        """Ask for the end of an open batch; of another one, nothing happens."""
        if name in self._courses:
            self._courses[name][0].cancel()

    async def close(self) -> None:
        """Leave the open batches to the gate that opens next."""
        tasks = [task for _, task in self._courses.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lock is not None:
            unlock(self._lock)
            os.close(self._lock)
            self._lock = None

    def _begin(self, kept: Kept) -> None:
        name = kept.batch.id
        course = Course(kept, self.book, self.files, self._door, room=self._room, at_once=self._at_once)
        task = asyncio.create_task(self._see_through(name, course), name=f"headgate-{name}")
        self._courses[name] = course, task

    async def _see_through(self, name: str, course: Course) -> None:
        try:
            await course.go()
        except Exception:
            log.exception("the batch %s stands still; the gate goes on with it when it opens next", name)
        finally:
            self._courses.pop(name, None)


def lay_down(requests: Path | Callable[[BinaryIO], object], place: Path) -> None:
    """Have the input of a batch where it is worked on."""
    if isinstance(requests, Path):
        share(requests, place)
        return
    with place.open("wb") as file:
        requests(file)
        sync_file(file)
