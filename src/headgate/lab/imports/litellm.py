"""LiteLLM: rows of its table LiteLLM_SpendLogs, and the payloads that its logging callbacks write (`StandardLoggingPayload`).

Source: the migrations in litellm-proxy-extras and https://docs.litellm.ai/docs/proxy/logging_spec (November 2026).
`spend` is LiteLLM's own figure, by its own prices; where it knows none, it writes 0, which is no price.
"""

from collections.abc import Sequence
from typing import Any

from headgate.lab.imports.calls import (
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
    service_of,
    text,
)


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    return "call_type" in record and ("spend" in record or "response_cost" in record)


def read(record: Record) -> Sequence[PastCall] | str:
    """The call that a record tells of."""
    model, failed = text(record, "model", "model_group"), text(record, "status") == "failure"
    if not model and not failed:
        return "it names no model"
    metadata = inner(record, "metadata")
    known = inner(metadata, "usage_object") or record
    service = service_of(known) or service_of(inner(record, "model_parameters"))
    told, rest = provider_of(model)
    again = text(record, "cache_hit").lower() == "true"
    return (
        PastCall(
            id=text(record, "request_id", "id"),
            time=moment(record, "startTime", "start_time"),
            model=rest,
            provider=text(record, "custom_llm_provider") or told,
            usage=openai_usage(known, service) or openai_usage(record, service),
            cost=0.0 if again else billed(record, "spend", "response_cost"),
            body=_body(record),
            who=text(record, "end_user", "user", "team_id", "team_alias", "api_key"),
            failed=failed,
            chat=is_chat(rest, text(record, "call_type")),
        ),
    )


def _body(record: Record) -> Record | None:
    asked = inner(record, "proxy_server_request")
    asked = inner(asked, "body") or asked
    if asked.get("messages"):
        return asked if is_told(asked["messages"]) else None
    messages: Any = nested(record.get("messages"))
    if isinstance(messages, list) and messages and is_told(messages):
        return {"messages": messages, **inner(record, "model_parameters")}
    return None
