"""The Ollama double against replies captured from a real Ollama."""

import json
import math

import pytest
from double_clients import ask, captured, shape

from headgate.testing import Answer, OllamaDouble, ServedModel, ToolCall

MODELS = {
    "toy-micro": ServedModel(context=1024, tools=False),
    "tiny-bert": ServedModel(kind="embedding", context=512, dimensions=16),
    "thinker": ServedModel(thinking=True),
}
HELLO = [{"role": "user", "content": "Hello there."}]


def chat(**more) -> dict:
    return {"model": "toy-micro", "messages": HELLO, "stream": False} | more


@pytest.fixture
async def ollama():
    async with OllamaDouble(MODELS, answer="billing") as double:
        yield double


async def test_streams_are_ndjson_lines_like_the_captured_ones(ollama):
    real = [json.loads(line) for line in captured("chat, streamed").body.splitlines()]
    got = await ask(ollama.url, "POST", "/api/chat", {"model": "toy-micro", "messages": HELLO})
    assert got.headers["content-type"] == "application/x-ndjson"
    assert [shape(line) for line in got.lines] == [shape(line) for line in real]
    assert len(got.pieces) >= 1
    assert got.lines[-1]["message"]["content"] == ""


async def test_v1_streams_like_the_captured_ones_with_usage_only_when_asked(ollama):
    real = captured("v1 chat, streamed with usage").body
    asked = chat(stream=True, stream_options={"include_usage": True})
    got = await ask(ollama.url, "POST", "/v1/chat/completions", asked)
    events = [json.loads(line[6:]) for line in real.splitlines() if line.startswith("data: {")]
    assert [shape(event) for event in got.events] == [shape(event) for event in events]
    assert got.body.endswith(b"data: [DONE]\n\n")
    silent = await ask(ollama.url, "POST", "/v1/chat/completions", chat(stream=True))
    assert not any("usage" in event for event in silent.events)


async def test_running_models_have_the_captured_shape(ollama):
    await ask(ollama.url, "POST", "/api/chat", chat())
    got = await ask(ollama.url, "GET", "/api/ps")
    assert shape(got.json) == shape(json.loads(captured("ps").body))
    assert got.json["models"][0]["name"] == "toy-micro:latest"


async def test_a_prompt_over_the_window_is_refused_as_captured_when_truncate_is_false(ollama):
    long = [{"role": "user", "content": "x" * 72016}]  # 18005 of the double's tokens
    got = await ask(
        ollama.url, "POST", "/api/chat", chat(messages=long, truncate=False, options={"num_ctx": 1024})
    )
    assert (got.status, got.body.decode()) == (400, captured("prompt of 18005 tokens").body)


async def test_a_prompt_over_the_window_is_cut_in_silence_otherwise():
    seen = []
    double = OllamaDouble(MODELS, answer=lambda call: seen.append(call.prompt) or "ok")
    async with double:
        long = [{"role": "user", "content": "START " + "x" * 9000 + " END"}]
        got = await ask(double.url, "POST", "/api/chat", chat(messages=long))
    assert got.json["prompt_eval_count"] == 1024
    assert seen[0].endswith(" END")
    assert "START" not in seen[0]


async def test_zero_metrics_are_absent():
    async with OllamaDouble(MODELS, answer="") as double:
        got = await ask(double.url, "POST", "/api/chat", chat())
    assert "eval_count" not in got.json
    assert got.json["message"]["content"] == ""


async def test_lists_show_tags_and_replies_echo_the_name_that_was_asked(ollama):
    tags = (await ask(ollama.url, "GET", "/api/tags")).json["models"]
    assert [model["name"] for model in tags] == ["toy-micro:latest", "tiny-bert:latest", "thinker:latest"]
    assert tags[1]["capabilities"] == ["embedding"]
    assert tags[0]["details"]["context_length"] == 1024
    assert (await ask(ollama.url, "POST", "/api/chat", chat())).json["model"] == "toy-micro"
    assert (await ask(ollama.url, "POST", "/api/chat", chat(model="toy-micro:latest"))).json[
        "model"
    ] == "toy-micro:latest"


