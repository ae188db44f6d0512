"""LiteLLM: rows of its table LiteLLM_SpendLogs, and the payloads that its logging callbacks write (`StandardLoggingPayload`).

Source: the migrations in litellm-proxy-extras and https://docs.litellm.ai/docs/proxy/logging_spec (November 2026).
`spend` is LiteLLM's own figure, by its own prices.
"""

from collections.abc import Sequence
from typing import Any

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
)


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    return "call_type" in record and ("spend" in record or "response_cost" in record)


def read(record: Record) -> Sequence[PastCall] | str:
    """The call that a record tells of."""
    model = text(record, "model", "model_group")
    if not model:
        return "it names no model"
    metadata = inner(record, "metadata")
    known = inner(metadata, "usage_object") or record
    kind = text(record, "call_type")
    if "embedding" in kind or "image" in kind or "transcription" in kind or "speech" in kind:
        return ()
    told, rest = provider_of(model)
    cost = number(record, "spend", "response_cost")
    return (
        PastCall(
            id=text(record, "request_id", "id"),
            time=moment(record, "startTime", "start_time"),
            model=rest,
            provider=text(record, "custom_llm_provider") or told,
            usage=openai_usage(known) or openai_usage(record),
            cost=cost,
            body=_body(record),
            who=text(record, "end_user", "user", "team_id", "team_alias", "api_key"),
            failed=text(record, "status") == "failure",
        ),
    )


def _body(record: Record) -> Record | None:
    asked = inner(record, "proxy_server_request")
    asked = inner(asked, "body") or asked
    if asked.get("messages"):
        return asked
    messages: Any = nested(record.get("messages"))
    if isinstance(messages, list) and messages:
        return {"messages": messages, **inner(record, "model_parameters")}
    return None
