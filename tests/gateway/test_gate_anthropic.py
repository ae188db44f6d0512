"""Anthropic's own client at the gate, with engines of every dialect behind it."""

import asyncio
import json
from contextlib import asynccontextmanager

import anthropic
import pytest

from headgate.testing import Answer, Fault, OpenAIDouble, ToolCall

LONG = (
    "The report says three things, and each of them takes a sentence or two to tell. It was a long day. " * 3
)
LOOK = {"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {}}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ENGINES = ("llama", "gpt", "claude")
"""A model on a double of Ollama, of OpenAI and of Anthropic."""

GPT = """
[engines.openai]
kind = "openai"
url = "{url}"
key = "env:TEST_KEY"
local = false

[models.gpt]
engine = "openai"
id = "gpt-4o"
capabilities = ["json", "schema", "tools", "images"]
"""


def all_able(page):
    """The page with models that can do everything."""
    for model_id in ('id = "llama3.1:8b"', 'id = "claude-sonnet-5-5"'):
        page = page.replace(
            model_id, f'{model_id}\ncapabilities = ["json", "schema", "tools", "images", "thinking"]'
        )
    return page


def hi(text="How are you?", **more):
    return {"model": "auto", "max_tokens": 200, "messages": [{"role": "user", "content": text}]} | more


@asynccontextmanager
async def client_at(bench, **options):
    async with anthropic.AsyncAnthropic(base_url=bench.url, api_key="any", **options) as client:
        yield client


@pytest.fixture
def three(open_bench):
    """A gate with three engines, each of which gives the same answer, and Anthropic's client at it."""

    @asynccontextmanager
    async def opener(answer="Fine, thank you. It was a quiet morning at the desk.", **options):
        async with OpenAIDouble(answer=answer) as gpt:

            def change(page):
                return all_able(page) + GPT.format(url=f"{gpt.url}/v1")

            async with (
                open_bench(local=answer, paid=answer, change=change, **options) as bench,
                client_at(bench) as client,
            ):
                yield bench, client, {"llama": bench.ollama, "gpt": gpt, "claude": bench.claude}

    return opener


async def text_of(client, *, stream, **asked):
    """The message that comes back, whole or put together from its pieces."""
    if not stream:
        return await client.messages.create(**asked)
    async with client.messages.stream(**asked) as events:
        return await events.get_final_message()


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
ANY = pytest.mark.parametrize("model", ENGINES)


@ANY
@BOTH
async def test_an_answer_of_any_engine_is_a_message(three, model, stream):
    async with three(LONG) as (bench, client, _):
        message = await text_of(client, stream=stream, **hi("What was decided?", model=model))
        assert message.content[0].text == LONG
        assert (message.stop_reason, message.role) == ("end_turn", "assistant")
        assert message.usage.input_tokens > 0
        (outcome,) = await bench.written()
        assert (outcome.id, outcome.model) == (message.id.removeprefix("msg_"), model)
        assert message.usage.output_tokens == outcome.usage.output


@ANY
@BOTH
async def test_tools_go_there_and_back(three, model, stream):
    def answer(call):
        seen = json.dumps(call.json)
        return "It is a cat." if "a black cat" in seen else Answer(tool_calls=(ToolCall("look", {"at": 1}),))

    async with three(answer) as (_, client, doubles):
        asked = hi("What is there?", model=model, tools=[LOOK])
        first = await text_of(client, stream=stream, **asked)
        assert first.stop_reason == "tool_use"
        (call,) = [block for block in first.content if block.type == "tool_use"]
        assert (call.name, call.input) == ("look", {"at": 1})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "a black cat"}
        asked["messages"] += [first.to_param(), {"role": "user", "content": [result]}]
        second = await text_of(client, stream=stream, **asked)
        assert second.content[0].text == "It is a cat."
        assert len([c for c in doubles[model].calls if c.method == "POST"]) == 2


