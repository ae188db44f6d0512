"""Anthropic's Message Batches: the requests go up in one call, their results come down as lines.

A batch carries no words of ours, but each of its requests has an id, which begins with our mark. So a job is found again by
its size and its time, and proven by its results. It does not know what becomes of the answers, and never retries.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec
from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.batching import BatchAnswer, Progress
from headgate.core.types import Failure, Model, Request
from headgate.engines.anthropic import VERSION_HEADER
from headgate.engines.exchange import LIST, Exchange
from headgate.engines.openai_batches import LOAD, unlike
from headgate.engines.profiles import ANTHROPIC_RULES
from headgate.engines.transport import Headers, Transport
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.anthropic_messages import LATEST, AnthropicMessages
from headgate.wire.upstream.batched import anthropic_line, read_anthropic

BATCHES = "/v1/messages/batches"
PAGE = 100
"""Jobs on one page of the list."""
CLOCKS_DIFFER = 120.0
"""Seconds by which the provider's clock may be behind ours."""


class WireCounts(Struct, frozen=True):
    """Requests of a batch."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def done(self) -> int:
        """Those that it is through with."""
        return self.succeeded + self.errored + self.canceled + self.expired


class WireJob(Struct, frozen=True):
    """A batch, as far as it is looked at."""

    id: str
    processing_status: str
    request_counts: WireCounts
    created_at: datetime


class WireJobs(Struct, frozen=True):
    """A page of batches."""

    data: list[WireJob]
    has_more: bool = False


class AnthropicBatches:
    """Anthropic's batches, as `core.batching.BatchEngine` says.

    Args:
        settings: the engine's name, key and, if not the latest, the protocol's version.
        transport: the way to its address; it carries the key.
    """

    most_requests = 100_000
    most_bytes = 256_000_000

    def __init__(self, settings: EngineSettings, transport: Transport) -> None:
        self.name = settings.name
        self._dialect = AnthropicMessages(ANTHROPIC_RULES, settings.api_version or LATEST)
        self._exchange = Exchange(transport, self._dialect, settings)
        self._headers = self._headers_of(self._dialect.version)

    def encode(self, custom_id: str, request: Request, model: Model) -> bytes | Failure:
        """A request among those of a job."""
        params = self._dialect.encode_request(request, model, stream=False)
        return params if isinstance(params, Failure) else anthropic_line(custom_id, params)

    async def submit(self, mark: str, model: Model, lines: Sequence[bytes]) -> str | Failure:  # noqa: ARG002  # each id has the mark
        """Hand the requests over."""
        body = b'{"requests":[%b]}' % b",".join(lines)
        headers = self._headers_of(self._dialect.version_for(model))
        made = await self._exchange.send("POST", BATCHES, headers, body, LOAD)
        if isinstance(made, Failure):
            return made
        try:
            return msgspec.json.decode(made.body, type=WireJob).id
        except UNREADABLE as error:
            return unlike("a batch", error)

    async def find(
        self, mark: str, *, since: float, many: int, others: Collection[str]
    ) -> str | Failure | None:
        """The job of this size and time; if it has ended, only if its results have the mark."""
        after = ""
        while True:
            page = await self._exchange.get(f"{BATCHES}?limit={PAGE}{after}", self._headers, LIST)
            if isinstance(page, Failure):
                return page
            try:
                found = msgspec.json.decode(page.body, type=WireJobs)
            except UNREADABLE as error:
                return unlike("a list of batches", error)
            for job in found.data:
                if job.created_at.timestamp() < since - CLOCKS_DIFFER:
                    return None
                total = job.request_counts.processing + job.request_counts.done
                if total != many or job.id in others:
                    continue
                ours = await self._may_be(job, mark)
                if isinstance(ours, Failure):
                    return ours
                if ours:
                    return job.id
            if not found.has_more or not found.data:
                return None
            after = f"&after_id={found.data[-1].id}"

    async def look(self, job: str) -> Progress | Failure:
        """How far it is."""
        said = await self._exchange.get(f"{BATCHES}/{job}", self._headers, LIST)
        if isinstance(said, Failure):
            return said
        try:
            found = msgspec.json.decode(said.body, type=WireJob)
        except UNREADABLE as error:
            return unlike("a batch", error)
        counts = found.request_counts
        return Progress(
            state="ended" if found.processing_status == "ended" else "open",
            total=counts.processing + counts.done,
            done=counts.done,
            word=found.processing_status,
        )

    async def results(self, job: str) -> AsyncGenerator[BatchAnswer | Failure]:
        """The lines of the results."""
        async for line in self._exchange.receive("GET", f"{BATCHES}/{job}/results", self._headers, b"", LOAD):
            answer = line if isinstance(line, Failure) else read_anthropic(line)
            if answer is not None:
                yield answer

    async def cancel(self, job: str) -> Failure | None:
        """Ask for its end."""
        said = await self._exchange.send("POST", f"{BATCHES}/{job}/cancel", self._headers, b"{}", LIST)
        return said if isinstance(said, Failure) else None

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _may_be(self, job: WireJob, mark: str) -> bool | Failure:
        """Whether nothing is known that says otherwise."""
        if job.processing_status != "ended":
            return True
        async with aclosing(self.results(job.id)) as answers:
            async for answer in answers:
                return answer if isinstance(answer, Failure) else answer.custom_id.startswith(mark)
        return False

    def _headers_of(self, version: str) -> Headers:
        return ((VERSION_HEADER, version), ("content-type", "application/json"))
