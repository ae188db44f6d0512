"""What the LM Studio double has in memory: instances, eviction, time to live, guardrails and settings that nobody hears."""

import asyncio

import pytest
from double_clients import ask

from headgate.testing import Answer, LMStudioDouble, ServedModel, Timing, VirtualClock

GIB = 1 << 30
PLAIN = ServedModel(context=32_768, size=4 * GIB)  # 128 KiB of cache for a token
MODELS = {"a": PLAIN, "b": PLAIN}


def chat(double, model="a", **more):
    body = {"model": model, "messages": [{"role": "user", "content": "Hi."}]} | more
    return asyncio.ensure_future(ask(double.url, "POST", "/v1/chat/completions", body))


async def load(double, model="a", **more):
    return await ask(double.url, "POST", "/api/v1/models/load", {"model": model} | more)


async def unload(double, name):
    return await ask(double.url, "POST", "/api/v1/models/unload", {"instance_id": name})


async def instances(double, key="a"):
    listed = (await ask(double.url, "GET", "/api/v1/models")).json["models"]
    return next(m["loaded_instances"] for m in listed if m["key"] == key)


@pytest.mark.parametrize("stream", [False, True])
async def test_loading_on_demand_evicts_a_model_in_the_middle_of_its_answer(stream):
    clock = VirtualClock()
    said = Answer("one two three", delay=1.0, chunk_delay=10.0)
    async with LMStudioDouble(MODELS, said, clock=clock) as double:
        victim = chat(double, stream=stream)
        await clock.asleep()
        if stream:
            await clock.advance(2.0)
        other = chat(double, "b", stream=stream)
        got = await victim
        assert double.unloads == ["a"]
        assert [instance.id for instance in double.running()] == ["b"]
        await clock.drive(asyncio.wait([other]))
    assert other.result().status == 200
    if stream:
        assert got.status == 200
        assert got.body.endswith(b'event: error\ndata: {"error":{"message":"Model is unloaded."}}\n\n')
        assert b"one" in got.body
        assert b"[DONE]" not in got.body
    else:
        assert (got.status, got.json) == (400, {"error": "Model is unloaded."})


async def test_who_waits_for_a_model_that_is_unloaded_is_told():
    clock = VirtualClock()
    async with LMStudioDouble(MODELS, Answer("x", delay=9.0), parallel=1, clock=clock) as double:
        first, second = chat(double), chat(double)
        await double.received(2)
        await unload(double, "a")
        assert [(await got).json for got in (first, second)] == [{"error": "Model is unloaded."}] * 2


async def test_what_was_loaded_by_hand_is_never_evicted():
    async with LMStudioDouble(MODELS | {"c": PLAIN}, "hi") as double:
        await load(double, "a")
        for model in ("b", "c"):
            await chat(double, model)
        assert [instance.id for instance in double.running()] == ["a", "c"]


async def test_without_auto_evict_everything_stays():
    async with LMStudioDouble(MODELS, "hi", auto_evict=False) as double:
        for model in ("a", "b"):
            await chat(double, model)
        assert (double.loads, double.unloads) == (["a", "b"], [])


async def test_a_model_loaded_on_demand_goes_after_its_idle_time_and_one_loaded_by_hand_does_not():
    clock = VirtualClock()
    async with LMStudioDouble(MODELS, "hi", clock=clock) as double:
        await load(double, "b")
        await chat(double, "a")
        await clock.advance(3000)
        await chat(double, "a")
        await clock.advance(3599)
        assert len(double.running()) == 2
        await clock.advance(1)
        assert [instance.id for instance in double.running()] == ["b"]
        await chat(double, "a", ttl=60)
        await clock.advance(60)
        assert [instance.id for instance in double.running()] == ["b"]


