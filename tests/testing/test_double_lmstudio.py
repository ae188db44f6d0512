"""The LM Studio double: the habits that trip routers, each documented or reported by users."""

import json

import pytest
from double_clients import PROVIDERS, ask

from headgate.testing import Answer, LMStudioDouble, ServedModel

WHO = PROVIDERS["lmstudio"]
PHI = WHO.model


@pytest.fixture
async def lmstudio():
    async with LMStudioDouble(answer="one two") as double:
        yield double


async def test_a_completion_has_the_documented_fields(lmstudio):
    got = await WHO.chat(lmstudio, stream=False)
    assert list(got.json) == [
        "id", "object", "created", "model", "choices", "usage", "stats", "system_fingerprint"
    ]  # fmt: skip
    assert list(got.json["choices"][0]) == ["index", "message", "logprobs", "finish_reason"]
    assert list(got.json["usage"]) == ["prompt_tokens", "completion_tokens", "total_tokens"]


async def test_every_delta_repeats_the_role(lmstudio):
    got = await WHO.chat(lmstudio, stream=True)
    deltas = [event["choices"][0]["delta"] for event in got.events]
    assert deltas == [{"role": "assistant", "content": "one"}, {"role": "assistant", "content": " two"}, {}]


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/models", "/health"])
async def test_an_unknown_path_answers_200_with_an_error_inside(lmstudio, path):
    got = await ask(lmstudio.url, "GET", path)
    assert (got.status, got.json) == (200, {"error": f"Unexpected endpoint or method. (GET {path})"})


async def test_json_object_is_refused_and_a_schema_is_met():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    async with LMStudioDouble() as double:
        refused = await WHO.chat(double, stream=False, response_format={"type": "json_object"})
        text = await WHO.chat(double, stream=False, response_format={"type": "text"})
        met = await WHO.chat(double, stream=False, response_format=form)
    assert (refused.status, refused.json) == (
        400,
        {"error": "'response_format.type' must be 'json_schema' or 'text'"},
    )
    assert text.status == 200
    assert json.loads(WHO.text(met)) == {"n": 3}


@pytest.mark.parametrize(
    "more",
    [
        {"messages": []},
        {"messages": [{"role": "human", "content": "x"}]},
        {"temperature": "hot"},
        {"max_tokens": True},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
    ],
)
async def test_a_bad_request_is_a_400_with_a_text_for_error(lmstudio, more):
    got = await WHO.chat(lmstudio, stream=False, **more)
    assert got.status == 400
    assert isinstance(got.json["error"], str)


async def test_an_unknown_model_is_not_found_with_a_list_of_the_known(lmstudio):
    got = await WHO.chat(lmstudio, stream=False, model="nope")
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")
    assert PHI in got.json["error"]["message"]


async def test_or_the_only_loaded_model_answers_in_its_place_under_its_own_name():
    async with LMStudioDouble(answer="hi", substitute=True) as double:
        got = await WHO.chat(double, stream=False, model="nope")
    assert (got.status, got.json["model"]) == (200, PHI)


async def test_without_jit_a_model_that_is_not_loaded_is_not_served():
    async with LMStudioDouble({"a": ServedModel(), "b": ServedModel()}, jit=False) as double:
        got = await WHO.chat(double, stream=False, model="a")
        listed = await ask(double.url, "GET", "/v1/models")
    assert (got.status, listed.json["data"]) == (404, [])
    assert got.json["error"]["message"].startswith("No models loaded.")


async def test_loading_on_demand_evicts_what_was_loaded_on_demand_but_nothing_else():
    models = {"kept": ServedModel(loaded=True), "a": ServedModel(), "b": ServedModel()}
    async with LMStudioDouble(models, answer="hi") as double:
        for model in ("a", "b", "a", "kept"):
            assert (await WHO.chat(double, stream=False, model=model)).status == 200
    assert (double.loads, double.unloads) == (["a", "b", "a"], ["a", "b"])