async def test_a_cloud_model_is_listed_with_its_host():
    async with OllamaDouble({"big:cloud": ServedModel(remote_host="https://ollama.com")}) as double:
        tags = await ask(double.url, "GET", "/api/tags")
    assert tags.json["models"][0]["remote_host"] == "https://ollama.com"


async def test_show_tells_the_context_window_under_the_architecture(ollama):
    got = await ask(ollama.url, "POST", "/api/show", {"model": "toy-micro"})
    info = got.json["model_info"]
    assert info[f"{info['general.architecture']}.context_length"] == 1024
    missing = await ask(ollama.url, "POST", "/api/show", {"model": "nope"})
    assert (missing.status, missing.json) == (404, {"error": "model 'nope:latest' not found"})


async def test_changing_the_window_loads_the_model_again(ollama):
    for window in (512, 512, 1024, 512):
        await ask(ollama.url, "POST", "/api/chat", chat(options={"num_ctx": window}))
    assert ollama.loads == [("toy-micro:latest", 512), ("toy-micro:latest", 1024), ("toy-micro:latest", 512)]


async def test_only_a_load_costs_load_time(ollama):
    cold, warm = [(await ask(ollama.url, "POST", "/api/chat", chat())).json for _ in range(2)]
    assert cold["load_duration"] > 100 * warm["load_duration"]


async def test_keep_alive_zero_unloads_after_the_reply(ollama):
    await ask(ollama.url, "POST", "/api/chat", chat(keep_alive=0))
    assert (await ask(ollama.url, "GET", "/api/ps")).json == {"models": []}


async def test_a_foreign_host_header_is_forbidden_without_a_word(ollama):
    got = await ask(ollama.url, "GET", "/api/tags", headers={"Host": "evil.example"})
    assert (got.status, got.body) == (403, b"")
    for host in ("localhost:11434", "192.168.1.7:11434", "box.local", "[::1]:11434"):
        assert (await ask(ollama.url, "GET", "/api/version", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (("GET", "/", None), (200, "Ollama is running")),
        (("GET", "/nope", None), (404, "404 page not found")),
        (("GET", "/api/chat", None), (405, "405 method not allowed")),
        (("POST", "/api/chat", None), (400, '{"error":"missing request body"}')),
        (("POST", "/api/chat", {"messages": HELLO}), (400, '{"error":"model is required"}')),
        (("POST", "/api/generate", {"prompt": "x"}), (404, '{"error":"model \'\' not found"}')),
        (("POST", "/api/chat", chat(model="nope")), (404, '{"error":"model \'nope\' not found"}')),
    ],
)
async def test_the_edges_answer_like_the_real_server(ollama, asked, answered):
    got = await ask(ollama.url, *asked)
    assert (got.status, got.body.decode()) == answered


async def test_content_in_parts_is_a_type_error_as_in_go(ollama):
    parts = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    got = await ask(ollama.url, "POST", "/api/chat", chat(messages=parts))
    assert got.status == 400
    assert "cannot unmarshal array into Go struct field" in got.json["error"]


async def test_broken_json_is_a_400(ollama):
    got = await ask(ollama.url, "POST", "/api/chat", b"{bad")
    assert (got.status, got.json) == (
        400,
        {"error": "invalid character 'b' looking for beginning of object key string"},
    )


async def test_num_predict_cuts_the_answer_and_says_length():
    async with OllamaDouble(MODELS, answer="word " * 100) as double:
        got = await ask(double.url, "POST", "/api/chat", chat(options={"num_predict": 5}))
    assert got.json["done_reason"] == "length"
    assert got.json["eval_count"] == 5


