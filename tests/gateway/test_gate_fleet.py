"""The gate says what is loaded: through a real gate, on doubles of Ollama that keep state."""

import asyncio
from contextlib import asynccontextmanager

from headgate.engines.transport import Clocks, HttpTransport
from headgate.testing import Answer, Fault, ServedModel

CLOCKS = Clocks(connect=5, first_byte=30, between_bytes=30, total=60)
GIB = 2**30
TWO = {
    "llama3.1:8b": ServedModel(context=131_072, size=5 * GIB),
    "qwen2.5-coder:7b": ServedModel(context=32_768, family="qwen2", size=5 * GIB),
}


def two_models(vram: float):
    """The page with a second model on a card of so many GiB, of which half a GiB stays free."""

    def change(page: str) -> str:
        second = (
            '[models.coder]\nengine = "ollama"\nid = "qwen2.5-coder:7b"\ncontext = 8192\n\n'
            f"[fleet]\nvram_gb = {vram}\n\n"
            '[[routes]]\nname = "code"\ntasks = ["code"]\ntry = ["coder", "claude"]\n\n'
        )
        return page.replace("[[routes]]", second + "[[routes]]", 1)

    return change


def lanes(shown) -> dict[str, str]:
    return {lane["model"]: lane["state"] for lane in shown["lanes"]}


async def test_a_model_is_loaded_with_its_context_before_it_is_asked_and_stays(open_bench):
    async with open_bench(manage=True) as bench:
        first, second = await bench.ask(), await bench.ask()
        assert [said.headers["x-headgate-model"] for said in (first, second)] == ["llama", "llama"]
        assert bench.ollama.loads == [("llama3.1:8b", 8192)]
        outcomes = await bench.written(2)
        assert all(len(outcome.attempts) == 1 for outcome in outcomes)


async def test_a_model_that_does_not_fit_beside_another_waits_until_that_one_is_idle(open_bench):
    slow = Answer("def f():\n    return 1", delay=0.3)
    async with open_bench(
        manage=True, library=TWO, local=slow, queue_for="4s", change=two_models(14)
    ) as bench:
        one = asyncio.create_task(bench.ask(model="llama"))
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        other = asyncio.create_task(bench.ask(model="coder"))
        while not bench.gate.road.fleet.admission.scheduler.waiting:
            await asyncio.sleep(0)
        assert bench.ollama.unloads == [], "nothing is unloaded under a request"
        assert (await one).status == 200
        assert (await other).headers["x-headgate-model"] == "coder"
        assert [name for name, _ in bench.ollama.loads] == ["llama3.1:8b", "qwen2.5-coder:7b"]
        shown = (await bench.send("GET", "/admin/fleet")).json
        assert lanes(shown) == {"llama": "out", "coder": "ready", "claude": "unmanaged"}
        assert [model["name"] for model in (await bench.send("GET", "/api/ps")).json["models"]] == [
            "coder:latest"
        ]


async def test_two_models_that_fit_together_stay_together(open_bench):
    async with open_bench(manage=True, library=TWO, change=two_models(24)) as bench:
        for _ in range(3):
            await bench.ask(model="llama")
            await bench.ask(model="coder")
        assert sorted(name for name, _ in bench.ollama.loads) == ["llama3.1:8b", "qwen2.5-coder:7b"]
        assert bench.ollama.unloads == []


async def test_a_load_that_fails_is_no_answer_and_somebody_else_gives_one(open_bench):
    async with open_bench(manage=True) as bench:
        bench.ollama.inject(Fault.server_error(), times=1, path="/api/generate")
        said = await bench.ask()
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "engine unavailable"
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"llama": "down"}
        detail = outcome.decision.candidates[0].detail
        assert "unexpectedly stopped" in detail
        again = await bench.ask()
        assert again.headers["x-headgate-model"] == "claude", "it is left alone for a while"
        shown = (await bench.send("GET", "/admin/fleet")).json
        assert next(lane for lane in shown["lanes"] if lane["model"] == "llama")["why_not"] == detail


