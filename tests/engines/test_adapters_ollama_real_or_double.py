"""Ollama's adapter against a real Ollama, if `HEADGATE_TEST_OLLAMA_URL` names one, and against its double otherwise.

The tests cannot tell which it is. They use one model, the one named or the smallest there, with a window of their own, and delete
nothing; see docs/testing.md.
"""

import asyncio

import msgspec
import pytest
from adapter_doubles import a_request, ask

from headgate.config.engine import EngineSettings
from headgate.core.types import Failure, Format, Model, Reply
from headgate.engines.connect import connect

pytestmark = pytest.mark.timeout(900)  # a real one may be slow, and may have to load first
WINDOW = 2048
LONG_ENOUGH = 300.0
"""Seconds: a model may have to be loaded first."""
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"label":{"enum":["spam","ham"]}},"required":["label"]}')


@pytest.fixture
async def engine(ollama_url):
    settings = EngineSettings(name="here", kind="ollama", url=ollama_url, first_token=LONG_ENOUGH)
    found = connect(settings)
    yield found
    await found.close()


@pytest.fixture
async def model(ollama_model):
    return Model(name="m", engine="here", engine_kind="ollama", id=ollama_model, local=True, context=WINDOW)


async def answer_of(engine, model, *texts, stream, **fields):
    request = a_request(*texts, temperature=0.0, **fields)
    return await ask(engine, request, model, stream=stream, within=LONG_ENOUGH)


async def test_it_is_up_and_lists_the_model(engine, model):
    assert (await engine.health()).version
    listed = {found.id: found for found in await engine.list_models()}
    mine = listed[model.id]
    assert (mine.kind, mine.remote) == ("chat", False)
    assert mine.size > 0
    assert mine.context > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_whole_and_its_tokens_are_counted(engine, model, stream):
    deltas, result = await answer_of(engine, model, stream=stream, max_tokens=400)
    assert isinstance(result, Reply), result
    assert result.text or result.reasoning
    assert result.answered_by == model.id
    assert result.usage.exact
    assert min(result.usage.prompt, result.usage.output) > 0
    if stream:
        assert "".join(delta.text for delta in deltas) == result.text


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_the_limit_cut_says_so(engine, model, stream):
    _, result = await answer_of(engine, model, "Tell a long story.", stream=stream, max_tokens=2)
    assert isinstance(result, Reply), result
    assert result.finish == "length"


async def test_a_schema_is_met(engine, model):
    shaped = {"format": Format("schema", SCHEMA), "max_tokens": 1000}
    _, result = await answer_of(engine, model, "You have won! Is this spam?", stream=False, **shaped)
    assert isinstance(result, Reply), result
    assert msgspec.json.decode(result.text)["label"] in ("spam", "ham")


async def test_the_confidence_of_an_answer_is_told(engine, model):
    _, result = await answer_of(engine, model, stream=False, max_tokens=400, logprobs=True, top_logprobs=1)
    assert isinstance(result, Reply), result
    assert result.logprob is None or result.logprob <= 0  # None before 0.12.11, or if all of it was reasoning


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_is_too_long_is_refused_and_never_cut(engine, model, stream):
    _, result = await answer_of(engine, model, "word " * 4 * WINDOW, stream=stream, max_tokens=8)
    assert isinstance(result, Failure), result
    assert result.reason == "context_overflow"


async def test_a_model_that_is_not_there_is_refused_by_name(engine, model):
    nobody = msgspec.structs.replace(model, id="headgate-has-no-such-model:latest")
    _, result = await answer_of(engine, nobody, stream=False)
    assert isinstance(result, Failure)
    assert (result.status, "headgate-has-no-such-model" in result.detail) == (404, True)


async def test_the_model_is_listed_as_loaded_after_an_answer(engine, model):
    _, result = await answer_of(engine, model, stream=False, max_tokens=1)
    assert isinstance(result, Reply), result
    listed = {found.id: found.loaded for found in await engine.list_models()}
    assert listed[model.id] is True


async def test_it_goes_on_after_callers_hung_up(engine, model):
    for _ in range(3):
        stream = engine.stream(a_request("Tell a long story.", max_tokens=500), model, LONG_ENOUGH)
        await anext(stream)
        await stream.aclose()
    _, result = await answer_of(engine, model, stream=True, max_tokens=4)
    assert isinstance(result, Reply), result


async def test_requests_that_come_together_are_all_answered(engine, model):
    asked = [answer_of(engine, model, f"What is {n} + 1?", stream=n % 2 == 0, max_tokens=8) for n in range(6)]
    results = [result for _, result in await asyncio.gather(*asked)]
    assert all(isinstance(result, Reply) for result in results), results
