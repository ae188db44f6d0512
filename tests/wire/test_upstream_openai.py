"""Chat Completions as engines speak it: what goes out, what is believed of what comes back."""

import msgspec
import pytest
from upstream_values import CLOSED, PNG, a_model, a_request, captured, failed, read_stream, replied, sent, sse

from headgate.core.types import Delta, Format, Image, Message, Text, Tool, ToolCall
from headgate.engines.profiles import GENERIC, LLAMA_SERVER, LMSTUDIO, OPENAI, profile_for
from headgate.wire.doors import About
from headgate.wire.doors.openai_answers import ChunkEncoder
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import Profile

Raw = msgspec.Raw
PLAIN = OpenAIChat(GENERIC)
LM = OpenAIChat(LMSTUDIO)
GPT = OpenAIChat(OPENAI)
SERVER = OpenAIChat(LLAMA_SERVER)


def chunk(content=None, finish=None, model="toy-micro", **more):
    delta = {} if content is None else {"content": content}
    return {"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def body(content="four", finish="stop", model="toy-micro", **more):
    message = {"role": "assistant", "content": content}
    return msgspec.json.encode(
        {"model": model, "choices": [{"message": message, "finish_reason": finish}]} | more
    )


# ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_callers_own_message_bytes_are_sent_untouched():
    raw = Raw(b'[{"role":"user","content":"Is 7 prime?","x":  1}]')
    out = PLAIN.encode_request(a_request(raw_messages=raw), a_model(), stream=False)
    assert bytes(raw) in out


def test_every_field_of_a_request_is_said():
    request = a_request(
        temperature=0.5, top_p=0.9, seed=7, stop=("END",), max_tokens=12, logprobs=True, top_logprobs=2,
        tools=(Tool("look", "looks", Raw(b'{"type":"object"}'), True),), tool_choice=Raw(b'"required"'),
        format=Format("json"), extra={"min_p": Raw(b"0.1")},
    )  # fmt: skip
    out = sent(PLAIN, request, a_model(), stream=True)
    assert out == {
        "model": "toy-micro",
        "messages": [{"role": "user", "content": "Is 7 prime?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "max_tokens": 12,
        "logprobs": True,
        "top_logprobs": 2,
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "looks", "parameters": {"type": "object"}, "strict": True}}
        ],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "min_p": 0.1,
    }  # fmt: skip


def test_a_conversation_with_tools_and_images_is_written_as_openai_wants_it():
    messages = (
        Message("system", "Be short."),
        Message("user", (Text("What is it?"), Image(PNG))),
        Message("assistant", "", (ToolCall("c1", "look", '{"at":1}'),)),
        Message("tool", "a cat", tool_call_id="c1"),
    )
    assert sent(PLAIN, a_request(messages=messages), a_model())["messages"] == [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": PNG}},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
            ],
        },
        {"role": "tool", "content": "a cat", "tool_call_id": "c1"},
    ]


def test_usage_is_always_asked_for_in_streams_unless_the_server_cannot():
    assert sent(PLAIN, a_request(), a_model(), stream=True)["stream_options"] == {"include_usage": True}
    old = OpenAIChat(Profile(name="old", stream_usage=False))
    assert "stream_options" not in sent(old, a_request(), a_model(), stream=True)
    assert "stream_options" not in sent(PLAIN, a_request(), a_model())


def test_llama_server_is_asked_in_streams_how_far_it_has_read():
    assert sent(SERVER, a_request(), a_model(), stream=True)["return_progress"] is True
    assert "return_progress" not in sent(SERVER, a_request(), a_model())
    assert "return_progress" not in sent(PLAIN, a_request(), a_model(), stream=True)


