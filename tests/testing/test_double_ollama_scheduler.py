"""The Ollama double's memory and queues, against what the real scheduler does (server/sched.go, and captures of its load)."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from double_clients import ask, asking, read_reply

from headgate.testing import OllamaDouble, ServedModel, Timing, VirtualClock

GIB = 1 << 30
PLAIN = ServedModel(context=32_768, size=4 * GIB)  # 128 KiB of cache for a token
MODELS = {"a": PLAIN, "b": PLAIN, "c": PLAIN}
KIB_128 = 128 * 1024


def chat(model="a", **more):
    return {"model": model, "messages": [{"role": "user", "content": "Hi."}], "stream": False} | more


@asynccontextmanager
async def stage(**more):
    """A double, its clock, and a way to ask it without waiting for the answer."""
    clock = VirtualClock()
    async with OllamaDouble(**({"models": MODELS, "answer": "one two", "clock": clock} | more)) as double:
        asked = []

        def send(*models, **fields):
            new = [
                asyncio.create_task(ask(double.url, "POST", "/api/chat", chat(model, **fields)))
                for model in models
            ]
            asked.extend(new)
            return new

        yield double, clock, send
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def ps(double):
    return {m["name"][0]: m for m in (await ask(double.url, "GET", "/api/ps")).json["models"]}


# memory


async def test_a_loaded_model_takes_its_weights_and_a_cache_for_every_slot():
    async with stage(parallel=4, num_ctx=8192) as (double, _, send):
        await asyncio.gather(*send("a"))
        loaded = (await ps(double))["a"]
    assert loaded["size"] == 4 * GIB + 4 * 8192 * KIB_128
    assert (loaded["size_vram"], loaded["context_length"]) == (loaded["size"], 8192)


async def test_a_smaller_cache_type_and_an_embedding_model_take_less():
    models = {"a": PLAIN, "e": ServedModel(kind="embedding", size=GIB)}
    async with stage(models=models, kv_cache="q8_0") as (double, _, send):
        await asyncio.gather(*send("a"))
        await ask(double.url, "POST", "/api/embed", {"model": "e", "input": "x"})
        loaded = await ps(double)
    assert loaded["a"]["size"] == 4 * GIB + 4096 * KIB_128 * 17 // 32
    assert loaded["e"]["size"] == GIB


async def test_a_model_that_does_not_fit_is_put_there_in_whole_layers_and_says_so():
    async with stage(vram=3 * GIB) as (double, _, send):
        await asyncio.gather(*send("a"))
        loaded = (await ps(double))["a"]
        one_layer = -(-loaded["size"] // 33)
        assert 0 < loaded["size_vram"] < loaded["size"]
        assert loaded["size_vram"] % one_layer == 0
        assert loaded["size_vram"] <= 3 * GIB < loaded["size_vram"] + one_layer
        await asyncio.gather(*send("a", options={"num_gpu": 0}))
        assert (await ps(double))["a"]["size_vram"] == 0


async def test_a_model_larger_than_all_memory_is_refused_in_ollamas_words():
    async with stage(vram=GIB, ram=2 * GIB) as (_, _, send):
        [got] = await asyncio.gather(*send("a"))
    assert got.status == 500
    assert got.json["error"].startswith("model requires more system memory (3.")
    assert got.json["error"].endswith("than is available (2.0 GiB)")


async def test_what_does_not_fit_beside_the_others_makes_one_of_them_go():
    async with stage(vram=10 * GIB) as (double, _, send):
        for model in ("a", "b", "c"):
            await asyncio.gather(*send(model))
        assert sorted(await ps(double)) == ["b", "c"]
    assert double.unloads == ["a:latest"]


async def test_the_idle_model_with_the_shortest_keep_alive_goes_first():
    async with stage(max_loaded=2) as (double, _, send):
        await asyncio.gather(*send("a"))
        await asyncio.gather(*send("b", keep_alive="1m"))
        await asyncio.gather(*send("c"))
        assert sorted(await ps(double)) == ["a", "c"]


async def test_a_model_goes_when_its_keep_alive_is_over_and_each_request_starts_it_anew():
    async with stage() as (double, clock, send):
        await asyncio.gather(*send("a"))
        await asyncio.gather(*send("b", keep_alive=-1))
        assert (await ps(double))["b"]["expires_at"].startswith(("2318", "2319"))
        await clock.advance(200)
        await asyncio.gather(*send("a"))
        await clock.advance(299)
        assert sorted(await ps(double)) == ["a", "b"]
        await clock.advance(1)
        assert sorted(await ps(double)) == ["b"]
        await clock.advance(1e6)
        assert sorted(await ps(double)) == ["b"]


# loading


async def test_a_load_takes_its_time_and_says_so():
    async with stage(timing=Timing(load=1.0, load_gib=0.5)) as (double, clock, send):
        [cold] = send("a")
        await clock.asleep()
        assert await ps(double) == {}
        await clock.advance(3.0)
        assert (await cold).json["load_duration"] == 3_000_000_000
        [warm] = await asyncio.gather(*send("a"))
    assert warm.json["load_duration"] < 10_000_000
    assert double.loads == [("a:latest", 4096)]


async def test_another_window_loads_the_model_anew_at_the_price_of_its_memory_coming_back():
    async with stage(timing=Timing(load=1.0, release=4.2)) as (double, clock, send):
        [first] = send("a")
        await clock.asleep()
        await clock.advance(1.0)
        await first
        [again] = send("a", options={"num_ctx": 8192})
        await clock.asleep()
        await clock.advance(5.2)
        assert (await again).json["load_duration"] == 5_200_000_000
    assert double.loads == [("a:latest", 4096), ("a:latest", 8192)]


async def test_windows_beyond_what_the_model_has_are_all_the_same():
    async with stage() as (double, _, send):
        for window in (50_000, 60_000, 32_768):
            await asyncio.gather(*send("a", options={"num_ctx": window}))
        await asyncio.gather(*send("a", options={"num_ctx": 32_768, "temperature": 0.5}))
        assert double.loads == [("a:latest", 32_768)]
        await asyncio.gather(*send("a", options={"num_ctx": 32_768, "num_gpu": 10}))
    assert double.loads == [("a:latest", 32_768)] * 2


async def test_a_reload_costs_what_it_cost_live_even_when_nobody_waits_for_it():
    async with stage() as (_, _, send):
        await asyncio.gather(*send("a"))
        [again] = await asyncio.gather(*send("a", options={"num_ctx": 512}))
    assert again.json["load_duration"] == 5_200_000_000


async def test_sixteen_requests_over_two_models_meet_a_full_queue_as_they_did_live():
    more = {"max_loaded": 1, "max_queue": 2, "parallel": 1, "timing": Timing(load=0.26)}
    async with stage(**more) as (double, clock, send):
        tasks = send(*"abababababababab")
        await double.received(16)
        await clock.asleep()
        await clock.drive(asyncio.wait(tasks))
        done = [task.result() for task in tasks]
    statuses = sorted(got.status for got in done)
    assert statuses == [200] * 3 + [503] * 13
    busy = next(got for got in done if got.status == 503)
    assert busy.json == {"error": "server busy, please try again.  maximum pending requests exceeded"}


async def test_a_model_that_answers_is_waited_for_and_so_does_everybody_behind():
    timing = Timing(token=1.0)
    async with stage(max_loaded=1, parallel=1, timing=timing, answer="done") as (double, clock, send):
        [first] = send("a")
        await clock.asleep()
        others = send("b", "c")
        await double.received(3)
        assert list(await ps(double)) == ["a"]
        assert double.scheduler.waiting() == 1
        await clock.advance(2.0)
        assert (await first).status == 200
        await clock.asleep()
        assert double.unloads == ["a:latest"]
        await clock.advance(2.0)
        await clock.asleep()
        await clock.advance(2.0)
        assert [got.status for got in await asyncio.gather(*others)] == [200, 200]
    assert [name for name, _ in double.loads] == ["a:latest", "b:latest", "c:latest"]


async def test_who_hangs_up_in_the_queue_leaves_it():
    async with stage(max_loaded=1, timing=Timing(load=1.0)) as (double, clock, send):
        [first] = send("a")
        await clock.asleep()
        async with asking(double.url, "POST", "/api/chat", chat("b")):
            await double.received(2)
            assert double.scheduler.waiting() == 1
        [last] = send("c")
        await double.received(3)
        await clock.advance(1.0)
        await first
        await clock.asleep()
        await clock.advance(1.0)
        assert (await last).status == 200
    assert [name for name, _ in double.loads] == ["a:latest", "c:latest"]


# slots


async def test_a_loaded_model_queues_without_a_bound_and_the_wait_is_in_no_figure_but_the_total():
    timing = Timing(token=0.5)
    async with stage(parallel=1, max_queue=2, timing=timing, answer="done") as (double, clock, send):
        tasks = send(*"aaaaaaaaaaaaaaaa")
        await double.received(16)
        await clock.drive(asyncio.wait(tasks))
        done = [task.result().json for task in tasks]
    last = max(done, key=lambda said: said["total_duration"])
    assert len(done) == 16
    assert 15e9 < last["total_duration"] < 17e9
    assert (last["load_duration"] < 30e6, last["eval_duration"]) == (True, 1_000_000_000)


@pytest.mark.parametrize("stream", [False, True])
async def test_so_many_answer_at_a_time_as_there_are_slots(stream):
    timing = Timing(prompt_token=0.1, token=1.0)
    async with stage(parallel=2, timing=timing) as (double, clock, send):
        tasks = send("a", "a", "a", stream=stream)
        await double.received(3)
        await clock.asleep(2)
        [runner] = double.running()
        assert (runner.slots.working, runner.slots.queued) == (2, 1)
        done = await clock.drive(asyncio.wait(tasks))
        assert all(task.result().lines[-1]["done"] for task in done[0])


async def test_who_hangs_up_gives_the_slot_back():
    async with stage(parallel=1, timing=Timing(token=5.0)) as (double, clock, send):
        async with asking(double.url, "POST", "/api/chat", chat(stream=True)) as reader:
            await clock.asleep()
            [next_] = send("a")
            await double.received(2)
            await clock.advance(8.0)
            await read_reply(reader, pieces=1)
        [runner] = double.running()
        while runner.slots.queued:
            await asyncio.sleep(0)
        await clock.asleep()
        await clock.advance(20.0)
        assert (await next_).status == 200


async def test_a_cloud_model_is_never_loaded_and_asks_who_is_there():
    models = {"big:cloud": ServedModel(remote_host="https://ollama.com:443")}
    async with stage(models=models) as (double, _, send):
        [got] = await asyncio.gather(*send("big:cloud"))
        assert (got.json["remote_host"], got.json["remote_model"]) == ("https://ollama.com:443", "big")
        assert await ps(double) == {}
        double.signed_in = False
        [refused] = await asyncio.gather(*send("big:cloud"))
    assert (refused.status, refused.json["error"]) == (401, "unauthorized")
    assert refused.json["signin_url"].startswith("https://ollama.com")
