"""The Anthropic double: the shapes the official client reads, and the requests the real API refuses."""

import json

import pytest
from double_clients import ANTHROPIC_HEADERS, PROVIDERS, ask

from headgate.testing import Answer, AnthropicDouble, ServedModel, ToolCall

WHO = PROVIDERS["anthropic"]
USER = {"role": "user", "content": "Hello."}
OLD = "claude-sonnet-4-5"


@pytest.fixture
async def anthropic():
    async with AnthropicDouble(answer=Answer("one two", input_tokens=40, cached_tokens=32)) as double:
        yield double


async def test_a_message_has_every_field_the_api_documents(anthropic):
    got = await WHO.chat(anthropic, stream=False)
    assert list(got.json) == [
        "model", "id", "type", "role", "content", "stop_reason", "stop_sequence", "usage"
    ]  # fmt: skip
    assert got.json["content"] == [{"type": "text", "text": "one two"}]
    assert got.headers["request-id"].startswith("req_")


async def test_input_tokens_leave_the_cached_ones_out(anthropic):
    usage = (await WHO.chat(anthropic, stream=False)).json["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (8, 32)
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}


async def test_a_stream_is_named_events_from_message_start_to_message_stop(anthropic):
    got = await WHO.chat(anthropic, stream=True)
    names = [line[7:].decode() for line in got.body.split(b"\n") if line.startswith(b"event: ")]
    assert names == [event["type"] for event in got.events]
    assert names == [
        "message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip


async def test_output_tokens_in_a_stream_are_cumulative_and_end_where_the_plain_ones_are(anthropic):
    plain = (await WHO.chat(anthropic, stream=False)).json
    events = (await WHO.chat(anthropic, stream=True)).events
    start, delta = events[0]["message"], events[-2]
    assert (start["content"], start["stop_reason"], start["usage"]["input_tokens"]) == ([], None, 8)
    assert start["usage"]["output_tokens"] == 1
    assert delta["usage"]["output_tokens"] == plain["usage"]["output_tokens"]
    assert delta["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


async def test_blocks_of_thinking_text_and_tool_come_in_order_and_join_to_the_plain_ones():
    answer = Answer("Looking it up.", (ToolCall("lookup", {"id": 7}),), reasoning="Which id? Seven.")
    async with AnthropicDouble(answer=answer) as double:
        plain = (await WHO.chat(double, stream=False)).json
        events = (await WHO.chat(double, stream=True)).events
    assert [block["type"] for block in plain["content"]] == ["thinking", "text", "tool_use"]
    assert plain["content"][2]["input"] == {"id": 7}
    assert plain["stop_reason"] == "tool_use"
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert starts[2]["input"] == {}
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "Which id? Seven."
    assert "".join(delta.get("text", "") for delta in deltas) == "Looking it up."
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"id": 7}
    assert any(delta["type"] == "signature_delta" for delta in deltas)


def form(schema: dict) -> dict:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


CLOSED = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}

REFUSED = [
    {"temperature": 0.2},
    {"top_p": 0.9},
    {"top_k": 5},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    {"messages": [USER, {"role": "assistant", "content": "{"}]},
    {"tools": [{"name": "f", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "f"}},
    {"tools": [{"name": "f", "input_schema": {}}], "tool_choice": {"type": "any"}},
    {"tool_choice": "auto"},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"messages": [{"role": "system", "content": "Be brief."}, USER]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "assistant", "content": "x"}, USER]},
    {"messages": []},
    {"messages": [{"role": "user", "content": ""}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    {"messages": [{"role": "user", "content": "x", "name": "joe"}]},
    {"max_tokens": 0},
    {"max_tokens": 10_000_000},
    {"max_completion_tokens": 5},
    {"response_format": {"type": "json_object"}},
    {"stop": ["x"]},
    form({"type": "object", "properties": {}}),
    form(CLOSED | {"properties": {"n": {"type": "integer", "minimum": 0}}}),
]


@pytest.mark.parametrize("more", REFUSED, ids=[str(case)[:60] for case in REFUSED])
async def test_a_request_the_real_api_refuses_is_refused(anthropic, more):
    got = await WHO.chat(anthropic, stream=False, **more)
    assert got.status == 400
    assert list(got.json) == ["type", "error", "request_id"]
    assert got.json["error"]["type"] == "invalid_request_error"
    assert got.json["request_id"] == got.headers["request-id"]


@pytest.mark.parametrize(
    ("version", "status"), [("2023-06-01", 200), ("2026-10-21", 400), ("2024-01-01", 400), ("", 400)]
)
async def test_a_temperature_passes_only_with_the_old_version_and_an_older_model(anthropic, version, status):
    body = WHO.body(stream=False, model=OLD, temperature=0.2)
    headers = ANTHROPIC_HEADERS | {"anthropic-version": version}
    assert (await ask(anthropic.url, "POST", "/v1/messages", body, headers)).status == status


@pytest.mark.parametrize(
    "more",
    [
        {"system": "Be brief.", "stop_sequences": ["END"], "metadata": {"user_id": "x"}},
        {"thinking": {"type": "between_tools"}},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}},
        form(CLOSED),
        form(CLOSED | {"properties": {"minimum": {"type": "integer"}}, "required": ["minimum"]}),
        {"model": OLD, "messages": [USER, {"role": "assistant", "content": "{"}]},
        {"model": OLD, "tools": [{"name": "f", "input_schema": {}}], "tool_choice": {"type": "any"}},
    ],
)
async def test_a_request_the_real_api_takes_is_taken(anthropic, more):
    assert (await WHO.chat(anthropic, stream=False, **more)).status == 200


