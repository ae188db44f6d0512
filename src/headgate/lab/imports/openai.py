"""OpenAI: the usage API and the usage page's CSV (sums by hour or day), stored completions, and the files of its Batch API.

Source: https://platform.openai.com/docs/api-reference/usage/completions, …/chat/list and …/batch (November 2026). The page's
cost export tells money and no calls, so it is not read.
"""

from collections.abc import Sequence

from headgate.core.usage import BATCH
from headgate.lab.imports.calls import (
    PastCall,
    Record,
    inner,
    is_chat,
    moment,
    openai_usage,
    service_of,
    text,
    tokens,
)

COSTS = "it tells costs and no calls: export the usage of completions, with models, instead"


def looks_like(record: Record) -> bool:
    """Whether it is one of its records."""
    return (
        text(record, "object") in ("bucket", "chat.completion")
        or "num_model_requests" in record
        or "amount_value" in record
        or ("custom_id" in record and ("body" in record or "response" in record))
    )


def read(record: Record) -> Sequence[PastCall] | str:
    """The calls that a record tells of."""
    if "amount_value" in record:
        return COSTS
    if text(record, "object") == "bucket":
        return _bucket(record)
    if "num_model_requests" in record:
        return _sums(
            record, moment(record, "start_time", "start_time_iso"), moment(record, "end_time", "end_time_iso")
        )
    if "custom_id" in record:
        return _of_a_batch(record)
    return _completion(record, inner(record, "request", "body"))


def _bucket(record: Record) -> Sequence[PastCall] | str:
    found: list[PastCall] = []
    results = record.get("results") or record.get("result") or ()
    for result in results:
        if not isinstance(result, dict):
            continue
        if "amount" in result:
            return COSTS
        read = _sums(result, moment(record, "start_time"), moment(record, "end_time"))
        if isinstance(read, str):
            return read
        found += read
    return found


def _sums(record: Record, time: float | None, until: float | None) -> Sequence[PastCall] | str:
    calls = tokens(record, "num_model_requests")
    if not calls:
        return ()
    model = text(record, "model")
    if not model:
        return "it names no model: export the usage grouped by model"
    return (
        PastCall(
            time=time,
            until=until,
            model=model,
            provider="openai",
            calls=calls,
            usage=openai_usage(record, service_of(record)),
            who=text(record, "user_id", "project_name", "project_id", "api_key_id"),
        ),
    )


def _of_a_batch(record: Record) -> Sequence[PastCall] | str:
    """A line of a batch's input, which tells prompts, or of its output, which tells tokens. Its name is one in that batch alone."""
    if "body" in record:
        body = inner(record, "body")
        model = text(body, "model")
        if not model:
            return "its body names no model"
        return (
            PastCall(
                model=model,
                provider="openai",
                body=body,
                chat=is_chat(model, text(record, "url").rpartition("/")[2]),
            ),
        )
    response = inner(record, "response")
    answer = inner(response, "body")
    if record.get("error") or answer.get("error") or not answer:
        return (PastCall(model=text(answer, "model"), provider="openai", failed=True),)
    return _completion(answer, {}, BATCH)


def _completion(answer: Record, asked: Record, service: str = "") -> Sequence[PastCall] | str:
    model = text(answer, "model") or text(asked, "model")
    if not model:
        return "it names no model"
    messages = answer.get("input_messages") or answer.get("messages")
    body = asked or ({"messages": messages} if isinstance(messages, list) else None)
    usage = inner(answer, "usage")
    return (
        PastCall(
            id=text(answer, "id"),
            time=moment(answer, "created", "created_at"),
            model=model,
            provider="openai",
            usage=openai_usage(usage, service or service_of(answer)),
            body=body,
            who=text(answer, "user"),
            chat=is_chat(model),
        ),
    )
