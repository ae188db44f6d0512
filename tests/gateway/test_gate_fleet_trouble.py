"""What goes wrong with a fleet that the gate manages: engines that go and come back, odd names, lists that fail, busy lanes."""

import asyncio
from time import monotonic

import pytest
from test_gate_busy import with_wish

from gguf_files import random_model
from headgate.core.types import Failure
from headgate.testing import Answer, Fault, LMStudioDouble, ServedModel

GIB = 2**30
FINE = "Fine, thank you. It was a quiet morning at the desk."
LLAMA = ServedModel(context=131_072, size=5 * GIB)
HOME = {"x-headgate-privacy": "local_only"}


def with_models(*tables: str):
    """The page with more models, on a card of 24 GiB."""
    more = "\n".join([*tables, "[fleet]\nvram_gb = 24\n\n"])
    return lambda page: page.replace("[[routes]]", more + "[[routes]]", 1)


async def states(bench) -> dict[str, str]:
    shown = (await bench.send("GET", "/admin/fleet")).json
    return {lane["model"]: lane["state"] for lane in shown["lanes"]}


async def somebody_waits(bench) -> None:
    while not bench.gate.road.fleet.admission.scheduler.waiting:
        await asyncio.sleep(0)


async def test_a_model_without_a_tag_is_known_again_in_memory(open_bench):
    library = {
        "llama3.1:8b": LLAMA,
        "nomic-embed-text": ServedModel(context=2048, size=GIB // 4, kind="embedding", family="nomic-bert"),
    }
    nomic = '[models.nomic]\nengine = "ollama"\nid = "nomic-embed-text"\nkind = "embedding"\ncontext = 2048\n'
    async with open_bench(manage=True, library=library, change=with_models(nomic)) as bench:
        said = await bench.send("POST", "/v1/embeddings", b'{"model": "nomic", "input": "hello"}')
        assert said.status == 200
        await bench.gate.road.fleet.look()
        assert (await states(bench))["nomic"] == "ready"
        shown = (await bench.send("GET", "/admin/fleet")).json
        assert shown["engines"]["ollama"]["foreign_memory"] == 0


async def test_a_model_of_which_nobody_says_what_it_takes_takes_its_files_size_at_least(open_bench):
    served = {"somebody/unheard-of": ServedModel(size=5 * GIB, context=8192, loaded=True)}
    async with LMStudioDouble(served) as studio:
        engine = f'[engines.studio]\nkind = "lmstudio"\nurl = "{studio.url}"\n'
        model = '[models.odd]\nengine = "studio"\nid = "somebody/unheard-of"\n'
        async with open_bench(manage=True, change=with_models(engine, model)) as bench:
            for _ in range(2):
                shown = (await bench.send("GET", "/admin/fleet")).json
                assert shown["engines"]["studio"]["foreign_memory"] == 5 * GIB
                await bench.gate.road.fleet.look()


async def test_a_cloud_model_under_a_name_without_a_tag_is_not_taken_for_one_at_home(open_bench):
    library = {"llama3.1:8b": LLAMA, "big": ServedModel(remote_host="https://ollama.com:443")}
    big = '[models.big]\nengine = "ollama"\nid = "big"\n'
    async with open_bench(library=library, change=with_models(big)) as bench:
        said = await bench.ask(model="big", headers=HOME)
        assert said.status == 503
        assert "somebody else's machines" in said.json["error"]["message"]
        bench.ollama.inject(Fault.refuse())
        await bench.gate.road.fleet.look()
        bench.ollama.clear()
        bench.ollama.inject(Fault.server_error(), path="/api/tags")
        await bench.gate.road.fleet.look()
        said = await bench.ask(model="big", headers=HOME)
        assert said.status == 503, "what was known is not forgotten because a list failed"


async def test_an_engine_that_cannot_say_at_first_what_is_in_its_memory_is_asked_again(open_bench):
    async with open_bench(manage=True) as bench:
        fleet = bench.gate.road.fleet
        loaded, fleet.engines["ollama"].loaded = fleet.engines["ollama"].loaded, says_nothing
        fleet.to_learn.add("ollama")
        await bench.ask(model="llama")
        await fleet.look()
        fleet.engines["ollama"].loaded = loaded
        assert fleet.to_learn == {"ollama"}
        await fleet.look()
        assert fleet.to_learn == set()
        assert (await states(bench))["llama"] == "ready"


async def says_nothing() -> Failure:
    return Failure(reason="http_error", detail="starting", status=503)


async def test_a_model_that_is_fetched_while_the_gate_runs_is_managed_from_its_first_use_on(open_bench):
    own = '[models.own]\nengine = "ollama"\nid = "my-own:7b"\ncontext = 8192\n'
    async with open_bench(manage=True, library={"llama3.1:8b": LLAMA}, change=with_models(own)) as bench:
        assert (await bench.ask(model="own")).status == 503
        assert (await states(bench))["own"] == "unmanaged"
        bench.ollama.models["my-own:7b"] = LLAMA
        assert (await bench.ask(model="own")).status == 200
        await bench.gate.road.fleet.look()  # sees something new …
        await bench.gate.road.fleet.look()  # … and asks about it
        assert (await states(bench))["own"] == "ready"


async def test_a_model_is_loaded_as_soon_as_its_engine_is_back_whatever_failed_before(open_bench):
    async with open_bench(manage=True) as bench:
        fleet = bench.gate.road.fleet
        bench.ollama.inject(Fault.refuse())
        assert (await bench.ask(model="llama")).status == 503
        for _ in range(2):
            await fleet.look()
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        bench.ollama.clear()
        await fleet.look()
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"


async def test_who_waits_for_an_engine_that_does_not_answer_any_more_goes_elsewhere(open_bench):
    slow = Answer(FINE, delay=30)
    async with open_bench(local=slow, ollama_more="parallel = 1", queue_for="4s") as bench:
        fleet = bench.gate.road.fleet
        first = asyncio.create_task(bench.ask(model="llama"))
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        second = asyncio.create_task(bench.ask())
        await somebody_waits(bench)
        bench.ollama.inject(Fault.server_error(), path="/api/version", times=None)
        await fleet.look()
        assert fleet.admission.scheduler.waiting, "once may be chance"
        await fleet.look()
        said = await second
        assert said.headers["x-headgate-model"] == "claude"
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"llama": "down"}
        first.cancel()


