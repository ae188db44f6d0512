"""Our own form, for logs of any other program: one JSON object a call. docs/proof.md describes it.

    {"time": "2026-10-14T09:12:00Z", "model": "gpt-4o", "usage": {"prompt_tokens": 812, "completion_tokens": 96},
     "cost": 0.00299, "user": "sales", "messages": [{"role": "user", "content": "…"}]}

Only `model` is needed. A pair of a request and its response, as OpenAI's or Anthropic's client has them, is read as well.
"""

from collections.abc import Sequence

from headgate.lab.imports.calls import (
    PastCall,
    Record,
    anthropic_usage,
    billed,
    inner,
    is_chat,
    moment,
    openai_usage,
    provider_of,
    service_of,
    text,
)


def looks_like(record: Record) -> bool:
    """Whether it may be one of its records."""
    return "model" in record or bool(inner(record, "request", "body"))


def read(record: Record) -> Sequence[PastCall] | str:
    """The call that a record tells of."""
    asked, answer = inner(record, "request", "body"), inner(record, "response")
    model = text(record, "model") or text(asked, "model") or text(answer, "model")
    if not model:
        return 'it names no model: write "model": "gpt-4o"'
    told, rest = provider_of(model)
    usage = inner(record, "usage") or inner(answer, "usage")
    outside = "input_tokens" in usage and (
        "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    )
    service = service_of(usage) or service_of(answer) or service_of(record)
    messages = record.get("messages")
    body = asked or ({**record} if isinstance(messages, list) and messages else None)
    prompt = text(record, "prompt")
    if body is None and prompt:
        body = {"messages": [{"role": "user", "content": prompt}]}
    return (
        PastCall(
            id=text(record, "id", "request_id") or text(answer, "id"),
            time=moment(record, "time", "timestamp", "created_at", "created"),
            model=rest,
            provider=text(record, "provider") or told,
            usage=anthropic_usage(usage, service) if outside else openai_usage(usage, service),
            cost=billed(record, "cost", "cost_usd"),
            body=body,
            who=text(record, "user", "key", "team"),
            failed=bool(record.get("error")) and not usage,
            chat=is_chat(rest),
        ),
    )
