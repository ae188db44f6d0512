"""What the page's views ask for, as paths of /openapi.json, made of the types that are sent.

The page's own files, and how a browser begins and ends its session, are no API and are not told. It does not know who answers
(`service`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headgate.core.audits import Opinion
from headgate.core.parts import PARTS
from headgate.core.types import Outcome
from headgate.dash.audited import AuditedView
from headgate.dash.overview import Overview
from headgate.dash.periods import PeriodQuery
from headgate.dash.requests import Page, RowsQuery
from headgate.dash.service import AUDITED, LIVE, OVERVIEW, REQUEST, REQUESTS, WEEK, WEEKS, LiveQuery
from headgate.dash.weeks import TYPES, ReportQuery, Weeks
from headgate.gateway.openapi import EVENTS, TEXT, WORD, in_query, refusals, silent, whole
from headgate.gateway.openapi_answers import ANY_OBJECT, FRACTION, YES_OR_NO, Schema, has, many, maybe, one_of

UNUSABLE = (400, 401, 403, 503)


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    faces = {kind.partition(";")[0]: ANY_OBJECT if form == "json" else TEXT for form, kind in TYPES.items()}
    kept = [place("week"), *in_query(ReportQuery)]
    return {
        OVERVIEW: looked(
            OVERVIEW,
            "A period beside the one before",
            json(whole(Overview)),
            asks=in_query(PeriodQuery),
            wrong=UNUSABLE,
        ),
        AUDITED: looked(
            AUDITED,
            "What audits say of a period",
            json(whole(AuditedView)),
            asks=in_query(PeriodQuery),
            wrong=UNUSABLE,
        ),
        REQUESTS: looked(
            REQUESTS, "Rows, newest first", json(whole(Page)), asks=in_query(RowsQuery), wrong=UNUSABLE
        ),
        REQUEST: looked(
            REQUEST, "A request's story", json(story()), asks=[place("id")], wrong=(*UNUSABLE, 404)
        ),
        LIVE: {
            "get": told(
                "get",
                LIVE,
                "Requests as they pass",
                {"text/event-stream": EVENTS},
                asks=in_query(LiveQuery),
                wrong=(400, 401, 403, 429),
            )
        },
        WEEKS: looked(WEEKS, "The weeks that have reports", json(whole(Weeks)), wrong=UNUSABLE),
        WEEK: looked(WEEK, "A week's report", faces, asks=kept, wrong=(*UNUSABLE, 404)),
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
    bad = silent(wrong) if method == "head" else refusals("openai", wrong)
    name = f"{method}{path}".rstrip("/").replace("/", "_").replace("{", "").replace("}", "")
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": {status: good, **bad}}
    if asks:
        operation["parameters"] = list(asks)
    return operation


def json(schema: Schema) -> Mapping[str, Schema]:
    """An answer that is JSON."""
    return {"application/json": schema}


def place(name: str) -> Schema:
    """What stands in a place of a path."""
    return {"name": name, "in": "path", "required": True, "schema": WORD}


def story() -> Schema:
    """A request's story (`reports.story.plain_story`): an outcome with names for its estimates, what it saved, what was said of it, and its models."""
    told: Schema = named_estimates(whole(Outcome))
    del told["properties"]["turn"]  # what a conversation keeps is read by itself
    model = has({"shown": TEXT, "local": YES_OR_NO, "label": TEXT, "price": maybe(ANY_OBJECT)})
    more = {
        "saved": maybe(FRACTION),
        "opinions": many(whole(Opinion)),
        "models": {"type": "object", "additionalProperties": model},
    }
    told["properties"] |= more
    told["required"] = [*told["required"], *more]
    return told


def named_estimates(schema: Any) -> Any:
    """The schema with the estimated parts of every usage as their names, and not as bits."""
    if isinstance(schema, dict):
        names = {"estimated": many(one_of(*PARTS))} if "estimated" in schema else {}
        return {key: named_estimates(inner) for key, inner in schema.items()} | names
    return [named_estimates(item) for item in schema] if isinstance(schema, list) else schema
