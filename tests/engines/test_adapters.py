"""The six kinds of engine, each against its double: what they send, what they give back, what they tell of themselves."""

import base64
import time

import msgspec
import pytest
from adapter_doubles import DOUBLES, KEY, MODELS, a_request, ask, engine_and_double, model_for, settings_for

from headgate.config.engine import EngineSettings
from headgate.core.errors import EngineError
from headgate.core.types import Failure, Format, Image, Message, Reply, Text, Tool
from headgate.core.types import ToolCall as Call
from headgate.engines.connect import connect
from headgate.engines.llamacpp.engine import Llamacpp
from headgate.engines.profiles import adjustments
from headgate.testing.answers import Answer, ServedModel, ToolCall
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.faults import Fault
from headgate.testing.ollama import OllamaDouble
from headgate.testing.openai import OpenAIDouble

BOTH = pytest.mark.parametrize("stream", [False, True])
EVERY = pytest.mark.parametrize("kind", DOUBLES)
Raw = msgspec.Raw

# ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
@EVERY
async def test_an_answer_comes_back_whole_with_its_facts(kind, stream):
    answer = Answer("Yes, 7 is a prime number.", input_tokens=11, output_tokens=8)
    async with engine_and_double(kind, answer) as (engine, _):
        assert (engine.name, engine.kind) == (f"my-{kind}", kind)
        deltas, result = await ask(engine, a_request(), model_for(kind), stream=stream)
    assert isinstance(result, Reply), result
    assert result.text == answer.text
    assert (result.finish, result.answered_by) == ("stop", MODELS[kind])
    assert (result.usage.prompt, result.usage.output, result.usage.exact) == (11, 8, True)
    assert result.first_token is not None
    assert 0 < result.first_token <= result.seconds
    if stream:
        assert len(deltas) > 3
        assert "".join(delta.text for delta in deltas) == answer.text


@BOTH
@EVERY
async def test_a_tool_call_comes_back_whole(kind, stream):
    answer = Answer(tool_calls=(ToolCall("look", {"at": "the moon"}),), finish="tool_calls")
    tool = Tool("look", "Looks.", Raw(b'{"type":"object","properties":{"at":{"type":"string"}}}'))
    async with engine_and_double(kind, answer) as (engine, _):
        _, result = await ask(engine, a_request(tools=(tool,)), model_for(kind), stream=stream)
    assert isinstance(result, Reply), result
    (call,) = result.tool_calls
    assert call.name == "look"
    assert call.id
    assert msgspec.json.decode(call.arguments) == {"at": "the moon"}
    assert result.finish == "tool_calls"


@BOTH
@EVERY
async def test_a_conversation_with_tools_images_and_all_roles_is_accepted(kind, stream):
    messages = (
        Message("system", "Be short."),
        Message("developer", "Be kind."),
        Message("user", (Text("What is it?"), Image("data:image/png;base64,iVBORw0KGgo="))),
        Message("assistant", "", (Call("call.1:a", "look", '{"at":"it"}'),)),
        Message("tool", "a cat", tool_call_id="call.1:a"),
        Message("user", "Sure?"),
        Message("user", "Really?"),
    )
    tool = Tool("look", "Looks.", Raw(b'{"type":"object","properties":{}}'))
    seeing = {MODELS[kind]: ServedModel(vision=True, loaded=True)}
    double = DOUBLES[kind](seeing, "Yes.")
    async with engine_and_double(kind, double=double) as (engine, _):
        request = a_request(messages=messages, tools=(tool,), max_tokens=50, stop=("END",))
        _, result = await ask(engine, request, model_for(kind), stream=stream)
    assert isinstance(result, Reply), result


@BOTH
@EVERY
@pytest.mark.parametrize("ids", [("call.1", "call:1"), ("", ""), ("call_0", "call_0"), ("fc_1|a", "b")])
async def test_a_conversation_that_another_engine_began_and_a_client_cut_is_accepted(kind, stream, ids):
    look, hear = ids
    round_of_calls = (
        Message("assistant", "", (Call(look, "look", "{}"), Call(hear, "hear", "{}"))),
        Message("tool", "a cat", tool_call_id=look),
    )
    messages = (Message("tool", "a dog", tool_call_id="gone"), *round_of_calls, *round_of_calls)
    double = DOUBLES[kind]({MODELS[kind]: ServedModel(loaded=True)}, "Yes.")
    async with engine_and_double(kind, double=double) as (engine, _):
        request = a_request(messages=messages, tools=(Tool("look"), Tool("hear")))
        _, result = await ask(engine, request, model_for(kind), stream=stream)
    assert isinstance(result, Reply), result


