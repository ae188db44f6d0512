"""Ollama's native protocol: a prompt goes out whole, and an answer counts only when it is done."""

import msgspec
import pytest
from upstream_values import PNG, a_model, a_request, captured, failed, lines, read_stream, replied, sent

from headgate.core.types import Format, Image, Message, Text, Tool, ToolCall
from headgate.wire.upstream.ollama_native import OllamaNative

Raw = msgspec.Raw
OLLAMA = OllamaNative()


def ollama_model(model_id="toy-micro", **fields):
    return a_model(model_id, engine_kind="ollama", **fields)


def said(text="", done=False, **more):
    return {"model": "toy-micro", "message": {"role": "assistant", "content": text}, "done": done} | more


DONE = said(done=True, done_reason="stop", prompt_eval_count=37, eval_count=2, load_duration=250_000_000)

# ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prompt_is_never_cut_in_silence_and_the_window_never_changes():
    for stream in (False, True):
        out = sent(OLLAMA, a_request(), ollama_model(context=8192), stream=stream)
        assert (out["truncate"], out["shift"], out["stream"]) == (False, False, stream)
        assert out["options"] == {"num_ctx": 8192}
    assert "options" not in sent(OLLAMA, a_request(), ollama_model())


def test_the_request_and_the_models_settings_become_options():
    model = ollama_model(
        context=4096, settings={"temperature": 0.1, "top_k": 5, "think": False, "keep_alive": "30m"}
    )
    request = a_request(temperature=0.7, top_p=0.9, seed=3, stop=("END",), max_tokens=20)
    out = sent(OLLAMA, request, model)
    assert out["options"] == {
        "num_ctx": 4096,
        "num_predict": 20,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 3,
        "stop": ["END"],
    }
    assert (out["think"], out["keep_alive"]) == (False, "30m")


def test_the_asked_format_is_said():
    assert "format" not in sent(OLLAMA, a_request(), ollama_model())
    assert sent(OLLAMA, a_request(format=Format("json")), ollama_model())["format"] == "json"
    schema = Raw(b'{"type":  "object"}')
    out = OLLAMA.encode_request(a_request(format=Format("schema", schema)), ollama_model(), stream=True)
    assert b'"format":{"type":  "object"}' in out


def test_tools_and_their_results_are_written_with_object_arguments():
    messages = (
        Message("developer", "Be short."),
        Message("user", "Look."),
        Message("assistant", "", (ToolCall("c1", "look", '{"at": 1}'), ToolCall("c2", "hear", "not json"))),
        Message("tool", "a cat", tool_call_id="c1"),
    )
    tools = (Tool("look", "looks", Raw(b'{"type":"object"}')),)
    out = sent(OLLAMA, a_request(messages=messages, tools=tools), ollama_model())
    assert out["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "look", "arguments": {"at": 1}}},
                {
                    "id": "c2",
                    "function": {"index": 1, "name": "hear", "arguments": {"arguments": "not json"}},
                },
            ],
        },
        {"role": "tool", "content": "a cat", "tool_call_id": "c1", "tool_name": "look"},
        {
            "role": "tool",
            "content": "No result of this call is known.",
            "tool_call_id": "c2",
            "tool_name": "hear",
        },
    ]
    assert out["tools"][0]["function"]["parameters"] == {"type": "object"}


def test_images_go_out_as_base64_and_no_other_way():
    message = Message("user", (Text("What is it?"), Image(PNG)))
    out = sent(OLLAMA, a_request(messages=(message,)), ollama_model())
    assert out["messages"] == [{"role": "user", "content": "What is it?", "images": ["iVBORw0KGgo="]}]
    for url in ("https://example.com/cat.png", "data:image/svg+xml,<svg/>"):
        request = a_request(messages=(Message("user", (Image(url),)),))
        failure = failed(OLLAMA.encode_request(request, ollama_model(), stream=False))
        assert (failure.reason, failure.status) == ("http_error", None)
        assert "data:" in failure.detail


def test_tools_are_kept_back_when_the_caller_forbids_them():
    tools = (Tool("look"),)
    forbidden = a_request(tools=tools, tool_choice=Raw(b'"none"'))
    assert "tools" not in sent(OLLAMA, forbidden, ollama_model())
    forced = a_request(tools=tools, tool_choice=Raw(b'"required"'))
    assert "tool_choice" not in sent(OLLAMA, forced, ollama_model())
    assert "tool_choice" in OLLAMA.adjustments(forced, ollama_model())[0]


def test_foreign_fields_stay_at_home_and_are_named():
    request = a_request(extra={"logit_bias": Raw(b"{}")})
    assert "logit_bias" not in sent(OLLAMA, request, ollama_model())
    assert OLLAMA.adjustments(request, ollama_model()) == (
        "logit_bias: dropped, it is no word of Ollama's protocol",
    )
    assert OLLAMA.adjustments(a_request(), ollama_model()) == ()


