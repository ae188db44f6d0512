"""The paths of /v1/files and /v1/batches for /openapi.json. It does not know who answers them (`service`)."""

from collections.abc import Mapping
from typing import Any, get_args

from headgate.batches.front.book import Status
from headgate.batches.front.pages import BatchesQuery, FilesQuery
from headgate.batches.front.service import (
    BATCH,
    BATCHES,
    CANCEL,
    CONTENT,
    ENDPOINTS,
    FILE,
    FILES,
    LONGEST_LIFE,
    SHORTEST_LIFE,
    WireBatch,
)
from headgate.gateway.openapi import TEXT, WORD, in_query, refusals, whole
from headgate.gateway.openapi_answers import NUMBER, YES_OR_NO, Schema, has, many, maybe, one_of

LIFE: Schema = {"type": "integer", "minimum": SHORTEST_LIFE, "maximum": LONGEST_LIFE}
FILE_OBJECT = has(
    {
        "id": WORD,
        "object": one_of("file"),
        "bytes": NUMBER,
        "created_at": NUMBER,
        "expires_at": maybe(NUMBER),
        "filename": TEXT,
        "purpose": one_of("batch", "batch_output"),
        "status": one_of("processed"),
    }
)
PROBLEM = has({"code": WORD, "message": TEXT, "param": maybe(TEXT), "line": maybe(NUMBER)})
BATCH_OBJECT = has(
    {
        "id": WORD,
        "object": one_of("batch"),
        "endpoint": one_of(*ENDPOINTS),
        "errors": maybe(has({"object": one_of("list"), "data": many(PROBLEM)})),
        "input_file_id": WORD,
        "completion_window": one_of("24h"),
        "status": one_of(*get_args(Status)),
        "output_file_id": maybe(WORD),
        "error_file_id": maybe(WORD),
        "created_at": NUMBER,
        "expires_at": NUMBER,
        "request_counts": has({"total": NUMBER, "completed": NUMBER, "failed": NUMBER}),
        "metadata": maybe({"type": "object", "additionalProperties": TEXT}),
    }
)
FORM: Schema = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": {"description": "lines of requests", "type": "string", "format": "binary"},
        "purpose": one_of("batch"),
        "expires_after[seconds]": LIFE,
    },
}


def described() -> Mapping[str, Mapping[str, Any]]:
    """The paths and their operations."""
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    deleted = has({"id": WORD, "object": one_of("file"), "deleted": YES_OR_NO})
    file, batch = one("file_id"), one("batch_id")
    content = {
        "operationId": "file_content",
        "summary": "The content of a file",
        "parameters": [file],
        "responses": {
            "200": {"description": "The content", "content": binary},
            **refusals("openai", (401, 403, 404)),
        },
    }
    return {
        FILES: {
            "get": looks(
                "list_files", "The files, the newest first", pages(FILE_OBJECT), in_query(FilesQuery)
            ),
            "post": takes(
                "upload_file", "Upload requests for a batch", FORM, FILE_OBJECT, kind="multipart/form-data"
            ),
        },
        FILE: {
            "get": looks("show_file", "One file", FILE_OBJECT, [file]),
            "delete": looks("delete_file", "Remove a file", deleted, [file]),
        },
        CONTENT: {"get": content},
        BATCHES: {
            "get": looks(
                "list_batches", "The batches, the newest first", pages(BATCH_OBJECT), in_query(BatchesQuery)
            ),
            "post": takes(
                "create_batch",
                "Have a file of requests answered",
                whole(WireBatch),
                BATCH_OBJECT,
                also=(404,),
            ),
        },
        BATCH: {"get": looks("show_batch", "One batch", BATCH_OBJECT, [batch])},
        CANCEL: {
            "post": looks("cancel_batch", "End a batch; what was answered can be had", BATCH_OBJECT, [batch])
        },
    }


def one(name: str) -> dict[str, Any]:
    """The parameter of a path that names one."""
    return {"name": name, "in": "path", "required": True, "schema": WORD}


def pages(entry: Schema) -> Schema:
    """A part of a list."""
    ends = {"first_id": maybe(WORD), "last_id": maybe(WORD), "has_more": YES_OR_NO}
    return has({"object": one_of("list"), "data": many(entry), **ends})


def looks(operation: str, summary: str, schema: Schema, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """An operation without a body."""
    good = {"description": summary, "content": {"application/json": {"schema": schema}}}
    wrong = refusals("openai", (401, 403, 404) if parameters[0]["in"] == "path" else (400, 401, 403))
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": good, **wrong},
    }


def takes(
    operation: str,
    summary: str,
    form: Schema,
    schema: Schema,
    *,
    kind: str = "application/json",
    also: tuple[int, ...] = (),
) -> dict[str, Any]:
    """An operation with a body."""
    return {
        "operationId": operation,
        "summary": summary,
        "requestBody": {"required": True, "content": {kind: {"schema": form}}},
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
            **refusals("openai", (400, 401, 403, 413, *also)),
        },
    }
