"""The OpenAI double: the shapes the official client reads, and the requests the real API refuses."""

import base64
import json
import struct

import pytest
from double_clients import PROVIDERS, ask, shape

from headgate.testing import Answer, OpenAIDouble, ToolCall

WHO = PROVIDERS["openai"]
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["billing"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@pytest.fixture
async def openai():
    async with OpenAIDouble(answer=Answer("one two", input_tokens=40, cached_tokens=32)) as double:
        yield double


async def test_a_completion_has_every_field_the_api_documents(openai):
    got = await WHO.chat(openai, stream=False)
    assert list(got.json) == [
        "id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"
    ]  # fmt: skip
    choice = got.json["choices"][0]
    assert list(choice) == ["index", "message", "logprobs", "finish_reason"]
    assert list(choice["message"]) == ["role", "content", "refusal", "annotations"]
    assert got.headers["x-request-id"].startswith("req_")


async def test_cached_tokens_are_inside_the_prompt_tokens(openai):
    usage = (await WHO.chat(openai, stream=False)).json["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (40, 32)
    assert usage["total_tokens"] == 40 + usage["completion_tokens"]


async def test_a_stream_opens_with_the_role_and_ends_with_done(openai):
    got = await WHO.chat(openai, stream=True)
    deltas = [event["choices"][0]["delta"] for event in got.events]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None}, {"content": "one"}, {"content": " two"}, {}
    ]  # fmt: skip
    assert got.body.endswith(b"data: [DONE]\n\n")
    assert not any("usage" in event for event in got.events)


async def test_usage_comes_in_a_chunk_of_its_own_when_asked_and_is_null_before(openai):
    plain = (await WHO.chat(openai, stream=False)).json["usage"]
    got = await WHO.chat(openai, stream=True, stream_options={"include_usage": True})
    assert [event["usage"] for event in got.events[:-1]] == [None] * (len(got.events) - 1)
    assert (got.events[-1]["choices"], got.events[-1]["usage"]) == ([], plain)


async def test_streamed_tool_calls_come_in_fragments_that_join_to_the_plain_ones():
    answer = Answer(tool_calls=(ToolCall("lookup", {"id": 7, "deep": {"a": [1, 2]}}),))
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": {}}}]
    async with OpenAIDouble(answer=answer) as double:
        plain = await WHO.chat(double, stream=False, tools=tools)
        got = await WHO.chat(double, stream=True, tools=tools)
    whole = plain.json["choices"][0]["message"]["tool_calls"][0]
    assert plain.json["choices"][0]["message"]["content"] is None
    assert json.loads(whole["function"]["arguments"]) == {"id": 7, "deep": {"a": [1, 2]}}
    parts = [event["choices"][0]["delta"].get("tool_calls", [{}])[0] for event in got.events]
    parts = [part for part in parts if part]
    assert len(parts) > 2
    assert parts[0]["function"] == {"name": "lookup", "arguments": ""}
    assert all("id" not in part for part in parts[1:])
    assert "".join(part["function"]["arguments"] for part in parts) == whole["function"]["arguments"]
    assert got.events[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_logprobs_come_token_by_token_with_the_configured_value():
    async with OpenAIDouble(answer=Answer("one two", logprob=-0.5)) as double:
        got = await WHO.chat(double, stream=False, logprobs=True, top_logprobs=1)
    entries = got.json["choices"][0]["logprobs"]["content"]
    assert [(entry["token"], entry["logprob"]) for entry in entries] == [("one", -0.5), (" two", -0.5)]
    assert entries[1]["bytes"] == list(b" two")
    assert entries[0]["top_logprobs"][0]["token"] == "one"


async def test_the_default_answer_meets_a_strict_schema():
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    async with OpenAIDouble() as double:
        got = await WHO.chat(double, stream=False, response_format=form)
    assert json.loads(WHO.text(got)) == {"label": "billing"}


REFUSED = [
    ({"model": "gpt-5-mini", "max_tokens": 9}, "max_tokens", "unsupported_parameter"),
    ({"model": "gpt-6", "max_tokens": 9}, "max_tokens", "unsupported_parameter"),
    ({"model": "o4-mini", "max_tokens": 9}, "max_tokens", "unsupported_parameter"),
    ({"model": "gpt-5-mini", "temperature": 0.2}, "temperature", "unsupported_value"),
    ({"model": "gpt-6", "temperature": 0.2}, "temperature", "unsupported_parameter"),
    ({"model": "gpt-6-luna", "top_p": 0.9}, "top_p", "unsupported_parameter"),
    ({"model": "gpt-6", "logprobs": True, "top_logprobs": 2}, "top_logprobs", "unsupported_parameter"),
    ({"num_ctx": 4096}, "num_ctx", "unknown_parameter"),
    ({"temperature": 3}, "temperature", "invalid_type"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
    ({"stop": list("abcde")}, "stop", "array_above_max_length"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": [{"role": "human", "content": "x"}]}, "messages[0].role", "invalid_value"),
    (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
        "missing_required_parameter",
    ),
    ({"stream_options": {"include_usage": True}}, "stream_options", None),
    ({"top_logprobs": 2}, "top_logprobs", None),
    ({"tool_choice": "auto"}, "tool_choice", None),
    ({"tools": [{"name": "flat", "input_schema": {}}]}, "tools[0].type", "missing_required_parameter"),
    ({"response_format": {"type": "json_object"}}, "messages", None),
    ({"response_format": {"type": "json"}}, "response_format.type", "invalid_value"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}},
            }
        },
        "response_format",
        None,
    ),
]


