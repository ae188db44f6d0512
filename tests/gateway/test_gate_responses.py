"""OpenAI's Responses through the gate, with the official client: every engine behind the one door."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from headgate.testing import Answer, Fault, OpenAIDouble, ToolCall

SAID = "Fine, thank you. It was a quiet morning at the desk."
KEEP = "keep_bodies = true"
GPT = """
[engines.gpt]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"

[models.gpt]
engine = "gpt"
id = "gpt-4o"
capabilities = ["tools", "images", "json", "schema"]

[[routes]]
name = "long"
"""
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Of a town",
    "parameters": {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
        "additionalProperties": False,
    },
    "strict": True,
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Stage:
    """A gate with three engines, and the official client."""

    bench: object
    gpt: OpenAIDouble
    client: AsyncOpenAI

    def last_call(self, model: str):
        double = {"llama": self.bench.ollama, "claude": self.bench.claude, "gpt": self.gpt}[model]
        return [call for call in double.calls if call.method == "POST" and call.messages][-1]


@asynccontextmanager
async def opened(open_bench, answer=SAID, first_route="", **more) -> AsyncIterator[Stage]:
    async with OpenAIDouble(answer=answer) as gpt:

        def change(page: str) -> str:
            page = page.replace("[[routes]]", f"{first_route}[[routes]]", 1)
            page = page.replace('[[routes]]\nname = "long"', GPT.format(url=gpt.url), 1)
            return page.replace(
                'id = "llama3.1:8b"', 'id = "llama3.1:8b"\ncapabilities = ["tools", "json", "schema"]'
            )

        async with (
            open_bench(local=answer, paid=answer, change=change, **more) as bench,
            AsyncOpenAI(base_url=f"{bench.url}/v1", api_key="not-a-key", max_retries=0) as client,
        ):
            yield Stage(bench, gpt, client)


async def read_all(stream, events):
    """Read a stream to its end, noting its events as they come: they are known when it breaks."""
    async for event in stream:
        events.append(event)


engines = pytest.mark.parametrize("model", ["llama", "claude", "gpt"])


@engines
async def test_every_engine_answers(open_bench, model):
    async with opened(open_bench) as stage:
        response = await stage.client.responses.create(
            model=model,
            input="How are you?",
            instructions="Be brief.",
            max_output_tokens=50,
            metadata={"a": "b"},
        )
        assert response.output_text == SAID
        assert (response.status, response.instructions, response.metadata) == (
            "completed",
            "Be brief.",
            {"a": "b"},
        )
        assert response.usage.output_tokens > 0
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
        (outcome,) = await stage.bench.written()
        assert response.id == f"resp_{outcome.id}"
        assert (outcome.status, outcome.model) == ("ok", model)
        assert "metadata" not in stage.last_call(model).fields


@engines
async def test_every_engine_streams(open_bench, model):
    async with opened(open_bench, Answer(SAID, chunk_delay=0.001)) as stage:
        raw = await stage.client.responses.create(model=model, input="How are you?", stream=True)
        events = [event async for event in raw]
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == SAID
        async with stage.client.responses.stream(model=model, input="How are you?") as stream:
            final = await stream.get_final_response()
        assert final.output_text == SAID
        assert final.usage.output_tokens > 0


@engines
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_tool_is_called_and_its_result_is_given_back(open_bench, model, stream):
    def answer(call):
        if call.messages[-1].get("role") == "tool" or "tool_result" in json.dumps(call.messages[-1]):
            return "It is 21 degrees in Ulm."
        return Answer(tool_calls=(ToolCall("weather", {"town": "Ulm"}),), finish="tool_calls")

    async with opened(open_bench, answer) as stage:
        said = [{"role": "user", "content": "How warm is it in Ulm?"}]
        if stream:
            async with stage.client.responses.stream(model=model, input=said, tools=[TOOL]) as events:
                first = await events.get_final_response()
        else:
            first = await stage.client.responses.create(model=model, input=said, tools=[TOOL])
        (call,) = first.output
        assert (call.type, call.name, json.loads(call.arguments)) == (
            "function_call",
            "weather",
            {"town": "Ulm"},
        )
        assert first.tools[0].name == "weather"
        said += [item.to_dict() for item in first.output]
        said.append({"type": "function_call_output", "call_id": call.call_id, "output": "21"})
        last = await stage.client.responses.create(model=model, input=said, tools=[TOOL])
        assert last.output_text == "It is 21 degrees in Ulm."
        assert len(stage.last_call(model).messages) == 3


class Triage(BaseModel):
    category: str
    urgent: bool


@engines
async def test_an_answer_fits_its_schema(open_bench, model):
    async with opened(open_bench, '{"category": "billing", "urgent": true}') as stage:
        parsed = await stage.client.responses.parse(
            model=model, input="I was charged twice.", text_format=Triage
        )
        assert parsed.output_parsed == Triage(category="billing", urgent=True)
        assert stage.last_call(model).schema["properties"].keys() == {"category", "urgent"}


async def test_an_image_reaches_an_engine_that_can_see(open_bench):
    async with opened(open_bench) as stage:
        content = [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
        ]
        response = await stage.client.responses.create(
            model="gpt", input=[{"role": "user", "content": content}]
        )
        assert response.output_text == SAID
        (message,) = stage.last_call("gpt").messages
        assert message["content"][1]["image_url"]["url"] == PIXEL


async def test_thoughts_are_given_as_summaries(open_bench):
    async with opened(open_bench, Answer("Four.", reasoning="Two and two.")) as stage:
        response = await stage.client.responses.create(
            model="llama", input="2 + 2?", reasoning={"effort": "low"}
        )
        assert [item.type for item in response.output] == ["reasoning", "message"]
        assert response.output[0].summary[0].text == "Two and two."


async def test_an_answer_that_was_cut_is_incomplete(open_bench):
    async with opened(open_bench, mode="pass") as stage:
        raw = await stage.client.responses.create(
            model="gpt", input="How are you?", max_output_tokens=2, stream=True
        )
        events = [event async for event in raw]
        assert events[-1].type == "response.incomplete"
        assert events[-1].response.incomplete_details.reason == "max_output_tokens"


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_errors_are_the_clients_own(open_bench):
    async with opened(open_bench) as stage:
        create = stage.client.responses.create
        with pytest.raises(openai.NotFoundError, match="there is no model"):
            await create(model="gpt-5000", input="Hi")
        with pytest.raises(openai.BadRequestError, match="web_search") as caught:
            await create(model="auto", input="Hi", tools=[{"type": "web_search"}])
        assert (caught.value.code, caught.value.param) == ("unsupported_value", "tools")
        stage.gpt.inject(Fault.server_error(), times=5)
        with pytest.raises(openai.InternalServerError):
            await create(model="gpt", input="Hi")
        stage.bench.claude.inject(Fault.rate_limited(7), times=5)
        with pytest.raises(openai.InternalServerError) as caught:
            await create(model="claude", input="Hi")
        assert caught.value.response.headers["x-should-retry"] == "true"
        assert (await create(model="llama", input="Hi")).output_text == SAID


BAD = {
    "nothing": b"",
    "half of it": b'{"model": "auto", "input": [',
    "a list": b"[]",
    "bad utf-8": b'{"model": "auto", "input": "\xff"}',
    "no input": b'{"model": "auto"}',
    "a number": b'{"model": "auto", "input": 7}',
    "a strange item": b'{"model": "auto", "input": [{"type": "smell"}]}',
    "deep nesting": b'{"model": "auto", "input": "x", "metadata": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_body_gets_a_clear_error_and_breaks_nothing(open_bench, case):
    async with open_bench() as bench:
        said = await bench.send("POST", "/v1/responses", BAD[case])
        assert said.status == 400
        assert said.json["error"]["hint"]
        assert said.headers["x-should-retry"] == "false"
        assert (await bench.send("POST", "/v1/responses", b'{"model": "auto", "input": "Hi"}')).status == 200


@pytest.mark.parametrize(
    "fault", [Fault.cut_mid_stream(12), Fault.stall_mid_stream(12)], ids=lambda f: f.kind
)
async def test_a_stream_that_breaks_raises_in_the_client_and_never_looks_finished(open_bench, fault):
    async with opened(open_bench, mode="pass") as stage:
        stage.bench.ollama.inject(fault, times=5)
        events = []
        raw = await stage.client.responses.create(model="llama", input="How are you?", stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            await read_all(raw, events)
        assert events[-1].type == "response.failed"
        assert not any(event.type == "response.completed" for event in events)
        (outcome,) = await stage.bench.written()
        assert outcome.status == "broken"


async def test_when_the_caller_hangs_up_the_engine_is_told(open_bench):
    async with opened(open_bench, Answer(SAID, chunk_delay=0.2), mode="pass") as stage:
        raw = await stage.client.responses.create(model="llama", input="How are you?", stream=True)
        async for event in raw:
            if event.type == "response.output_text.delta":
                break
        await raw.close()
        async with asyncio.timeout(60):
            await stage.bench.ollama.idle()
        assert stage.bench.ollama.abandoned == 1
        (outcome,) = await stage.bench.written()
        assert outcome.status == "cancelled"


async def test_a_held_stream_shows_signs_of_life_that_the_client_passes_over(open_bench):
    async with opened(open_bench, Answer(SAID, delay=0.3), mode="hold") as stage:
        async with stage.client.responses.with_streaming_response.create(
            model="llama", input="Hi", stream=True
        ) as response:
            body = await response.read()
        assert body.startswith(b": the answer is being checked")
        async with stage.client.responses.stream(model="llama", input="Hi") as stream:
            assert (await stream.get_final_response()).output_text == SAID


# ── Going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def said_to(call) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in call.messages]


async def test_a_conversation_goes_on_across_a_restart(open_bench):
    async with opened(open_bench, ledger_more=KEEP) as stage:
        first = await stage.client.responses.create(
            model="llama", input="My name is Ada.", instructions="Be brief."
        )
        second = await stage.client.responses.create(
            model="llama", input="And I like tea.", previous_response_id=first.id, stream=True
        )
        second = [event async for event in second][-1].response
        assert second.previous_response_id == first.id
        assert second.to_dict()["store"] is True
    async with opened(open_bench, "Ada, who likes tea.", ledger_more=KEEP) as stage:
        third = await stage.client.responses.create(
            model="llama", input="Who am I?", previous_response_id=second.id, instructions="Be kind."
        )
        assert third.output_text == "Ada, who likes tea."
        assert said_to(stage.last_call("llama")) == [
            ("system", "Be kind."),
            ("user", "My name is Ada."),
            ("assistant", SAID),
            ("user", "And I like tea."),
            ("assistant", SAID),
            ("user", "Who am I?"),
        ]
        other = await stage.client.responses.create(
            model="llama", input="What do I like?", previous_response_id=first.id
        )
        assert other.status == "completed"
        assert said_to(stage.last_call("llama"))[1:] == [("assistant", SAID), ("user", "What do I like?")]


async def test_an_answer_that_is_not_yet_written_is_found_all_the_same(open_bench):
    def change(page: str) -> str:
        return page.replace('flush = "20ms"', 'flush = "60s"')

    async with (
        open_bench(ledger_more=KEEP, change=change) as bench,
        AsyncOpenAI(base_url=f"{bench.url}/v1", api_key="x", max_retries=0) as client,
    ):
        first = await client.responses.create(model="llama", input="My name is Ada.")
        assert bench.gate.writer.written == 0
        await client.responses.create(model="llama", input="Who am I?", previous_response_id=first.id)
        call = [call for call in bench.ollama.calls if call.path == "/api/chat"][-1]
        assert said_to(call)[0] == ("user", "My name is Ada.")


async def test_while_the_ledger_cannot_be_written_the_caller_is_told_to_come_back(open_bench):
    async with opened(open_bench, ledger_more=KEEP) as stage:
        create = stage.client.responses.create
        other = sqlite3.connect(stage.bench.ledger, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        first = await create(model="llama", input="My name is Ada.")
        with pytest.raises(openai.InternalServerError) as caught:
            await create(model="llama", input="Who am I?", previous_response_id=first.id)
        assert caught.value.code == "ledger_behind"
        assert caught.value.response.headers["x-should-retry"] == "true"
        other.execute("ROLLBACK")
        other.close()
        assert (await create(model="llama", input="Hi", previous_response_id=first.id)).output_text == SAID


async def test_a_tool_is_called_in_a_conversation_that_the_gate_keeps(open_bench):
    def answer(call):
        if call.messages[-1]["role"] == "tool":
            return "It is 21 degrees."
        return Answer(tool_calls=(ToolCall("weather", {"town": "Ulm"}),), finish="tool_calls")

    async with opened(open_bench, answer, ledger_more=KEEP) as stage:
        first = await stage.client.responses.create(model="gpt", input="How warm is Ulm?", tools=[TOOL])
        result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "21"}
        last = await stage.client.responses.create(
            model="gpt", input=[result], tools=[TOOL], previous_response_id=first.id
        )
        assert last.output_text == "It is 21 degrees."
        asked, called, given = stage.last_call("gpt").messages
        assert asked["content"] == "How warm is Ulm?"
        assert called["tool_calls"][0]["id"] == given["tool_call_id"] == first.output[0].call_id


async def test_what_was_not_to_be_kept_is_not(open_bench):
    async with opened(open_bench, ledger_more=KEEP) as stage:
        first = await stage.client.responses.create(model="llama", input="A passing word.", store=False)
        assert first.to_dict()["store"] is False
        with pytest.raises(openai.NotFoundError, match="not found") as caught:
            await stage.client.responses.create(model="llama", input="Go on.", previous_response_id=first.id)
        assert (caught.value.code, caught.value.param) == (
            "previous_response_not_found",
            "previous_response_id",
        )


async def test_where_nothing_is_kept_the_caller_is_told_how_to_change_that(open_bench):
    async with opened(open_bench) as stage:
        first = await stage.client.responses.create(model="llama", input="My name is Ada.")
        assert first.to_dict()["store"] is False
        with pytest.raises(openai.BadRequestError) as caught:
            await stage.client.responses.create(model="llama", input="Go on.", previous_response_id=first.id)
        assert "keep_bodies = true" in caught.value.body["hint"]


async def test_what_may_not_leave_the_machine_may_not_in_later_turns_either(open_bench):
    async with opened(open_bench, ledger_more=KEEP) as stage:
        private = {"x-headgate-privacy": "local_only"}
        first = await stage.client.responses.create(
            model="auto", input="My diary says.", extra_headers=private
        )
        stage.bench.ollama.inject(Fault.server_error(), times=5)
        with pytest.raises(openai.InternalServerError):
            await stage.client.responses.create(model="auto", input="Go on.", previous_response_id=first.id)
        assert not stage.bench.claude.calls


async def test_what_a_route_kept_on_the_machine_stays_there_in_later_turns(open_bench):
    secret = '[[routes]]\nname = "secret"\ntasks = ["translation"]\nlocal_only = true\ntry = ["llama"]\n\n'
    async with opened(open_bench, first_route=secret, ledger_more=KEEP) as stage:
        first = await stage.client.responses.create(model="auto:translation", input="My diary says.")
        (kept,) = await stage.bench.written()
        assert (kept.decision.route, kept.signals.local_only) == ("secret", True)
        stage.bench.ollama.inject(Fault.server_error(), times=5)
        with pytest.raises(openai.InternalServerError):
            await stage.client.responses.create(model="auto", input="Go on.", previous_response_id=first.id)
        assert not stage.bench.claude.calls


async def test_a_failed_answer_cannot_be_gone_on_from(open_bench):
    async with opened(open_bench, mode="pass", ledger_more=KEEP) as stage:
        stage.bench.ollama.inject(Fault.cut_mid_stream(12), times=5)
        raw = await stage.client.responses.create(model="llama", input="How are you?", stream=True)
        begun = await anext(raw)
        with pytest.raises(openai.APIError):
            async for _ in raw:
                pass
        stage.bench.ollama.clear()
        with pytest.raises(openai.NotFoundError):
            await stage.client.responses.create(
                model="llama", input="Go on.", previous_response_id=begun.response.id
            )
