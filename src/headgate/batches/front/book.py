"""The batches of clients on disk: a folder for each, with what is said of it, its input, and the results so far.

    batch_…/batch.json      the batch, replaced as a whole at each step
    batch_…/input.jsonl     its input file, by a name of its own
    batch_…/results.jsonl   a line for each request that was answered (`batches.results`)

The last two are gone when the batch is over. It does not know how a batch is worked on (`course`).
"""

import logging
from pathlib import Path
from shutil import rmtree
from typing import Literal

import msgspec
from msgspec import Struct

from headgate.batches.front.files import by_time, write_page
from headgate.batches.front.lines import Problem
from headgate.batches.results import sync_folder

Status = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
OVER: tuple[Status, ...] = ("failed", "completed", "expired", "cancelled")


class Counts(Struct, kw_only=True):
    """Requests of a batch."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class CachedTokens(Struct, frozen=True):
    """A part of what was read."""

    cached_tokens: int = 0


class ThoughtTokens(Struct, frozen=True):
    """A part of what was written."""

    reasoning_tokens: int = 0


class Tokens(Struct, frozen=True, kw_only=True):
    """What the requests of a batch used."""

    input_tokens: int = 0
    input_tokens_details: CachedTokens = CachedTokens()
    output_tokens: int = 0
    output_tokens_details: ThoughtTokens = ThoughtTokens()
    total_tokens: int = 0


class Problems(Struct, frozen=True):
    """What is wrong with the input."""

    data: list[Problem]
    object: Literal["list"] = "list"


class BatchObject(Struct, kw_only=True):
    """A batch as clients see it, in OpenAI's words. Moments are Unix seconds."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: Problems | None = None
    input_file_id: str
    completion_window: str
    status: Status = "validating"
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: Counts
    usage: Tokens | None = None
    metadata: dict[str, str] | None = None


class Kept(Struct, kw_only=True):
    """A batch as it is kept."""

    batch: BatchObject
    headers: dict[str, str] = {}
    """What the client said of all its requests: x-headgate-… lines."""
    lives: int | None = None
    """Seconds that the files of results are kept; None is until they are deleted."""
    output: str = ""
    """The names of the files that its results are going to have."""
    errors: str = ""
    errored: int = 0
    """Requests that were answered by an error; the other failed ones were never done."""


log = logging.getLogger("headgate.batches")


class Book:
    """The batches of one gate.

    Args:
        folder: where they lie; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: dict[str, Kept] = {}
        for place in sorted(folder.iterdir()):
            page = place / "batch.json"
            if not page.exists():  # it was never begun, and nobody was told of it
                rmtree(place)
                continue
            try:
                kept = msgspec.json.decode(page.read_bytes(), type=Kept)
            except msgspec.MsgspecError as error:
                log.warning("%s is damaged, so its batch is left as it is: %s", page, error)
                continue
            self.all[kept.batch.id] = kept
            if kept.batch.status in OVER:
                self.tidy(kept.batch.id)

    def new_id(self, prefix: str) -> str:
        """A name for a batch that is going to be; its folder is made."""
        name = f"{prefix}{by_time()}"
        self.place(name).mkdir(parents=True)
        sync_folder(self.folder)
        return name

    def tidy(self, name: str) -> None:
        """Remove what a batch that is over was asked and answered: its results are files of their own."""
        for one in self.place(name).iterdir():
            if one.name != "batch.json":
                one.unlink()

    def place(self, name: str) -> Path:
        """The folder of a batch."""
        return self.folder / name

    def keep(self, kept: Kept) -> None:
        """Write a batch down as it stands now."""
        write_page(self.place(kept.batch.id) / "batch.json", msgspec.json.encode(kept))
        self.all[kept.batch.id] = kept

    def remove(self, name: str) -> None:
        """Forget a batch."""
        del self.all[name]
        rmtree(self.place(name))

    def newest_first(self, prefix: str) -> list[BatchObject]:
        """The batches whose ids begin so."""
        batches = [kept.batch for name, kept in self.all.items() if name.startswith(prefix)]
        return sorted(batches, key=lambda one: one.id, reverse=True)
