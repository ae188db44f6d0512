"""Helicone: requests as its API and its tool @helicone/export write them, as JSON, JSON Lines or CSV.

Source: https://docs.helicone.ai/rest/request/post-v1requestquery-clickhouse, and how Helicone's own code fills the table behind
it (November 2026): `prompt_tokens` are without what was read from a cache or written to it, for every provider. A cost of 0 is
that of a model whose price it does not know, or of an answer out of its own cache, which `cache_reference_id` names.
"""

from collections.abc import Sequence
from typing import Any

from headgate.core.types import Usage
from headgate.lab.imports.calls import (
    PastCall,
    Record,
    billed,
    is_chat,
    is_told,
    moment,
    nested,
    number,
    provider_of,
    text,
    tokens,
)

NOT_AGAIN = ("", "00000000-0000-0000-0000-000000000000")
"""What stands where no answer was taken out of Helicone's cache."""
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
    again = text(record, "cache_reference_id") not in NOT_AGAIN
    body: Any = nested(record.get("request_body"))
    return (
        PastCall(
            id=text(record, "request_id"),
            time=moment(record, "request_created_at"),
            model=rest,
            provider=told or text(record, "provider").lower() or None,
            usage=_usage(record),
            cost=0.0 if again else billed(record, "cost", "cost_usd", "costUSD"),
            body=body
            if isinstance(body, dict) and body.get("messages") and is_told(body["messages"])
            else None,
            who=text(record, "request_user_id", "user_id"),
            failed=status is not None and not 0 <= status < GOOD,
            chat=is_chat(rest, text(record, "request_path").rpartition("/")[2]),
        ),
    )


def _usage(record: Record) -> Usage | None:
    prompt, output = tokens(record, "prompt_tokens"), tokens(record, "completion_tokens")
    if prompt is None and output is None:
        return None
    return Usage(
        input=prompt or 0,
        cache_read=tokens(record, "prompt_cache_read_tokens") or 0,
        cache_write_5m=tokens(record, "prompt_cache_write_tokens") or 0,
        output=output or 0,
    )
