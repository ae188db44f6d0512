"""Every fault of every double, over a real socket, as a client meets it."""

import asyncio
import json

import httptools
import pytest
import uvloop
from double_clients import PATIENCE, PROVIDERS, ask, asking, connect, read_reply

from headgate.testing import Fault, FaultKind, OllamaDouble

ANSWER = "one two three four"
everyone = pytest.mark.parametrize("who", PROVIDERS.values(), ids=PROVIDERS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@everyone
@both_ways
async def test_without_a_fault_the_answer_is_whole_and_proven(who, stream):
    async with who.double(answer=ANSWER) as double:
        got = await who.chat(double, stream=stream)
    assert (got.status, got.whole, who.text(got)) == (200, True, ANSWER)
    assert who.finish(got) in {"stop", "end_turn"}
    assert who.model_named(got) == who.model


@everyone
@both_ways
async def test_a_refusing_double_cannot_be_reached_until_it_is_cleared(who, stream):
    async with who.double(answer=ANSWER) as double:
        url = double.url
        double.inject(Fault.refuse())
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await who.chat(double, stream=stream)
        double.clear()
        assert double.url == url
        assert who.text(await who.chat(double, stream=stream)) == ANSWER


@everyone
@both_ways
async def test_a_cut_before_headers_leaves_nothing_to_read(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.cut_before_headers(abrupt=False))
        got = await who.chat(double, stream=stream)
        assert (got.status, got.body, got.ended_by) == (None, b"", None)
        double.inject(Fault.cut_before_headers())
        got = await who.chat(double, stream=stream)
        assert (got.status, got.body) == (None, b"")
        assert isinstance(got.ended_by, ConnectionResetError)
        assert len(double.calls) == 2


@everyone
async def test_a_reset_mid_stream_delivers_what_came_before_it(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.cut_mid_stream(after=2))
        got = await who.chat(double, stream=True)
    assert (got.status, got.whole) == (200, False)
    assert isinstance(got.ended_by, ConnectionResetError)
    assert who.text(got) == "one two"
    assert who.finish(got) is None


async def test_a_reset_waits_until_a_long_beginning_has_left_the_process():
    who = PROVIDERS["ollama"]
    long = "x" * 2**25
    async with who.double(answer=f"{long} two") as double:
        double.inject(Fault.cut_mid_stream(after=1))
        got = await who.chat(double, stream=True)
    assert len(got.body) > len(long) / 2, "only what lay in the kernels' buffers may be lost"
    assert not got.whole


@everyone
async def test_a_quiet_close_mid_stream_is_no_error_of_the_socket_but_the_chunks_do_not_end(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.cut_mid_stream(after=2, abrupt=False))
        got = await who.chat(double, stream=True)
    assert (got.whole, got.ended_by, who.text(got)) == (False, None, "one two")


@everyone
async def test_a_cut_plain_body_is_shorter_than_its_length_says(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.cut_mid_stream(abrupt=False))
        got = await who.chat(double, stream=False)
    assert got.status == 200
    assert not got.whole
    assert 0 < len(got.body) < int(got.headers["content-length"])


@everyone
@both_ways
async def test_a_slow_first_token_comes_after_the_wait(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.slow_first_token(0.05))
        started = asyncio.get_running_loop().time()
        got = await who.chat(double, stream=stream)
        waited = asyncio.get_running_loop().time() - started
    assert waited >= 0.05
    assert who.text(got) == ANSWER


@everyone
@both_ways
async def test_a_stall_holds_the_rest_back_until_the_client_leaves(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.stall_mid_stream(after=2))
        async with asking(double.url, "POST", who.path, who.body(stream=stream), who.headers) as reader:
            got = await read_reply(reader, pieces=1)
            assert got.status == 200
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.03)
            assert double.in_flight == 1
        await asyncio.wait_for(double.idle(), PATIENCE)
        assert double.abandoned == 1


@everyone
async def test_a_stall_that_ends_lets_the_rest_through(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.stall_mid_stream(after=4, seconds=0.02))
        got = await who.chat(double, stream=True)
    assert (got.whole, who.text(got)) == (True, ANSWER)
    assert who.finish(got)