async def test_both_lists_agree_on_what_is_loaded_and_how_far_it_reads(lmstudio):
    v0 = {m["id"]: m for m in (await ask(lmstudio.url, "GET", "/api/v0/models")).json["data"]}
    v1 = {m["key"]: m for m in (await ask(lmstudio.url, "GET", "/api/v1/models")).json["models"]}
    nomic = "text-embedding-nomic-embed-text-v1.5"
    assert (v0[PHI]["state"], v0[PHI]["loaded_context_length"], v0[PHI]["type"]) == ("loaded", 131_072, "llm")
    assert (v0[nomic]["state"], v0[nomic]["type"], "loaded_context_length" in v0[nomic]) == (
        "not-loaded", "embeddings", False
    )  # fmt: skip
    assert v1[PHI]["loaded_instances"][0]["config"]["context_length"] == 131_072
    assert v1[nomic]["loaded_instances"] == []
    one = await ask(lmstudio.url, "GET", f"/api/v0/models/{PHI}")
    assert one.json == v0[PHI]


async def test_models_are_loaded_and_unloaded_by_hand():
    async with LMStudioDouble({"a": ServedModel(context=8192)}) as double:
        body = {"model": "a", "context_length": 2048, "echo_load_config": True}
        loaded = await ask(double.url, "POST", "/api/v1/models/load", body)
        listed = await ask(double.url, "GET", "/api/v0/models/a")
        unloaded = await ask(double.url, "POST", "/api/v1/models/unload", {"instance_id": "a"})
        again = await ask(double.url, "POST", "/api/v1/models/unload", {"instance_id": "a"})
        nameless = await ask(double.url, "POST", "/api/v1/models/load", {})
    assert (loaded.json["status"], loaded.json["load_config"]["context_length"]) == ("loaded", 2048)
    assert listed.json["loaded_context_length"] == 2048
    assert unloaded.json == {"instance_id": "a"}
    assert again.status == 404
    assert nameless.json["error"]["code"] == "missing_required_parameter"


async def test_a_prompt_over_the_loaded_window_is_refused():
    async with LMStudioDouble({"a": ServedModel(context=100, loaded=True)}) as double:
        got = await WHO.chat(
            double, stream=False, model="a", messages=[{"role": "user", "content": "x" * 800}]
        )
    assert got.status == 400
    assert "first 201 tokens" in got.json["error"]
    assert "only 100 tokens" in got.json["error"]


async def test_max_tokens_minus_one_is_no_limit(lmstudio):
    whole = await WHO.chat(lmstudio, stream=False, max_tokens=-1)
    cut = await WHO.chat(lmstudio, stream=False, max_tokens=1)
    assert (WHO.text(whole), WHO.finish(whole)) == ("one two", "stop")
    assert WHO.finish(cut) == "length"


async def test_the_older_native_path_adds_stats_in_seconds():
    async with LMStudioDouble(answer=Answer("x " * 50, output_tokens=100)) as double:
        got = await ask(double.url, "POST", "/api/v0/chat/completions", WHO.body(stream=False))
    assert got.json["stats"]["generation_time"] == 2.0
    assert got.json["stats"]["stop_reason"] == "eosFound"
    assert got.json["model_info"]["context_length"] == 131_072


async def test_a_token_is_needed_once_authentication_is_on():
    async with LMStudioDouble(token="secret", answer="hi") as double:
        without = await ask(double.url, "GET", "/v1/models")
        with_it = await ask(double.url, "GET", "/v1/models", headers={"Authorization": "Bearer secret"})
        other = await ask(double.url, "GET", "/v1/models", headers={"x-api-key": "secret"})
    assert (without.status, with_it.status, other.status) == (401, 200, 200)


async def test_embeddings_need_an_embedding_model(lmstudio):
    body = {"model": "text-embedding-nomic-embed-text-v1.5", "input": ["a", "b"]}
    got = await ask(lmstudio.url, "POST", "/v1/embeddings", body)
    assert [len(item["embedding"]) for item in got.json["data"]] == [768, 768]
    wrong = await ask(lmstudio.url, "POST", "/v1/embeddings", body | {"model": PHI})
    assert wrong.status == 400
