"""The jobs that a batch has handed over to a provider, on disk: what was planned, which id it got, that it is through.

    results.jsonl.jobs      a line for each step of each job, on the disk before the step is taken

A job is written down before it is handed over, so a process that dies in between finds its mark here, and the job by it at the
provider: nothing is handed over twice. It does not know how a provider is spoken to (`engines`).
"""

import os
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct

from headgate.batches.results import sync_file, sync_folder
from headgate.core.errors import HeadgateError, UsageError


class Planned(Struct, frozen=True, tag_field="event", tag="planned", kw_only=True):
    """A job is about to be handed over."""

    batch: str
    """Whose job it is: the name of the batch."""
    mark: str
    """The job's own name, by chance."""
    engine: str
    model: str
    at: float
    """Unix time."""
    items: tuple[tuple[int, str], ...]
    """Its items: place and digest of each."""


class Submitted(Struct, frozen=True, tag_field="event", tag="submitted", kw_only=True):
    """The provider has it."""

    mark: str
    job: str
    """The provider's name for it."""


class Closed(Struct, frozen=True, tag_field="event", tag="closed", kw_only=True):
    """All that can be had of it is among the results."""

    mark: str
    why: str = ""
    """Why it was not taken, or is gone; "" where it ended as it should."""


Step = Planned | Submitted | Closed

_decode = msgspec.json.Decoder(Step).decode


class OpenJob(Struct, frozen=True, kw_only=True):
    """A job whose results are not collected yet."""

    planned: Planned
    job: str = ""
    """The provider's name for it; "" where it is not known whether the provider has it."""


class Jobs:
    """The jobs of one batch. Only one process has it: the one that has the results.

    Args:
        path: the file; it is made with the first job.
        batch: the name of the batch. What the file says of another one is passed over.

    Raises:
        UsageError: the file holds something else.
    """

    def __init__(self, path: Path, batch: str) -> None:
        self.path = path
        self.batch = batch
        self.open: dict[str, OpenJob] = {}
        """By their marks, in the order in which they were planned."""
        self.ids: set[str] = set()
        """All names that the provider has given."""
        self._read()

    @property
    def covered(self) -> Counter[str]:
        """How many items of each content, by its digest, are in open jobs. Their places may have changed since."""
        return Counter(digest for job in self.open.values() for _, digest in job.planned.items)

    def put(self, step: Step) -> None:
        """Write a step down. It would survive a loss of power when this returns.

        Raises:
            HeadgateError: it cannot be written. Then the step must not be taken.
        """
        try:
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(step) + b"\n")
                sync_file(file)
            if isinstance(step, Planned):
                sync_folder(self.path.parent)
        except OSError as error:
            raise HeadgateError(
                f"{self.path} cannot be written: {error.strerror}",
                "make room; the same command goes on where this one ended",
            ) from error
        self._take(step)

    def remove(self) -> None:
        """Forget all of them: there is nothing left to be collected."""
        assert not self.open, "somebody waits for them"
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        if lines and not lines[-1].endswith(b"\n"):  # a step that was never taken
            os.truncate(self.path, sum(map(len, lines[:-1])))
            lines.pop()
        for number, line in enumerate(lines, 1):
            try:
                self._take(_decode(line))
            except msgspec.MsgspecError as error:
                raise UsageError(
                    f"{self.path} line {number} is no step of a job: {error}",
                    "it names what a provider has of this batch; without it, that is asked and paid again",
                ) from error

    def _take(self, step: Step) -> None:
        if isinstance(step, Planned):
            if step.batch == self.batch:
                self.open[step.mark] = OpenJob(planned=step)
        elif isinstance(step, Submitted):
            self.ids.add(step.job)
            if step.mark in self.open:
                self.open[step.mark] = OpenJob(planned=self.open[step.mark].planned, job=step.job)
        else:
            self.open.pop(step.mark, None)


def take_one(covered: Counter[str], digest: str) -> bool:
    """Whether an item of this content is left among those that are covered; then it is one less."""
    if not covered[digest]:
        return False
    covered[digest] -= 1
    return True