@everyone
@both_ways
async def test_a_dribble_cuts_inside_characters_and_loses_nothing(who, stream):
    text = "Zürich – größer 💧 naïve"
    async with who.double(answer=text) as double:
        double.inject(Fault.dribble(3))
        got = await who.chat(double, stream=stream)
    assert max(map(len, got.pieces)) <= 3
    assert (got.whole, who.text(got)) == (True, text)


@everyone
@both_ways
async def test_malformed_json_is_sound_http_around_half_a_document(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.malformed_json(after=1))
        got = await who.chat(double, stream=stream)
    assert (got.status, got.whole) == (200, True)
    with pytest.raises(json.JSONDecodeError):
        who.text(got)


@everyone
async def test_a_stream_without_its_end_ends_cleanly_and_proves_nothing(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.no_end_proof())
        plain = await who.chat(double, stream=False)
        got = await who.chat(double, stream=True)
    assert who.finish(plain), "a plain reply has no such fault; it stays armed for the stream"
    assert (got.whole, who.text(got), who.finish(got)) == (True, ANSWER, None)


@everyone
async def test_a_stream_may_end_without_proof_in_the_middle_of_the_answer(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.no_end_proof(after=2))
        got = await who.chat(double, stream=True)
    assert (got.whole, who.text(got), who.finish(got)) == (True, "one two", None)


@everyone
async def test_a_stream_without_its_last_event_has_all_but_that(who):
    async with who.double(answer=ANSWER) as double:
        whole = await who.chat(double, stream=True)
        double.inject(Fault.no_last_event())
        got = await who.chat(double, stream=True)
    assert (got.whole, who.text(got)) == (True, ANSWER)
    assert len(got.pieces) == len(whole.pieces) - 1


@everyone
async def test_a_mangled_piece_leaves_the_rest_of_the_stream_as_it_is(who):
    async with who.double(answer=ANSWER) as double:
        whole = await who.chat(double, stream=True)
        double.inject(Fault.mangled_piece(after=1))
        got = await who.chat(double, stream=True)
    assert (got.status, got.whole, len(got.pieces)) == (200, True, len(whole.pieces))
    pairs = zip(got.pieces, whole.pieces, strict=True)
    broken = [(one, other) for one, other in pairs if len(one) < 0.7 * len(other)]
    assert len(broken) == 1
    assert b"two" in broken[0][1]
    with pytest.raises(json.JSONDecodeError):
        who.text(got)


@everyone
@both_ways
async def test_a_broken_chunk_is_no_http(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.broken_chunk(after=2))
        with pytest.raises(httptools.HttpParserError):
            await who.chat(double, stream=stream)


@everyone
@both_ways
async def test_a_half_open_connection_says_nothing_and_stays(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.half_open())
        chat = asyncio.create_task(who.chat(double, stream=stream))
        async with asyncio.timeout(PATIENCE):
            while not double.in_flight:  # the double has no event for it
                await asyncio.sleep(0)
        assert not chat.done()
        await double.stop()
        got = await chat
    assert (got.status, got.body) == (None, b"")


@both_ways
async def test_openai_may_answer_without_counting(stream):
    who = PROVIDERS["openai"]
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.no_usage())
        got = await who.chat(double, stream=stream)
        counted = await who.chat(double, stream=False)
    assert who.text(got) == ANSWER
    assert b'"usage"' not in got.body
    assert counted.json["usage"]["total_tokens"] > 0


@everyone
async def test_an_engine_failure_inside_a_stream_is_reported_in_the_dialect(who):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.error_event_mid_stream(after=2))
        got = await who.chat(double, stream=True)
    assert (got.status, got.whole) == (200, True)
    last = got.lines[-1] if who.double is OllamaDouble else got.events[-1]
    assert last.get("error")
    assert who.finish(got) is None


