"""Ollama's doors without a gate: what bodies mean, and what answers look like byte for byte."""

import base64
import json

import msgspec
import ollama
import pytest
from upstream_values import a_request

from headgate.core.types import (
    TEXT,
    Delta,
    Format,
    Image,
    Message,
    Reply,
    Request,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from headgate.wire.doors import About, Ready, deltas_of
from headgate.wire.doors.ollama_chat import OllamaChat
from headgate.wire.doors.ollama_generate import OllamaGenerate
from headgate.wire.faults import Fault
from headgate.wire.ndjson import LineDecoder

Raw = msgspec.Raw
CHAT, GENERATE = OllamaChat(), OllamaGenerate()
HELLO = [{"role": "user", "content": "Hello."}]
NOON = 1_795_780_800.25
PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n12",
    "image/jpeg": b"\xff\xd8\xff\xe012",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF1234WEBPVP8 ",
}


def chat(**fields):
    """What the body of a chat means."""
    body = msgspec.json.encode({"model": "auto", "messages": HELLO} | fields)
    return CHAT.decode_request(body, "r1")


def generate(**fields):
    """What the body of a generate means."""
    body = msgspec.json.encode({"model": "auto", "prompt": "Hello."} | fields)
    return GENERATE.decode_request(body, "r1")


def about(**fields):
    return About(a_request(dialect="ollama", **fields), "toy:1b", NOON)


# ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_chat_streams_and_leaves_everything_to_the_model():
    assert chat() == Request(
        id="r1", asked="auto", messages=(Message("user", "Hello."),), stream=True, dialect="ollama"
    )
    assert chat(stream=None).stream
    assert not chat(stream=False).stream


def test_options_take_our_words_and_the_rest_is_kept():
    options = {
        "num_predict": 20,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40.0,
        "seed": 7,
        "stop": ["END"],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "min_p": 0.1,
        "num_ctx": 4096,
        "mirostat": None,
    }
    request = chat(options=options, keep_alive="5m", truncate=True, think=None)
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k) == (20, 0.5, 0.9, 40)
    assert (request.seed, request.stop) == (7, ("END",))
    assert (request.presence_penalty, request.frequency_penalty) == (1, -1)
    assert {name: msgspec.json.decode(raw) for name, raw in request.extra.items()} == {
        "options": {"min_p": 0.1, "num_ctx": 4096},
        "keep_alive": "5m",
        "truncate": True,
    }
    assert chat(options={"stop": "END"}).stop == ("END",)
    assert chat(options={}).extra == {}
    assert chat(options=None).extra == {}


@pytest.mark.parametrize("limit", [-1, -2, 0])
def test_no_limit_and_any_seed_are_no_values(limit):
    request = chat(options={"num_predict": limit, "seed": -1})
    assert (request.max_tokens, request.seed) == (None, None)


@pytest.mark.parametrize(
    ("think", "effort"), [(False, "none"), (True, "medium"), ("low", "low"), ("high", "high"), ("max", "max")]
)
def test_think_is_an_effort(think, effort):
    assert chat(think=think).effort == effort
    assert generate(think=think).effort == effort


def test_a_format_is_json_or_a_schema():
    assert chat(format="").format is TEXT
    assert chat(format=None).format is TEXT
    assert chat(format="json").format == Format("json")
    assert chat(format={"type": "object"}).format == Format("schema", Raw(b'{"type":"object"}'))
    for wrong in ("xml", 3, [], True):
        assert chat(format=wrong).param == "format"
        assert generate(format=wrong).param == "format"


def test_tools_may_lack_what_their_client_leaves_out():
    tools = [
        {"function": {"name": "look", "parameters": None}},
        {"type": "function", "function": {"name": "hear"}},
    ]
    assert chat(tools=tools).tools == (Tool("look"), Tool("hear"))


@pytest.mark.parametrize("kind", PICTURES)
def test_a_pictures_kind_is_read_from_its_bytes(kind):
    data = base64.b64encode(PICTURES[kind]).decode()
    seen = (Image(f"data:{kind};base64,{data}"), Text("What is it?"))
    assert (
        chat(messages=[{"role": "user", "content": "What is it?", "images": [data]}]).messages[0].content
        == seen
    )
    assert chat(messages=[{"role": "user", "images": [data]}]).messages[0].content == seen[:1]
    assert generate(prompt="What is it?", images=[data]).messages[0].content == seen


def test_thoughts_come_back_as_thoughts():
    said = {"role": "assistant", "content": "4", "thinking": "two and two"}
    assert chat(messages=[*HELLO, said]).messages[1] == Message("assistant", "4", reasoning="two and two")


