"""Langfuse: observations as its page, its API and its blob storage export them; only generations are calls to a model.

Source: https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields and the API's ObservationsView
(November 2026). Its kinds of usage do not overlap: `input` is what is neither read from a cache nor written to it.
"""

from collections.abc import Sequence
from typing import Any

from headgate.core.types import Usage
from headgate.lab.imports.calls import (
    HIDDEN,
    PastCall,
    Record,
    billed,
    inner,
    is_chat,
    is_told,
    moment,
    nested,
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
    if kind not in ("GENERATION", "EMBEDDING", ""):
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
            cost=billed(costs, "total") or billed(record, "totalCost", "total_cost", "calculatedTotalCost"),
            body=_body(record),
            who=text(record, "userId", "user_id", "traceName", "trace_name"),
            failed=text(record, "level").upper() == "ERROR",
            chat=is_chat(rest, kind.lower()),
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
    heard, spoken = (
        tokens(parts, "input_audio_tokens", "input_audio") or 0,
        tokens(parts, "output_audio_tokens", "output_audio") or 0,
    )
    hour = tokens(parts, "input_cache_creation_1h") or 0
    five = tokens(parts, "input_cache_creation_5m")
    if five is None:
        five = tokens(parts, "cache_creation_input_tokens", "input_cache_creation") or 0
    return Usage(
        input=(fresh or 0) + heard,
        cache_read=tokens(parts, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read") or 0,
        cache_write_5m=five,
        cache_write_1h=hour,
        output=(output or 0) + thought + spoken,
        reasoning=thought,
        audio=heard,
        audio_output=spoken,
    )


def _body(record: Record) -> Record | None:
    asked: Any = nested(record.get("input"))
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        return asked if is_told(asked["messages"]) else None
    if isinstance(asked, list) and asked and isinstance(asked[0], dict) and "role" in asked[0]:
        return {"messages": asked} if is_told(asked) else None
    if isinstance(asked, str) and asked.strip() and asked not in HIDDEN:
        return {"messages": [{"role": "user", "content": asked}]}
    return None