SCHEMA = Raw(
    b'{"type":"object","properties":{"label":{"enum":["spam","ham"]},"n":{"type":"integer","minimum":1,"maximum":9}},'
    b'"required":["label","n"]}'
)


@BOTH
@EVERY
async def test_a_schema_that_any_local_engine_takes_is_taken_by_all(kind, stream):
    async with engine_and_double(kind) as (engine, double):
        request = a_request(format=Format("schema", SCHEMA))
        _, result = await ask(engine, request, model_for(kind), stream=stream)
        assert double.calls[-1].schema is not None
    assert isinstance(result, Reply), result
    assert msgspec.json.decode(result.text)["label"] == "spam"


@BOTH
@EVERY
async def test_any_json_is_asked_for_as_each_engine_takes_it(kind, stream):
    async with engine_and_double(kind, '{"a": 1}') as (engine, _):
        text = "As JSON, please." if kind in ("openai_compatible", "llamacpp") else "One object, please."
        _, result = await ask(engine, a_request(text, format=Format("json")), model_for(kind), stream=stream)
    assert isinstance(result, Reply), result


EVERYTHING = a_request(
    temperature=0.3, top_p=0.8, seed=7, stop=("END",), max_tokens=64, logprobs=True, top_logprobs=2,
    extra={"min_p": Raw(b"0.05"), "presence_penalty": Raw(b"0.5")},
)  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    "model_id", ["gpt-4o", "gpt-4o-mini", "gpt-5-mini", "gpt-6", "gpt-6-luna", "o4-mini"]
)
async def test_every_openai_model_accepts_what_is_left_of_a_full_request(model_id, stream):
    async with engine_and_double("openai", "Yes.") as (engine, _):
        for extra in (EVERYTHING.extra, {**EVERYTHING.extra, "reasoning_effort": Raw(b'"none"')}):
            request = msgspec.structs.replace(EVERYTHING, extra=extra)
            model = model_for("openai", id=model_id)
            _, result = await ask(engine, request, model, stream=stream)
            assert isinstance(result, Reply), result
            assert adjustments(request, model)


