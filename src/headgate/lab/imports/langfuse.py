"""Langfuse: observations as its page, its API and its blob storage export them; only generations are calls to a model.

Source: https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields and the API's ObservationsView
(November 2026). Its kinds of usage do not overlap: `input` is what is neither read from a cache nor written to it.
"""

from collections.abc import Sequence
from typing import Any

from headgate.core.types import Usage
from headgate.lab.imports.calls import (
    PastCall,
    Record,
    inner,
    moment,
    nested,
    number,
    openai_usage,
    provider_of,
    text,
    tokens,
)


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    names = record.keys()
    return bool(
        {"traceId", "trace_id"} & names and {"type", "usageDetails", "usage_details", "promptTokens"} & names
    )


def read(record: Record) -> Sequence[PastCall] | str:
    """The call that an observation tells of; a span or an event tells of none."""
    kind = text(record, "type").upper()
    if kind not in ("GENERATION", ""):
        return ()
    model = text(record, "model", "provided_model_name", "providedModelName", "internalModelId")
    if not model:
        return "it names no model"
    told, rest = provider_of(model)
    costs = inner(record, "costDetails", "cost_details")
    return (
        PastCall(
            id=text(record, "id"),
            time=moment(record, "startTime", "start_time", "timestamp"),
            model=rest,
            provider=told,
            usage=_usage(record),
            cost=number(costs, "total") or number(record, "totalCost", "total_cost", "calculatedTotalCost"),
            body=_body(record),
            who=text(record, "userId", "user_id", "traceName", "trace_name"),
            failed=text(record, "level").upper() == "ERROR",
        ),
    )


def _usage(record: Record) -> Usage | None:
    parts = inner(record, "usageDetails", "usage_details")
    if not parts:
        return openai_usage(inner(record, "usage")) or openai_usage(record)
    fresh, output = tokens(parts, "input", "input_tokens"), tokens(parts, "output", "output_tokens")
    if fresh is None and output is None:
        return None
    thought = tokens(parts, "output_reasoning_tokens", "output_reasoning") or 0
    return Usage(
        input=fresh or 0,
        cache_read=tokens(parts, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read") or 0,
        cache_write_5m=tokens(parts, "cache_creation_input_tokens", "input_cache_creation") or 0,
        output=(output or 0) + thought,
        reasoning=thought,
    )


def _body(record: Record) -> Record | None:
    asked: Any = nested(record.get("input"))
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        return asked
    if isinstance(asked, list) and asked and isinstance(asked[0], dict) and "role" in asked[0]:
        return {"messages": asked}
    if isinstance(asked, str) and asked.strip():
        return {"messages": [{"role": "user", "content": asked}]}
    return None
