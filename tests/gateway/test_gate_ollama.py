"""Ollama's own client talks to the gate as it talks to Ollama, whichever engine answers."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import ollama
import pytest

from headgate.testing import Answer, OpenAIDouble, ServedModel, ToolCall

TEXT = "The spring campaign moves to the second week of March. Dana takes over the media plan."
HELLO = [{"role": "user", "content": "What was decided?"}]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
ENGINES = ["llama", "claude", "gpt"]
OPENAI = """
[engines.openai]
kind = "openai"
url = "{url}"
key = "env:TEST_KEY"

[models.gpt]
engine = "openai"
id = "gpt-4o"
capabilities = ["images", "json", "schema", "tools"]

[engines.ollama]"""
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
BOTH_TOWNS = Answer(
    tool_calls=(ToolCall("weather", {"town": "Ghent"}), ToolCall("weather", {"town": "Bruges"})),
    finish="tool_calls",
)
VERDICT = {
    "type": "object",
    "properties": {"label": {"enum": ["billing", "technical"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@pytest.fixture
def open_all(open_bench):
    """Opens a gate before all three engines, each with the same answer, and Ollama's client of it."""

    @asynccontextmanager
    async def opener(answer=TEXT, **more):
        async with OpenAIDouble(answer=answer) as gpt:

            def change(page):
                page = page.replace("[engines.ollama]", OPENAI.format(url=f"{gpt.url}/v1"), 1)
                for name in ("llama3.1:8b", "claude-sonnet-5-5"):
                    able = 'capabilities = ["images", "json", "schema", "thinking", "tools"]'
                    page = page.replace(f'id = "{name}"', f'id = "{name}"\n{able}')
                return page

            async with open_bench(local=answer, paid=answer, change=change, **more) as bench:
                bench.ollama.models["llama3.1:8b"] = ServedModel(context=131_072, vision=True, thinking=True)
                bench.gpt = gpt
                yield bench, ollama.AsyncClient(host=bench.url)

    return opener


def last_call(bench, engine):
    """What the engine was sent last."""
    double = {"llama": bench.ollama, "claude": bench.claude, "gpt": bench.gpt}[engine]
    return [call for call in double.calls if call.method == "POST"][-1]


def results_in(call):
    """The tool results that an engine was sent, each with the id of the call that it answers."""
    found = []
    for message in call.messages:
        if message["role"] == "tool":
            found.append((message["tool_call_id"], message["content"]))
        elif isinstance(message["content"], list):
            blocks = [block for block in message["content"] if block["type"] == "tool_result"]
            found += [(block["tool_use_id"], block["content"][0]["text"]) for block in blocks]
    return found


async def post(bench, path, **body):
    return await bench.send("POST", path, json.dumps(body).encode())


def lines(said):
    return [json.loads(line) for line in said.body.splitlines()]