@ANY
async def test_an_asked_schema_is_kept_to(three, model):
    async with three('{"city": "Ghent"}') as (_, client, doubles):
        config = {"format": {"type": "json_schema", "schema": SCHEMA}}
        message = await client.messages.create(**hi("Which city?", model=model, output_config=config))
        assert json.loads(message.content[0].text) == {"city": "Ghent"}
        assert '"city"' in json.dumps(list(doubles[model].calls)[-1].json)


@ANY
async def test_an_image_reaches_the_engine(three, model):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    async with three() as (_, client, doubles):
        await client.messages.create(**hi([image, {"type": "text", "text": "What is it?"}], model=model))
        assert PIXEL in json.dumps(list(doubles[model].calls)[-1].json)


@pytest.mark.parametrize(("model", "seal"), [("llama", "headgate"), ("claude", "c2lnbmF0dXJl")])
@pytest.mark.parametrize("mode", ["hold", "pass"])
@BOTH
async def test_thoughts_are_told_under_the_seal_of_those_who_had_them(three, model, seal, mode, stream):
    async with three(Answer("Yes.", reasoning="Let me think about it."), mode=mode) as (_, client, _):
        message = await text_of(client, stream=stream, **hi(model=model, thinking={"type": "adaptive"}))
        thought, said = message.content
        assert (thought.thinking, thought.signature) == ("Let me think about it.", seal)
        assert said.text == "Yes."


async def test_a_conversation_can_wander_from_engine_to_engine_with_its_thoughts(three):
    async with three(Answer("Yes.", reasoning="hm")) as (_, client, doubles):
        asked = hi("Is 7 prime?")
        for model in ("llama", "claude", "gpt", "claude"):
            message = await client.messages.create(**asked | {"model": model})
            asked["messages"] += [message.to_param(), {"role": "user", "content": "Sure?"}]
        sent = list(doubles["claude"].calls)[-1].json["messages"]
        seals = [
            b["signature"]
            for m in sent
            if isinstance(m["content"], list)
            for b in m["content"]
            if "signature" in b
        ]
        assert seals == ["c2lnbmF0dXJl"]


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("auth", [{"x_api_key": "k"}, {"authorization": "Bearer k"}], ids=["key", "bearer"])
async def test_both_versions_and_both_ways_to_bring_a_key_are_taken(open_bench, version, auth):
    async with open_bench() as bench:
        body = json.dumps(hi(temperature=0.5)).encode()
        said = await bench.send("POST", "/v1/messages", body, anthropic_version=version, **auth)
        assert (said.status, said.json["type"]) == (200, "message")
        assert said.headers["x-headgate-model"] == "llama"


async def test_tokens_are_counted_without_asking_anyone(open_bench):
    async with open_bench() as bench, client_at(bench) as client:
        short = await client.messages.count_tokens(model="auto", messages=hi()["messages"])
        long = await client.messages.count_tokens(
            model="auto", messages=hi(LONG * 20)["messages"], tools=[LOOK]
        )
        assert 0 < short.input_tokens < 20
        assert long.input_tokens > 1000
        assert not [call for call in bench.ollama.calls if call.method == "POST" and call.path == "/api/chat"]
        with pytest.raises(anthropic.BadRequestError, match="messages is empty"):
            await client.messages.count_tokens(model="auto", messages=[])


async def test_models_are_listed_as_anthropics_client_reads_them(open_bench):
    async with open_bench() as bench, client_at(bench) as client:
        listed = {model.id: model async for model in client.models.list()}
        assert {"auto", "auto:code", "llama", "claude"} <= listed.keys()
        one = await client.models.retrieve("llama")
        assert one == listed["llama"]
        assert (one.lifecycle, one.max_input_tokens, one.created_at.year) == ("active", 8192, 1970)
        with pytest.raises(anthropic.NotFoundError, match="lama2"):
            await client.models.retrieve("lama2")