def test_every_canonical_option_has_its_word():
    request = a_request(top_k=7, presence_penalty=0.5, frequency_penalty=-0.5)
    assert sent(OLLAMA, request, ollama_model())["options"] == {
        "top_k": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
    }


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        ("none", False),
        ("minimal", "low"),
        ("medium", True),
        ("high", "high"),
        ("xhigh", "high"),
        ("max", "max"),
    ],
)
def test_effort_is_told_to_models_that_think(effort, think):
    thinker = ollama_model(capabilities=frozenset({"thinking"}))
    assert sent(OLLAMA, a_request(effort=effort), thinker)["think"] == think
    assert sent(OLLAMA, a_request(effort=effort), ollama_model(settings={"think": "low"}))["think"] == think
    assert len(OLLAMA.adjustments(a_request(effort=effort), thinker)) == (effort == "xhigh")


def test_a_model_that_does_not_think_is_only_told_not_to():
    assert sent(OLLAMA, a_request(effort="none"), ollama_model())["think"] is False
    assert "think" not in sent(OLLAMA, a_request(effort="high"), ollama_model())
    assert OLLAMA.adjustments(a_request(effort="high"), ollama_model()) == (
        "think: dropped, toy-micro does not think",
    )
    assert OLLAMA.adjustments(a_request(effort="none"), ollama_model()) == ()


def test_a_callers_own_words_go_out_but_nothing_loads_the_model_anew_or_cuts_a_prompt():
    extra = {
        "options": Raw(b'{"min_p":0.1,"num_ctx":1024,"num_gpu":0}'),
        "keep_alive": Raw(b"-1"),
        "truncate": Raw(b"true"),
        "brand_new": Raw(b"[1]"),
        "model": Raw(b'"other"'),
    }
    request = a_request(dialect="ollama", extra=extra)
    model = ollama_model(context=8192, settings={"min_p": 0.5, "keep_alive": "30m"})
    out = sent(OLLAMA, request, model)
    assert out["options"] == {"min_p": 0.1, "num_ctx": 8192}
    assert (out["keep_alive"], out["truncate"], out["brand_new"], out["model"]) == (
        "30m",
        False,
        [1],
        "toy-micro",
    )
    notes = OLLAMA.adjustments(request, model)
    assert [note.split(":")[0] for note in notes] == ["keep_alive", "truncate", "num_ctx", "num_gpu"]


def test_thoughts_that_come_back_are_told_as_thoughts():
    messages = (
        Message("user", "2+2?"),
        Message("assistant", "4", reasoning="two and two"),
        Message("user", "Sure?"),
    )
    told = sent(OLLAMA, a_request(messages=messages), ollama_model())["messages"]
    assert [message.get("thinking") for message in told] == [None, "two and two", None]


def test_one_call_at_a_time_cannot_be_demanded_and_that_is_named():
    request = a_request(tools=(Tool("look"),), parallel_tools=False)
    assert "parallel_tool_calls" in OLLAMA.adjustments(request, ollama_model())[0]


def test_logprobs_are_asked_for_when_somebody_reads_them():
    assert "logprobs" not in sent(OLLAMA, a_request(), ollama_model())
    assert sent(OLLAMA, a_request(), ollama_model(confidence=-1.0))["logprobs"] is True
    out = sent(OLLAMA, a_request(logprobs=True, top_logprobs=4), ollama_model())
    assert (out["logprobs"], out["top_logprobs"]) == (True, 4)


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_ollamas_reply_is_read():
    reply = replied(OLLAMA.decode_reply(captured("ollama_chat.json"), a_request(), ollama_model()))
    assert (reply.text, reply.finish, reply.answered_by) == ("billing", "stop", "toy-micro")
    assert (reply.usage.input, reply.usage.output, reply.usage.exact) == (37, 2, True)
    assert reply.loading == pytest.approx(0.258342601)


def test_ollamas_stream_is_read():
    deltas, result = read_stream(OLLAMA, [captured("ollama_stream.ndjson")], a_request(), ollama_model())
    assert [delta.text for delta in deltas] == ["billing"]
    assert replied(result).usage.prompt == 37


def test_ollamas_logprobs_take_openais_form():
    raw = captured("ollama_logprobs.json")
    reply = replied(OLLAMA.decode_reply(raw, a_request(logprobs=True), ollama_model()))
    assert reply.logprob == pytest.approx(-0.00013900769)
    (token,) = msgspec.json.decode(reply.logprobs)
    assert token.keys() == {"token", "logprob", "bytes", "top_logprobs"}
    assert token["top_logprobs"][1]["token"] == "escalation"
    assert token["top_logprobs"][1]["top_logprobs"] == []
    assert replied(OLLAMA.decode_reply(raw, a_request(), ollama_model())).logprobs is None