# ── Chat ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_whole_answer_of_any_engine_has_ollamas_form(open_all, engine):
    async with open_all() as (bench, client):
        reply = await client.chat(engine, HELLO, options={"num_predict": 300})
        assert (reply.message.role, reply.message.content) == ("assistant", TEXT)
        assert (reply.done, reply.done_reason) == (True, "stop")
        assert reply.prompt_eval_count > 0
        assert reply.eval_count > 0
        assert reply.total_duration > 0
        assert reply.created_at.startswith("20")
        assert reply.created_at.endswith("Z")
        sent = last_call(bench, engine).fields
        limits = ("num_predict", "max_tokens", "max_completion_tokens")
        assert [sent.get("options", sent).get(name) for name in limits].count(300) == 1
        (outcome,) = await bench.written()
        assert (outcome.model, outcome.status, outcome.stream) == (engine, "ok", False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", ["hold", "peek", "pass"])
async def test_a_stream_of_any_engine_is_lines_and_the_last_one_is_done(open_all, engine, mode):
    async with open_all(mode=mode) as (_, client):
        parts = [part async for part in await client.chat(engine, HELLO, stream=True)]
        assert "".join(part.message.content for part in parts) == TEXT
        assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
        assert parts[-1].done_reason == "stop"
        assert parts[-1].eval_count > 0
        assert {part.message.role for part in parts} == {"assistant"}


async def test_streaming_is_on_unless_it_is_turned_off(open_bench):
    async with open_bench(local=TEXT) as bench:
        said = await post(bench, "/api/chat", model="auto", messages=HELLO)
        assert said.headers["content-type"] == "application/x-ndjson"
        assert said.headers["x-headgate-model"] == "llama"
        assert "".join(line["message"]["content"] for line in lines(said)) == TEXT
        assert lines(said)[0]["model"] == "llama3.1:8b"
        said = await post(bench, "/api/chat", model="auto", messages=HELLO, stream=False)
        assert said.headers["content-type"] == "application/json"
        assert said.json["message"]["content"] == TEXT
        assert "context" not in said.json


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("engine", ENGINES)
async def test_tools_go_there_and_back_without_ids_from_the_client(open_all, engine, stream):
    async def talk(client, messages):
        asked = client.chat(engine, messages, tools=[WEATHER], stream=stream)
        if not stream:
            return [await asked]
        return [part async for part in await asked]

    def answer(call):
        return (
            TEXT
            if any(m.get("role") == "tool" or "tool_result" in str(m) for m in call.messages)
            else BOTH_TOWNS
        )

    async with open_all(answer) as (bench, client):
        parts = await talk(client, HELLO)
        (called,) = [part.message for part in parts if part.message.tool_calls]
        assert [dict(call.function.arguments) for call in called.tool_calls] == [
            {"town": "Ghent"},
            {"town": "Bruges"},
        ]
        assert parts[-1].done_reason == "stop"
        results = [
            {"role": "tool", "tool_name": "weather", "content": "rain"},
            {"role": "tool", "tool_name": "weather", "content": "sun"},
        ]
        parts = await talk(client, [*HELLO, called, *results])
        assert "".join(part.message.content for part in parts) == TEXT
        assert results_in(last_call(bench, engine)) == [("call_1_0", "rain"), ("call_1_1", "sun")]


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_schema_gives_the_answer_its_form(open_all, engine):
    async with open_all('{"label": "billing"}') as (bench, client):
        reply = await client.chat(engine, HELLO, format=VERDICT)
        assert json.loads(reply.message.content) == {"label": "billing"}
        assert last_call(bench, engine).schema == VERDICT
        reply = await client.chat("llama", HELLO, format="json")
        assert last_call(bench, "llama").fields["format"] == "json"


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_image_is_seen_by_any_engine(open_all, engine):
    async with open_all() as (bench, client):
        message = {"role": "user", "content": "What is it?", "images": [PNG]}
        assert (await client.chat(engine, [message])).message.content == TEXT
        sent = json.dumps(last_call(bench, engine).fields)
        assert base64.b64encode(PNG).decode() in sent
        assert ("image/png" in sent) == (engine != "llama")


@pytest.mark.parametrize("engine", ["llama", "claude"])
async def test_thinking_is_kept_apart_from_the_answer(open_all, engine):
    async with open_all(Answer(TEXT, reasoning="They met on Monday."), mode="pass") as (bench, client):
        reply = await client.chat(engine, HELLO, think="high")
        assert reply.message.thinking == "They met on Monday."
        assert reply.message.content == TEXT
        parts = [part async for part in await client.chat(engine, HELLO, think=True, stream=True)]
        assert "".join(part.message.thinking or "" for part in parts) == "They met on Monday."
        assert "".join(part.message.content for part in parts) == TEXT
        assert bench.ollama.calls[-1].fields.get("think") is True or engine == "claude"


async def test_thinking_is_not_asked_of_a_local_model_that_cannot(open_bench):
    async with open_bench(local=TEXT) as bench:
        client = ollama.AsyncClient(host=bench.url)
        assert (await client.chat("llama", HELLO, think=True)).message.content == TEXT
        assert "think" not in bench.ollama.calls[-1].fields
        await client.chat("llama", HELLO, think=False)
        assert bench.ollama.calls[-1].fields["think"] is False


async def test_log_probabilities_come_in_ollamas_form(open_all):
    async with open_all(Answer("billing", logprob=-0.25)) as (_, client):
        for engine in ("llama", "gpt"):
            reply = await client.chat(engine, HELLO, logprobs=True, top_logprobs=2)
            assert reply.logprobs[0].logprob == -0.25
            assert reply.logprobs[0].top_logprobs[0].token == "billing"
            parts = [part async for part in await client.chat(engine, HELLO, logprobs=True, stream=True)]
            tokens = [token.token for part in parts for token in part.logprobs or ()]
            assert "".join(tokens) == "billing"


async def test_options_of_ollama_reach_ollama_except_those_that_would_load_the_model_anew(open_bench):
    async with open_bench(local=TEXT) as bench:
        options = {
            "num_ctx": 2048,
            "num_thread": 2,
            "min_p": 0.1,
            "repeat_penalty": 1.2,
            "num_predict": -1,
            "top_k": 7,
        }
        said = await post(
            bench, "/api/chat", model="llama", messages=HELLO, stream=False, options=options, keep_alive="10m"
        )
        sent = bench.ollama.calls[-1].fields
        assert sent["options"] == {"num_ctx": 8192, "min_p": 0.1, "repeat_penalty": 1.2, "top_k": 7}
        assert "keep_alive" not in sent
        assert said.status == 200
        (outcome,) = await bench.written()
        assert [note.split(":")[0] for note in outcome.adjusted] == ["keep_alive", "num_ctx", "num_thread"]


# ── Generate ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("engine", ENGINES)
async def test_generate_is_answered_by_any_engine(open_all, engine):
    async with open_all() as (bench, client):
        reply = await client.generate(engine, "What was decided?", system="Be short.", images=[PNG])
        assert (reply.response, reply.done, reply.done_reason) == (TEXT, True, "stop")
        assert reply.context is None
        sent = json.dumps(last_call(bench, engine).fields)
        assert "Be short." in sent
        assert base64.b64encode(PNG).decode() in sent
        parts = [part async for part in await client.generate(engine, "What was decided?", stream=True)]
        assert "".join(part.response for part in parts) == TEXT
        assert parts[-1].done
        assert parts[-1].prompt_eval_count > 0


async def test_generate_thinks_and_takes_a_schema(open_all):
    async with open_all(Answer('{"label": "billing"}', reasoning="Charged twice.")) as (bench, client):
        reply = await client.generate("llama", "Charged twice!", format=VERDICT, think="low")
        assert (reply.response, reply.thinking) == ('{"label": "billing"}', "Charged twice.")
        assert (bench.ollama.calls[-1].fields["think"], bench.ollama.calls[-1].schema) == ("low", VERDICT)


async def test_a_request_without_a_prompt_is_answered_at_once_and_asks_no_engine(open_bench):
    async with open_bench() as bench:
        client = ollama.AsyncClient(host=bench.url)
        assert (await client.generate("llama")).done_reason == "load"
        assert (await client.generate("llama:latest", keep_alive=0)).done_reason == "unload"
        assert (await client.chat("auto", [])).done_reason == "load"
        parts = [part async for part in await client.generate("llama", stream=True)]
        assert [(part.response, part.done) for part in parts] == [("", True)]
        with pytest.raises(ollama.ResponseError) as caught:
            await client.generate("lama")
        assert caught.value.status_code == 404
        assert not [call for call in bench.ollama.calls if call.method == "POST"]


# ── Names and lists ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_listed_model_can_be_shown_and_asked_by_its_listed_name(open_bench):
    async with open_bench(local=TEXT) as bench:
        client = ollama.AsyncClient(host=bench.url)
        listed = (await client.list()).models
        assert {"auto:latest", "auto:local", "llama:latest", "claude:latest"} <= {
            model.model for model in listed
        }
        for model in listed:
            assert len(model.digest) == 64
            able = "embedding" if model.model == "auto:embedding" else "completion"
            assert able in ((await client.show(model.model)).capabilities or ())
            assert (await client.generate(model.model)).done_reason == "load"
        assert (await client.chat("llama:latest", HELLO)).message.content == TEXT
        assert (await client.chat("auto:latest", HELLO)).message.content == TEXT


async def test_a_name_without_a_tag_is_the_engines_latest(open_bench):
    def change(page):
        return page.replace('id = "llama3.1:8b"', 'id = "mistral:latest"')

    async with open_bench(local=TEXT, change=change) as bench:
        bench.ollama.models["mistral:latest"] = ServedModel()
        client = ollama.AsyncClient(host=bench.url)
        assert (await client.chat("mistral", HELLO)).model == "mistral:latest"
        assert (await client.show("mistral")).modelfile == "FROM mistral:latest"


async def test_a_model_is_shown_with_its_window_and_what_is_ready(open_bench):
    async with open_bench() as bench:
        client = ollama.AsyncClient(host=bench.url)
        shown = await client.show("llama")
        assert shown.modelinfo["headgate.context_length"] == 8192
        assert "tools" in shown.capabilities
        (ready,) = (await client.ps()).models
        assert (ready.model, ready.context_length, ready.expires_at.year) == ("llama:latest", 8192, 2319)
        for body, status in ((b"{}", 400), (b'{"model": "lama"}', 404), (b"nothing", 400)):
            said = await bench.send("POST", "/api/show", body)
            assert said.status == status
            assert "hint: " in said.json["error"]


# ── Waiting and leaving ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_held_stream_shows_signs_of_life_that_the_client_takes_for_empty_pieces(open_bench):
    async with open_bench(mode="hold", local=Answer(TEXT, delay=0.3)) as bench:
        client = ollama.AsyncClient(host=bench.url)
        parts = [part async for part in await client.chat("auto", HELLO, stream=True)]
        assert (parts[0].message.content, parts[0].done, parts[0].model) == ("", False, "auto")
        assert "".join(part.message.content for part in parts) == TEXT
        parts = [part async for part in await client.generate("auto", "What was decided?", stream=True)]
        assert (parts[0].response, parts[0].done) == ("", False)
        assert "".join(part.response for part in parts) == TEXT


async def test_when_the_client_leaves_a_stream_the_engine_is_told(open_bench):
    async with open_bench(mode="pass", local=Answer(TEXT, chunk_delay=0.2)) as bench:
        client = ollama.AsyncClient(host=bench.url)
        parts = await client.chat("llama", HELLO, stream=True)
        await anext(parts)
        await parts.aclose()
        async with asyncio.timeout(60):
            await bench.ollama.idle()
        assert bench.ollama.abandoned == 1
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"
