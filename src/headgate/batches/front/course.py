"""One client's batch, from its input file to the files of its results: check, work, write.

    validating ──► failed
        └──► in_progress ──► finalizing ──► completed
                 └──► (cancelling) ──► finalizing ──► cancelled | expired

Each step is on disk before the next begins, so a gate that was killed goes on where it was; no request that has its result is asked
again. It does not know HTTP, or how a request is answered.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import time
from typing import BinaryIO

import msgspec

from headgate.batches.front.book import OVER, Book, Kept, Problems, Status, Tokens
from headgate.batches.front.files import Files
from headgate.batches.front.inside import Door, ask_inside
from headgate.batches.front.lines import Lines, check_lines, decode_line
from headgate.batches.opening import open_results
from headgate.batches.results import Results
from headgate.batches.types import Item, Result
from headgate.batches.work import Answered, Event, Stop, Work
from headgate.core.runs import Run

AGAIN = (1.0, 5.0, 20.0, 60.0)
"""Seconds between the tries of a request that nobody could take just then."""
NEVER_DONE: dict[Status, tuple[str, str]] = {
    "expired": ("batch_expired", "This request could not be done before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not done because the batch was cancelled."),
}

Fill = Callable[[BinaryIO], object]
"""Writes the content of a file."""


class Course:
    """One batch under way.

    Args:
        kept: the batch.
        book: where it is written down.
        files: where its results go.
        door: the gate.
        room: requests of all batches under way at a time.
        at_once: how many that are.
    """

    def __init__(
        self, kept: Kept, book: Book, files: Files, door: Door, *, room: asyncio.Semaphore, at_once: int
    ) -> None:
        self.kept = kept
        self._batch = kept.batch
        self._book = book
        self._files = files
        self._door = door
        self._room = room
        self._at_once = at_once
        self._stop = Stop()

    async def go(self) -> None:
        """See the batch through, or as far as it comes before the gate is closed."""
        if self._batch.status not in OVER and not self._batch.request_counts.total:
            await self._check()
        if self._batch.status in ("in_progress", "cancelling", "finalizing"):
            await self._work()
        if self._batch.status in OVER:
            await asyncio.to_thread(self._book.tidy, self._batch.id)

    def cancel(self) -> None:
        """Ask for the end; what is under way is still answered."""
        if self._batch.status in ("validating", "in_progress"):
            self._step("cancelling")
            self._stop.ask()

    async def _check(self) -> None:
        batch = self._batch
        total, problems = await asyncio.to_thread(check_lines, self._input, batch.endpoint)
        if problems:
            batch.errors = Problems(problems)
            self._step("failed")
            return
        batch.request_counts.total = total
        self._step("in_progress" if batch.status == "validating" else batch.status)

    async def _work(self) -> None:
        """Answer the requests, and write the files."""
        batch = self._batch
        path = self._book.place(batch.id) / "results.jsonl"
        with open_results(path, agent=batch.endpoint, inputs=(batch.id,)) as (results, _):
            self._count(results)
            ending = asyncio.create_task(self._expire())
            try:
                if batch.status != "finalizing":
                    if batch.status == "cancelling":
                        self._stop.ask()
                    await Work(
                        Lines(self._input, batch.request_counts.total),
                        results,
                        self._answer,
                        at_once=self._at_once,
                        stop=self._stop,
                        tell=lambda event: self._note(event, results),
                    ).run()
            finally:
                ending.cancel()
            await self._write(results)

    async def _answer(self, item: Item, name: str, pay: bool) -> Run:  # noqa: ARG002  # the client's own request says who may
        assert isinstance(item.given, str)
        headers = {"x-headgate-caller": self._batch.id, **self.kept.headers}
        for wait in (*AGAIN, None):
            async with self._room:
                run, again = await ask_inside(self._door, self._batch.endpoint, item.given, headers)
            if not again or wait is None:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.asked.wait(), wait)
                break
        return run

    def _note(self, event: Event, results: Results) -> None:
        if isinstance(event, Answered):
            self._count(results)

    def _count(self, results: Results) -> None:
        counts, tally = self._batch.request_counts, results.tally
        counts.completed, counts.failed = tally.statuses["ok"], tally.statuses["failed"]

    async def _expire(self) -> None:
        """End the work when the window closes, with what is under way."""
        await asyncio.sleep(max(0.0, self._batch.expires_at - time()))
        self._stop.ask()
        self._stop.ask()

    # ── The files of the results ─────────────────────────────────────────────────────────────────────────────────────

    async def _write(self, results: Results) -> None:
        batch, kept = self._batch, self.kept
        if batch.status != "finalizing" or not kept.output:
            kept.output, kept.errors = self._files.new_id(), self._files.new_id()
            self._step("finalizing")
        end: Status = "completed"
        if results.tally.items < batch.request_counts.total:
            end = "expired" if batch.cancelling_at is None else "cancelled"
        good = await self._file(kept.output, "output", lambda file: file.writelines(output_lines(results)))
        bad = await self._file(
            kept.errors, "error", lambda file: file.writelines(self._error_lines(results, end))
        )
        batch.output_file_id, batch.error_file_id = good, bad
        self._count(results)
        kept.errored = batch.request_counts.failed
        batch.request_counts.failed = batch.request_counts.total - batch.request_counts.completed
        batch.usage = await asyncio.to_thread(used, results)
        self._step(end)

    async def _file(self, name: str, kind: str, fill: Fill) -> str | None:
        """Write a file of results; None, and there is none, if nothing would be in it."""
        made = await asyncio.to_thread(
            self._files.write, name, f"{self._batch.id}_{kind}.jsonl", "batch_output", fill, self.kept.lives
        )
        if made.bytes:
            return made.id
        self._files.delete(made.id)
        return None

    def _error_lines(self, results: Results, end: Status) -> Iterator[bytes]:
        """The requests that failed, and those that were never done."""
        yield from (line_of(result) for result in results if result.status != "ok")
        if end not in NEVER_DONE:
            return
        code, message = NEVER_DONE[end]
        for item in Lines(self._input, self._batch.request_counts.total):
            if isinstance(item, Item) and not results.holds(item.n):
                assert isinstance(item.given, str)
                yield written(
                    item.n, decode_line(item.given).custom_id, None, {"code": code, "message": message}
                )

    def _step(self, status: Status) -> None:
        """Write down that the batch is so far."""
        batch = self._batch
        batch.status = status
        setattr(batch, f"{status}_at", int(time()))
        self._book.keep(self.kept)

    @property
    def _input(self) -> Path:
        return self._book.place(self._batch.id) / "input.jsonl"


def output_lines(results: Results) -> Iterator[bytes]:
    """The requests that were answered."""
    return (line_of(result) for result in results if result.status == "ok")


def line_of(result: Result) -> bytes:
    """What became of a request, as a line."""
    error = None if result.output is not None else {"code": "server_error", "message": result.reason}
    return written(result.item, result.id, result.output, error)


def written(number: int, custom_id: str, response: object, error: object) -> bytes:
    """A line of a file of results."""
    line = {"id": f"batch_req_{number:08d}", "custom_id": custom_id, "response": response, "error": error}
    return msgspec.json.encode(line) + b"\n"


def used(results: Results) -> Tokens:
    """The tokens of all requests together."""
    read = wrote = 0
    for result in results:
        read += result.tokens_in
        wrote += result.tokens_out
    return Tokens(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