async def test_ollama_under_v1_reports_a_dead_runner_by_a_nameless_chunk_alone():
    async with OllamaDouble(answer=ANSWER) as double:
        double.inject(Fault.error_event_mid_stream(after=1))
        body = {"model": "llama3.1:8b", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        got = await ask(double.url, "POST", "/v1/chat/completions", body)
    assert got.events[-1]["model"] == ""
    assert got.events[-1]["choices"][0]["finish_reason"] is None
    assert b"[DONE]" not in got.body


@everyone
@both_ways
async def test_another_model_may_answer(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.wrong_model("somebody-else"))
        got = await who.chat(double, stream=stream)
    assert (who.model_named(got), who.text(got)) == ("somebody-else", ANSWER)


@everyone
@both_ways
async def test_a_truncated_answer_says_so_in_the_dialects_word(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.truncated())
        got = await who.chat(double, stream=stream)
    assert who.text(got) == ANSWER[: len(ANSWER) // 2]
    assert who.finish(got) in {"length", "max_tokens"}


@everyone
@both_ways
async def test_an_empty_answer_is_a_success_without_a_word(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.empty_answer())
        got = await who.chat(double, stream=stream)
    assert (got.status, who.text(got)) == (200, "")
    assert who.finish(got) in {"stop", "end_turn"}


@everyone
@both_ways
async def test_a_repetition_loop_repeats(who, stream):
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.repetition_loop())
        got = await who.chat(double, stream=stream)
    assert who.text(got).count("one two three") > 50
    assert who.finish(got) in {"length", "max_tokens"}


REFUSED = {
    "ollama": {
        Fault.queue_full(): (503, "maximum pending requests exceeded"),
        Fault.overloaded(): (503, "server busy"),
        Fault.status_200_error_body(): (200, "error"),
        Fault.server_error(): (500, "model runner has unexpectedly stopped"),
        Fault.auth_failed(): (401, "signin_url"),
        Fault.context_overflow(): (400, "exceed_context_size_error"),
        Fault.invalid_request("thinking"): (400, "does not support thinking"),
    },
    "lmstudio": {
        Fault.status_200_error_body(): (200, "Unexpected endpoint or method. (POST /v1/chat/completions)"),
        Fault.overloaded(): (503, "busy"),
        Fault.server_error(): (500, "The model has crashed"),
        Fault.auth_failed(): (401, "token"),
        Fault.context_overflow(): (400, "Trying to keep the first"),
        Fault.context_overflow("n_keep"): (400, "(n_keep: "),
        Fault.context_overflow("in_stream"): (200, "Trying to keep the first"),
        Fault.invalid_request("logprobs"): (400, "logprobs"),
    },
    "openai": {
        Fault.overloaded(): (503, "overloaded"),
        Fault.server_error(): (500, "server_error"),
        Fault.status_200_error_body(): (200, "error"),
        Fault.rate_limited(): (429, "rate_limit_exceeded"),
        Fault.quota_exhausted(): (429, "insufficient_quota"),
        Fault.auth_failed(): (401, "invalid_api_key"),
        Fault.context_overflow(): (400, "context_length_exceeded"),
        Fault.invalid_request("temperature"): (400, "unsupported_parameter"),
        Fault.loading(): (503, "Loading model"),
    },
    "anthropic": {
        Fault.overloaded(): (529, "overloaded_error"),
        Fault.server_error(): (500, "api_error"),
        Fault.status_200_error_body(): (200, "error"),
        Fault.rate_limited(): (429, "rate_limit_error"),
        Fault.quota_exhausted(): (429, "enforced_spend_limit_reached"),
        Fault.auth_failed(): (401, "authentication_error"),
        Fault.context_overflow(): (400, "prompt is too long"),
        Fault.invalid_request("temperature"): (400, "invalid_request_error"),
    },
}
CASES = [
    pytest.param(PROVIDERS[name], fault, *expected, id=f"{name}-{fault.kind}-{fault.text}")
    for name, faults in REFUSED.items()
    for fault, expected in faults.items()
]


@pytest.mark.parametrize(("who", "fault", "status", "words"), CASES)
@both_ways
async def test_a_refusal_has_the_providers_status_and_words_and_is_over_after_one_call(
    who, fault, status, words, stream
):
    async with who.double(answer=ANSWER) as double:
        double.inject(fault)
        got = await who.chat(double, stream=stream)
        after = await who.chat(double, stream=stream)
    assert (got.status, got.whole) == (status, True)
    assert words in got.body.decode()
    assert who.text(after) == ANSWER


async def test_ollamas_busy_text_has_its_two_spaces():
    async with OllamaDouble() as double:
        double.inject(Fault.queue_full())
        got = await PROVIDERS["ollama"].chat(double, stream=False)
    assert got.json == {"error": "server busy, please try again.  maximum pending requests exceeded"}


@pytest.mark.parametrize("who", [PROVIDERS["openai"], PROVIDERS["anthropic"]], ids=["openai", "anthropic"])
async def test_a_rate_limit_says_when_to_come_back_and_a_quota_does_not(who):
    async with who.double() as double:
        double.inject(Fault.rate_limited(2.5))
        double.inject(Fault.quota_exhausted())
        limited = await who.chat(double, stream=False)
        exhausted = await who.chat(double, stream=False)
    assert limited.headers["retry-after"] == "2.5"
    assert "retry-after" not in exhausted.headers


async def test_lmstudio_overflows_in_a_stream_that_began_well_or_says_nothing_at_all():
    who = PROVIDERS["lmstudio"]
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.context_overflow("in_stream"))
        double.inject(Fault.context_overflow("empty"))
        told = await who.chat(double, stream=True)
        silent = await who.chat(double, stream=True)
    assert (told.status, told.headers["content-type"]) == (200, "text/event-stream")
    assert "Trying to keep" in told.events[0]["error"]["message"]
    assert (silent.status, silent.body) == (200, b"data: [DONE]\n\n")


