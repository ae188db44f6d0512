"""Items of earlier answers, named by OpenAI's official client instead of sent again, as Vercel's AI SDK does by default."""

import json
import sqlite3
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI

from headgate.testing import Answer, Fault, ToolCall

KEEP = "keep_bodies = true"
TOWNS = ("Ulm", "Bonn")
CALLS = tuple(ToolCall("weather", {"town": town}) for town in TOWNS)
WORDS = "I look at both towns for you, one moment."
LAST = "It is 21 degrees in Ulm and 19 in Bonn."
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
ASK = {"role": "user", "content": "How warm is it in Ulm and in Bonn?"}


def works_with_tools(call):
    """An engine that speaks, thinks and calls twice, and is content with the results."""
    told = json.dumps(call.messages[-1])
    if call.messages[-1]["role"] == "tool" or "tool_result" in told:
        return LAST
    return Answer(WORDS, reasoning="Two towns.", tool_calls=CALLS, finish="tool_calls", chunk_delay=0.001)


@asynccontextmanager
async def opened(open_bench, answer=works_with_tools, **more):
    """A gate whose models can call tools, and the official client."""

    def change(page: str) -> str:
        can = 'capabilities = ["tools", "thinking", "json", "schema"]'
        return page.replace('id = "llama3.1:8b"', f'id = "llama3.1:8b"\n{can}')

    async with (
        open_bench(local=answer, paid=answer, change=change, **more) as bench,
        AsyncOpenAI(base_url=f"{bench.url}/v1", api_key="not-a-key", max_retries=0) as client,
    ):
        yield bench, client.responses


async def ask_first(responses, *, stream=False, **more):
    """The first step of a loop of tools."""
    more = {"model": "llama", "input": [ASK], "tools": [TOOL]} | more
    if not stream:
        return await responses.create(**more)
    events = [event async for event in await responses.create(**more, stream=True)]
    return events[-1].response


def second_step(first) -> list[dict]:
    """The second: every item of the first by its id, and the results."""
    calls = [item for item in first.output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "warm"} for call in calls]
    return [ASK, *names_of(first), *results]


def names_of(response) -> list[dict]:
    return [{"type": "item_reference", "id": item.id} for item in response.output]


def chats(double) -> list:
    return [call for call in double.calls if call.method == "POST" and call.messages]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mode", ["hold", "pass"])
async def test_a_loop_of_tools_goes_on_from_the_names_of_items_alone(open_bench, stream, mode):
    async with opened(open_bench, mode=mode) as (bench, responses):
        first = await ask_first(responses, stream=stream)
        kinds = [item.type for item in first.output]
        assert kinds == ["reasoning", "message", "function_call", "function_call"]
        last = await responses.create(model="llama", input=second_step(first), tools=[TOOL])
        assert last.output_text == LAST
        _, answer, *results = chats(bench.ollama)[-1].messages
        assert answer["content"] == WORDS
        assert [call["function"]["arguments"] for call in answer["tool_calls"]] == [
            {"town": town} for town in TOWNS
        ]
        assert [result["role"] for result in results] == ["tool", "tool"]


async def test_the_names_mean_the_same_to_an_engine_of_another_dialect(open_bench):
    async with opened(open_bench) as (bench, responses):
        first = await ask_first(responses)
        last = await responses.create(model="claude", input=second_step(first), tools=[TOOL])
        assert last.output_text == LAST
        _, answer, results = chats(bench.claude)[-1].messages
        called = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
        assert called == [result["tool_use_id"] for result in results["content"]]
        assert len(called) == 2


async def test_nothing_is_written_for_it(open_bench):
    async with opened(open_bench) as (bench, responses):
        first = await ask_first(responses)
        assert first.to_dict()["store"] is False
        await responses.create(model="llama", input=second_step(first), tools=[TOOL])
        await bench.written(2)
        with sqlite3.connect(bench.ledger) as db:
            assert WORDS not in "\n".join(db.iterdump())


async def test_a_prompt_with_names_is_counted_in_full(open_bench):
    async with opened(open_bench, "A word. " * 500) as (_, responses):
        first = await responses.create(model="llama", input="Tell me all.")
        counted = await responses.input_tokens.count(model="llama", input=[ASK, *names_of(first)])
        assert counted.input_tokens > 1000