def called(*names, **ids):
    calls = [{"function": {"name": name, "arguments": {"at": number}}} for number, name in enumerate(names)]
    for number, call in enumerate(calls):
        if f"id{number}" in ids:
            call["id"] = ids[f"id{number}"]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def answered(*messages):
    """The ids of the calls and of the results in a conversation."""
    told = chat(messages=[*HELLO, *messages]).messages
    calls = [call.id for message in told for call in message.tool_calls]
    return calls, [message.tool_call_id for message in told if message.role == "tool"]


def result(content="x", **more):
    return {"role": "tool", "content": content} | more


def test_results_find_their_calls_by_id_by_name_or_in_order():
    assert answered(called("a", "b"), result(), result()) == (
        ["call_1_0", "call_1_1"],
        ["call_1_0", "call_1_1"],
    )
    assert answered(called("a", "b"), result(tool_name="b"), result(tool_name="a"))[1] == [
        "call_1_1",
        "call_1_0",
    ]
    assert answered(called("a", "a"), result(tool_name="a"), result(tool_name="a"))[1] == [
        "call_1_0",
        "call_1_1",
    ]
    by_id = answered(called("a", "b", id0="x", id1="y"), result(tool_call_id="y"), result(tool_call_id="x"))
    assert by_id == (["x", "y"], ["y", "x"])
    assert answered(called("a"), result(tool_name="renamed"))[1] == ["call_1_0"]
    twice = answered(called("a"), result(), called("a"), result())
    assert twice == (["call_1_0", "call_3_0"], ["call_1_0", "call_3_0"])
    assert answered(result(tool_name="a"))[1] == [None]
    assert answered(called("a"), result(), result(tool_call_id="z"))[1] == ["call_1_0", "z"]


def test_a_calls_arguments_are_kept_as_the_client_wrote_them():
    wire = b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"n": 1.50}}}]}]}'
    (message,) = CHAT.decode_request(wire, "r1").messages
    assert message.tool_calls == (ToolCall("call_0_0", "f", '{"n": 1.50}'),)
    empty = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": None}}]}
    assert chat(messages=[empty]).messages[0].tool_calls[0].arguments == "{}"


def test_a_prompt_and_its_system_text_are_a_conversation():
    request = generate(system="Be short.", prompt="Hello.", context=[], suffix="", template="", raw=False)
    assert request.messages == (Message("system", "Be short."), Message("user", "Hello."))
    assert request.extra == {}
    assert request.stream


def test_nothing_to_say_asks_only_for_loading():
    for door, nothing in ((CHAT, {}), (CHAT, {"messages": []}), (GENERATE, {}), (GENERATE, {"prompt": ""})):
        for keep_alive, reason in (
            (None, "load"),
            (0, "unload"),
            ("0s", "unload"),
            ("5m", "load"),
            (-1, "load"),
        ):
            body = msgspec.json.encode({"model": "toy", "keep_alive": keep_alive} | nothing)
            ready = door.decode_request(body, "r1")
            assert isinstance(ready, Ready)
            assert ready.request.asked == "toy"
            said = json.loads(ready.body(NOON))
            assert (said["model"], said["done"], said["done_reason"]) == ("toy", True, reason)
            assert said["created_at"] == "2026-11-27T12:00:00.250000Z"


# ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────────

TOKENS = Raw(b'[{"token":"bil","logprob":-0.5,"bytes":[98],"top_logprobs":[{"token":"x","logprob":-2.0,"bytes":null}]},'
             b'{"token":"ling","logprob":-0.25,"bytes":null,"top_logprobs":[]},{"token":"!","logprob":null,"bytes":null}]')  # fmt: skip
FULL = Reply(
    text="billing",
    reasoning="Charged\ntwice.",
    tool_calls=(ToolCall("c1", "look", '{\n  "at": 1\n}'), ToolCall("c2", "hear", "not json")),
    finish="tool_calls",
    usage=Usage(input=30, cache_read=7, output=2),
    logprobs=TOKENS,
    first_token=0.75,
    seconds=2.0,
    loading=0.5,
)
METRICS = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_count": 37,
    "eval_count": 2,
}
CALLS = [
    {"id": "c1", "function": {"index": 0, "name": "look", "arguments": {"at": 1}}},
    {"id": "c2", "function": {"index": 1, "name": "hear", "arguments": {"arguments": "not json"}}},
]
LOGPROBS = [
    {"token": "bil", "logprob": -0.5, "bytes": [98], "top_logprobs": [{"token": "x", "logprob": -2.0}]},
    {"token": "ling", "logprob": -0.25},
]