async def test_what_only_anthropic_can_do_goes_to_anthropic_or_nowhere(open_bench):
    source = {"type": "text", "media_type": "text/plain", "data": "7 is prime"}
    asked = hi([{"type": "document", "source": source}, {"type": "text", "text": "Sum up."}])
    async with open_bench() as bench, client_at(bench) as client:
        await client.messages.create(**asked)
        assert list(bench.claude.calls)[-1].json["messages"] == asked["messages"]
        with pytest.raises(
            anthropic.BadRequestError, match="only anthropic's own protocol can say a document"
        ):
            await client.messages.create(**asked | {"model": "llama"})


@BOTH
async def test_what_a_paid_engine_caches_is_told_beside_the_prompt(open_bench, stream):
    paid = Answer(LONG, input_tokens=100, cached_tokens=90)
    async with open_bench(paid=paid) as bench, client_at(bench) as client:
        usage = (await text_of(client, stream=stream, **hi(model="claude"))).usage
        assert (usage.input_tokens, usage.cache_read_input_tokens) == (10, 90)


async def test_a_stop_sequence_of_anthropics_is_named(open_bench):
    async with open_bench(paid="one two END three") as bench, client_at(bench) as client:
        message = await client.messages.create(**hi(model="claude", stop_sequences=["END"]))
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


# ── When it goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "raised", "words"),
    [
        (hi(max_tokens=-1), anthropic.BadRequestError, "at least 1"),
        (hi(model="lama"), anthropic.NotFoundError, 'did you mean "llama"?'),
        (hi([{"type": "smell"}]), anthropic.BadRequestError, "which is none of text"),
        (hi(tools=[{"name": "look"}]), anthropic.BadRequestError, "tools\\[0\\].input_schema is missing"),
        (hi(tools=[LOOK | {"name": f"t{n}"} for n in range(10)], extra_body={"temperature": 7}), anthropic.BadRequestError, "0 and 1"),
        (hi("x" * 2_000_000), anthropic.RequestTooLargeError, "larger than 1 MB"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_raised_once_with_what_to_do(open_bench, asked, raised, words):
    async with open_bench() as bench, client_at(bench) as client:
        with pytest.raises(raised, match=words) as caught:
            await client.messages.create(**asked)
        assert caught.value.body["type"] == "error"
        assert caught.value.body["error"]["hint"]
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert (await client.messages.create(**hi())).content


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b'{"model": "auto", "messages": [', "not valid JSON"),
        (b'{"model": "auto",\x00 "messages": []}', "not valid JSON"),
        (
            b'{"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": ""}], "x": '
            + b"[" * 100_000,
            "not valid JSON",
        ),
        (b"[]", "not a JSON object"),
        (json.dumps(hi() | {"max_tokens": None}).encode(), "max_tokens is missing"),
        (json.dumps(hi() | {"messages": None}).encode(), "messages is missing"),
    ],
)
async def test_a_bad_body_gets_a_clear_error_in_anthropics_envelope(open_bench, body, words):
    async with open_bench() as bench:
        said = await bench.send("POST", "/v1/messages", body)
        assert said.status == 400
        error = said.json["error"]
        assert (said.json["type"], error["type"]) == ("error", "invalid_request_error")
        assert words in error["message"]
        assert error["hint"]


async def test_a_large_image_and_a_thousand_tools_are_taken_where_there_is_room(open_bench):
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 20_000_000}
    tools = [LOOK | {"name": f"tool_{number}"} for number in range(1000)]

    def change(page):
        return all_able(page).replace("body_limit_mb = 1", "body_limit_mb = 32")

    async with open_bench(change=change) as bench, client_at(bench) as client:
        asked = hi([{"type": "image", "source": source}, {"type": "text", "text": "What?"}], tools=tools)
        await client.messages.create(**asked | {"model": "claude"})
        assert len(list(bench.claude.calls)[-1].json["tools"]) == 1000