async def test_a_model_that_the_engine_does_not_have_says_so_in_one_line(open_bench):
    async with open_bench(manage=True, library={"other:1b": ServedModel()}) as bench:
        said = await bench.ask(model="llama")
        assert said.status == 503
        assert "Ollama has no llama3.1:8b" in said.json["error"]["message"]


async def test_a_model_that_is_bigger_than_the_machine_is_left_to_others(open_bench):
    big = {"llama3.1:8b": ServedModel(context=131_072, size=900 * GIB)}

    def change(page: str) -> str:
        return page.replace("[[routes]]", "[fleet]\nram_gb = 16\n\n[[routes]]", 1)

    async with open_bench(manage=True, library=big, change=change) as bench:
        said = await bench.ask()
        assert said.headers["x-headgate-model"] == "claude"
        (outcome,) = await bench.written()
        assert "GiB" in outcome.decision.candidates[0].detail
        assert bench.ollama.loads == []


async def test_what_others_load_and_unload_is_seen_at_the_next_look(open_bench):
    async with open_bench(manage=True, library=TWO, change=two_models(24)) as bench:
        fleet = bench.gate.road.fleet
        unload = b'{"model": "llama3.1:8b", "keep_alive": 0}'
        await bench.ask(model="llama")
        free = fleet.admission.scheduler.free("GPU")
        async with beside(bench.ollama.url) as ollama:
            await ollama("/api/generate", unload)
            await fleet.look()
            assert lanes((await bench.send("GET", "/admin/fleet")).json)["llama"] == "out"
            assert fleet.admission.scheduler.free("GPU") > free
        assert (await bench.ask(model="llama")).status == 200


@asynccontextmanager
async def beside(url: str):
    """Somebody else who speaks to the engine."""
    transport = HttpTransport(url)

    async def post(path: str, body: bytes):
        return await transport.request("POST", path, headers=(), body=body, clocks=CLOCKS)

    try:
        yield post
    finally:
        await transport.close()


async def test_a_longer_lane_is_loaded_for_a_long_prompt_and_serves_short_ones_from_then_on(open_bench):
    def change(page: str) -> str:
        return page.replace("context = 8192", "context = [2048, 8192]").replace(
            "tokens_over = 4000", "tokens_over = 40000"
        )

    async with open_bench(manage=True, change=change) as bench:
        for text in ("hello", "word " * 3000, "hello again"):
            assert (await bench.ask(text)).status == 200
        assert bench.ollama.loads == [("llama3.1:8b", 2048), ("llama3.1:8b", 8192)]
        windows = [call.json["options"]["num_ctx"] for call in bench.ollama.calls if call.path == "/api/chat"]
        assert windows == [2048, 8192, 8192]


async def test_a_model_that_could_not_be_waited_for_is_loaded_all_the_same(open_bench):
    def pays(page: str) -> str:
        return page.replace('name = "everything else"', 'name = "everything else"\nwhen_busy = "pay"')

    async with open_bench(manage=True, queue_for="1ms", change=pays) as bench:
        lane = bench.gate.road.fleet.admission.scheduler.lanes["llama"]
        lane.load_seconds = 5.0  # as it would have been measured
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        async with asyncio.timeout(60):
            while lane.state != "ready":
                await asyncio.sleep(0)
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"


async def test_time_for_loading_does_not_count_against_the_patience_of_a_route(open_bench):
    async with open_bench(manage=True, queue_for="1ms") as bench:
        lane = bench.gate.road.fleet.admission.scheduler.lanes["llama"]
        lane.load_seconds = 2.0  # as it would have been measured
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"
        assert bench.ollama.loads == [("llama3.1:8b", 8192)]


async def test_a_model_is_never_loaded_with_more_context_than_it_was_trained_for(open_bench):
    short = {"llama3.1:8b": ServedModel(context=4096, size=5 * GIB)}
    async with open_bench(manage=True, library=short) as bench:
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"
        assert bench.ollama.loads == [("llama3.1:8b", 4096)]
        await bench.gate.road.fleet.look()
        assert lanes((await bench.send("GET", "/admin/fleet")).json)["llama"] == "ready"
