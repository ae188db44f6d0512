"""The OpenAI-compatible adapter against a real llama.cpp server, with a model that ships with us."""

import msgspec
import pytest
from adapter_doubles import a_request, ask, model_for

from headgate.config.engine import EngineSettings
from headgate.core.types import Failure, Format, Reply
from headgate.engines.connect import connect

pytest.importorskip("xllamacpp")

NANO = model_for("llamacpp", id="headgate-nano")
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"label":{"enum":["spam","ham"]}},"required":["label"]}')

LONGEST_LABEL = 256
"""Tokens. Its grammar lets llama.cpp write blanks and line breaks between the words, 22 at most at each of five places."""


@pytest.fixture
async def engine():
    found = connect(EngineSettings(name="here", kind="llamacpp", parallel=1), [NANO])
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
