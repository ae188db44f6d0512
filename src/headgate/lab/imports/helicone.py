"""Helicone: requests as its API and its tool @helicone/export write them, as JSON, JSON Lines or CSV.

Source: https://docs.helicone.ai/rest/request/post-v1requestquery-clickhouse (November 2026).
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
    provider_of,
    text,
    tokens,
)

GOOD = 400.0
"""Statuses below it are answers; Helicone's own negative ones are not."""


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    return "request_created_at" in record and ("request_id" in record or "request_model" in record)


def read(record: Record) -> Sequence[PastCall] | str:
    """The call that a record tells of."""
    model = text(record, "request_model", "model", "response_model", "model_override")
    if not model:
        return "it names no model"
    told, rest = provider_of(model)
    status = number(record, "response_status", "status")
    body: Any = nested(record.get("request_body"))
    return (
        PastCall(
            id=text(record, "request_id"),
            time=moment(record, "request_created_at"),
            model=rest,
            provider=told or text(record, "provider").lower() or None,
            usage=_usage(record),
            cost=number(record, "cost", "cost_usd", "costUSD"),
            body=body if isinstance(body, dict) and body.get("messages") else None,
            who=text(record, "request_user_id", "user_id"),
            failed=status is not None and not 0 <= status < GOOD,
        ),
    )


def _usage(record: Record) -> Usage | None:
    prompt, output = tokens(record, "prompt_tokens"), tokens(record, "completion_tokens")
    if prompt is None and output is None:
        return None
    read = min(tokens(record, "prompt_cache_read_tokens") or 0, prompt or 0)
    written = min(tokens(record, "prompt_cache_write_tokens") or 0, (prompt or 0) - read)
    thought = tokens(inner(record, "response_body"), "reasoning_tokens") or 0
    return Usage(
        input=(prompt or 0) - read - written,
        cache_read=read,
        cache_write_5m=written,
        output=output or 0,
        reasoning=min(thought, output or 0),
    )
