"""Anthropic's Messages protocol: an OpenAI-shaped request is translated, and nothing is dropped in silence."""

import re

import msgspec
import pytest
from upstream_values import (
    CLOSED,
    PNG,
    a_model,
    a_request,
    failed,
    named_events,
    read_stream,
    replied,
    sent,
)

from headgate.core.types import Format, Image, Message, Text, Tool, ToolCall, Usage
from headgate.engines.profiles import ANTHROPIC_RULES
from headgate.wire.upstream.anthropic_messages import AnthropicMessages

Raw = msgspec.Raw
ANTHROPIC = AnthropicMessages(ANTHROPIC_RULES)
OLD = AnthropicMessages(ANTHROPIC_RULES, "2023-06-01")
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5"


def claude(model_id=HAIKU, **fields):
    return a_model(model_id, engine_kind="anthropic", **fields)


def body(text="four", stop="end_turn", model=HAIKU, usage=None, content=None):
    blocks = [{"type": "text", "text": text}] if content is None else content
    usage = {"input_tokens": 10, "output_tokens": 3} if usage is None else usage
    return msgspec.json.encode(
        {
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": blocks,
            "stop_reason": stop,
            "usage": usage,
        }
    )


START = {
    "type": "message_start",
    "message": {
        "type": "message",
        "model": HAIKU,
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1},
    },
}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
CLOSE = {"type": "content_block_stop", "index": 0}
STOP = {"type": "message_stop"}


def text_delta(text):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def message_delta(stop="end_turn", output=5):
    return {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": {"output_tokens": output},
    }


WHOLE = (START, {"type": "ping"}, OPEN, text_delta("fo"), text_delta("ur"), CLOSE, message_delta(), STOP)

# ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_system_messages_are_merged_and_turns_alternate():
    messages = (
        Message("system", "Be short."),
        Message("user", "One."),
        Message("user", "Two."),
        Message("developer", "Be kind."),
        Message("assistant", "Three."),
        Message("user", "Four."),
    )
    out = sent(ANTHROPIC, a_request(messages=messages), claude())
    assert out["system"] == "Be short.\n\nBe kind."
    assert out["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": "Three."},
        {"role": "user", "content": "Four."},
    ]


def test_tool_calls_and_results_become_blocks_with_ids_that_anthropic_takes():
    messages = (
        Message("user", "Look."),
        Message(
            "assistant", "I will.", (ToolCall("call:1.x", "look", '{"at":1}'), ToolCall("c2", "hear", ""))
        ),
        Message("tool", "a cat", tool_call_id="call:1.x"),
        Message("tool", "a meow", tool_call_id="c2"),
        Message("user", "And?"),
    )
    tools = (Tool("look", "looks", Raw(b'{"type":"object","properties":{}}'), True), Tool("hear"))
    out = sent(ANTHROPIC, a_request(messages=messages, tools=tools), claude())
    fitting = out["messages"][1]["content"][1]["id"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", fitting)
    assert out["messages"][1]["content"] == [
        {"type": "text", "text": "I will."},
        {"type": "tool_use", "id": fitting, "name": "look", "input": {"at": 1}},
        {"type": "tool_use", "id": "c2", "name": "hear", "input": {}},
    ]
    assert out["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": fitting, "content": [{"type": "text", "text": "a cat"}]},
        {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "a meow"}]},
        {"type": "text", "text": "And?"},
    ]
    assert out["tools"] == [
        {
            "name": "look",
            "description": "looks",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
        },
        {"name": "hear", "input_schema": {"type": "object"}},
    ]


@pytest.mark.parametrize(
    ("asked", "sent_as"),
    [
        (b'"auto"', {"type": "auto"}),
        (b'"none"', {"type": "none"}),
        (b'"required"', {"type": "any"}),
        (b'{"type":"function","function":{"name":"look"}}', {"type": "tool", "name": "look"}),
        (b'{"type":"any"}', {"type": "any"}),
    ],
)
def test_tool_choices_are_translated(asked, sent_as):
    request = a_request(tools=(Tool("look"),), tool_choice=Raw(asked))
    assert sent(ANTHROPIC, request, claude())["tool_choice"] == sent_as


