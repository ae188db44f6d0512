"""OpenAI's Batch API: a file of requests goes up, a job is made of it, files of answers come down.

The job carries our mark as metadata. It does not know what becomes of the answers, and never retries.
"""

from collections.abc import AsyncGenerator, Collection, Sequence

import msgspec
from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.batching import BatchAnswer, JobState, Progress
from headgate.core.types import Failure, Model, Request
from headgate.engines.exchange import LIST, Exchange
from headgate.engines.transport import Clocks, Headers, Transport
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.batched import openai_line, read_openai
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import Profile

URL = "/v1/chat/completions"
MARK = "headgate"
"""The metadata's word for our mark."""
JSON: Headers = (("content-type", "application/json"),)
LOAD = Clocks(connect=10.0, first_byte=300.0, between_bytes=60.0, total=1800.0)
"""For files that go up or come down."""
PAGE = 100
"""Jobs on one page of the list."""
STATES: dict[str, JobState] = {
    "completed": "ended",
    "expired": "ended",
    "cancelled": "ended",
    "failed": "refused",
}
"""All other words mean that it is under way."""


class WireFile(Struct, frozen=True):
    """A file, as far as it is looked at."""

    id: str


class WireCounts(Struct, frozen=True):
    """Requests of a job."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class WireError(Struct, frozen=True):
    """What is wrong with a job."""

    message: str | None = None
    line: int | None = None


class WireErrors(Struct, frozen=True):
    """All that is wrong with a job."""

    data: list[WireError] | None = None


class WireJob(Struct, frozen=True):
    """A batch, as far as it is looked at."""

    id: str
    status: str
    created_at: float = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: WireCounts | None = None
    errors: WireErrors | None = None
    metadata: dict[str, str] | None = None


class WireJobs(Struct, frozen=True):
    """A page of batches."""

    data: list[WireJob]
    has_more: bool = False


class OpenAIBatches:
    """OpenAI's batches, as `core.batching.BatchEngine` says.

    Args:
        settings: the engine's name and key.
        transport: the way to its address.
        profile: what its models take.
    """

    most_requests = 50_000
    most_bytes = 200_000_000

    def __init__(self, settings: EngineSettings, transport: Transport, profile: Profile) -> None:
        self.name = settings.name
        self._dialect = OpenAIChat(profile)
        self._exchange = Exchange(transport, self._dialect, settings)

    def encode(self, custom_id: str, request: Request, model: Model) -> bytes | Failure:
        """A request as a line of the input file."""
        body = self._dialect.encode_request(request, model, stream=False)
        return body if isinstance(body, Failure) else openai_line(custom_id, URL, body)

    async def submit(self, mark: str, model: Model, lines: Sequence[bytes]) -> str | Failure:  # noqa: ARG002  # the lines name it
        """Upload the lines and make a job of them."""
        kind, form = upload(mark, lines)
        sent = await self._exchange.send("POST", "/files", (("content-type", kind),), form, LOAD)
        if isinstance(sent, Failure):
            return sent
        try:
            file = msgspec.json.decode(sent.body, type=WireFile)
        except UNREADABLE as error:
            return unlike("a file", error)
        asked = {
            "input_file_id": file.id,
            "endpoint": URL,
            "completion_window": "24h",
            "metadata": {MARK: mark},
        }
        made = await self._exchange.send("POST", "/batches", JSON, msgspec.json.encode(asked), LIST)
        if isinstance(made, Failure):
            return made
        try:
            return msgspec.json.decode(made.body, type=WireJob).id
        except UNREADABLE as error:
            return unlike("a batch", error)

    async def find(
        self,
        mark: str,
        *,
        since: float,
        many: int,  # noqa: ARG002  # the mark says it all
        others: Collection[str],  # noqa: ARG002
    ) -> str | Failure | None:
        """The job whose metadata has the mark."""
        after = ""
        while True:
            page = await self._exchange.get(f"/batches?limit={PAGE}{after}", clocks=LIST)
            if isinstance(page, Failure):
                return page
            try:
                found = msgspec.json.decode(page.body, type=WireJobs)
            except UNREADABLE as error:
                return unlike("a list of batches", error)
            for job in found.data:
                if (job.metadata or {}).get(MARK) == mark:
                    return job.id
            if not found.has_more or not found.data or found.data[-1].created_at < since:
                return None
            after = f"&after={found.data[-1].id}"

    async def look(self, job: str) -> Progress | Failure:
        """How far it is."""
        found = await self._job(job)
        if isinstance(found, Failure):
            return found
        counts = found.request_counts or WireCounts()
        errors = (found.errors.data if found.errors is not None else None) or []
        said = "; ".join(
            f"line {one.line}: {one.message}" if one.line else f"{one.message}" for one in errors[:3]
        )
        return Progress(
            state=STATES.get(found.status, "open"),
            total=counts.total,
            done=counts.completed + counts.failed,
            word=found.status,
            detail=said,
        )

    async def results(self, job: str) -> AsyncGenerator[BatchAnswer | Failure]:
        """The lines of both files."""
        found = await self._job(job)
        if isinstance(found, Failure):
            yield found
            return
        for file in (found.output_file_id, found.error_file_id):
            if file is None:
                continue
            async for line in self._exchange.receive("GET", f"/files/{file}/content", (), b"", LOAD):
                answer = line if isinstance(line, Failure) else read_openai(line)
                if answer is not None:
                    yield answer

    async def cancel(self, job: str) -> Failure | None:
        """Ask for its end."""
        said = await self._exchange.send("POST", f"/batches/{job}/cancel", JSON, b"{}", LIST)
        return said if isinstance(said, Failure) else None

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _job(self, job: str) -> WireJob | Failure:
        said = await self._exchange.get(f"/batches/{job}", clocks=LIST)
        if isinstance(said, Failure):
            return said
        try:
            return msgspec.json.decode(said.body, type=WireJob)
        except UNREADABLE as error:
            return unlike("a batch", error)


def unlike(what: str, error: Exception) -> Failure:
    """The provider's answer has another shape."""
    return Failure(reason="malformed", detail=f"what should be {what} has another shape: {error}")


def upload(mark: str, lines: Sequence[bytes]) -> tuple[str, bytes]:
    """The lines as a form: its content type, and its bytes. The mark is none of the words in any line: it is chance."""
    edge = f"headgate-{mark}-{mark}".encode()
    parts = [
        b'--%b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n' % edge,
        b'--%b\r\ncontent-disposition: form-data; name="file"; filename="headgate-%b.jsonl"\r\n'
        % (edge, mark.encode()),
        b"content-type: application/jsonl\r\n\r\n",
        b"\n".join(lines),
        b"\n\r\n--%b--\r\n" % edge,
    ]
    return f"multipart/form-data; boundary={edge.decode()}", b"".join(parts)