def test_a_models_settings_are_defaults_that_the_request_overrides():
    model = a_model(settings={"temperature": 0.2, "min_p": 0.05, "max_tokens": 50})
    assert sent(PLAIN, a_request(), model)["temperature"] == 0.2
    out = sent(PLAIN, a_request(temperature=0.9, max_tokens=9, extra={"min_p": Raw(b"0.3")}), model)
    assert (out["temperature"], out["max_tokens"], out["min_p"]) == (0.9, 9, 0.3)


def test_logprobs_are_asked_for_when_the_models_confidence_counts():
    assert "logprobs" not in sent(PLAIN, a_request(), a_model())
    assert sent(PLAIN, a_request(), a_model(confidence=-0.5))["logprobs"] is True


def test_developer_messages_become_system_messages_where_the_role_is_unknown():
    request = a_request(
        messages=(Message("developer", "Be short."), Message("user", "Hi")),
        raw_messages=Raw(b'[{"role":"developer","content":"Be short."},{"role":"user","content":"Hi"}]'),
    )
    assert sent(PLAIN, request, a_model())["messages"][0]["role"] == "system"
    assert sent(GPT, request, a_model("gpt-4o"))["messages"][0]["role"] == "developer"
    assert PLAIN.adjustments(request, a_model()) == ("developer messages: sent as system messages",)