@pytest.mark.parametrize(("more", "param", "code"), REFUSED, ids=[str(case[0])[:60] for case in REFUSED])
async def test_a_request_the_real_api_refuses_is_refused(openai, more, param, code):
    got = await WHO.chat(openai, stream=False, **more)
    assert got.status == 400
    assert list(got.json["error"]) == ["message", "type", "param", "code"]
    error = got.json["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    "more",
    [
        {"model": "gpt-6", "reasoning_effort": "none", "temperature": 0.2, "max_completion_tokens": 50},
        {"model": "gpt-5-mini", "temperature": 1, "max_completion_tokens": 50},
        {"temperature": 0.2, "max_tokens": 50, "stop": ["x"], "seed": 1},
        {
            "messages": [{"role": "user", "content": "Answer in JSON"}],
            "response_format": {"type": "json_object"},
        },
    ],
)
async def test_a_request_the_real_api_takes_is_taken(openai, more):
    assert (await WHO.chat(openai, stream=False, **more)).status == 200


@pytest.mark.parametrize(
    ("headers", "code"), [({}, None), ({"Authorization": "Bearer sk-wrong-one"}, "invalid_api_key")]
)
async def test_a_key_is_needed_and_never_shown_whole(headers, code):
    async with OpenAIDouble(keys=["sk-right"]) as double:
        got = await ask(double.url, "POST", WHO.path, WHO.body(stream=False), headers)
        right = await ask(double.url, "GET", "/v1/models", headers={"Authorization": "Bearer sk-right"})
    assert (got.status, got.json["error"]["code"], right.status) == (401, code, 200)
    assert "sk-wrong-one" not in got.body.decode()


async def test_an_unknown_model_is_a_404_and_an_embedding_model_does_not_chat(openai):
    unknown = await WHO.chat(openai, stream=False, model="gpt-none")
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "model_not_found")
    wrong = await WHO.chat(openai, stream=False, model="text-embedding-3-small")
    assert (wrong.status, wrong.json["error"]["param"]) == (404, "model")


async def test_a_prompt_over_the_window_names_the_limit(openai):
    got = await WHO.chat(openai, stream=False, messages=[{"role": "user", "content": "x" * 600_000}])
    assert (got.status, got.json["error"]["code"]) == (400, "context_length_exceeded")
    assert "128000 tokens" in got.json["error"]["message"]


async def test_a_path_nobody_serves_is_a_404_in_json(openai):
    got = await ask(openai.url, "POST", "/v1/nope", {}, WHO.headers)
    assert (got.status, got.json["error"]["message"]) == (404, "Invalid URL (POST /v1/nope)")


async def test_models_are_listed_and_shown(openai):
    listed = await ask(openai.url, "GET", "/v1/models", headers=WHO.headers)
    one = await ask(openai.url, "GET", "/v1/models/gpt-4o", headers=WHO.headers)
    assert one.json == listed.json["data"][0]
    assert shape(one.json) == [
        ("id", "text"),
        ("object", "text"),
        ("created", "number"),
        ("owned_by", "text"),
    ]


async def test_base64_embeddings_are_the_floats_as_little_endian_float32(openai):
    body = {"model": "text-embedding-3-small", "input": ["refund my card", "hello"], "dimensions": 8}
    floats = await ask(openai.url, "POST", "/v1/embeddings", body, WHO.headers)
    packed = await ask(
        openai.url, "POST", "/v1/embeddings", body | {"encoding_format": "base64"}, WHO.headers
    )
    assert [item["index"] for item in floats.json["data"]] == [0, 1]
    for plain, coded in zip(floats.json["data"], packed.json["data"], strict=True):
        assert struct.unpack("<8f", base64.b64decode(coded["embedding"])) == pytest.approx(plain["embedding"])


async def test_embeddings_take_token_lists_and_refuse_nothing_at_all(openai):
    body = {"model": "text-embedding-3-small", "input": [[1, 2, 3], [4]], "dimensions": 4}
    got = await ask(openai.url, "POST", "/v1/embeddings", body, WHO.headers)
    assert (len(got.json["data"]), got.json["usage"]["prompt_tokens"]) == (2, 4)
    empty = await ask(openai.url, "POST", "/v1/embeddings", body | {"input": []}, WHO.headers)
    assert empty.status == 400


def a_call(call_id):
    function = {"name": "look", "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def a_result(call_id):
    return {"role": "tool", "tool_call_id": call_id, "content": "a cat"}


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([a_call("c1")], "did not have response messages: c1"),
        (
            [a_call("c1"), {"role": "user", "content": "And?"}, a_result("c1")],
            "did not have response messages",
        ),
        ([a_result("c1")], "must be a response to a preceeding message"),
        ([a_call("c" * 41), a_result("c" * 41)], "maximum length 40"),
    ],
)
async def test_calls_without_results_and_results_without_calls_are_refused(openai, turns, words):
    messages = [{"role": "user", "content": "Look."}, *turns]
    got = await WHO.chat(openai, stream=False, messages=messages)
    assert got.status == 400
    assert words in got.json["error"]["message"]


async def test_a_call_that_is_followed_by_its_result_is_accepted(openai):
    messages = [{"role": "user", "content": "Look."}, a_call("c1"), a_result("c1")]
    assert (await WHO.chat(openai, stream=False, messages=messages)).status == 200
