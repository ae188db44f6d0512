"""/v1/messages/batches over HTTP, in Anthropic's words, so that its clients work unchanged.

The requests of a batch become the lines of an input file, and are worked on like those of OpenAI's clients. It does not know how.
"""

import asyncio
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw, Struct

from headgate.batches.front.book import OVER, Kept
from headgate.batches.front.desk import DAY, Desk
from headgate.batches.front.lines import LONGEST_ID
from headgate.batches.front.pages import MessageBatchesQuery
from headgate.batches.front.service import TAKEN, missing, too_large_upload, wrong
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.http import Upload
from headgate.gateway.queries import read_query
from headgate.wire.faults import Fault

ENDPOINT = "/v1/messages"
BATCHES, BATCH = "/v1/messages/batches", "/v1/messages/batches/{batch_id}"
CANCEL, RESULTS = f"{BATCH}/cancel", f"{BATCH}/results"
TAKES: Mapping[str, tuple[str, ...]] = {
    BATCHES: ("GET", "POST"),
    BATCH: ("GET", "DELETE"),
    CANCEL: ("POST",),
    RESULTS: ("GET",),
}
MOST_REQUESTS = 100_000
PREFIX = "msgbatch_"
"""With which the ids of these batches begin."""


class WireRequest(Struct, frozen=True):
    """One request of a batch."""

    custom_id: str
    params: Raw


class WireRequests(Struct, frozen=True):
    """What a new batch is asked for with."""

    requests: list[WireRequest]


class WireResponse(Struct, frozen=True):
    """What a request was answered."""

    status_code: int
    body: Raw


class WireProblem(Struct, frozen=True):
    """Why it was not."""

    code: str
    message: str


class WireLine(Struct, frozen=True):
    """A line of our files of results."""

    custom_id: str
    response: WireResponse | None
    error: WireProblem | None


decode_line = msgspec.json.Decoder(WireLine).decode


class MessagesFront:
    """Answers /v1/messages/batches.

    Args:
        desk: has the batches.
        limit: bytes of a new batch.
    """

    methods = TAKES

    def __init__(self, desk: Desk, limit: int) -> None:
        self.desk = desk
        self.limit = limit

    @property
    def uploads(self) -> Mapping[str, Upload]:
        """The paths whose bodies go into files."""
        return {BATCHES: Upload(self.limit, self.desk.new_upload)}

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        try:
            said = await self.said(call, path, names) if self.desk.open() else TAKEN
        except OSError as error:
            said = Fault(
                status=507, message=f"{self.desk.folder} cannot be used: {error.strerror}", kind="api_error"
            )
        if isinstance(said, Fault):
            answer_fault(call, said, dialect="anthropic")
        elif said is not None:
            call.answer(200, JSON, msgspec.json.encode(said))

    async def said(self, call: Call, path: str, names: Mapping[str, str]) -> Any:
        """The answer as a value, or what is wrong; None where it has gone out already."""
        host = call.headers.get(b"host", b"127.0.0.1").decode("latin-1")
        if path == BATCHES:
            return await self.create(call, host) if call.method == "POST" else self.list(call.query, host)
        kept = self.desk.book.all.get(names["batch_id"])
        if kept is None or not kept.batch.id.startswith(PREFIX):
            return missing("message batch", names["batch_id"])
        over = kept.batch.status in OVER
        if path == RESULTS:
            return (
                await self.give(call, kept)
                if over
                else Fault(
                    status=404,
                    message="the batch has not ended yet, so there are no results of it",
                    hint="look again later",
                )
            )
        if path == CANCEL:
            self.desk.cancel(kept.batch.id)
        elif call.method == "DELETE":
            if not over:
                return wrong("batch_id", "the batch is under way", "cancel it first")
            self.desk.remove(kept)
            return {"id": kept.batch.id, "type": "message_batch_deleted"}
        return shown(kept, host)

    async def create(self, call: Call, host: str) -> Any:
        """Begin a batch."""
        if call.body is None or call.file is None:
            return too_large_upload(self.limit)
        fill = await asyncio.to_thread(requests_of, call.file)
        if isinstance(fill, Fault):
            return fill
        batch = await self.desk.create(
            ENDPOINT, fill, prefix=PREFIX, metadata=None, headers=self.desk.headers_of(call), lives=None
        )
        return shown(self.desk.book.all[batch.id], host)

    def list(self, query: str, host: str) -> dict[str, Any] | Fault:
        """A page of the batches, the newest first. Where only its end is said, those are left out that are farthest from it."""
        asked = read_query(MessageBatchesQuery, query)
        if isinstance(asked, Fault):
            return asked
        after, before = asked.after_id, asked.before_id
        names = [one.id for one in self.desk.book.newest_first(PREFIX)]
        names = [name for name in names if (not after or name < after) and (not before or name > before)]
        some = names[-asked.limit :] if before and not after else names[: asked.limit]
        return {
            "data": [shown(self.desk.book.all[name], host) for name in some],
            "has_more": len(names) > len(some),
            "first_id": some[0] if some else None,
            "last_id": some[-1] if some else None,
        }

    async def give(self, call: Call, kept: Kept) -> None:
        """Send the results, a line each."""
        call.stream(200, b"content-type: application/x-jsonl\r\n")
        for name in (kept.batch.output_file_id, kept.batch.error_file_id):
            if name is not None and self.desk.files.find(name) is not None:
                with self.desk.files.path(name).open("rb") as lines:
                    for line in lines:
                        await call.write(result_of(decode_line(line)))
        call.end()

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.batches.front.described_messages import described  # noqa: PLC0415  # only if somebody asks

        return described()