def test_images_are_sent_as_bytes_or_as_addresses():
    images = (Image(PNG), Image("https://example.com/cat.png"))
    out = sent(ANTHROPIC, a_request(messages=(Message("user", (Text("What?"), *images)),)), claude())
    assert [block.get("source") for block in out["messages"][0]["content"]] == [
        None,
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://example.com/cat.png"},
    ]
    odd = a_request(messages=(Message("user", (Image("file:///etc/passwd"),)),))
    assert failed(ANTHROPIC.encode_request(odd, claude(), stream=False)).reason == "http_error"


def test_a_limit_on_the_answer_is_always_sent():
    assert sent(ANTHROPIC, a_request(), claude())["max_tokens"] == 4096
    assert sent(ANTHROPIC, a_request(), claude(max_output=9000))["max_tokens"] == 9000
    assert sent(ANTHROPIC, a_request(max_tokens=7), claude(max_output=9000))["max_tokens"] == 7


def test_a_schema_is_sent_as_the_output_format_in_the_callers_bytes():
    out = ANTHROPIC.encode_request(a_request(format=Format("schema", CLOSED)), claude(), stream=False)
    assert b'"output_config":{"format":{"type":"json_schema","schema":' + bytes(CLOSED) in out


def test_a_schema_is_closed_and_unbounded_and_that_is_named():
    schema = Raw(
        b'{"type":"object","properties":{"n":{"type":"integer","minimum":1},"minimum":{"type":"string"}}}'
    )
    request = a_request(format=Format("schema", schema))
    out = sent(ANTHROPIC, request, claude())
    assert out["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "minimum": {"type": "string"}},
        "additionalProperties": False,
    }
    assert len(ANTHROPIC.adjustments(request, claude())) == 2


def test_what_has_no_schema_field_is_said_in_the_system_prompt():
    free = Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')
    for wanted, model in (
        (Format("json"), claude()),
        (Format("schema", free), claude()),
        (Format("schema", CLOSED), claude("claude-3-5-haiku-20241022")),
    ):
        out = sent(ANTHROPIC, a_request(format=wanted), model)
        assert "output_config" not in out
        assert "JSON object" in out["system"]
        assert (wanted.schema is None) or bytes(wanted.schema).decode() in out["system"]
        assert ANTHROPIC.adjustments(a_request(format=wanted), model)


SAMPLED = a_request(temperature=0.5, top_p=0.9)


def test_sampling_is_dropped_by_the_version_and_kept_by_the_old_one():
    out = sent(ANTHROPIC, SAMPLED, claude())
    assert out.keys() & {"temperature", "top_p"} == set()
    assert len(ANTHROPIC.adjustments(SAMPLED, claude())) == 2
    assert sent(OLD, SAMPLED, claude("claude-3-5-haiku"))["top_p"] == 0.9
    old_model = claude(settings={"api_version": "2023-06-01"})
    out = sent(ANTHROPIC, SAMPLED, old_model)
    assert out["temperature"] == 0.5
    assert "top_p" not in out
    assert "api_version" not in out
    assert ANTHROPIC.version_for(old_model) == "2023-06-01"


def test_a_temperature_beyond_anthropics_range_is_lowered():
    request = a_request(temperature=1.6)
    assert sent(OLD, request, claude())["temperature"] == 1.0
    assert "lowered" in OLD.adjustments(request, claude())[0]


def test_what_sonnet_rejects_is_translated_and_named():
    request = a_request(
        messages=(Message("user", "Count."), Message("assistant", "1, 2,")),
        temperature=0.5,
        tools=(Tool("look"),),
        tool_choice=Raw(b'{"type":"function","function":{"name":"look"}}'),
    )
    model = claude(SONNET, settings={"thinking": "none", "effort": "low"})
    out = sent(OLD, request, model)
    assert "temperature" not in out
    assert out["thinking"] == {"type": "between_tools"}
    assert out["output_config"] == {"effort": "low"}
    assert out["messages"][-1] == {"role": "user", "content": "Continue."}
    assert out["tool_choice"] == {"type": "auto"}
    assert 'Call the tool "look".' in out["system"]
    named = [note.split(":")[0] for note in OLD.adjustments(request, model)]
    assert sorted(named) == ["messages", "temperature", "thinking", "tool_choice"]