async def test_tool_arguments_are_objects_and_the_reason_stays_stop():
    answer = Answer(tool_calls=(ToolCall("lookup", {"id": 7}),))
    async with OllamaDouble({"m": ServedModel()}, answer) as double:
        got = await ask(double.url, "POST", "/api/chat", chat(model="m"))
        v1 = await ask(double.url, "POST", "/v1/chat/completions", chat(model="m"))
    call = got.json["message"]["tool_calls"][0]["function"]
    assert (call["name"], call["arguments"], got.json["done_reason"]) == ("lookup", {"id": 7}, "stop")
    choice = v1.json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"id": 7}'


async def test_thinking_is_apart_from_the_answer_and_can_be_switched_off():
    async with OllamaDouble(MODELS, Answer("42", reasoning="Let me see.")) as double:
        on = await ask(double.url, "POST", "/api/chat", chat(model="thinker"))
        off = await ask(double.url, "POST", "/api/chat", chat(model="thinker", think=False))
    assert on.json["message"] == {"role": "assistant", "content": "42", "thinking": "Let me see."}
    assert "thinking" not in off.json["message"]


async def test_a_schema_is_met_when_no_answer_is_configured():
    schema = {
        "type": "object",
        "properties": {"label": {"enum": ["billing", "other"]}},
        "required": ["label"],
    }
    async with OllamaDouble(MODELS) as double:
        got = await ask(double.url, "POST", "/api/chat", chat(format=schema))
    assert json.loads(got.json["message"]["content"]) == {"label": "billing"}


async def test_embeddings_are_unit_vectors_and_the_same_for_the_same_text(ollama):
    got = await ask(
        ollama.url, "POST", "/api/embed", {"model": "tiny-bert", "input": ["refund my card", "refund"]}
    )
    again = await ask(ollama.url, "POST", "/api/embed", {"model": "tiny-bert", "input": "refund"})
    old = await ask(ollama.url, "POST", "/api/embeddings", {"model": "tiny-bert", "prompt": "refund"})
    first, second = got.json["embeddings"]
    assert len(first) == 16
    assert math.isclose(sum(x * x for x in first), 1.0)
    assert again.json["embeddings"] == [second]
    assert old.json == {"embedding": second}
    assert list(got.json) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]


async def test_a_pull_reports_progress_and_the_model_is_there_afterwards():
    async with OllamaDouble(MODELS, library={"phi3": ServedModel(size=1000)}) as double:
        got = await ask(double.url, "POST", "/api/pull", {"model": "phi3"})
        tags = await ask(double.url, "GET", "/api/tags")
        lost = await ask(double.url, "POST", "/api/pull", {"model": "nope"})
        lost_plain = await ask(double.url, "POST", "/api/pull", {"model": "nope", "stream": False})
    layers = [(line["total"], line.get("completed")) for line in got.lines if "total" in line]
    assert layers[:5] == [(980, None), (980, 245), (980, 490), (980, 735), (980, 980)]
    assert layers[5:] == [(10, None), (10, 10)] * 2
    assert got.lines[-1] == {"status": "success"}
    assert "phi3:latest" in [model["name"] for model in tags.json["models"]]
    assert lost.status == 200
    assert "error" in lost.lines[-1]
    assert lost_plain.status == 500


async def test_v1_models_is_null_when_there_are_none(ollama):
    assert (await ask(ollama.url, "GET", "/v1/models")).json["data"][0]["owned_by"] == "library"
    async with OllamaDouble({}) as empty:
        assert (await ask(empty.url, "GET", "/v1/models")).json == {"object": "list", "data": None}


async def test_go_escapes_angle_brackets():
    async with OllamaDouble(MODELS, answer="<b>&</b>") as double:
        got = await ask(double.url, "POST", "/api/chat", chat())
    assert b"\\u003cb\\u003e\\u0026" in got.body
    assert got.json["message"]["content"] == "<b>&</b>"
