"""Streams: what is held, what goes out when, and how they end when something breaks."""

import asyncio
import json
import socket
from time import perf_counter, time

import pytest

from headgate.core.types import Message, Request
from headgate.gateway.journey import Journey
from headgate.testing import Answer, Fault

LONG = "The spring campaign moves to the second week of March. Dana takes over the media plan from Joris. Nobody objected."
REFUSAL = "I'm sorry, but I can't help with that. As an AI language model I have no access to such things at all, as you know."
PAID = "Very well. I hope that your day is going as it should."


def body_of(**more) -> bytes:
    return json.dumps(
        {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "What was decided?"}]}
        | more
    ).encode()


@pytest.mark.parametrize("mode", ["hold", "peek", "pass"])
async def test_every_mode_delivers_the_whole_answer_with_a_clean_end(open_bench, mode):
    async with open_bench(mode=mode, local=LONG) as bench:
        said = await bench.ask("What was decided?", stream=True, stream_options={"include_usage": True})
        assert said.streamed == LONG
        assert said.events[-1] == "[DONE]"
        assert said.events[-2]["usage"]["completion_tokens"] > 0
        assert said.events[-3]["choices"][0]["finish_reason"] == "stop"
        assert said.events[0]["choices"][0]["delta"]["role"] == "assistant"
        assert said.headers["x-headgate-model"] == "llama"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.stream) == ("ok", True)
        assert outcome.usage.exact


async def test_usage_is_sent_only_to_callers_who_ask_but_always_written_down(open_bench):
    async with open_bench(local=LONG) as bench:
        said = await bench.ask("What was decided?", stream=True)
        assert not any("usage" in event for event in said.events if event != "[DONE]")
        (outcome,) = await bench.written()
        assert outcome.usage.output > 0


@pytest.mark.parametrize("mode", ["hold", "peek"])
async def test_a_refusal_is_replaced_before_its_first_byte_goes_out(open_bench, mode):
    async with open_bench(mode=mode, local=REFUSAL) as bench:
        said = await bench.ask("What was decided?", stream=True)
        assert said.streamed == PAID
        assert said.headers["x-headgate-reason"] == "quality check failed"


async def test_mode_pass_never_holds_and_checks_afterwards(open_bench):
    async with open_bench(mode="pass", local=REFUSAL) as bench:
        said = await bench.ask("What was decided?", stream=True)
        assert said.streamed == REFUSAL
        (outcome,) = await bench.written()
        assert outcome.status == "imperfect"
        assert outcome.attempts[0].late


@pytest.mark.parametrize("mode", ["peek", "pass"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut_mid_stream(12),
        Fault.error_event_mid_stream(12),
        Fault.no_end_proof(),
        Fault.stall_mid_stream(12),
    ],
    ids=lambda f: f.kind,
)
async def test_a_stream_that_breaks_after_its_first_byte_ends_in_an_error_and_never_cleanly(
    open_bench, fault, mode
):
    async with open_bench(mode=mode, local=LONG) as bench:
        bench.ollama.inject(fault, times=5)
        said = await bench.ask("What was decided?", stream=True)
        assert said.status == 200
        assert said.streamed
        assert LONG.startswith(said.streamed)
        assert "[DONE]" not in said.events
        assert "broke off" in said.events[-1]["error"]["message"]
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model) == ("broken", "llama")
        assert outcome.attempts[0].failure.reason in ("broken_stream", "timeout")


async def test_a_stream_that_breaks_before_its_first_byte_is_taken_over_unseen(open_bench):
    async with open_bench(mode="peek", local=LONG) as bench:
        bench.ollama.inject(Fault.cut_mid_stream(2), times=5)
        said = await bench.ask("What was decided?", stream=True)
        assert said.streamed == PAID
        assert said.events[-1] == "[DONE]"


async def test_an_error_before_the_first_byte_is_an_ordinary_error_with_its_status(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.server_error(), times=5)
        bench.claude.inject(Fault.server_error(), times=5)
        said = await bench.ask(stream=True)
        assert said.status == 503
        assert said.json["error"]["hint"]


