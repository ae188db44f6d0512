"""Requests that a worker answers in place of one model: through every door, whole and streamed, and what becomes of failures."""

import asyncio
import json
from importlib import import_module

import pytest
from msgspec.structs import replace

from headgate.core.types import GiveUp, Message, Outcome
from headgate.gateway.services import Worked

HELLO = [{"role": "user", "content": "How are you?"}]


class Twice:
    """Asks the gate's models the same thing twice, and answers with both answers."""

    def __init__(self, gate, ask=None):
        self.gate = gate
        self.ask = ask or gate.ask
        self.seen = []
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()

    def takes(self, request):
        return request.asked.startswith("agent:kb:")

    async def work(self, request, *, caller) -> Worked:
        self.seen.append((request, caller))
        self.begun.set()
        plain = replace(request, asked="auto", messages=(Message("user", "Say it."),), stream=False)
        try:
            first, _ = await self.ask(plain)
            second, outcome = await self.ask(replace(plain, id=request.id[:-1] + "x"))
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if isinstance(first, GiveUp) or isinstance(second, GiveUp):
            return Worked(GiveUp("there is nobody"), outcome)
        return Worked(replace(second, text=f"{first.text} {second.text}"), outcome)


def put(bench, worker):
    bench.gate.workers.insert(0, worker)
    bench.gate.http.intake.brought = lambda: ["kb:handbook"]
    return worker


ANSWER = "Fine, thank you. It was a quiet morning at the desk."


async def test_a_worker_answers_through_every_door(open_bench):
    async with open_bench() as bench:
        worker = put(bench, Twice(bench.gate))
        model = "agent:kb:handbook"
        asks = {
            "/v1/chat/completions": {"messages": HELLO},
            "/v1/messages": {"messages": HELLO, "max_tokens": 50},
            "/v1/responses": {"input": "How are you?"},
            "/v1/completions": {"prompt": "How are you?"},
            "/api/chat": {"messages": HELLO, "stream": False},
            "/api/generate": {"prompt": "How are you?", "stream": False},
        }
        for path, body in asks.items():
            said = await bench.send(
                "POST", path, json.dumps({"model": model} | body).encode(), x_headgate_caller="ann"
            )
            assert said.status == 200, path
            assert f"{ANSWER} {ANSWER}" in said.body.decode(), path
            assert said.headers["x-headgate-model"] == "llama"
            assert said.headers["x-headgate-status"] == "ok"
        assert {caller for _, caller in worker.seen} == {"ann"}
        assert all(not request.agent for request, _ in worker.seen), "no agent's prompt was put on them"
        assert len(await bench.written(12)) == 12, "each request to a model has its row"