def test_thinking_is_sent_as_the_settings_say_where_the_model_takes_it():
    def thinking(value, model_id):
        return sent(ANTHROPIC, a_request(), claude(model_id, settings={"thinking": value})).get("thinking")

    assert thinking(False, HAIKU) == {"type": "disabled"}
    assert thinking(True, HAIKU) == {"type": "adaptive"}
    assert thinking("between_tools", SONNET) == {"type": "between_tools"}
    assert thinking({"type": "enabled", "budget_tokens": 2000}, HAIKU)["budget_tokens"] == 2000
    assert thinking({"type": "enabled", "budget_tokens": 2000}, SONNET) is None


def test_foreign_fields_and_what_anthropic_has_not_stay_at_home_and_are_named():
    request = a_request(seed=1, logprobs=True, extra={"logit_bias": Raw(b"{}")}, stop=("END", " "))
    out = sent(ANTHROPIC, request, claude())
    assert out.keys() == {"model", "max_tokens", "messages", "stop_sequences"}
    assert out["stop_sequences"] == ["END"]
    assert len(ANTHROPIC.adjustments(request, claude())) == 4


def test_a_conversation_always_begins_with_the_user():
    for messages in ((Message("system", "Say hi."),), (Message("assistant", "Hi."), Message("user", "Yes?"))):
        request = a_request(messages=messages)
        assert sent(ANTHROPIC, request, claude())["messages"][0]["role"] == "user"
        assert ANTHROPIC.adjustments(request, claude())


def test_an_ordinary_request_needs_no_adjustments():
    assert ANTHROPIC.adjustments(a_request(max_tokens=5), claude()) == ()


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_is_read_with_its_cache_counted_beside_the_prompt():
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    reply = replied(ANTHROPIC.decode_reply(body(usage=usage), a_request(), claude()))
    assert (reply.text, reply.finish, reply.answered_by) == ("four", "stop", HAIKU)
    assert reply.usage == Usage(
        input=10, cache_read=100, cache_write_5m=20, cache_write_1h=10, output=5, reasoning=2
    )
    assert reply.usage.prompt == 140


def test_a_stream_is_read_and_its_output_is_counted_cumulatively():
    deltas, result = read_stream(ANTHROPIC, [named_events(*WHOLE)], a_request(), claude())
    assert [delta.text for delta in deltas] == ["fo", "ur"]
    reply = replied(result)
    assert reply.text == "four"
    assert (reply.usage.input, reply.usage.cache_read, reply.usage.output) == (10, 90, 5)
    assert reply.usage.exact


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "length"),
    ],
)
def test_stop_reasons_become_ours(stop, finish):
    assert replied(ANTHROPIC.decode_reply(body(stop=stop), a_request(), claude())).finish == finish


def test_running_into_the_end_of_the_window_is_an_overflow():
    raw = body(stop="model_context_window_exceeded")
    assert failed(ANTHROPIC.decode_reply(raw, a_request(), claude())).reason == "context_overflow"


def test_tool_use_and_thinking_are_read_whole():
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}},
    ]
    reply = replied(ANTHROPIC.decode_reply(body(content=content, stop="tool_use"), a_request(), claude()))
    assert (reply.text, reply.reasoning, reply.finish) == ("", "hm", "tool_calls")
    assert reply.tool_calls == (ToolCall("t1", "look", '{"at":1}'),)


def test_tool_use_is_read_from_its_pieces():
    def start(index, call_id, name):
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        return {"type": "content_block_start", "index": index, "content_block": block}

    def piece(index, text):
        delta = {"type": "input_json_delta", "partial_json": text}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    stream = (
        *(START, OPEN, text_delta("Look:"), CLOSE),
        *(start(1, "t1", "look"), piece(1, ""), piece(1, '{"at"'), piece(1, ":1}")),
        {"type": "content_block_stop", "index": 1},
        *(start(2, "t2", "hear"), {"type": "content_block_stop", "index": 2}),
        *(message_delta("tool_use"), STOP),
    )
    deltas, result = read_stream(ANTHROPIC, [named_events(*stream)], a_request(), claude())
    assert replied(result).tool_calls == (ToolCall("t1", "look", '{"at":1}'), ToolCall("t2", "hear", "{}"))
    pieces = [(delta.tool_index, delta.tool_arguments) for delta in deltas if delta.tool_index is not None]
    assert pieces == [(0, ""), (0, '{"at"'), (0, ":1}"), (1, ""), (1, "{}")]