async def test_a_model_is_loaded_several_times_and_each_instance_goes_alone():
    async with LMStudioDouble(MODELS, "hi") as double:
        ids = [(await load(double, context_length=n)).json["instance_id"] for n in (2048, 4096, 8192)]
        assert ids == ["a", "a:2", "a:3"]
        assert (await chat(double, "a:2")).json["model"] == "a:2"
        await unload(double, "a:2")
        left = [(one["id"], one["config"]["context_length"]) for one in await instances(double)]
        assert left == [("a", 2048), ("a:3", 8192)]
        assert (await load(double)).json["instance_id"] == "a:2"


async def test_a_load_says_how_it_was_done_and_lists_agree():
    async with LMStudioDouble(MODELS) as double:
        got = await load(double, context_length=2048, parallel=2, echo_load_config=True)
        config = got.json["load_config"]
        assert (config["context_length"], config["parallel"]) == (2048, 2)
        assert (await instances(double))[0]["config"] == config
        listed = await ask(double.url, "GET", "/api/v0/models/a")
        assert listed.json["loaded_context_length"] == 2048


async def test_settings_that_nobody_hears_show_in_the_lists():
    double = LMStudioDouble(MODELS, ignores_load_settings=True, default_context=4096)
    async with double:
        got = await load(double, context_length=16_384, parallel=2)
        assert got.json["status"] == "loaded"
        config = (await instances(double))[0]["config"]
        assert (config["context_length"], config["parallel"]) == (4096, 4)


async def test_a_load_that_does_not_fit_is_refused_by_the_guardrails():
    async with LMStudioDouble(MODELS, "hi", memory=9 * GIB) as double:
        assert (await load(double, "a", context_length=8192)).status == 200
        refused = await load(double, "b", context_length=8192)
        on_demand = await chat(double, "b")
        await unload(double, "a")
        assert (await load(double, "b", context_length=8192)).status == 200
    text = refused.json["error"]["message"]
    assert (refused.status, refused.json["error"]["type"]) == (500, "internal_error")
    assert text.startswith('Failed to load model "b". Error: Model loading was stopped due to insufficient')
    assert "approximately 5.00 GB" in text
    assert on_demand.status == 400
    assert "insufficient system resources" in on_demand.json["error"]
    async with LMStudioDouble(MODELS, memory=GIB, guardrails=False) as careless:
        assert (await load(careless)).status == 200


async def test_two_requests_for_a_model_that_is_loading_load_it_once():
    clock = VirtualClock()
    async with LMStudioDouble(MODELS, "hi", clock=clock, timing=Timing(load_gib=2.0)) as double:
        both = [chat(double), chat(double)]
        await double.received(2)
        await clock.drive(asyncio.wait(both))
        assert [task.result().status for task in both] == [200, 200]
        assert double.loads == ["a"]
        by_hand = asyncio.ensure_future(load(double, "b"))
        await clock.drive(asyncio.wait([by_hand]))
    assert by_hand.result().json["load_time_seconds"] == 8.0


async def test_an_instance_takes_so_many_at_a_time_and_others_wait_where_lms_can_see_them():
    clock = VirtualClock()
    async with LMStudioDouble(MODELS, Answer("x", delay=1.0), parallel=2, clock=clock) as double:
        tasks = [chat(double) for _ in range(5)]
        await double.received(5)
        [row] = (await ask(double.url, "GET", "/double/ps")).json
        assert (row["status"], row["queued"], row["parallel"]) == ("generating", 3, 2)
        await clock.drive(asyncio.wait(tasks))
        assert {task.result().status for task in tasks} == {200}
        assert clock.time() == 1_800_000_003.0


async def test_a_request_goes_to_the_instance_that_has_least_to_do():
    clock = VirtualClock()
    async with LMStudioDouble(MODELS, Answer("x", delay=1.0), clock=clock) as double:
        await load(double)
        await load(double)
        tasks = [chat(double, "a") for _ in range(2)]
        await clock.asleep(2)
        await clock.drive(asyncio.wait(tasks))
        assert sorted(task.result().json["model"] for task in tasks) == ["a", "a:2"]