def test_lm_studio_gets_any_json_as_a_schema():
    request = a_request(format=Format("json"))
    assert sent(LM, request, a_model())["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    }
    assert "response_format" in LM.adjustments(request, a_model())[0]


def test_openai_gets_the_strict_mark_only_on_schemas_that_leave_nothing_open():
    def marked(schema):
        out = sent(GPT, a_request(format=Format("schema", Raw(schema))), a_model("gpt-4o"))
        return out["response_format"]["json_schema"].get("strict")

    assert marked(bytes(CLOSED)) is True
    assert marked(b'{"type":"object","properties":{"a":{"type":"string"}}}') is None
    optional = b'{"type":"object","properties":{"a":{}},"required":[],"additionalProperties":false}'
    assert marked(optional) is None


def test_openai_is_told_the_word_json_without_which_it_refuses_json_mode():
    request = a_request("List two primes.", format=Format("json"), raw_messages=Raw(b"[]"))
    out = sent(GPT, request, a_model("gpt-4o"))
    assert out["messages"][-1] == {"role": "system", "content": "Answer in JSON."}
    assert any("JSON" in note for note in GPT.adjustments(request, a_model("gpt-4o")))
    spoken = a_request("As json, please.", format=Format("json"))
    assert len(sent(GPT, spoken, a_model("gpt-4o"))["messages"]) == 1


SAMPLED = a_request(temperature=0.2, top_p=0.5, logprobs=True, top_logprobs=3, max_tokens=9)
QUIET = {"effort": "none"}


@pytest.mark.parametrize(
    ("model", "asked", "kept"),
    [
        ("gpt-4o", {}, {"temperature", "top_p", "logprobs", "top_logprobs"}),
        ("gpt-5-mini", {}, set()),
        ("gpt-6-luna", {}, set()),
        ("gpt-6-luna", QUIET, {"temperature", "top_p", "logprobs", "top_logprobs", "reasoning_effort"}),
        ("gpt-6-astra", QUIET, {"reasoning_effort"}),
        ("gpt-6.1-sol", QUIET, {"reasoning_effort"}),
        ("gpt-5.1", QUIET, {"temperature", "top_p", "logprobs", "top_logprobs", "reasoning_effort"}),
        ("o4-mini", {}, set()),
        ("gpt-4o-mini", QUIET, {"temperature", "top_p", "logprobs", "top_logprobs"}),
    ],
)
def test_what_an_openai_model_rejects_is_never_sent_and_always_named(model, asked, kept):
    request = msgspec.structs.replace(SAMPLED, **asked)
    out = sent(GPT, request, a_model(model))
    optional = {"temperature", "top_p", "logprobs", "top_logprobs", "reasoning_effort"}
    assert out.keys() & optional == kept
    assert out["max_completion_tokens"] == 9
    assert "max_tokens" not in out
    wished = {"reasoning_effort"} if asked else set()
    dropped = {"temperature", "top_p", "logprobs", "top_logprobs", *wished} - kept
    raised = {name for name in wished if name in out and out[name] != "none"}
    assert {note.split(":")[0] for note in GPT.adjustments(request, a_model(model))} == dropped | raised


def test_a_model_that_always_thinks_is_told_to_think_least():
    for model, effort in (("gpt-5-mini", "minimal"), ("gpt-6-astra", "low"), ("o4-mini", "low")):
        out = sent(GPT, a_request(**QUIET), a_model(model))
        assert out["reasoning_effort"] == effort


def test_fields_that_openai_does_not_know_are_dropped_and_named():
    request = a_request(extra={"min_p": Raw(b"0.1"), "user": Raw(b'"u"'), "n": Raw(b"1")})
    out = sent(GPT, request, a_model("gpt-4o"))
    assert out["user"] == "u"
    assert out.keys() & {"min_p", "n"} == set()
    assert len(GPT.adjustments(request, a_model("gpt-4o"))) == 2


def test_a_request_that_is_sent_as_it_came_has_no_adjustments():
    assert PLAIN.adjustments(a_request(temperature=0.1), a_model()) == ()


def test_a_hosted_service_is_known_by_its_host():
    assert profile_for("https://api.groq.com/openai/v1").name == "groq"
    assert profile_for("http://127.0.0.1:8000/v1").name == "openai_compatible"


# ── What comes back whole ────────────────────────────────────────────────────────────────────────────────────────────


def test_llama_servers_reply_is_read():
    reply = replied(
        SERVER.decode_reply(captured("llama_server_chat.json"), a_request(), a_model("other-name"))
    )
    assert reply.text == " JSON with exactly:"
    assert (reply.usage.input, reply.usage.output, reply.usage.exact) == (7, 5, True)
    assert (reply.finish, reply.answered_by) == ("stop", "toy-micro")


def test_the_mean_logprob_is_computed_and_the_callers_own_are_kept_as_they_came():
    raw = captured("ollama_v1_logprobs.json")
    silent = replied(PLAIN.decode_reply(raw, a_request(), a_model(confidence=-1)))
    assert silent.logprob == pytest.approx(-0.00013900769)
    assert silent.logprobs is None
    asked = replied(PLAIN.decode_reply(raw, a_request(logprobs=True), a_model()))
    assert bytes(asked.logprobs) in raw


def test_cached_and_reasoning_tokens_are_kept_apart():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    found = replied(PLAIN.decode_reply(body(usage=usage), a_request(), a_model())).usage
    assert (found.input, found.cache_read, found.cache_write_5m, found.output, found.reasoning) == (
        30,
        60,
        10,
        30,
        20,
    )
    assert found.prompt == 100


def test_reasoning_left_out_of_the_completion_tokens_is_found_in_the_total():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}
    assert replied(PLAIN.decode_reply(body(usage=usage), a_request(), a_model())).usage.output == 30


def test_a_reply_without_usage_is_estimated_and_marked_so():
    usage = replied(PLAIN.decode_reply(body("x" * 400), a_request("y" * 4000), a_model())).usage
    assert not usage.exact
    assert usage.output == 100
    assert 1000 <= usage.input <= 1010


def test_tool_calls_come_through_with_their_arguments_as_text():
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    bare = {"function": {"name": "look", "arguments": {"at": 2}}}
    message = {"content": None, "tool_calls": [call, bare]}
    raw = msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]})
    reply = replied(PLAIN.decode_reply(raw, a_request(), a_model()))
    assert reply.tool_calls[0] == ToolCall("c1", "look", '{"at": 1}')
    assert reply.tool_calls[1].arguments == '{"at":2}'
    assert reply.tool_calls[1].id
    assert reply.finish == "tool_calls"