async def test_ollama_cuts_in_silence_and_only_the_count_gives_it_away():
    seen = []
    async with OllamaDouble(answer=lambda call: seen.append(call.prompt) or ANSWER, num_ctx=256) as double:
        double.inject(Fault.silent_truncation())
        body = PROVIDERS["ollama"].body(stream=False, truncate=False)
        body["messages"][0]["content"] = "beginning " + "x" * 2000
        got = await ask(double.url, "POST", "/api/chat", body)
    assert got.json["prompt_eval_count"] == 256
    assert "beginning" not in seen[0]


async def test_loading_strikes_every_path():
    async with PROVIDERS["openai"].double() as double:
        double.inject(Fault.loading())
        got = await ask(double.url, "GET", "/v1/models")
    assert (got.status, got.json["error"]["type"]) == (503, "unavailable_error")


# aiming


async def test_faults_strike_in_the_order_given_each_as_often_as_asked():
    who = PROVIDERS["ollama"]
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.queue_full(), times=2)
        double.inject(Fault.server_error())
        statuses = [(await who.chat(double, stream=False)).status for _ in range(5)]
    assert statuses == [503, 503, 500, 200, 200]


async def test_a_fault_without_a_count_strikes_until_it_is_cleared():
    who = PROVIDERS["ollama"]
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.queue_full(), times=None)
        before = [(await who.chat(double, stream=False)).status for _ in range(3)]
        double.clear()
        after = await who.chat(double, stream=False)
    assert (before, after.status) == ([503, 503, 503], 200)


async def test_health_probes_are_spared_unless_a_path_is_named():
    who = PROVIDERS["ollama"]
    async with who.double(answer=ANSWER) as double:
        double.inject(Fault.server_error())
        assert (await ask(double.url, "GET", "/api/tags")).status == 200
        assert (await who.chat(double, stream=False)).status == 500
        double.inject(Fault.server_error(), path="/api/tags")
        assert (await who.chat(double, stream=False)).status == 200
        assert (await ask(double.url, "GET", "/api/tags")).status == 500


async def test_a_fault_that_a_provider_cannot_show_is_refused_with_what_it_can():
    with pytest.raises(
        ValueError, match=r"AnthropicDouble cannot show queue_full; it can show: .*overloaded"
    ):
        PROVIDERS["anthropic"].double().inject(Fault.queue_full())


def test_every_fault_can_be_shown_by_some_double():
    shown = frozenset().union(*(who.double.shows() for who in PROVIDERS.values()))
    assert shown == frozenset(FaultKind)


def test_faults_are_as_real_on_the_other_event_loop():
    who = PROVIDERS["ollama"]

    async def scenario():
        async with who.double(answer=ANSWER) as double:
            double.inject(Fault.cut_mid_stream(after=2))
            cut = await who.chat(double, stream=True)
            double.inject(Fault.refuse())
            with pytest.raises(ConnectionRefusedError):
                await connect(double.url)
            double.clear()
            double.inject(Fault.stall_mid_stream(after=1))
            async with asking(double.url, "POST", who.path, who.body(stream=True)) as reader:
                await read_reply(reader, pieces=1)
            await asyncio.wait_for(double.idle(), PATIENCE)
            return cut, double.abandoned

    cut, abandoned = uvloop.run(scenario())
    assert isinstance(cut.ended_by, ConnectionResetError)
    assert who.text(cut) == "one two"
    assert abandoned == 1