async def test_a_held_stream_shows_signs_of_life(open_bench):
    async with open_bench(mode="hold", local=Answer(LONG, delay=0.3)) as bench:
        said = await bench.ask("What was decided?", stream=True)
        assert said.body.startswith(b": the answer is being checked")
        assert said.streamed == LONG


async def test_an_error_after_signs_of_life_is_an_error_event(open_bench):
    async with open_bench(mode="hold", local=LONG) as bench:
        bench.ollama.inject(Fault.stall_mid_stream(1), times=5)
        bench.claude.inject(Fault.server_error(), times=5)
        said = await bench.ask(stream=True)
        assert said.status == 200
        assert said.body.startswith(b": the answer is being checked")
        assert "no model gave an answer" in said.events[-1]["error"]["message"]
        assert "[DONE]" not in said.events
        (outcome,) = await bench.written()
        assert outcome.status == "failed"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_when_the_caller_hangs_up_the_engine_is_told(open_bench, stream):
    slow = Answer(LONG, delay=0.0 if stream else 20.0, chunk_delay=0.2)
    async with open_bench(mode="pass", local=slow) as bench:
        port = int(bench.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = body_of(stream=stream)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        await writer.drain()
        async with asyncio.timeout(60):
            if stream:
                await reader.readuntil(b'"content":"The')
            else:
                while not any(call.path == "/api/chat" for call in bench.ollama.calls):
                    await asyncio.sleep(0.01)
            writer.close()
            await bench.ollama.idle()
        assert bench.ollama.abandoned == 1
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"
        assert [attempt.failure.detail for attempt in outcome.attempts] == ["the caller hung up"]
        assert not bench.claude.calls
        assert bench.gate.road.fleet.admission.scheduler.running["ollama"] == 0


async def test_a_stream_that_is_left_has_written_its_attempt_down_before_its_outcome_is_made(open_bench):
    async with open_bench(mode="pass", local=Answer(LONG, chunk_delay=0.2)) as bench:
        road = bench.gate.road
        asked = Request(id="r1", asked="auto", messages=(Message("user", "What was decided?"),), stream=True)
        signals = await road.tokenizer.measure(asked, road.policy, 100)
        journey = Journey(road, asked, signals, received=time(), begun=perf_counter())
        parts = journey.stream()
        await anext(parts)
        await parts.aclose()
        assert [attempt.failure.detail for attempt in journey.attempts] == ["the caller hung up"]
        assert road.fleet.admission.scheduler.running["ollama"] == 0


async def test_a_reader_who_does_not_read_does_not_keep_the_engine(open_bench):
    words = Answer(
        f"{'word' * 2_000} " * 1_000
    )  # 8 MB, more than the socket's buffers hold, however it is cut
    async with open_bench(
        mode="pass",
        local=words,
        change=lambda page: page.replace('answer_within = "5s"', 'answer_within = "3s"').replace(
            'first_token = "1s"',
            'first_token = "3s"',  # on a busy machine, too
        ),
    ) as bench:
        port = int(bench.url.rpartition(":")[2])
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=small, limit=1024)
        body = body_of()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        await reader.readuntil(b"200 OK")
        async with asyncio.timeout(60):
            (outcome,) = await bench.written()
        writer.close()
        assert outcome.status in ("broken", "cancelled"), outcome.attempts
        assert bench.gate.road.fleet.admission.scheduler.running["ollama"] == 0


async def test_structured_answers_are_judged_whole_even_in_mode_peek(open_bench):
    async with open_bench(
        mode="peek",
        local='{"category": "billing", "reason": "a long enough reason to pass the peek"',
        paid='{"category": "billing"}',
    ) as bench:
        said = await bench.ask("Triage this as JSON.", stream=True, response_format={"type": "json_object"})
        assert json.loads(said.streamed)["category"] == "billing"


async def test_a_stream_option_of_null_is_none(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(stream=True, stream_options={"include_usage": None})
        assert said.events[-1] == "[DONE]"
        assert all("usage" not in event for event in said.events[:-1])