@pytest.mark.parametrize(
    ("word", "finish"),
    [("stop", "stop"), ("eos", "stop"), ("length", "length"), ("content_filter", "content_filter")],
)
def test_finish_reasons_become_ours(word, finish):
    assert replied(PLAIN.decode_reply(body(finish=word), a_request(), a_model())).finish == finish


def test_reasoning_is_kept_apart_from_the_answer():
    for field in ("reasoning_content", "reasoning"):
        message = {"content": "4", field: "2+2"}
        raw = msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]})
        reply = replied(PLAIN.decode_reply(raw, a_request(), a_model()))
        assert (reply.text, reply.reasoning) == ("4", "2+2")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"<html>hello</html>", "malformed"),
        (b'{"choices": [{"mess', "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"choices":[]}', "malformed"),
        (b'{"choices":[{"message":{"content":7},"finish_reason":"stop"}]}', "malformed"),
        (b'{"choices":[{"message":{"content":"x"}}]}', "malformed"),
        (
            b'{"choices":[{"message":{"content":"x","tool_calls":[{"function":{"arguments":"\\ud800"}}]}}]}',
            "malformed",
        ),
        (b"\xff\xfe", "malformed"),
        (b'{"error":"Model is unloaded."}', "http_error"),
        (b'{"error":{"message":"Model is unloaded.","type":"internal_error"}}', "http_error"),
        (b'{"error":"Unexpected endpoint or method. (POST /chat)"}', "http_error"),
        (
            b'{"error":"n_keep: the number of tokens to keep from the initial prompt is too big"}',
            "context_overflow",
        ),
        (b'{"choices":"none","error":"Model is unloaded."}', "http_error"),
    ],
)
def test_status_200_alone_proves_nothing(raw, reason):
    failure = failed(LM.decode_reply(raw, a_request(), a_model()))
    assert failure.reason == reason
    assert failure.status == 200
    assert failure.detail


def test_an_unknown_path_at_lm_studio_is_explained():
    raw = b'{"error":"Unexpected endpoint or method. (POST /chat)"}'
    assert "/v1" in failed(LM.decode_reply(raw, a_request(), a_model())).detail


def test_lm_studio_answering_with_another_model_is_found_out():
    failure = failed(LM.decode_reply(body(model="llama-3.2-1b"), a_request(), a_model("phi-3-mini")))
    assert failure.reason == "wrong_model"
    assert "llama-3.2-1b" in failure.detail


def test_an_empty_success_of_lm_studio_is_an_overflow_when_the_prompt_is_that_long():
    long = failed(LM.decode_reply(body(""), a_request("word " * 4000), a_model(context=4096)))
    assert long.reason == "context_overflow"
    assert failed(LM.decode_reply(body(""), a_request(), a_model(context=4096))).reason == "malformed"
    assert replied(PLAIN.decode_reply(body(""), a_request(), a_model())).text == ""


# ── What comes back in a stream ──────────────────────────────────────────────────────────────────────────────────────


def test_llama_servers_stream_is_read():
    raw = captured("llama_server_stream.sse")
    deltas, result = read_stream(SERVER, [raw], a_request(), a_model())
    assert [delta.text for delta in deltas] == [" JSON", " with", " exactly", ":"]
    reply = replied(result)
    assert (reply.text, reply.finish) == (" JSON with exactly:", "length")
    assert (reply.usage.input, reply.usage.cache_read, reply.usage.output) == (1, 6, 4)


def test_a_stream_without_its_end_mark_is_never_a_clean_finish():
    whole = sse(chunk("four"), chunk(finish="stop"))
    for cut in (sse(chunk("four"), chunk(finish="stop"), done=False), sse(chunk("four")), b"", whole[:-9]):
        _, result = read_stream(PLAIN, [cut], a_request(), a_model())
        assert failed(result).reason == "broken_stream"