async def test_an_unknown_item_raises_the_clients_own_error_and_says_what_to_do(open_bench):
    async with opened(open_bench) as (bench, responses):
        gone = {"type": "item_reference", "id": "msg_019a0000000ffffffff_0"}
        with pytest.raises(openai.NotFoundError, match="msg_019a0000000ffffffff_0' not found") as caught:
            await responses.create(model="llama", input=[ASK, gone])
        assert caught.value.param == "input"
        assert "store: false" in caught.value.body["hint"]
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert not chats(bench.ollama)


async def test_unknown_reasoning_is_passed_over(open_bench):
    async with opened(open_bench, LAST) as (_, responses):
        gone = {"type": "item_reference", "id": "rs_019a0000000ffffffff_0"}
        assert (await responses.create(model="llama", input=[ASK, gone])).output_text == LAST


@pytest.mark.parametrize("keep", ["", KEEP], ids=["in memory", "in the ledger"])
async def test_an_answer_that_was_not_to_be_stored_cannot_be_named(open_bench, keep):
    async with opened(open_bench, ledger_more=keep) as (_, responses):
        first = await ask_first(responses, store=False)
        with pytest.raises(openai.NotFoundError):
            await responses.create(model="llama", input=second_step(first), tools=[TOOL])


async def test_an_answer_that_broke_off_cannot_be_named(open_bench):
    async with opened(open_bench, LAST, mode="pass") as (bench, responses):
        bench.ollama.inject(Fault.cut_mid_stream(12), times=5)
        events = []
        with pytest.raises(openai.APIError):
            await read_all(await responses.create(model="llama", input=[ASK], stream=True), events)
        bench.ollama.clear()
        (begun,) = [event.item.id for event in events if event.type == "response.output_item.added"]
        with pytest.raises(openai.NotFoundError, match=begun):
            await responses.create(model="llama", input=[ASK, {"type": "item_reference", "id": begun}, ASK])


async def read_all(stream, events):
    async for event in stream:
        events.append(event)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_where_bodies_are_kept_the_names_outlive_a_restart(open_bench, stream):
    async with opened(open_bench, ledger_more=KEEP) as (_, responses):
        first = await ask_first(responses, stream=stream)
    async with opened(open_bench, ledger_more=KEEP) as (bench, responses):
        last = await responses.create(model="llama", input=second_step(first), tools=[TOOL])
        assert last.output_text == LAST
        assert chats(bench.ollama)[-1].messages[1]["content"] == WORDS
        assert len(chats(bench.ollama)[-1].messages[1]["tool_calls"]) == 2


async def test_without_kept_bodies_a_restart_forgets(open_bench):
    async with opened(open_bench) as (_, responses):
        first = await ask_first(responses)
    async with opened(open_bench) as (_, responses):
        with pytest.raises(openai.NotFoundError):
            await responses.create(model="llama", input=second_step(first), tools=[TOOL])


@pytest.mark.parametrize("restart", [False, True], ids=["at once", "after a restart"])
async def test_items_of_a_private_answer_never_leave_the_machine(open_bench, restart):
    private = {"x-headgate-privacy": "local_only"}
    keep = KEEP if restart else ""
    async with opened(open_bench, LAST, ledger_more=keep) as (bench, responses):
        first = await responses.create(model="auto", input="My diary says.", extra_headers=private)
        if not restart:
            await assert_it_stays(bench, responses, first)
    if restart:
        async with opened(open_bench, LAST, ledger_more=keep) as (bench, responses):
            await assert_it_stays(bench, responses, first)


async def assert_it_stays(bench, responses, first):
    """Not even when the engine at home fails, and not when the paid model is asked for by name."""
    bench.ollama.inject(Fault.server_error(), times=5)
    for model in ("auto", "claude"):
        with pytest.raises(openai.APIStatusError):
            await responses.create(model=model, input=[*names_of(first), ASK])
    assert not chats(bench.claude)


async def test_a_conversation_goes_on_from_a_kept_answer_and_names_another(open_bench):
    async with opened(open_bench, LAST, ledger_more=KEEP) as (bench, responses):
        first = await responses.create(model="llama", input="One.")
        other = await responses.create(model="llama", input="Two.")
        said = [{"role": "user", "content": "Three."}, *names_of(other), {"role": "user", "content": "Four."}]
        await responses.create(model="llama", input=said, previous_response_id=first.id)
        told = [message["content"] for message in chats(bench.ollama)[-1].messages]
        assert told == ["One.", LAST, "Three.", LAST, "Four."]