def test_a_prompt_that_fills_the_window_was_cut_in_silence():
    full = said("x", done=True, done_reason="stop", prompt_eval_count=4096, eval_count=2)
    model = ollama_model(context=4096)
    failure = failed(OLLAMA.decode_reply(lines(full), a_request(), model))
    assert failure.reason == "context_overflow"
    assert failure.usage is not None
    assert failure.usage.input == 4096
    assert failed(read_stream(OLLAMA, [lines(full)], a_request(), model)[1]).reason == "context_overflow"
    roomy = ollama_model(context=4097)
    assert replied(OLLAMA.decode_reply(lines(full), a_request(), roomy)).text == "x"


def test_errors_inside_errors_are_unpacked():
    failure = OLLAMA.decode_error(400, {}, captured("ollama_bad_schema.json"))
    assert failure.reason == "http_error"
    assert "unrecognized type nonsense" in failure.detail
    assert "{" not in failure.detail
    overflow = OLLAMA.decode_error(400, {}, captured("ollama_overflow.json"))
    assert overflow.reason == "context_overflow"
    assert "18005" in overflow.detail


def test_a_full_queue_and_a_missing_model_are_told_apart():
    busy = OLLAMA.decode_error(
        503, {}, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'
    )
    assert (busy.reason, busy.status) == ("http_error", 503)
    missing = OLLAMA.decode_error(404, {}, b'{"error":"model \'nope\' not found"}')
    assert (missing.reason, missing.status) == ("http_error", 404)
    assert "nope" in missing.detail


def test_a_refused_host_header_is_explained():
    assert "localhost" in OLLAMA.decode_error(403, {}, b"").detail


def test_a_stream_that_is_not_done_is_never_a_clean_finish():
    for raw in (b"", lines(said("bil")), lines(said("bil"))[:-5], lines(said("bil")) + b'{"mod'):
        failure = failed(read_stream(OLLAMA, [raw], a_request(), ollama_model())[1])
        assert failure.reason == "broken_stream"


def test_a_runner_that_dies_breaks_the_stream():
    error = {"error": "an error was encountered while running the model: unexpected EOF"}
    failure = failed(read_stream(OLLAMA, [lines(said("bil"), error)], a_request(), ollama_model())[1])
    assert (failure.reason, failure.text) == ("broken_stream", "bil")
    assert "EOF" in failure.detail


def test_garbage_is_malformed():
    for raw in (b"nope\n", b'{"message": 3}\n', b"[]\n"):
        assert failed(read_stream(OLLAMA, [raw], a_request(), ollama_model())[1]).reason == "malformed"
        assert failed(OLLAMA.decode_reply(raw, a_request(), ollama_model())).reason == "malformed"
    assert failed(OLLAMA.decode_reply(b'{"mess', a_request(), ollama_model())).reason == "malformed"


def test_an_error_under_status_200_is_no_reply():
    failure = failed(OLLAMA.decode_reply(b'{"error":"out of memory"}', a_request(), ollama_model()))
    assert (failure.reason, failure.status) == ("http_error", 200)


def test_another_models_answer_is_not_taken():
    raw = lines(said("x", done=True, model="other"))
    assert failed(OLLAMA.decode_reply(raw, a_request(), ollama_model())).reason == "wrong_model"
    same = lines(said("x", done=True, model="toy-micro:latest"))
    assert replied(OLLAMA.decode_reply(same, a_request(), ollama_model())).text == "x"


def test_tool_calls_arrive_as_text_with_ids():
    calls = [
        {"function": {"name": "look", "arguments": {"at": 1}}},
        {"id": "c9", "function": {"name": "hear"}},
    ]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    deltas, result = read_stream(
        OLLAMA, [lines(said() | {"message": message}, DONE)], a_request(), ollama_model()
    )
    first, second = replied(result).tool_calls
    assert first == ToolCall("call_r1_0", "look", '{"at":1}')
    assert second == ToolCall("c9", "hear", "{}")
    assert replied(result).finish == "tool_calls"
    assert [delta.tool_index for delta in deltas] == [0, 1]


def test_thinking_is_kept_apart_from_the_answer():
    thought = said() | {"message": {"role": "assistant", "content": "", "thinking": "2+2"}}
    reply = replied(read_stream(OLLAMA, [lines(thought, said("4"), DONE)], a_request(), ollama_model())[1])
    assert (reply.text, reply.reasoning) == ("4", "2+2")


def test_an_answer_at_its_limit_says_so():
    raw = lines(said("x", done=True, done_reason="length", prompt_eval_count=1, eval_count=1))
    assert replied(OLLAMA.decode_reply(raw, a_request(), ollama_model())).finish == "length"


def test_a_reply_without_counts_is_estimated():
    usage = replied(OLLAMA.decode_reply(lines(said("x" * 40, done=True)), a_request(), ollama_model())).usage
    assert (usage.output, usage.exact) == (10, False)
