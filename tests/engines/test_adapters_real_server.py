"""The OpenAI-compatible adapter against a real llama.cpp server, with a model that ships with us."""

import asyncio
from contextlib import suppress
from time import perf_counter

import msgspec
import pytest
from adapter_doubles import a_request, ask, model_for

from headgate.config.engine import EngineSettings
from headgate.core.types import Failure, Format, Reply
from headgate.engines.connect import connect

pytest.importorskip("xllamacpp")

NANO = model_for("llamacpp", id="headgate-nano")
CLERK = model_for("llamacpp", id="headgate-clerk")
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"label":{"enum":["spam","ham"]}},"required":["label"]}')

LONGEST_LABEL = 256
"""Tokens. Its grammar lets llama.cpp write blanks and line breaks between the words, 22 at most at each of five places."""


@pytest.fixture
async def engine():
    found = connect(EngineSettings(name="here", kind="llamacpp", parallel=1), [NANO, CLERK])
    assert await found.start() is None
    yield found
    await found.close()


async def test_a_real_server_is_understood(engine):
    for stream in (False, True):
        deltas, result = await ask(engine, a_request(max_tokens=8, temperature=0.0), NANO, stream=stream)
        assert isinstance(result, Reply), result
        assert result.answered_by
        assert result.usage.exact
        assert result.usage.prompt > 0
        assert result.first_token is not None
        if stream:
            assert "".join(delta.text for delta in deltas) == result.text

        request = a_request(max_tokens=8, logprobs=True, top_logprobs=2)
        _, measured = await ask(engine, request, NANO, stream=stream)
        assert isinstance(measured, Reply), measured
        assert measured.logprob is not None
        assert measured.logprob <= 0
        assert len(msgspec.json.decode(measured.logprobs)[0]["top_logprobs"]) == 2

        shaped = a_request(format=Format("schema", SCHEMA), max_tokens=LONGEST_LABEL)
        _, label = await ask(engine, shaped, NANO, stream=stream)
        assert isinstance(label, Reply), label
        assert msgspec.json.decode(label.text)["label"] in ("spam", "ham")

        _, cut = await ask(engine, a_request(max_tokens=1), NANO, stream=stream)
        assert isinstance(cut, Reply)
        assert cut.finish == "length"

        _, over = await ask(engine, a_request("word " * 60_000), NANO, stream=stream)
        assert isinstance(over, Failure), over
        assert over.reason == "context_overflow"
        assert "context size" in over.detail


async def test_a_real_server_goes_on_after_a_caller_hung_up(engine):
    for _ in range(3):
        stream = engine.stream(a_request(max_tokens=500), NANO, 10.0)
        await anext(stream)
        await stream.aclose()
    _, result = await ask(engine, a_request(max_tokens=4), NANO, stream=True)
    assert isinstance(result, Reply), result


async def test_who_hangs_up_while_his_prompt_is_read_is_in_nobodys_way(engine):
    """A prompt is read in small batches, between which the server notices that nobody waits for its answer."""

    def prompt(number):
        return f"{number} " + "invoice " * 1700  # whoever begins otherwise has none of it read already

    async def seconds_of(text):
        begun = perf_counter()
        _, result = await ask(engine, a_request(text, max_tokens=1), CLERK, stream=True)
        assert isinstance(result, Reply), result
        return perf_counter() - begun

    reading, waited = [], []
    for turn in range(3):
        reading.append(await seconds_of(prompt(turn)))
        left = asyncio.ensure_future(anext(engine.stream(a_request(prompt(10 + turn)), CLERK, 60.0)))
        await asyncio.sleep(0.1 * reading[-1])
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left
        waited.append(await seconds_of("Hello"))
    assert min(waited) < 0.5 * min(reading), "the rest of the prompt is 0.9 of it"