@BOTH
@pytest.mark.parametrize("version", ["2026-10-21", "2023-06-01"])
@pytest.mark.parametrize("model_id", ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-5"])
async def test_every_anthropic_model_accepts_what_is_left_of_a_full_request(model_id, version, stream):
    async with engine_and_double("anthropic", "Yes.", api_version=version) as (engine, double):
        request = msgspec.structs.replace(
            EVERYTHING,
            messages=(Message("user", "Count."), Message("assistant", "1, 2, ")),
            tools=(Tool("look"),),
            tool_choice=Raw(b'"required"'),
        )
        model = model_for("anthropic", id=model_id, settings={"thinking": "none"})
        _, result = await ask(engine, request, model, stream=stream)
        assert double.calls[-1].headers["anthropic-version"] == version
    assert isinstance(result, Reply), result


async def test_a_model_may_speak_another_version_than_its_engine():
    async with engine_and_double("anthropic", "Yes.") as (engine, double):
        model = model_for("anthropic", id="claude-sonnet-4-5", settings={"api_version": "2023-06-01"})
        _, result = await ask(engine, a_request(temperature=0.1), model, stream=False)
        assert isinstance(result, Reply), result
        assert double.calls[-1].headers["anthropic-version"] == "2023-06-01"
        assert double.calls[-1].fields["temperature"] == 0.1


@BOTH
@pytest.mark.parametrize("kind", ["ollama", "openai", "openai_compatible"])
async def test_a_models_confidence_can_be_measured(kind, stream):
    async with engine_and_double(kind, Answer("Yes it is.", logprob=-0.25)) as (engine, _):
        _, result = await ask(engine, a_request(), model_for(kind, confidence=-1.0), stream=stream)
        assert isinstance(result, Reply), result
        assert result.logprob == pytest.approx(-0.25)
        assert result.logprobs is None
        _, asked = await ask(engine, a_request(logprobs=True, top_logprobs=1), model_for(kind), stream=stream)
        assert isinstance(asked, Reply)
        assert asked.logprobs is not None


async def test_ollama_keeps_one_window_so_that_its_model_is_loaded_once():
    async with engine_and_double("ollama", "Yes.") as (engine, double):
        model = model_for("ollama", context=8192)
        for text in ("short", "long " * 500):
            for stream in (False, True):
                _, result = await ask(engine, a_request(text), model, stream=stream)
                assert isinstance(result, Reply), result
        assert double.loads == [("llama3.1:8b", 8192)]


async def test_ollama_says_how_long_it_loaded():
    async with engine_and_double("ollama", "Yes.") as (engine, _):
        _, cold = await ask(engine, a_request(), model_for("ollama"), stream=False)
        _, warm = await ask(engine, a_request(), model_for("ollama"), stream=False)
    assert isinstance(cold, Reply)
    assert isinstance(warm, Reply)
    assert cold.loading > warm.loading


async def test_an_unfit_image_never_leaves():
    request = a_request(messages=(Message("user", (Image("https://example.com/cat.png"),)),))
    async with engine_and_double("ollama") as (engine, double):
        for stream in (False, True):
            _, result = await ask(engine, request, model_for("ollama"), stream=stream)
            assert isinstance(result, Failure)
            assert result.reason == "http_error"
        assert not double.calls


@EVERY
async def test_a_time_limit_is_kept_in_a_single_answer(kind):
    async with engine_and_double(kind, Answer("Yes.", delay=30.0)) as (engine, _):
        began = time.perf_counter()
        _, result = await ask(engine, a_request(), model_for(kind), stream=False, within=0.2)
        assert time.perf_counter() - began < 10
    assert isinstance(result, Failure)
    assert result.reason == "timeout"


async def test_without_time_nothing_is_asked():
    async with engine_and_double("openai") as (engine, double):
        for stream in (False, True):
            _, result = await ask(engine, a_request(), model_for("openai"), stream=stream, within=0.0)
            assert isinstance(result, Failure)
            assert result.reason == "timeout"
        assert not double.calls


async def test_the_clock_for_the_first_token_does_not_cut_a_whole_answer():
    async with engine_and_double("openai", Answer("Yes.", delay=0.3), first_token=0.1) as (engine, _):
        _, whole = await ask(engine, a_request(), model_for("openai"), stream=False)
        _, streamed = await ask(engine, a_request(), model_for("openai"), stream=True)
    assert isinstance(whole, Reply)
    assert isinstance(streamed, Failure)
    assert streamed.reason == "timeout"


async def test_connections_are_kept_after_streams():
    async with engine_and_double("openai", "Yes.") as (engine, double):
        opened = []
        for stream in (True, True, False):
            await ask(engine, a_request(), model_for("openai"), stream=stream)
            opened.append(len(engine._exchange._transport._open))
        assert opened == [1, 1, 1]
        assert len(double.calls) == 3


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY
async def test_health_says_up_and_after_a_refusal_down(kind):
    async with engine_and_double(kind) as (engine, double):
        assert (await engine.health()).up
        double.inject(Fault.refuse())
        began = time.perf_counter()
        down = await engine.health()
        assert not down.up
        assert down.detail
        assert time.perf_counter() - began < 10


async def test_health_takes_two_seconds_at_most():
    async with OpenAIDouble(answer="x") as double:
        double.inject(Fault.slow_first_token(30), path="/v1/models")
        engine = connect(settings_for("openai", double.url))
        began = time.perf_counter()
        assert not (await engine.health()).up
        assert time.perf_counter() - began < 10
        await engine.close()


async def test_an_engine_that_refuses_our_key_is_of_no_use():
    for kind, double in (
        ("openai", OpenAIDouble(keys=["other"])),
        ("anthropic", AnthropicDouble(keys=["other"])),
    ):
        async with engine_and_double(kind, double=double) as (engine, _):
            health = await engine.health()
            assert not health.up
            assert "key" in health.detail
            assert KEY not in health.detail


async def test_something_that_is_not_lm_studio_is_not_taken_for_it():
    async with AnthropicDouble() as other:
        engine = connect(settings_for("lmstudio", other.url))
        assert not (await engine.health()).up
        assert isinstance(await engine.list_models(), Failure)
        await engine.close()


async def test_ollama_lists_sizes_windows_kinds_and_what_is_not_local():
    served = {
        "llama3.1:8b": ServedModel(context=131_072, loaded=True),
        "nomic-embed-text": ServedModel(kind="embedding", family="nomic-bert", context=2048),
        "big:cloud": ServedModel(remote_host="https://ollama.com"),
    }
    async with engine_and_double("ollama", double=OllamaDouble(served)) as (engine, _):
        assert (await engine.health()).version == "0.33.0"
        found = await engine.list_models()
    assert not isinstance(found, Failure)
    by_name = {model.id: model for model in found}
    llama, nomic, big = by_name["llama3.1:8b"], by_name["nomic-embed-text:latest"], by_name["big:cloud"]
    assert (llama.context, llama.size, llama.loaded, llama.remote) == (131_072, 4_920_753_328, True, False)
    assert (llama.quantization, llama.parameters) == ("Q4_K_M", "8.0B")
    assert (nomic.kind, nomic.loaded) == ("embedding", False)
    assert big.remote


async def test_lm_studio_lists_what_it_has():
    async with engine_and_double("lmstudio") as (engine, _):
        found = await engine.list_models()
    assert not isinstance(found, Failure)
    phi, nomic = found
    assert (phi.context, phi.loaded, phi.kind) == (131_072, True, "chat")
    assert phi.size
    assert (nomic.kind, nomic.loaded) == ("embedding", False)


async def test_hosted_models_are_listed_as_remote():
    for kind in ("openai", "anthropic"):
        async with engine_and_double(kind, local=False) as (engine, _):
            found = await engine.list_models()
        assert not isinstance(found, Failure)
        assert MODELS[kind] in {model.id for model in found}
        assert all(model.remote for model in found)


# ── Connecting ───────────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY
async def test_the_key_and_the_users_headers_are_sent(kind):
    async with engine_and_double(kind, "Yes.", headers={"X-Team": "red"}) as (engine, double):
        await ask(engine, a_request(), model_for(kind), stream=False)
        headers = double.calls[-1].headers
    assert headers["x-team"] == "red"
    assert headers["content-type"] == "application/json"
    assert KEY in (headers["x-api-key"] if kind == "anthropic" else headers["authorization"])


async def test_a_header_of_the_users_own_takes_the_place_of_ours():
    mine = "Basic " + base64.b64encode(b"me:pw").decode()
    async with engine_and_double("openai_compatible", "Yes.", headers={"Authorization": mine}) as (
        engine,
        double,
    ):
        await ask(engine, a_request(), model_for("openai_compatible"), stream=False)
        assert double.calls[-1].headers["authorization"] == mine


def test_settings_never_show_a_secret():
    settings = settings_for("openai", "http://127.0.0.1:1", headers={"X-Token": "hunter2"})
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert KEY not in shown
        assert "hunter2" not in shown
        assert "my-openai" in shown


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"url": None}, "url"),
        ({"url": "ftp://x"}, "ftp"),
        ({"key": "two\nlines"}, "header"),
        ({"url": "https://127.0.0.1:1/v1", "ca_file": "/nowhere.pem"}, "nowhere"),
        ({"profile": "nosuch"}, "nosuch"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_a_hint(more, word):
    with pytest.raises(EngineError, match=word) as found:
        connect(
            EngineSettings(**{"name": "x", "kind": "openai_compatible", "url": "http://127.0.0.1:1"} | more)
        )
    assert found.value.hint
    assert "two" not in str(found.value)


async def test_an_address_pasted_with_v1_works_all_the_same():
    for kind in ("ollama", "lmstudio", "anthropic"):
        async with DOUBLES[kind](answer="Yes.") as double:
            engine = connect(settings_for(kind, f"{double.url}/v1/"))
            _, result = await ask(engine, a_request(), model_for(kind), stream=False)
            assert isinstance(result, Reply), result
            await engine.close()


def test_a_named_profile_is_used():
    settings = EngineSettings(
        name="x", kind="openai_compatible", url="http://127.0.0.1:1", profile="lmstudio"
    )
    assert connect(settings).dialect.profile.name == "lmstudio"


async def test_without_a_url_llamacpp_is_embedded():
    engine = connect(EngineSettings(name="here", kind="llamacpp"), [model_for("llamacpp", id="nobody")])
    assert isinstance(engine, Llamacpp)
    assert not (await engine.health()).up
    await engine.close()
