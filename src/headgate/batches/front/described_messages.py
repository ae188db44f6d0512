"""The paths of /v1/messages/batches for /openapi.json. It does not know who answers them (`messages`)."""

from collections.abc import Mapping
from typing import Any

from headgate.batches.front.described import one
from headgate.batches.front.lines import LONGEST_ID
from headgate.batches.front.messages import BATCH, BATCHES, CANCEL, MOST_REQUESTS, RESULTS
from headgate.batches.front.pages import MessageBatchesQuery
from headgate.gateway.openapi import TEXT, WORD, in_query, refusals
from headgate.gateway.openapi_answers import ANY_OBJECT, NUMBER, YES_OR_NO, Schema, has, many, maybe, one_of

COUNTS = has(dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), NUMBER))
BATCH_OBJECT = has(
    {
        "id": WORD,
        "type": one_of("message_batch"),
        "processing_status": one_of("in_progress", "canceling", "ended"),
        "request_counts": COUNTS,
        "created_at": TEXT,
        "expires_at": TEXT,
        "ended_at": maybe(TEXT),
        "cancel_initiated_at": maybe(TEXT),
        "results_url": maybe(TEXT),
    }
)
REQUEST = has({"custom_id": {**WORD, "maxLength": LONGEST_ID}, "params": ANY_OBJECT})
ASKED = has({"requests": {**many(REQUEST, 1), "maxItems": MOST_REQUESTS}})
LISTED = has(
    {
        "data": many(BATCH_OBJECT),
        "has_more": YES_OR_NO,
        "first_id": maybe(WORD),
        "last_id": maybe(WORD),
    }
)
LINES: Schema = {"type": "string", "description": "a line for each request: custom_id and result"}


def described() -> Mapping[str, Mapping[str, Any]]:
    """The paths and their operations."""
    name = one("batch_id")
    deleted = has({"id": WORD, "type": one_of("message_batch_deleted")})
    body = {"required": True, "content": {"application/json": {"schema": ASKED}}}
    create = operation(
        "create_message_batch", "Have many messages answered", BATCH_OBJECT, [], (400, 401, 403, 413)
    )
    results = operation("message_batch_results", "The results of a batch that has ended", LINES, [name])
    results["responses"]["200"]["content"] = {"application/x-jsonl": {"schema": LINES}}
    return {
        BATCHES: {
            "get": operation(
                "list_message_batches",
                "The batches, the newest first",
                LISTED,
                in_query(MessageBatchesQuery),
                (400, 401, 403),
            ),
            "post": create | {"requestBody": body},
        },
        BATCH: {
            "get": operation("show_message_batch", "One batch", BATCH_OBJECT, [name]),
            "delete": operation("delete_message_batch", "Remove a batch that has ended", deleted, [name]),
        },
        CANCEL: {"post": operation("cancel_message_batch", "End a batch", BATCH_OBJECT, [name])},
        RESULTS: {"get": results},
    }


def operation(
    name: str,
    summary: str,
    schema: Schema,
    parameters: list[dict[str, Any]],
    wrong: tuple[int, ...] = (400, 401, 403, 404),
) -> dict[str, Any]:
    """One operation."""
    good = {"description": summary, "content": {"application/json": {"schema": schema}}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": good, **refusals("anthropic", wrong)},
    }
