"""What happens when a model at home is busy: who waits, who goes elsewhere, and in which order people are served."""

import asyncio
import json
import sys

import pytest

from headgate.testing import Answer

SLOW = Answer("Fine, thank you. It was a quiet morning at the desk.", delay=0.3)
ONE_SLOT = "parallel = 1"


def with_wish(wish: str, second: str = ""):
    """The page with a wish on its last route, and with a second model at home if one is named."""

    def change(page: str) -> str:
        chain = '["llama", "second", "claude"]' if second else '["llama", "claude"]'
        more = f'[models.second]\nengine = "other"\nid = "{second}"\n\n' if second else ""
        engine = page[page.index("[engines.ollama]") : page.index("[engines.anthropic]")]
        more += engine.replace("[engines.ollama]", "[engines.other]") if second else ""
        page = page.replace(
            'name = "everything else"\ntry = ["llama", "claude"]',
            f'name = "everything else"\ntry = {chain}\n{wish}',
        )
        return page.replace("[[routes]]", more + "[[routes]]", 1)

    return change


async def answered_by(*asked) -> list[str]:
    return [said.headers.get("x-headgate-model", str(said.status)) for said in await asyncio.gather(*asked)]


async def test_a_route_that_wishes_to_wait_waits_beyond_queue_for(open_bench):
    page = with_wish('when_busy = "wait"')
    async with open_bench(local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT, change=page) as bench:
        assert await answered_by(*(bench.ask() for _ in range(3))) == ["llama"] * 3
        assert bench.ollama.peak_in_flight == 1


async def test_the_next_model_at_home_comes_before_a_paid_one(open_bench):
    page = with_wish('when_busy = "next"', second="qwen2.5-coder:7b")
    async with open_bench(local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT, change=page) as bench:
        assert sorted(await answered_by(bench.ask(), bench.ask(), bench.ask())) == [
            "claude",
            "llama",
            "second",
        ]


async def test_a_route_that_rather_pays_goes_past_all_models_at_home(open_bench):
    page = with_wish('when_busy = "pay"', second="qwen2.5-coder:7b")
    async with open_bench(local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT, change=page) as bench:
        assert sorted(await answered_by(bench.ask(), bench.ask())) == ["claude", "llama"]
        outcomes = await bench.written(2)
        paid = next(outcome for outcome in outcomes if outcome.model == "claude")
        assert paid.fallback == "engine busy"
        assert paid.decision.skipped == {"llama": "busy", "second": "busy"}


async def test_who_has_nobody_else_to_go_to_waits(open_bench):
    home = {"x-headgate-privacy": "local_only"}
    async with open_bench(local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT) as bench:
        assert await answered_by(*(bench.ask(headers=home) for _ in range(3))) == ["llama"] * 3


async def test_a_spent_budget_makes_waiting_the_only_way(open_bench):
    async with open_bench(
        local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT, limits="paid_per_day = 0.000001"
    ) as bench:
        assert await answered_by(bench.ask(), bench.ask()) == ["llama", "llama"]


async def test_a_wait_beyond_the_callers_own_deadline_is_refused_at_once(open_bench):
    home = {"x-headgate-privacy": "local_only"}
    async with open_bench(local=SLOW, ollama_more=ONE_SLOT) as bench:
        await bench.ask()  # from here on the pace is known
        waiting = [asyncio.create_task(bench.ask(headers=home)) for _ in range(6)]
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        said = await bench.ask(headers=home | {"x-headgate-within": "0.5"})
        assert bench.ollama.in_flight, "it did not wait for the others"
        assert (said.status, said.json["error"]["code"]) == (503, "engine_busy")
        assert "s to wait" in said.json["error"]["message"]
        assert float(said.headers["retry-after"]) > 0
        await asyncio.gather(*waiting)


async def test_people_are_served_before_a_batch(open_bench):
    async with open_bench(local=SLOW, queue_for="5s", ollama_more=ONE_SLOT) as bench:
        first = asyncio.create_task(bench.ask("first"))
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        batch = {"x-headgate-priority": "batch"}
        tasks = [asyncio.create_task(bench.ask(f"batch {n}", headers=batch)) for n in range(2)]
        while bench.gate.road.fleet.admission.scheduler.waiting < 2:
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(bench.ask("a person")))
        await asyncio.gather(first, *tasks)
        asked = [
            call.json["messages"][-1]["content"] for call in bench.ollama.calls if call.path == "/api/chat"
        ]
        assert asked == ["first", "a person", "batch 0", "batch 1"]


@pytest.mark.parametrize("wish", ["next", "pay"])
async def test_a_batch_waits_for_its_models_at_home_and_pays_nobody_meanwhile(open_bench, wish):
    page = with_wish(f'when_busy = "{wish}"')
    batch = {"x-headgate-priority": "batch"}
    async with open_bench(local=SLOW, queue_for="10ms", ollama_more=ONE_SLOT, change=page) as bench:
        people = bench.ask("a person")
        assert await answered_by(people, *(bench.ask(headers=batch) for _ in range(3))) == ["llama"] * 4
        assert not bench.claude.calls