def test_a_broken_stream_tells_what_had_arrived_and_what_it_cost():
    _, result = read_stream(PLAIN, [sse(chunk("four score"), done=False)], a_request(), a_model())
    failure = failed(result)
    assert failure.text == "four score"
    assert failure.usage is not None
    assert not failure.usage.exact
    assert failure.usage.output == 3


def test_done_counts_even_if_the_server_forgets_the_empty_line():
    raw = sse(chunk("four"), chunk(finish="stop"))[:-1]
    _, result = read_stream(PLAIN, [raw], a_request(), a_model())
    assert replied(result).text == "four"


def test_an_error_inside_a_stream_breaks_it():
    for error in ("Model is unloaded.", {"message": "Model is unloaded.", "type": "server_error"}):
        raw = sse(chunk("fo"), {"error": error})
        _, result = read_stream(PLAIN, [raw], a_request(), a_model())
        assert failed(result).reason == "broken_stream"
        assert "unloaded" in failed(result).detail


def test_an_error_inside_a_stream_is_recognised_by_its_words():
    overflow = {
        "error": "The number of tokens to keep from the initial prompt is greater than the context length"
    }
    assert failed(read_stream(LM, [sse(overflow)], a_request(), a_model())[1]).reason == "context_overflow"
    peg = {
        "error": {
            "code": 500,
            "message": "The model produced output that does not match the expected peg-native format",
        }
    }
    assert failed(read_stream(SERVER, [sse(peg)], a_request(), a_model())[1]).reason == "malformed"


def test_an_error_event_without_an_error_field_breaks_the_stream():
    raw = sse(chunk("fo"), done=False) + b'event: error\ndata: {"message":"gone"}\n\n'
    assert "gone" in failed(read_stream(PLAIN, [raw], a_request(), a_model())[1]).detail


def test_garbage_inside_a_stream_is_malformed():
    raw = sse(chunk("fo"), done=False) + b'data: {"choices": [{"del\n\n'
    assert failed(read_stream(PLAIN, [raw], a_request(), a_model())[1]).reason == "malformed"


def test_a_wrong_model_is_found_out_at_the_first_chunk():
    decoder = LM.stream_decoder(a_request(), a_model("phi-3-mini"))
    assert decoder.feed(sse(chunk("four", model="llama-3.2-1b"), done=False)) == []
    assert decoder.over
    assert failed(decoder.finish()).reason == "wrong_model"


def test_an_empty_stream_of_lm_studio_is_an_overflow_when_the_prompt_is_that_long():
    raw = sse(chunk(finish="stop"))
    _, result = read_stream(LM, [raw], a_request("word " * 4000), a_model(context=4096))
    assert failed(result).reason == "context_overflow"


def test_tool_calls_are_put_together_from_their_pieces():
    def piece(**call):
        return {"choices": [{"delta": {"tool_calls": [call]}}]}

    raw = sse(
        piece(index=0, id="c1", function={"name": "look", "arguments": ""}),
        piece(index=0, function={"arguments": '{"at"'}),
        piece(index=1, id="c2", function={"name": "hear", "arguments": "{}"}),
        piece(index=0, function={"arguments": ": 1}"}),
        chunk(finish="tool_calls"),
    )
    deltas, result = read_stream(PLAIN, [raw], a_request(), a_model())
    assert replied(result).tool_calls == (ToolCall("c1", "look", '{"at": 1}'), ToolCall("c2", "hear", "{}"))
    assert [delta.tool_index for delta in deltas] == [0, 0, 1, 0]