@pytest.mark.parametrize("name", ["max_tokens", "model", "messages"])
async def test_a_required_field_is_required(anthropic, name):
    body = WHO.body(stream=False)
    del body[name]
    got = await ask(anthropic.url, "POST", "/v1/messages", body, WHO.headers)
    assert (got.status, got.json["error"]["message"]) == (400, f"{name}: Field required")


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ({"x-api-key": "right"}, 200),
        ({"Authorization": "Bearer right"}, 200),
        ({"x-api-key": "wrong", "Authorization": "Bearer right"}, 401),
        ({}, 401),
    ],
)
async def test_either_key_header_opens_and_x_api_key_wins(key, status):
    async with AnthropicDouble(keys=["right"]) as double:
        headers = {"anthropic-version": "2026-10-21"} | key
        got = await ask(double.url, "POST", "/v1/messages", WHO.body(stream=False), headers)
    assert got.status == status
    assert status == 200 or got.json["error"]["type"] == "authentication_error"


async def test_an_unknown_model_is_a_not_found_error(anthropic):
    got = await WHO.chat(anthropic, stream=False, model="claude-none")
    assert (got.status, got.json["error"]) == (
        404,
        {"type": "not_found_error", "message": "model: claude-none"},
    )


async def test_max_tokens_and_stop_sequences_end_the_answer_with_their_own_reason():
    async with AnthropicDouble(answer="one two three END four") as double:
        short = (await WHO.chat(double, stream=False, max_tokens=2)).json
        stopped = (await WHO.chat(double, stream=False, stop_sequences=["END"])).json
    assert (short["stop_reason"], short["usage"]["output_tokens"]) == ("max_tokens", 2)
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "END")
    assert stopped["content"][0]["text"] == "one two three "


async def test_a_refused_answer_stops_with_refusal():
    async with AnthropicDouble(answer=Answer("", finish="content_filter")) as double:
        got = await WHO.chat(double, stream=False)
    assert (got.json["stop_reason"], got.json["content"]) == ("refusal", [])


async def test_counting_tokens_agrees_with_the_usage_of_the_same_message():
    async with AnthropicDouble(answer="x") as double:
        body = {"model": WHO.model, "messages": [USER], "system": "Be brief."}
        counted = await ask(double.url, "POST", "/v1/messages/count_tokens", body, WHO.headers)
        sent = await ask(double.url, "POST", "/v1/messages", body | {"max_tokens": 9}, WHO.headers)
    assert list(counted.json) == ["input_tokens"]
    assert counted.json["input_tokens"] == sent.json["usage"]["input_tokens"]


async def test_a_prompt_over_the_window_is_too_long():
    async with AnthropicDouble({"claude-tiny": ServedModel(context=100)}) as double:
        got = await WHO.chat(
            double, stream=False, model="claude-tiny", messages=[{"role": "user", "content": "x" * 800}]
        )
    assert (got.status, got.json["error"]["message"]) == (400, "prompt is too long: 201 tokens > 100 maximum")


async def test_models_tell_their_limits(anthropic):
    got = await ask(anthropic.url, "GET", "/v1/models", headers=WHO.headers)
    first = got.json["data"][0]
    assert (first["id"], first["max_input_tokens"], first["max_tokens"]) == (
        "claude-sonnet-5-5",
        1_000_000,
        128_000,
    )
    assert got.json["has_more"] is False


CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "a cat"}


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([[CALL], "And?"], "without `tool_result` blocks immediately after: t1"),
        ([[CALL]], "without `tool_result` blocks immediately after: t1"),
        ([[], [RESULT]], "unexpected `tool_use_id`"),
        ([[CALL], [RESULT], [CALL], [RESULT]], "ids must be unique"),
        ([[CALL | {"id": "t:1"}], [RESULT | {"tool_use_id": "t:1"}]], "String should match pattern"),
    ],
)
async def test_calls_without_results_and_results_without_calls_are_refused(anthropic, turns, words):
    roles = ("assistant", "user") * 2
    messages = [
        USER,
        *({"role": role, "content": content} for role, content in zip(roles, turns, strict=False)),
    ]
    got = await WHO.chat(anthropic, stream=False, model=OLD, messages=messages)
    assert got.status == 400
    assert words in got.json["error"]["message"]


async def test_a_call_that_is_followed_by_its_result_is_accepted(anthropic):
    messages = [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]
    assert (await WHO.chat(anthropic, stream=False, messages=messages)).status == 200