def requests_of(body: BinaryIO) -> Callable[[BinaryIO], object] | Fault:
    """What writes the requests of a body as lines, or what is wrong with it."""
    body.flush()
    if not body.seek(0, 2):
        return wrong(
            "requests", "there are no requests", 'send {"requests": [{"custom_id": …, "params": {…}}]}'
        )
    with mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ) as view:
        try:
            asked = msgspec.json.decode(view[:], type=WireRequests).requests
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return wrong(
                "requests", f"the requests cannot be read: {error}", "custom_id is a text, params an object"
            )
    if not 1 <= len(asked) <= MOST_REQUESTS:
        return wrong(
            "requests",
            f"a batch has 1 to {MOST_REQUESTS:,} requests, not {len(asked):,}",
            "make several batches",
        )
    seen: set[str] = set()
    for number, one in enumerate(asked):
        place = f"requests.{number}"
        if not one.custom_id or len(one.custom_id) > LONGEST_ID:
            return wrong(
                f"{place}.custom_id", f"{place}: custom_id must have 1 to {LONGEST_ID} characters", "name it"
            )
        if one.custom_id in seen:
            return wrong(
                f"{place}.custom_id",
                f'{place}: "{one.custom_id}" is the custom_id of an earlier request',
                "name each otherwise",
            )
        if not bytes(one.params).lstrip().startswith(b"{"):
            return wrong(
                f"{place}.params", f"{place}: params must be an object", "send what /v1/messages takes"
            )
        seen.add(one.custom_id)
    return lambda file: file.writelines(lines_of(asked))


def lines_of(asked: Iterable[WireRequest]) -> Iterator[bytes]:
    """The requests as lines of an input file."""
    for one in asked:
        line = {
            "custom_id": one.custom_id,
            "method": "POST",
            "url": ENDPOINT,
            "body": msgspec.json.decode(one.params),
        }
        yield msgspec.json.encode(line) + b"\n"


def result_of(line: WireLine) -> bytes:
    """A line of the results."""
    kinds = {"batch_cancelled": "canceled", "batch_expired": "expired"}
    result: dict[str, Any]
    if line.response is not None:
        good = line.response.status_code == 200
        result = (
            {"type": "succeeded", "message": line.response.body}
            if good
            else {"type": "errored", "error": line.response.body}
        )
    elif line.error is not None and line.error.code in kinds:
        result = {"type": kinds[line.error.code]}
    else:
        said = line.error.message if line.error is not None else ""
        inner = {"type": "api_error", "message": said}
        result = {"type": "errored", "error": {"type": "error", "error": inner, "request_id": None}}
    return msgspec.json.encode({"custom_id": line.custom_id, "result": result}) + b"\n"


def shown(kept: Kept, host: str) -> dict[str, Any]:
    """A batch as Anthropic's clients see it."""
    batch, counts = kept.batch, kept.batch.request_counts
    over = batch.status in OVER
    never = counts.failed - kept.errored if over else 0
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if over else "canceling" if batch.cancelling_at else "in_progress",
        "request_counts": {
            "processing": 0 if over else max(0, counts.total - counts.completed - counts.failed),
            "succeeded": counts.completed,
            "errored": kept.errored if over else counts.failed,
            "canceled": never if batch.status == "cancelled" else 0,
            "expired": never if batch.status == "expired" else 0,
        },
        "created_at": stamp(batch.created_at),
        "expires_at": stamp(batch.created_at + DAY),
        "ended_at": stamp(batch.completed_at or batch.cancelled_at or batch.expired_at or batch.failed_at),
        "cancel_initiated_at": stamp(batch.cancelling_at),
        "archived_at": None,
        "results_url": f"http://{host}{BATCHES}/{batch.id}/results" if over else None,
    }


def stamp(moment: int | None) -> str | None:
    """A moment as Anthropic writes it."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