def test_a_stream_without_its_end_mark_is_never_a_clean_finish():
    for cut in (WHOLE[:-1], WHOLE[:-2], WHOLE[:4], ()):
        failure = failed(read_stream(ANTHROPIC, [named_events(*cut)], a_request(), claude())[1])
        assert failure.reason == "broken_stream"


def test_a_broken_stream_tells_what_it_cost():
    failure = failed(read_stream(ANTHROPIC, [named_events(*WHOLE[:4])], a_request(), claude())[1])
    assert failure.text == "fo"
    assert failure.usage is not None
    assert (failure.usage.input, failure.usage.cache_read, failure.usage.exact) == (10, 90, False)


def test_an_error_event_breaks_the_stream():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    failure = failed(read_stream(ANTHROPIC, [named_events(*WHOLE[:4], error)], a_request(), claude())[1])
    assert failure.reason == "broken_stream"
    assert "overloaded_error" in failure.detail


def test_another_models_answer_is_not_taken_but_a_dated_release_is():
    assert failed(ANTHROPIC.decode_reply(body(model=SONNET), a_request(), claude())).reason == "wrong_model"
    dated = body(model="claude-haiku-4-5-20251001")
    assert replied(ANTHROPIC.decode_reply(dated, a_request(), claude())).text == "four"
    decoder = ANTHROPIC.stream_decoder(a_request(), claude(SONNET))
    assert decoder.feed(named_events(START)) == []
    assert failed(decoder.finish()).reason == "wrong_model"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"nope", "malformed"),
        (b'{"type":"message","content":7}', "malformed"),
        (b'{"type":"message","content":[]}', "malformed"),
        (b'{"type":"error","error":{"type":"api_error","message":"boom"}}', "http_error"),
    ],
)
def test_status_200_alone_proves_nothing(raw, reason):
    assert failed(ANTHROPIC.decode_reply(raw, a_request(), claude())).reason == reason


def test_garbage_in_a_stream_is_malformed():
    raw = named_events(START) + b"event: ping\ndata: {{{\n\n"
    assert failed(read_stream(ANTHROPIC, [raw], a_request(), claude())[1]).reason == "malformed"


# ── What callers of any dialect may wish ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("effort", "model_id", "thinking", "output"),
    [
        ("high", "claude-haiku-5-5", None, {"effort": "high"}),
        ("minimal", "claude-haiku-5-5", None, {"effort": "low"}),
        ("none", "claude-haiku-5-5", {"type": "disabled"}, None),
        ("none", SONNET, {"type": "between_tools"}, None),
        ("high", HAIKU, None, None),
    ],
)
def test_the_asked_effort_is_said_as_the_model_takes_it(effort, model_id, thinking, output):
    out = sent(ANTHROPIC, a_request(effort=effort), claude(model_id))
    assert (out.get("thinking"), out.get("output_config")) == (thinking, output)


def test_the_callers_effort_wins_over_the_models_setting():
    model = claude(SONNET, settings={"effort": "low"})
    assert sent(ANTHROPIC, a_request(effort="max"), model)["output_config"] == {"effort": "max"}
    assert sent(ANTHROPIC, a_request(), model)["output_config"] == {"effort": "low"}


def test_top_k_is_sampling_like_the_rest():
    assert sent(OLD, a_request(top_k=40), claude())["top_k"] == 40
    assert "top_k" not in sent(ANTHROPIC, a_request(top_k=40), claude())
    assert "top_k" in ANTHROPIC.adjustments(a_request(top_k=40), claude())[0]


def test_one_tool_at_a_time_is_said_with_or_without_a_choice():
    def choice(**fields):
        return sent(ANTHROPIC, a_request(tools=(Tool("look"),), **fields), claude()).get("tool_choice")

    assert choice(parallel_tools=False) == {"type": "auto", "disable_parallel_tool_use": True}
    assert choice(parallel_tools=False, tool_choice=Raw(b'"none"')) == {"type": "none"}
    assert choice(parallel_tools=True) is None


