"""A provider's batch API: many requests handed over at once, answered within a day, at half the price.

A job is one hand-over. Its requests are known by ids that begin with the job's mark, a name of our own, so that a job whose
provider's id was lost can be found again. Both providers charge half of the list price, except where their lists say otherwise (`core.prices`).
This module does not know how a provider is spoken to (`engines`), nor where the requests come from (`batches`).
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Raw, Struct

from headgate.core.prices import price_of_service
from headgate.core.types import Failure, Model, Price, Request
from headgate.core.usage import BATCH

JobState = Literal["open", "ended", "refused"]
"""The provider works on it; its results can be had, be they all or not; or it did not take the requests at all."""


def batch_price(price: Price | None) -> Price | None:
    """What a model costs in its provider's batches."""
    return None if price is None else price_of_service(price, BATCH)


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job is."""

    state: JobState
    total: int = 0
    done: int = 0
    """Requests that the provider is through with, in whatever way."""
    word: str = ""
    """The provider's own word for it."""
    detail: str = ""
    """For people: why it was refused."""


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """What a provider's batch says to one request, before it is read."""

    custom_id: str
    status: Annotated[int, Meta(ge=0, le=599)]
    """The HTTP status that a live call would have had; 0 where the request was never done."""
    body: Raw = Raw(b"null")
    detail: str = ""
    """Why it was never done."""


class BatchEngine(Protocol):
    """An engine that takes requests in batches."""

    most_requests: int
    """In one job."""
    most_bytes: int
    """Of one job's lines together."""

    @property
    def name(self) -> str:
        """The engine's name in the config."""
        ...

    def encode(self, custom_id: str, request: Request, model: Model) -> bytes | Failure:
        """A request as a line of a job, or why it cannot be asked so."""
        ...

    async def submit(self, mark: str, model: Model, lines: Sequence[bytes]) -> str | Failure:
        """Hand a job over; its id. After a failure that is no refusal it may be there all the same: `find` it."""
        ...

    async def find(
        self, mark: str, *, since: float, many: int, others: Collection[str]
    ) -> str | Failure | None:
        """The id of the job with this mark, or None.

        Args:
            mark: the job's.
            since: Unix time before which it was not handed over.
            many: its requests.
            others: ids of jobs that it is not.
        """
        ...

    async def look(self, job: str) -> Progress | Failure:
        """How far a job is."""
        ...

    def results(self, job: str) -> AsyncGenerator[BatchAnswer | Failure]:
        """What an ended job says, in any order; a failure is the last item."""
        ...

    async def cancel(self, job: str) -> Failure | None:
        """Ask for the end of a job. What is done by then can be had; look until it has ended."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
