"""Exports as other programs write them: one day's worth of three calls each, in the forms that their sources show.

The sources stand in the docstrings of the modules of `headgate.lab.imports`.
"""

import json

ASKS = (
    "Summarise this meeting in two lines: Anna spoke about the budget, and we wait until spring.",
    "Is this e-mail billing, technical, feature-request or escalation? I was charged twice.",
    "Prove step by step why this contract is void, and weigh every argument: " + "clause " * 40,
)
SIZES = ((812, 96), (240, 3), (6_400, 900))


def lines(records):
    return "\n".join(json.dumps(record) for record in records) + "\n"


def messages(ask):
    return [{"role": "user", "content": ask}]


def jsonl():
    return lines(
        {
            "id": f"call-{number}",
            "time": f"2026-10-1{number}T09:12:00Z",
            "model": "gpt-4o",
            "usage": {"prompt_tokens": prompt, "completion_tokens": output},
            "user": "sales",
            "messages": messages(ask),
        }
        for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True))
    )


def litellm():
    return json.dumps(
        [
            {
                "request_id": f"chatcmpl-{number}",
                "call_type": "acompletion",
                "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
                "spend": 0.004 * (number + 1),
                "total_tokens": prompt + output,
                "prompt_tokens": prompt,
                "completion_tokens": output,
                "startTime": f"2026-10-1{number} 09:12:00.123",
                "endTime": f"2026-10-1{number} 09:12:02.456",
                "model": "openai/gpt-4o",
                "user": "default_user_id",
                "metadata": {"user_api_key_alias": "sales"},
                "cache_hit": "False",
                "end_user": "anna",
                "messages": messages(ask),
                "response": {},
                "status": "success",
            }
            for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True))
        ],
        indent=1,
    )


def langfuse():
    return lines(
        {
            "id": f"obs-{number}",
            "traceId": f"trace-{number}",
            "type": "GENERATION",
            "startTime": f"2026-10-1{number}T09:12:00.000Z",
            "endTime": f"2026-10-1{number}T09:12:02.000Z",
            "model": "gpt-4o",
            "input": messages(ask),
            "output": {"role": "assistant", "content": "…"},
            "usageDetails": {"input": prompt, "output": output, "total": prompt + output},
            "costDetails": {"input": 0.003, "output": 0.001, "total": 0.004 * (number + 1)},
            "level": "DEFAULT",
        }
        for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True))
    ) + lines([{"id": "span", "traceId": "trace-0", "type": "SPAN", "startTime": "2026-10-10T09:12:00.000Z"}])


def helicone():
    rows = [
        "request_id,request_created_at,request_model,prompt_tokens,completion_tokens,cost,response_status,request_user_id,request_body"
    ]
    for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True)):
        body = json.dumps({"model": "gpt-4o", "messages": messages(ask)}).replace('"', '""')
        rows.append(
            f'req-{number},2026-10-1{number}T09:12:00.000Z,gpt-4o,{prompt},{output},{0.004 * (number + 1):.3f},200,anna,"{body}"'
        )
    return "\n".join(rows) + "\n"


def anthropic():
    return lines(
        {
            "request": {
                "model": "claude-sonnet-5-5",
                "max_tokens": 1024,
                "system": "You help.",
                "messages": messages(ask),
            },
            "response": {
                "id": f"msg_{number}",
                "type": "message",
                "model": "claude-sonnet-5-5",
                "usage": {
                    "input_tokens": prompt - 200,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 200,
                    "output_tokens": output,
                },
            },
            "timestamp": f"2026-10-1{number}T09:12:00Z",
        }
        for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True))
    )


def openai():
    return json.dumps(
        {
            "object": "list",
            "data": [
                {
                    "object": "chat.completion",
                    "id": f"chatcmpl-{number}",
                    "model": "gpt-4o-2024-08-06",
                    "created": 1_791_882_720 + number * 86_400,
                    "usage": {
                        "prompt_tokens": prompt,
                        "completion_tokens": output,
                        "total_tokens": prompt + output,
                        "prompt_tokens_details": {"cached_tokens": 128},
                    },
                    "input_messages": messages(ask),
                }
                for number, (ask, (prompt, output)) in enumerate(zip(ASKS, SIZES, strict=True))
            ],
        }
    )


def openai_usage():
    return json.dumps(
        {
            "object": "page",
            "data": [
                {
                    "object": "bucket",
                    "start_time": 1_791_849_600,
                    "end_time": 1_791_936_000,
                    "results": [
                        {
                            "object": "organization.usage.completions.result",
                            "input_tokens": 1_000_000,
                            "output_tokens": 50_000,
                            "input_cached_tokens": 200_000,
                            "num_model_requests": 900,
                            "project_id": None,
                            "model": "gpt-4o-2024-08-06",
                            "batch": False,
                        }
                    ],
                }
            ],
            "has_more": False,
        }
    )


def anthropic_console():
    return (
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
        "2026-10-12,claude-sonnet-5-5,prod,Default,standard,<= 200k,1000000,20000,0,300000,90000\n"
    )


WITH_PROMPTS = {
    "jsonl": jsonl,
    "litellm": litellm,
    "langfuse": langfuse,
    "helicone": helicone,
    "anthropic": anthropic,
    "openai": openai,
}
