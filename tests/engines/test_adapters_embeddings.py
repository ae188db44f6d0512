"""Every adapter asked for vectors, beside its double, with everything that can go wrong there."""

from typing import Any

import pytest
from adapter_doubles import KEY, a_request, engine_and_double, model_for

from headgate.config.engine import EngineSettings
from headgate.core.types import Failure, Reply
from headgate.core.words import EngineKind
from headgate.engines.connect import connect
from headgate.testing import Fault, OpenAIDouble
from headgate.testing.answers import ServedModel, vector
from headgate.wire.vectors import unpack

EMBEDDERS: dict[EngineKind, tuple[str, int]] = {
    "ollama": ("nomic-embed-text:latest", 768),
    "lmstudio": ("text-embedding-nomic-embed-text-v1.5", 768),
    "openai": ("text-embedding-3-small", 1536),
    "openai_compatible": ("text-embedding-3-small", 1536),
    "llamacpp": ("text-embedding-3-small", 1536),
}
PATHS: dict[EngineKind, str] = {"ollama": "/api/embed"}


async def vectors(engine: Any, kind: EngineKind, *texts: str, within: float = 10.0, **fields: Any) -> Any:
    model = model_for(kind, id=EMBEDDERS[kind][0], kind="embedding")
    return await engine.embed(a_request(*texts, kind="embedding", **fields), model, within)


@pytest.mark.parametrize("kind", EMBEDDERS)
async def test_every_text_gets_its_vector_in_one_call(kind):
    texts = [f"text number {number}" for number in range(40)]
    async with engine_and_double(kind) as (engine, double):
        reply = await vectors(engine, kind, *texts)
        assert isinstance(reply, Reply), reply
        assert [unpack(v) for v in reply.vectors] == [
            pytest.approx(vector(text, EMBEDDERS[kind][1]), abs=1e-6) for text in texts
        ]
        assert reply.usage.input > 0
        assert reply.usage.output == 0
        assert reply.seconds > 0
        assert len([call for call in double.calls if call.path == PATHS.get(kind, "/v1/embeddings")]) == 1


FAULTS = {
    "a closed port": (Fault.refuse(), "refused"),
    "a cut": (Fault.cut_before_headers(), "broken_stream"),
    "half a body": (Fault.cut_mid_stream(), "broken_stream"),
    "half a document": (Fault.malformed_json(), "malformed"),
    "an error": (Fault.server_error(), "http_error"),
    "a wrong key": (Fault.auth_failed(), "http_error"),
    "too many requests": (Fault.overloaded(), "http_error"),
}


@pytest.mark.parametrize("kind", EMBEDDERS)
@pytest.mark.parametrize("case", FAULTS)
async def test_every_fault_is_a_failure_with_its_reason_and_never_the_key(kind, case):
    fault, reason = FAULTS[case]
    async with engine_and_double(kind) as (engine, double):
        if fault.kind not in double.shows():
            pytest.skip(f"{kind} never shows {case}")
        double.inject(fault)
        failure = await vectors(engine, kind, "a")
        assert isinstance(failure, Failure), failure
        assert failure.reason == reason
        assert KEY not in failure.detail


async def test_an_engine_that_takes_too_long_is_given_up_on():
    async with engine_and_double("openai") as (engine, double):
        double.inject(Fault.slow_first_token(30))
        failure = await vectors(engine, "openai", "a", within=0.3)
        assert (failure.reason, failure.seconds < 5) == ("timeout", True)


async def test_without_time_nobody_is_asked():
    async with engine_and_double("ollama") as (engine, double):
        assert (await vectors(engine, "ollama", "a", within=0)).reason == "timeout"
        assert not double.calls


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
async def test_a_llama_server_is_asked_under_v1_however_its_url_is_written(ending):
    async with OpenAIDouble(models={"m": ServedModel(kind="embedding")}) as double:
        engine = connect(EngineSettings(name="e", kind="llamacpp", url=f"{double.url}{ending}", key=KEY))
        model = model_for("llamacpp", id="m", kind="embedding")
        reply = await engine.embed(a_request("a", kind="embedding"), model, 10)
        await engine.close()
    assert isinstance(reply, Reply), reply


async def test_anthropic_has_none_and_is_not_blamed():
    async with engine_and_double("anthropic") as (engine, double):
        failure = await engine.embed(a_request("a", kind="embedding"), model_for("anthropic"), 10)
        assert (failure.reason, failure.status) == ("http_error", 400)
        assert not double.calls
