"""Pages of a list: what the queries of OpenAI's and Anthropic's clients ask for, and which entries that is.

Ids sort by time, so an id is a place in the list also when its entry is gone: who removes what he lists goes on from there.
It does not know where entries are kept.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from headgate.batches.front.book import BatchObject
from headgate.batches.front.files import FileObject

USUAL = 20
"""Entries of a page, where nothing is said; both OpenAI's batches and Anthropic's have it so."""


class FilesQuery(Struct, frozen=True):
    """What a list of files is asked for with."""

    after: Annotated[
        str, Meta(pattern="^(file-[0-9a-f]{24})?$", description="the id of the last file of the page before")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000, description="files of a page, at most")] = USUAL
    order: Annotated[Literal["asc", "desc"], Meta(description="desc: the newest first")] = "desc"
    purpose: Annotated[str, Meta(description="only files with this purpose")] = ""


class BatchesQuery(Struct, frozen=True):
    """What a list of OpenAI's batches is asked for with."""

    after: Annotated[
        str,
        Meta(pattern="^(batch_[0-9a-f]{24})?$", description="the id of the last batch of the page before"),
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=100, description="batches of a page, at most")] = USUAL


MessageBatchId = Annotated[str, Meta(pattern="^(msgbatch_[0-9a-f]{24})?$")]


class MessageBatchesQuery(Struct, frozen=True):
    """What a list of Anthropic's batches is asked for with."""

    after_id: Annotated[MessageBatchId, Meta(description="the id of the last batch of the page before")] = ""
    before_id: Annotated[MessageBatchId, Meta(description="the id of the first batch of the page after")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="batches of a page, at most")] = USUAL


Query = TypeVar("Query", FilesQuery, BatchesQuery, MessageBatchesQuery)


One = TypeVar("One", FileObject, BatchObject)


def page(
    newest_first: Sequence[One], after: str, limit: int, *, oldest_first: bool = False
) -> dict[str, Any]:
    """A part of a list in OpenAI's form: `limit` of the entries that come after the place of the id `after`; "" is the start."""
    entries = newest_first[::-1] if oldest_first else newest_first
    if after:
        entries = [one for one in entries if (one.id > after if oldest_first else one.id < after)]
    some = entries[:limit]
    return {
        "object": "list",
        "data": some,
        "first_id": some[0].id if some else None,
        "last_id": some[-1].id if some else None,
        "has_more": len(entries) > len(some),
    }