async def test_a_worker_streams_its_answer_in_the_words_of_each_door(open_bench):
    async with open_bench() as bench:
        put(bench, Twice(bench.gate))
        client = import_module("openai").AsyncOpenAI(
            api_key="none", base_url=f"{bench.url}/v1", max_retries=0
        )
        pieces = await client.chat.completions.create(
            model="agent:kb:handbook", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        text, usage = "", None
        async for piece in pieces:
            text += "".join(choice.delta.content or "" for choice in piece.choices)
            usage = piece.usage or usage
        assert text == f"{ANSWER} {ANSWER}"
        assert usage.completion_tokens > 0
        claude = import_module("anthropic").AsyncAnthropic(api_key="none", base_url=bench.url, max_retries=0)
        async with claude.messages.stream(model="agent:kb:handbook", messages=HELLO, max_tokens=50) as stream:
            assert await stream.get_final_text() == f"{ANSWER} {ANSWER}"
        lines = await bench.send(
            "POST", "/api/chat", json.dumps({"model": "agent:kb:handbook", "messages": HELLO}).encode()
        )
        said = [json.loads(line) for line in lines.body.splitlines()]
        assert "".join(line["message"]["content"] for line in said) == f"{ANSWER} {ANSWER}"
        assert said[-1]["done"]


async def test_a_stream_shows_signs_of_life_while_its_worker_works(open_bench):
    async with open_bench() as bench:

        async def slow(request):
            await asyncio.sleep(0.2)
            return await bench.gate.ask(request)

        put(bench, Twice(bench.gate, slow))
        said = await bench.ask(model="agent:kb:handbook", stream=True)
    assert said.body.startswith(b": ")
    assert said.body.count(b"\n: ") >= 2
    assert said.streamed == f"{ANSWER} {ANSWER}"
    assert said.body.endswith(b"data: [DONE]\n\n")


async def test_a_caller_who_hangs_up_takes_the_worker_with_him(open_bench):
    async with open_bench() as bench:
        waiting = asyncio.Event()

        async def never(_request):
            await waiting.wait()

        worker = put(bench, Twice(bench.gate, never))
        for stream in (True, False):
            worker.begun.clear()
            worker.cancelled.clear()
            asking = asyncio.create_task(bench.ask(model="agent:kb:handbook", stream=stream))
            await asyncio.wait_for(worker.begun.wait(), 10)
            asking.cancel()
            await asyncio.wait_for(worker.cancelled.wait(), 10)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_worker_that_gives_up_is_an_error_in_the_doors_envelope(open_bench, stream):
    async with open_bench() as bench:

        async def nobody(request) -> tuple[GiveUp, Outcome]:
            _, outcome = await bench.gate.ask(request)
            return GiveUp("there is nobody"), outcome

        put(bench, Twice(bench.gate, nobody))
        said = await bench.ask(model="agent:kb:handbook", stream=stream)
        body = json.dumps(
            {"model": "agent:kb:handbook", "messages": HELLO, "max_tokens": 9, "stream": stream}
        )
        other = await bench.send("POST", "/v1/messages", body.encode())
    assert said.status == 503
    assert said.json["error"]["message"].startswith("there is nobody")
    assert said.headers["x-should-retry"] == "false"
    assert other.json["type"] == "error"


async def test_a_worker_that_breaks_is_our_mistake_and_said_so(open_bench):
    async with open_bench() as bench:

        async def broken(_request):
            raise RuntimeError

        put(bench, Twice(bench.gate, broken))
        for stream in (False, True):
            said = await bench.ask(model="agent:kb:handbook", stream=stream)
            assert said.status == 500
        assert (await bench.ask()).status == 200


async def test_a_workers_agents_are_listed_and_others_are_not_there(open_bench):
    async with open_bench() as bench:
        put(bench, Twice(bench.gate))
        listed = (await bench.send("GET", "/v1/models")).json["data"]
        assert "agent:kb:handbook" in [one["id"] for one in listed]
        assert (await bench.send("GET", "/v1/models/agent:kb:handbook")).status == 200
        tags = (await bench.send("GET", "/api/tags")).json["models"]
        assert "agent:kb:handbook" in [one["name"] for one in tags]
        shown = await bench.send("POST", "/api/show", b'{"model": "agent:kb:handbook"}')
        assert shown.status == 200
        missing = await bench.ask(model="agent:kb:handbok")
        assert (missing.status, missing.json["error"]["code"]) == (404, "agent_not_found")
        assert missing.json["error"]["hint"] == 'did you mean "kb:handbook"?'


async def test_an_item_of_a_workers_answer_can_be_named_later(open_bench):
    async with open_bench() as bench:
        put(bench, Twice(bench.gate))
        client = import_module("openai").AsyncOpenAI(
            api_key="none", base_url=f"{bench.url}/v1", max_retries=0
        )
        first = await client.responses.create(model="agent:kb:handbook", input="How are you?")
        named = [{"type": "item_reference", "id": item.id} for item in first.output]
        ask = {"role": "user", "content": "And now?"}
        await client.responses.create(model="llama", input=[*named, ask])
        told = bench.ollama.calls[-1].fields["messages"]
    assert told[0] == {"role": "assistant", "content": f"{ANSWER} {ANSWER}"}