def test_an_id_is_made_where_the_server_gives_none_and_nothing_is_told_twice():
    def piece(**call):
        return {"choices": [{"delta": {"tool_calls": [{"index": 0} | call]}}]}

    raw = sse(
        piece(function={"name": "look", "arguments": '{"at"'}),
        piece(function={"name": "look", "arguments": ": 1}"}),
        piece(index=1, id="c2", function={"name": "hear", "arguments": "{"}),
        piece(index=1, id="c2", function={"name": "hear", "arguments": "}"}),
        chunk(finish="tool_calls"),
    )
    deltas, result = read_stream(PLAIN, [raw], a_request(), a_model())
    told = [(delta.tool_id, delta.tool_name) for delta in deltas if delta.tool_index is not None]
    assert told == [("call_r1_0", "look"), ("", ""), ("c2", "hear"), ("", "")]
    first, second = replied(result).tool_calls
    assert first == ToolCall("call_r1_0", "look", '{"at": 1}')
    assert second == ToolCall("c2", "hear", "{}")


def test_tool_calls_without_an_index_are_told_apart_by_their_names():
    calls = [{"id": "", "function": {"name": name, "arguments": "{}"}} for name in ("look", "hear")]
    raw = sse(
        *({"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls), chunk(finish="tool_calls")
    )
    found = replied(read_stream(PLAIN, [raw], a_request(), a_model())[1]).tool_calls
    assert [call.name for call in found] == ["look", "hear"]
    assert len({call.id for call in found}) == 2


def test_logprobs_of_a_stream_are_joined():
    def piece(text, logprob):
        logprobs = {"content": [{"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}]}
        return {"choices": [{"delta": {"content": text}, "logprobs": logprobs}]}

    raw = sse(piece("a", -1.0), piece("b", -3.0), chunk(finish="stop"))
    deltas, result = read_stream(PLAIN, [raw], a_request(logprobs=True), a_model())
    reply = replied(result)
    assert reply.logprob == -2.0
    assert [token["token"] for token in msgspec.json.decode(reply.logprobs)] == ["a", "b"]
    assert msgspec.json.decode(deltas[0].logprobs)[0]["token"] == "a"


def test_an_error_as_finish_reason_is_no_answer():
    raw = sse(chunk("fo"), chunk(finish="error"))
    assert failed(read_stream(PLAIN, [raw], a_request(), a_model())[1]).reason == "broken_stream"


def test_an_interrupted_stream_keeps_the_reason_it_is_given():
    decoder = PLAIN.stream_decoder(a_request(), a_model())
    decoder.feed(sse(chunk("fo"), done=False))
    failure = decoder.interrupted("timeout", "silent for 30 s")
    assert (failure.reason, failure.text) == ("timeout", "fo")


def test_images_of_tool_results_follow_as_the_users_because_tool_messages_hold_text_alone():
    call = ToolCall("call_1", "look", "{}")
    seen = Message("tool", (Text("a kite"), Image(PNG)), tool_call_id="call_1")
    messages = (Message("user", "Look."), Message("assistant", "", (call,)), seen, Message("user", "So?"))
    told = sent(PLAIN, a_request(messages=messages), a_model())["messages"]
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "user", "user"]
    assert told[2]["content"] == "a kite"
    assert told[3]["content"] == [{"type": "image_url", "image_url": {"url": PNG}}]


def test_what_only_the_callers_bytes_can_say_goes_out_in_them_though_roles_would_be_changed():
    raw = Raw(b'[{"role":"developer","content":"Hear."},{"role":"user","content":[{"type":"input_audio"}]}]')
    messages = (Message("developer", "Hear."), Message("user", ""))
    request = a_request(messages=messages, native=("audio",), raw_messages=raw)
    assert sent(PLAIN, request, a_model())["messages"] == msgspec.json.decode(raw)


def test_log_probabilities_stand_on_one_line_of_an_event_whatever_the_engine_wrote():
    encoder = ChunkEncoder(About(a_request(), "m", 0.0))
    event = encoder.delta(Delta("a", logprobs=Raw(b'[\n  {"token": "a",\n  "logprob": -0.1}\n]'))).split(
        b"\n\n"
    )[1]
    assert b"\n" not in event
    assert b'"logprob":-0.1' in event
