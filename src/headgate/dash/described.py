"""The page's paths for /openapi.json, made of the types that are sent. It does not know who answers them (`service`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.dash.overview import Overview
from headgate.dash.periods import WORDS
from headgate.dash.requests import CLOSED, FREE, SWITCHES, YES_OR_NO, Page
from headgate.dash.service import (
    BARE,
    FILES,
    LIVE,
    LOGIN,
    LOGOUT,
    OVERVIEW,
    PAGE,
    REQUEST,
    REQUESTS,
    WEEK,
    WEEKS,
    WireLogin,
)
from headgate.dash.weeks import TYPES, Weeks
from headgate.gateway.openapi import EVENTS, TEXT, WORD, plain, refusals
from headgate.gateway.openapi_answers import ANY_OBJECT, Schema

UNUSABLE = (400, 401, 403, 503)


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    period = [
        among("period", "which time; this week where nothing is said", WORDS),
        word("from", "the first day, as 2026-11-23; in place of `period`"),
        word("to", "the last day"),
    ]
    filters = [
        *period,
        word("since", "Unix seconds; in place of `period`"),
        word("until", "Unix seconds"),
        *(among(name, f"only with this {name}", known) for name, known in CLOSED.items()),
        *(among(name, "only those for which it holds, or does not", tuple(YES_OR_NO)) for name in SWITCHES),
        *(word(name, f"only with this {name}") for name in FREE),
        word("cursor", "`next` of the piece before"),
        word("limit", "rows of one piece"),
    ]
    faces = {kind.partition(";")[0]: TEXT for kind in TYPES.values()}
    kept = [
        place("week"),
        among("format", "as a page where nothing is said", tuple(TYPES)),
        word("download", "as a file to keep"),
    ]
    leads = "Leads to the page, which asks for a key where one is needed"
    begins = told("post", LOGIN, "Begins a session of a browser", status="204", wrong=(400, 401, 413))
    begins["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": inlined(WireLogin)}},
    }
    return {
        PAGE: looked(PAGE, "The page", {"text/html": TEXT}),
        BARE: looked(BARE, leads, status="303"),
        **{
            path: looked(path, "A file of the page", {"*/*": TEXT}, asks=places_of(path), wrong=(404,))
            for path in FILES
        },
        LOGIN: {**looked(LOGIN, leads, status="303"), "post": begins},
        LOGOUT: {"post": told("post", LOGOUT, "Ends a browser's session", status="204")},
        OVERVIEW: looked(
            OVERVIEW, "A period beside the one before", json(inlined(Overview)), asks=period, wrong=UNUSABLE
        ),
        REQUESTS: looked(REQUESTS, "Rows, newest first", json(inlined(Page)), asks=filters, wrong=UNUSABLE),
        REQUEST: looked(
            REQUEST, "A request's story", json(ANY_OBJECT), asks=[place("id")], wrong=(*UNUSABLE, 404)
        ),
        LIVE: {
            "get": told(
                "get",
                LIVE,
                "Requests as they pass",
                {"text/event-stream": EVENTS},
                asks=[word("after", "the id of the last request that is known already")],
                wrong=(401, 403, 429),
            )
        },
        WEEKS: looked(WEEKS, "The weeks that have reports", json(inlined(Weeks)), wrong=UNUSABLE),
        WEEK: looked(WEEK, "A week's report", faces, asks=kept, wrong=UNUSABLE),
    }


def looked(path: str, summary: str, kinds: Mapping[str, Schema] | None = None, **more: Any) -> dict[str, Any]:
    """A path that is looked at: GET, and HEAD without a body."""
    return {
        "get": told("get", path, summary, kinds, **more),
        "head": told("head", path, summary, None, **more),
    }


def told(
    method: str,
    path: str,
    summary: str,
    kinds: Mapping[str, Schema] | None = None,
    *,
    status: str = "200",
    asks: Sequence[Schema] = (),
    wrong: Iterable[int] = (),
) -> dict[str, Any]:
    """One method of one path.

    Args:
        method: in small letters.
        path: its template.
        summary: what it is for.
        kinds: what a good answer is, by its type; None is nothing.
        status: of a good answer.
        asks: what may be asked.
        wrong: the statuses of refusals.
    """
    good: dict[str, Any] = {"description": summary}
    if kinds is not None:
        good["content"] = {kind: {"schema": schema} for kind, schema in kinds.items()}
    bad = refusals("openai", wrong) if method != "head" else {}
    name = f"{method}{path}".rstrip("/").replace("/", "_").replace("{", "").replace("}", "")
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": {status: good, **bad}}
    if asks:
        operation["parameters"] = list(asks)
    return operation


def json(schema: Schema) -> Mapping[str, Schema]:
    """An answer that is JSON."""
    return {"application/json": schema}


def inlined(form: Any) -> Any:
    """The schema of a type with its parts in their places, since a path's description stands in a larger document."""
    schema = msgspec.json.schema(form)
    parts = schema.get("$defs", {})

    def put_in(value: Any) -> Any:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                return put_in(parts[value["$ref"].rpartition("/")[2]])
            return {key: put_in(inner) for key, inner in value.items()}
        return [put_in(inner) for inner in value] if isinstance(value, list) else value

    return plain(put_in({key: value for key, value in schema.items() if key != "$defs"}))


def word(name: str, what: str) -> Schema:
    """A word of the query."""
    return {"name": name, "in": "query", "description": what, "required": False, "schema": TEXT}


def among(name: str, what: str, known: Sequence[str]) -> Schema:
    """A word of the query that is one of some."""
    return word(name, what) | {"schema": {"type": "string", "enum": list(known)}}


def place(name: str) -> Schema:
    """What stands in a place of a path."""
    return {"name": name, "in": "path", "required": True, "schema": WORD}


def places_of(path: str) -> list[Schema]:
    """All places of a path."""
    return [place(part[1:-1]) for part in path.split("/") if part[:1] == "{"]