@BOTH
async def test_when_no_engine_answers_the_client_is_told_why(open_bench, stream):
    async with open_bench() as bench, client_at(bench) as client:
        bench.ollama.inject(Fault.server_error(), times=9)
        bench.claude.inject(Fault.server_error(), times=9)
        with pytest.raises(anthropic.InternalServerError, match="no model gave an answer") as caught:
            await text_of(client, stream=stream, **hi())
        assert caught.value.status_code == 503
        assert len([call for call in bench.claude.calls if call.method == "POST"]) == 1


async def test_a_busy_gate_says_overloaded_and_that_trying_again_helps(open_bench):
    async with open_bench() as bench, client_at(bench, max_retries=0) as client:
        bench.ollama.inject(Fault.server_error(), times=9)
        bench.claude.inject(Fault.rate_limited(3), times=9)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(**hi())
        assert (caught.value.status_code, caught.value.body["error"]["type"]) == (529, "overloaded_error")
        assert caught.value.response.headers["x-should-retry"] == "true"


async def test_a_stream_that_breaks_makes_the_client_raise_and_never_ends_cleanly(open_bench):
    async with open_bench(mode="pass", local=LONG) as bench, client_at(bench) as client:
        bench.ollama.inject(Fault.cut_mid_stream(12), times=5)
        heard = []

        async def listen():
            async with client.messages.stream(**hi()) as events:
                async for text in events.text_stream:
                    heard.append(text)

        with pytest.raises(anthropic.APIStatusError, match="broke off"):
            await listen()
        assert LONG.startswith("".join(heard))
        assert heard


async def test_a_held_stream_pings_and_the_client_passes_over_it(open_bench):
    async with open_bench(mode="hold", local=Answer(LONG, delay=0.3)) as bench:
        said = await bench.send("POST", "/v1/messages", json.dumps(hi(stream=True)).encode())
        assert said.body.startswith(b"event: ping\n")
        async with client_at(bench) as client:
            message = await text_of(client, stream=True, **hi())
        assert message.content[0].text == LONG


async def test_when_the_client_leaves_its_stream_the_engine_is_told(open_bench):
    async with (
        open_bench(mode="pass", local=Answer(LONG, chunk_delay=0.2)) as bench,
        client_at(bench) as client,
    ):
        async with client.messages.stream(**hi()) as events:
            async for _ in events.text_stream:
                break
        async with asyncio.timeout(60):
            await bench.ollama.idle()
        assert bench.ollama.abandoned == 1
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"


async def test_features_in_beta_are_asked_of_anthropic_alone(three):
    async with three() as (bench, client, _gpt):
        await client.beta.messages.create(betas=["context-1m-2026-01-01"], **hi(model="claude"))
        assert bench.claude.calls[-1].headers["anthropic-beta"] == "context-1m-2026-01-01"
        await client.beta.messages.create(betas=["context-1m-2026-01-01"], **hi(model="llama"))
        assert "anthropic-beta" not in bench.ollama.calls[-1].headers


PLAIN = {"type": "text", "media_type": "text/plain", "data": "word " * 40_000}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x" * 50_000}


@pytest.mark.parametrize(("source", "tokens"), [(PLAIN, 50_000), (PDF, 10_000)], ids=["plain", "pdf"])
async def test_a_document_counts_as_a_part_of_the_prompt(open_bench, source, tokens):
    asked = hi([{"type": "document", "source": source}, {"type": "text", "text": "Sum up."}])
    async with open_bench(limits="paid_per_request = 0.01") as bench:
        said = await bench.send("POST", "/v1/messages", json.dumps(asked).encode())
        assert said.status == 503
        (outcome,) = await bench.written()
        assert outcome.decision.skipped["claude"] == "budget"
        assert outcome.signals.tokens == pytest.approx(tokens, rel=0.05)
        assert not bench.claude.calls
        counted = await bench.send("POST", "/v1/messages/count_tokens", json.dumps(asked).encode())
        assert counted.json["input_tokens"] == pytest.approx(tokens, rel=0.05)