async def test_the_time_of_a_batchs_request_begins_when_it_is_served(open_bench):
    def two_seconds(page: str) -> str:
        return page.replace('answer_within = "5s"', 'answer_within = "2s"')

    batch = {"x-headgate-priority": "batch"}
    async with open_bench(local=SLOW, ollama_more=ONE_SLOT, change=two_seconds) as bench:
        assert await answered_by(*(bench.ask(headers=batch) for _ in range(8))) == ["llama"] * 8
        outcomes = await bench.written(8)
        assert max(outcome.seconds for outcome in outcomes) > 2, "what it waited is not hidden"


async def test_one_callers_many_requests_wait_for_each_other_and_not_others_for_them(open_bench):
    async with open_bench(local=SLOW, queue_for="5s", ollama_more=ONE_SLOT) as bench:
        many = [
            asyncio.create_task(bench.ask(f"many {n}", headers={"x-headgate-caller": "ann"}))
            for n in range(4)
        ]
        while bench.gate.road.fleet.admission.scheduler.waiting < 3:
            await asyncio.sleep(0)
        one = asyncio.create_task(bench.ask("one", headers={"authorization": "Bearer ben"}))
        await asyncio.gather(one, *many)
        asked = [
            call.json["messages"][-1]["content"] for call in bench.ollama.calls if call.path == "/api/chat"
        ]
        assert asked.index("one") <= 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
async def test_without_a_key_the_address_tells_callers_apart(open_bench):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    async with open_bench(local=SLOW, queue_for="5s", ollama_more=ONE_SLOT) as bench:
        port = int(bench.url.rpartition(":")[2])
        first = asyncio.create_task(bench.ask())
        while not bench.ollama.in_flight:
            await asyncio.sleep(0)
        writers = []
        for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            writer.write(head + body)
            writers.append(writer)
        while bench.gate.road.fleet.admission.scheduler.waiting < 3:
            await asyncio.sleep(0)
        shown = (await bench.send("GET", "/admin/fleet")).json
        lane = next(lane for lane in shown["lanes"] if lane["model"] == "llama")
        assert lane["waiting_by_caller"] == [2, 1]
        for writer in writers:
            writer.close()
        await first


async def test_a_priority_that_there_is_not_is_an_error_with_the_words_that_there_are(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(headers={"x-headgate-priority": "urgent"})
        assert said.status == 400
        assert "interactive" in said.json["error"]["message"]


# ── Lanes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def two_lanes(page: str) -> str:
    return page.replace("context = 8192", "context = [2048, 8192]").replace(
        "tokens_over = 4000", "tokens_over = 40000"
    )


def windows(bench) -> list[int]:
    return [call.json["options"]["num_ctx"] for call in bench.ollama.calls if call.path == "/api/chat"]


async def test_the_shortest_lane_that_fits_is_used_and_the_longer_one_before_the_cloud(open_bench):
    async with open_bench(change=two_lanes) as bench:
        short = await bench.ask()
        longer = await bench.ask("word " * 3000)
        beyond = await bench.ask("word " * 12_000)
        models = [said.headers["x-headgate-model"] for said in (short, longer, beyond)]
        assert models == ["llama", "llama@8k", "claude"]
        assert beyond.headers["x-headgate-reason"] == "token count"
        assert windows(bench) == [2048, 8192]


async def test_a_model_asked_for_by_name_comes_with_its_longer_lanes_and_they_are_not_listed(open_bench):
    async with open_bench(change=two_lanes) as bench:
        said = await bench.ask("word " * 3000, model="llama")
        assert said.headers["x-headgate-model"] == "llama@8k"
        listed = (await bench.send("GET", "/v1/models")).json["data"]
        assert "llama" in [model["id"] for model in listed]
        assert not any("@" in model["id"] for model in listed)


async def test_when_the_longer_lane_fails_its_check_that_is_the_reason_and_not_the_size(open_bench):
    refusal = "I'm sorry, but I can't help with that."
    async with open_bench(change=two_lanes, local=refusal) as bench:
        said = await bench.ask("word " * 3000)
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "quality check failed"


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_fleet_shows_who_runs_and_who_waits(open_bench):
    async with open_bench(local=SLOW, queue_for="5s", ollama_more=ONE_SLOT) as bench:
        tasks = [asyncio.create_task(bench.ask()) for _ in range(3)]
        while bench.gate.road.fleet.admission.scheduler.waiting < 2:
            await asyncio.sleep(0)
        shown = (await bench.send("GET", "/admin/fleet")).json
        lane = next(lane for lane in shown["lanes"] if lane["model"] == "llama")
        assert (lane["running"], lane["waiting"], lane["waiting_by_caller"]) == (1, 2, [2])
        assert shown["engines"]["ollama"]["slots"] == 1
        await asyncio.gather(*tasks)