async def test_an_engine_that_refused_once_is_looked_at_soon(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.refuse())
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        assert "ollama" in bench.gate.road.fleet.down
        bench.ollama.clear()
        async with asyncio.timeout(4):  # the looks without a reason are five seconds apart
            while bench.gate.road.fleet.down:
                await asyncio.sleep(0)
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"


async def test_a_route_that_pays_waits_at_home_where_it_may_not_pay(open_bench):
    slow = Answer(FINE, delay=0.3)
    page = with_wish('when_busy = "pay"', second="qwen2.5-coder:7b")
    async with open_bench(local=slow, queue_for="10ms", ollama_more="parallel = 1", change=page) as bench:
        asked = await asyncio.gather(bench.ask(headers=HOME), bench.ask(headers=HOME))
        assert sorted(said.headers["x-headgate-model"] for said in asked) == ["llama", "second"]


async def test_a_busy_model_is_not_loaded_anew_with_a_longer_context(open_bench):
    def two_lanes(page: str) -> str:
        longer = page.replace("context = 8192", "context = [2048, 8192]")
        return longer.replace("tokens_over = 4000", "tokens_over = 40000")

    slow = Answer(FINE, delay=0.3)
    async with open_bench(
        manage=True, local=slow, queue_for="10ms", ollama_more="parallel = 1", change=two_lanes
    ) as bench:
        await bench.ask()
        asked = await asyncio.gather(bench.ask(), bench.ask())
        assert sorted(said.headers["x-headgate-model"] for said in asked) == ["claude", "llama"]
        scheduler = bench.gate.road.fleet.admission.scheduler
        assert not scheduler.waiting, "nobody wants the longer lane"
        assert bench.ollama.loads == [("llama3.1:8b", 2048)]


async def test_a_trial_that_finds_no_slot_leaves_the_next_one_its_chance(open_bench):
    slow = Answer(FINE, delay=0.3)
    async with open_bench(local=slow, queue_for="10ms", ollama_more="parallel = 1") as bench:
        fleet = bench.gate.road.fleet
        busy = asyncio.create_task(bench.ask(model="llama"))
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        failure = Failure(reason="http_error", detail="broken", status=500, retry_after=60.0)
        fleet.note(fleet.models["llama"], failure)
        fleet.breakers["llama"].open_until = monotonic()  # its pause is over
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        assert fleet.try_again("llama")
        await busy


async def test_a_broken_file_does_not_take_the_embedded_engine_from_the_others(open_bench, tmp_path):
    pytest.importorskip("xllamacpp")
    broken = tmp_path / "broken.gguf"
    broken.write_text("This is no model.")
    whole = random_model(tmp_path / "whole.gguf")
    more = '[engines.embedded]\nkind = "llamacpp"\n'
    for name, path in (("broken", broken), ("whole", whole)):
        more += f'[models.{name}]\nengine = "embedded"\nid = "{path}"\ncontext = 512\n'
    async with open_bench(manage=True, change=with_models(more)) as bench:
        said = await bench.ask(model="broken")
        assert "it is not a GGUF file" in said.json["error"]["message"]
        assert bench.gate.road.fleet.down == {}
        assert (await bench.ask(model="whole", max_tokens=4)).status == 200