def test_a_prompt_is_marked_for_the_cache_when_that_is_asked_for():
    assert sent(ANTHROPIC, a_request(cache=True), claude())["cache_control"] == {"type": "ephemeral"}
    hour = {"type": "ephemeral", "ttl": "1h"}
    marked = claude(settings={"cache_control": hour})
    assert sent(ANTHROPIC, a_request(cache=True), marked)["cache_control"] == hour


# ── What callers of Anthropic's own dialect get back ─────────────────────────────────────────────────────────────────

OWN = a_request(dialect="anthropic")
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://example.com"}]}
CITED = {"type": "web_search_result_location", "url": "https://example.com"}


def block(index, start, *pieces):
    """The events of one block."""
    deltas = [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
    start = {"type": "content_block_start", "index": index, "content_block": start}
    return (start, *deltas, {"type": "content_block_stop", "index": index})


NATIVE = (
    START,
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "c2VhbA=="},
    ),
    *block(1, SEARCH, {"type": "input_json_delta", "partial_json": '{"query":"x"}'}),
    *block(2, FOUND),
    *block(
        3,
        {"type": "text", "text": "", "citations": []},
        {"type": "text_delta", "text": "fo"},
        {"type": "citations_delta", "citation": CITED},
        {"type": "text_delta", "text": "ur"},
    ),
    message_delta(),
    STOP,
)
CONTENT = [
    {"type": "thinking", "thinking": "hm", "signature": "c2VhbA=="},
    SEARCH | {"input": {"query": "x"}},
    FOUND,
    {"type": "text", "text": "four", "citations": [CITED]},
]


def test_seals_citations_and_the_work_of_anthropics_tools_come_through_a_stream():
    deltas, result = read_stream(ANTHROPIC, [named_events(*NATIVE)], OWN, claude())
    assert [delta.signature for delta in deltas if delta.signature] == ["c2VhbA=="]
    blocks = [msgspec.json.decode(delta.block) for delta in deltas if delta.block is not None]
    ends = {"type": "content_block_stop"}
    citation = {"type": "citations_delta", "citation": CITED}
    assert blocks == [ends, CONTENT[1], CONTENT[2], citation, ends]
    assert msgspec.json.decode(replied(result).blocks) == CONTENT


def test_callers_of_other_dialects_are_not_bothered_with_them():
    deltas, result = read_stream(ANTHROPIC, [named_events(*NATIVE)], a_request(), claude())
    assert all(delta.block is None and not delta.signature for delta in deltas)
    assert (replied(result).text, replied(result).blocks) == ("four", None)


def test_a_whole_answers_content_is_kept_to_the_byte():
    raw = b'[ {"type":"text", "text":"f\\u006fur"} ]'
    whole = body(text="").replace(b'[{"type":"text","text":""}]', raw)
    assert bytes(replied(ANTHROPIC.decode_reply(whole, OWN, claude())).blocks) == raw
    assert replied(ANTHROPIC.decode_reply(whole, a_request(), claude())).blocks is None


def test_a_call_whose_input_was_cut_off_leaves_content_that_can_be_read():
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    events = block(0, call, {"type": "input_json_delta", "partial_json": '{"at'})
    stream = named_events(START, *events, message_delta("max_tokens"), STOP)
    reply = replied(read_stream(ANTHROPIC, [stream], OWN, claude())[1])
    assert reply.tool_calls[0].arguments == '{"at'
    assert msgspec.json.decode(reply.blocks) == [call]


def test_the_stop_sequence_that_ended_an_answer_is_named():
    ended = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}
    stream = named_events(START, OPEN, text_delta("four"), CLOSE, ended, STOP)
    assert replied(read_stream(ANTHROPIC, [stream], a_request(), claude())[1]).stopped_by == "END"
    whole = body(stop="stop_sequence").replace(b'"usage"', b'"stop_sequence":"END","usage"')
    assert replied(ANTHROPIC.decode_reply(whole, a_request(), claude())).stopped_by == "END"