def test_a_whole_reply_says_everything_at_once():
    said = json.loads(CHAT.encode_reply(FULL, about()))
    assert said == METRICS | {
        "model": "toy:1b",
        "created_at": "2026-11-27T12:00:00.250000Z",
        "message": {
            "role": "assistant",
            "content": "billing",
            "thinking": "Charged\ntwice.",
            "tool_calls": CALLS,
        },
        "logprobs": LOGPROBS,
        "eval_duration": 1_500_000_000,
    }
    said = json.loads(GENERATE.encode_reply(FULL, about()))
    assert (said["response"], said["thinking"]) == ("billing", "Charged\ntwice.")


def test_zeros_are_left_out_and_a_cut_answer_says_so():
    said = json.loads(CHAT.encode_reply(Reply(text="", finish="length", usage=Usage()), about()))
    assert said.keys() == {"model", "created_at", "message", "done", "done_reason"}
    assert said["done_reason"] == "length"


def streamed(door, deltas, reply):
    encoder = door.stream_encoder(about(stream=True))
    return b"".join([encoder.delta(delta) for delta in deltas]) + encoder.end(reply)


PIECES = [
    Delta(reasoning="Charged\n"),
    Delta(reasoning="twice."),
    Delta("bil"),
    Delta("ling", logprobs=TOKENS),
    Delta(tool_index=0, tool_id="c1", tool_name="look"),
    Delta(tool_index=0, tool_arguments='{\n  "at":'),
    Delta(tool_index=0, tool_arguments=" 1\n}"),
    Delta(tool_index=1, tool_id="c2", tool_name="hear", tool_arguments="not json"),
]


def test_a_streams_tool_calls_go_out_whole_and_its_end_tells_reading_from_writing():
    parts = [json.loads(line) for line in streamed(CHAT, PIECES, FULL).splitlines()]
    assert [part["message"].get("thinking") for part in parts[:2]] == ["Charged\n", "twice."]
    assert [part["message"]["content"] for part in parts] == ["", "", "bil", "ling", "", ""]
    assert parts[3]["logprobs"] == LOGPROBS
    assert parts[4]["message"]["tool_calls"] == CALLS
    assert [part["done"] for part in parts] == [False] * 5 + [True]
    durations = {"prompt_eval_duration": 250_000_000, "eval_duration": 1_250_000_000}
    assert METRICS.items() | durations.items() <= parts[-1].items()


@pytest.mark.parametrize("door", [CHAT, GENERATE], ids=["chat", "generate"])
def test_a_held_reply_and_a_flowing_one_say_the_same(door):
    def together(raw):
        parts = [json.loads(line) for line in raw.splitlines()]
        words = [part.get("message", part) for part in parts]
        return [
            "".join(word.get(name) or "" for word in words) for name in ("content", "response", "thinking")
        ], parts[-1]

    assert together(streamed(door, deltas_of(FULL), FULL)) == together(streamed(door, PIECES, FULL))


@pytest.mark.parametrize("door", [CHAT, GENERATE], ids=["chat", "generate"])
def test_a_stream_split_at_any_byte_is_the_same_lines_and_every_line_is_the_clients(door):
    raw = door.keep_alive(about()) + streamed(door, PIECES, FULL)
    whole = raw.splitlines()
    for at in range(len(raw) + 1):
        decoder = LineDecoder()
        assert [*decoder.feed(raw[:at]), *decoder.feed(raw[at:]), *decoder.finish()] == whole
    kind = ollama.ChatResponse if door is CHAT else ollama.GenerateResponse
    read = [kind(**json.loads(line)) for line in whole]
    assert [part.done for part in read] == [False] * (len(read) - 1) + [True]


def test_a_sign_of_life_is_an_empty_piece_under_the_asked_name():
    waiting = About(a_request(dialect="ollama"), "", NOON)
    line = json.loads(CHAT.keep_alive(waiting))
    assert line == {
        "model": "auto",
        "created_at": "2026-11-27T12:00:00.250000Z",
        "message": {"role": "assistant", "content": ""},
        "done": False,
    }
    assert json.loads(GENERATE.keep_alive(waiting))["response"] == ""


def test_an_error_in_a_stream_is_a_line_of_its_own():
    line = CHAT.stream_encoder(about()).fail(Fault(status=502, message="it broke off", hint="try again"))
    assert line == b'{"error":"it broke off (hint: try again)"}\n'
