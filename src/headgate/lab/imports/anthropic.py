"""Anthropic: the usage API and the Console's CSV (sums by hour or day, without the number of calls), and logged messages.

Source: https://platform.claude.com/docs/en/api/admin/usage_report and the Console's export (November 2026). The cost export
tells money and no calls, so it is not read.
"""

from collections.abc import Sequence

from headgate.core.types import Usage
from headgate.core.usage import BATCH
from headgate.lab.imports.calls import (
    DAY,
    PastCall,
    Record,
    anthropic_usage,
    inner,
    moment,
    service_of,
    text,
    tokens,
)

COSTS = "it tells costs and no tokens: export the usage instead"


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    answer = inner(record, "response", "message")
    return (
        ("starting_at" in record and "results" in record)
        or "usage_input_tokens_no_cache" in record
        or ("cost_usd" in record and "usage_date_utc" in record)
        or text(answer, "type") == "message"
        or ("custom_id" in record and ("params" in record or "type" in inner(record, "result")))
        or text(record, "type") == "message"
    )


def read(record: Record) -> Sequence[PastCall] | str:
    """The calls that a record tells of."""
    if "usage_input_tokens_no_cache" in record:
        return _console(record)
    if "starting_at" in record:
        return _bucket(record)
    if "cost_usd" in record:
        return COSTS
    result = inner(record, "result")
    if result and text(result, "type") != "succeeded":
        return (PastCall(model="", provider="anthropic", failed=True),)
    answer = inner(result, "message") or inner(record, "response", "message") or record
    asked = inner(record, "request", "params", "body")
    model = text(answer, "model") or text(asked, "model")
    if not model:
        return "it names no model"
    return (
        PastCall(
            id=text(answer, "id") or text(record, "id"),
            time=moment(record, "time", "created_at", "timestamp"),
            model=model,
            provider="anthropic",
            usage=anthropic_usage(inner(answer, "usage"), BATCH if result else ""),
            body=asked or None,
            who=text(inner(asked, "metadata"), "user_id"),
        ),
    )


def _bucket(record: Record) -> Sequence[PastCall] | str:
    found: list[PastCall] = []
    for result in record.get("results") or ():
        if not isinstance(result, dict):
            continue
        if "amount" in result:
            return COSTS
        model = text(result, "model")
        usage = anthropic_usage(result)
        if usage is None or not (usage.prompt or usage.output):
            continue
        if not model:
            return "it names no model: ask for the usage with group_by[]=model"
        found.append(
            PastCall(
                time=moment(record, "starting_at"),
                until=moment(record, "ending_at"),
                model=model,
                provider="anthropic",
                calls=0,
                usage=usage,
                who=text(result, "api_key_id", "workspace_id"),
            )
        )
    return found


def _console(record: Record) -> Sequence[PastCall] | str:
    model = text(record, "model_version", "model")
    if not model:
        return "it names no model"
    usage = Usage(
        input=tokens(record, "usage_input_tokens_no_cache") or 0,
        cache_read=tokens(record, "usage_input_tokens_cache_read") or 0,
        cache_write_5m=tokens(record, "usage_input_tokens_cache_write_5m") or 0,
        cache_write_1h=tokens(record, "usage_input_tokens_cache_write_1h") or 0,
        output=tokens(record, "usage_output_tokens") or 0,
        searches=tokens(record, "web_search_count") or 0,
        service=service_of(record),
    )
    day = moment(record, "usage_date_utc")
    return (
        PastCall(
            time=day,
            until=None if day is None else day + DAY,
            model=model,
            provider="anthropic",
            calls=0,
            usage=usage,
            who=text(record, "api_key", "workspace"),
        ),
    )
