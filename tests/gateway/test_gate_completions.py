"""OpenAI's Completions through the gate, with the official client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI

from headgate.testing import Answer, Fault, OpenAIDouble

SAID = "Fine, thank you. It was a quiet morning at the desk."
GPT = """
[engines.gpt]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"

[models.gpt]
engine = "gpt"
id = "gpt-4o"

[[routes]]
name = "long"
"""


@asynccontextmanager
async def opened(open_bench, answer=SAID, **more) -> AsyncIterator[tuple]:
    """The gate with three engines, and the official client."""
    async with OpenAIDouble(answer=answer) as gpt:

        def change(page: str) -> str:
            return page.replace('[[routes]]\nname = "long"', GPT.format(url=gpt.url), 1)

        async with (
            open_bench(local=answer, paid=answer, change=change, **more) as bench,
            AsyncOpenAI(base_url=f"{bench.url}/v1", api_key="not-a-key", max_retries=0) as client,
        ):
            yield bench, client


engines = pytest.mark.parametrize("model", ["llama", "claude", "gpt"])


@engines
async def test_every_engine_answers(open_bench, model):
    async with opened(open_bench) as (bench, client):
        completion = await client.completions.create(model=model, prompt="How are you?", seed=1)
        assert completion.choices[0].text == SAID
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage.completion_tokens > 0
        (outcome,) = await bench.written()
        assert completion.id == f"cmpl-{outcome.id}"
        assert (outcome.status, outcome.model) == ("ok", model)


@engines
async def test_every_engine_streams(open_bench, model):
    async with opened(open_bench, Answer(SAID, chunk_delay=0.001)) as (_, client):
        stream = await client.completions.create(
            model=model, prompt=["How are you?"], stream=True, stream_options={"include_usage": True}
        )
        *chunks, last = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].text for chunk in chunks) == SAID
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert last.choices == []
        assert last.usage.completion_tokens > 0


async def test_a_limit_and_a_stop_word_are_obeyed(open_bench):
    async with opened(open_bench, mode="pass") as (_, client):
        cut = await client.completions.create(model="gpt", prompt="How are you?", stop=["thank"])
        assert cut.choices[0].text == "Fine, "


async def test_errors_are_the_clients_own(open_bench):
    async with opened(open_bench) as (bench, client):
        with pytest.raises(openai.BadRequestError, match="token ids") as caught:
            await client.completions.create(model="auto", prompt=[1, 2, 3])
        assert (caught.value.code, caught.value.param) == ("unsupported_value", "prompt")
        with pytest.raises(openai.NotFoundError, match="there is no model"):
            await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi")
        bench.ollama.inject(Fault.server_error(), times=5)
        with pytest.raises(openai.InternalServerError):
            await client.completions.create(model="llama", prompt="Hi")


BAD = {
    "nothing": b"",
    "half of it": b'{"model": "auto", "prompt": "',
    "a text": b'"hello"',
    "bad utf-8": b'{"model": "auto", "prompt": "\xff"}',
    "no prompt": b'{"model": "auto"}',
    "an object": b'{"model": "auto", "prompt": {}}',
    "mixed": b'{"model": "auto", "prompt": ["a", 1]}',
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_body_gets_a_clear_error_and_breaks_nothing(open_bench, case):
    async with open_bench() as bench:
        said = await bench.send("POST", "/v1/completions", BAD[case])
        assert said.status == 400
        assert said.json["error"]["hint"]
        assert (
            await bench.send("POST", "/v1/completions", b'{"model": "auto", "prompt": "Hi"}')
        ).status == 200


async def test_a_stream_that_breaks_raises_in_the_client(open_bench):
    async with opened(open_bench, mode="pass") as (bench, client):
        bench.ollama.inject(Fault.cut_mid_stream(12), times=5)
        stream = await client.completions.create(model="llama", prompt="How are you?", stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            async for _ in stream:
                pass


async def test_when_the_caller_hangs_up_the_engine_is_told(open_bench):
    async with opened(open_bench, Answer(SAID, chunk_delay=0.2), mode="pass") as (bench, client):
        stream = await client.completions.create(model="llama", prompt="How are you?", stream=True)
        await anext(stream)
        await stream.close()
        async with asyncio.timeout(60):
            await bench.ollama.idle()
        assert bench.ollama.abandoned == 1
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"
