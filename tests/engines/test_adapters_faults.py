"""Whatever an engine may do to us becomes one of the closed reasons: every fault of every double, both ways of asking."""

import asyncio

import pytest
from adapter_doubles import DOUBLES, KEY, a_request, ask, engine_and_double, model_for

from headgate.config.engine import EngineSettings
from headgate.core.types import Delta, Failure, Reply
from headgate.engines.connect import connect
from headgate.testing.answers import Answer
from headgate.testing.faults import STREAM_FAULTS, Fault, FaultKind
from headgate.testing.lmstudio import LMStudioDouble

LONG = "One two three four five six seven eight nine ten eleven twelve."

FAULTS: dict[FaultKind, Fault] = {
    FaultKind.REFUSE: Fault.refuse(),
    FaultKind.CUT_BEFORE_HEADERS: Fault.cut_before_headers(),
    FaultKind.HALF_OPEN: Fault.half_open(),
    FaultKind.CUT_MID_STREAM: Fault.cut_mid_stream(2),
    FaultKind.BROKEN_CHUNK: Fault.broken_chunk(2),
    FaultKind.SLOW_FIRST_TOKEN: Fault.slow_first_token(30),
    FaultKind.STALL_MID_STREAM: Fault.stall_mid_stream(2),
    FaultKind.DRIBBLE: Fault.dribble(5),
    FaultKind.MALFORMED_JSON: Fault.malformed_json(2),
    FaultKind.MANGLED_PIECE: Fault.mangled_piece(2),
    FaultKind.NO_END_PROOF: Fault.no_end_proof(),
    FaultKind.NO_LAST_EVENT: Fault.no_last_event(),
    FaultKind.ERROR_EVENT_MID_STREAM: Fault.error_event_mid_stream(2),
    FaultKind.WRONG_MODEL: Fault.wrong_model("somebody-else"),
    FaultKind.TRUNCATED: Fault.truncated(),
    FaultKind.EMPTY_ANSWER: Fault.empty_answer(),
    FaultKind.REPETITION_LOOP: Fault.repetition_loop(),
    FaultKind.SILENT_TRUNCATION: Fault.silent_truncation(),
    FaultKind.NO_USAGE: Fault.no_usage(),
    FaultKind.STATUS_200_ERROR_BODY: Fault.status_200_error_body(),
    FaultKind.CONTEXT_OVERFLOW: Fault.context_overflow(),
    FaultKind.RATE_LIMITED: Fault.rate_limited(7.0),
    FaultKind.QUOTA_EXHAUSTED: Fault.quota_exhausted(),
    FaultKind.OVERLOADED: Fault.overloaded(),
    FaultKind.QUEUE_FULL: Fault.queue_full(),
    FaultKind.LOADING: Fault.loading(),
    FaultKind.AUTH_FAILED: Fault.auth_failed(),
    FaultKind.INVALID_REQUEST: Fault.invalid_request("temperature"),
    FaultKind.SERVER_ERROR: Fault.server_error(),
}
REASONS: dict[FaultKind, str] = {
    FaultKind.REFUSE: "refused",
    FaultKind.CUT_BEFORE_HEADERS: "broken_stream",
    FaultKind.HALF_OPEN: "timeout",
    FaultKind.CUT_MID_STREAM: "broken_stream",
    FaultKind.BROKEN_CHUNK: "broken_stream",
    FaultKind.SLOW_FIRST_TOKEN: "timeout",
    FaultKind.STALL_MID_STREAM: "timeout",
    FaultKind.MALFORMED_JSON: "malformed",
    FaultKind.MANGLED_PIECE: "malformed",
    FaultKind.NO_END_PROOF: "broken_stream",
    FaultKind.NO_LAST_EVENT: "broken_stream",
    FaultKind.ERROR_EVENT_MID_STREAM: "broken_stream",
    FaultKind.WRONG_MODEL: "wrong_model",
    FaultKind.SILENT_TRUNCATION: "context_overflow",
    FaultKind.CONTEXT_OVERFLOW: "context_overflow",
}
"""A fault that is not here is a refusal with a status, unless it is an answer all the same."""
STATUSES: dict[FaultKind, set[int]] = {
    FaultKind.STATUS_200_ERROR_BODY: {200},
    FaultKind.RATE_LIMITED: {429},
    FaultKind.QUOTA_EXHAUSTED: {429},
    FaultKind.OVERLOADED: {503, 529},
    FaultKind.QUEUE_FULL: {503},
    FaultKind.LOADING: {503},
    FaultKind.AUTH_FAILED: {401},
    FaultKind.INVALID_REQUEST: {400},
    FaultKind.SERVER_ERROR: {500},
}
ANSWERS = {
    FaultKind.DRIBBLE: "stop",
    FaultKind.NO_USAGE: "stop",
    FaultKind.TRUNCATED: "length",
    FaultKind.EMPTY_ANSWER: "stop",
    FaultKind.REPETITION_LOOP: "length",
}
"""Faults that are whole replies as far as an adapter can tell; the checks judge them."""
SILENT = {FaultKind.SLOW_FIRST_TOKEN, FaultKind.STALL_MID_STREAM, FaultKind.HALF_OPEN}
"""Faults that end by a time limit; every other test waits as long as a busy machine needs."""
IDENTITY_UNKNOWN = {"openai_compatible", "llamacpp"}

CASES = [
    pytest.param(kind, fault, stream, id=f"{kind}-{fault}-{'stream' if stream else 'whole'}")
    for kind, double in DOUBLES.items()
    for fault in sorted(double.shows())
    for stream in (False, True)
    if stream or fault not in STREAM_FAULTS
]


def test_every_fault_that_a_double_can_show_is_covered():
    assert set(FAULTS) == set(FaultKind)
    assert REASONS.keys() | STATUSES.keys() | ANSWERS.keys() == set(FaultKind)


@pytest.mark.parametrize(("kind", "fault", "stream"), CASES)
async def test_every_fault_becomes_its_reason(kind, fault, stream):
    hasty = fault in SILENT
    limits = {"first_token": 0.08, "between_tokens": 0.08} if hasty else {}
    async with engine_and_double(kind, LONG, **limits) as (engine, double):
        double.inject(FAULTS[fault])
        request = a_request("word " * 3000) if fault is FaultKind.SILENT_TRUNCATION else a_request()
        model = model_for(kind, context=2048)
        deltas, result = await ask(engine, request, model, stream=stream, within=0.15 if hasty else 10.0)
    if fault is FaultKind.WRONG_MODEL and kind in IDENTITY_UNKNOWN:
        assert isinstance(result, Reply)
        assert result.answered_by == "somebody-else"
    elif fault in ANSWERS and not (fault is FaultKind.EMPTY_ANSWER and kind == "lmstudio"):
        assert isinstance(result, Reply), result
        assert result.finish == ANSWERS[fault]
        if stream:
            assert "".join(delta.text for delta in deltas) == result.text
    else:
        assert isinstance(result, Failure), result
        expected = "malformed" if fault is FaultKind.EMPTY_ANSWER else REASONS.get(fault, "http_error")
        if fault is FaultKind.STATUS_200_ERROR_BODY and stream and result.reason == "broken_stream":
            expected = "broken_stream"  # Ollama reports it as a line of the stream
        assert result.reason == expected, result
        assert result.detail
        assert fault not in STATUSES or result.status in STATUSES[fault]
        assert KEY not in result.detail
        assert result.seconds >= 0


@pytest.mark.parametrize("kind", DOUBLES)
async def test_a_broken_stream_tells_what_had_arrived(kind):
    async with engine_and_double(kind, LONG) as (engine, double):
        double.inject(Fault.cut_mid_stream(3))
        deltas, result = await ask(engine, a_request(), model_for(kind), stream=True)
    assert isinstance(result, Failure)
    assert result.text == "".join(delta.text for delta in deltas)
    assert result.text.startswith("One two")
    assert result.first_token is not None
    assert result.usage is not None
    assert not result.usage.exact


@pytest.mark.parametrize("kind", DOUBLES)
async def test_closing_a_stream_early_hangs_up_on_the_engine(kind):
    async with engine_and_double(kind, Answer(LONG, chunk_delay=0.05)) as (engine, double):
        stream = engine.stream(a_request(), model_for(kind), 10.0)
        assert isinstance(await anext(stream), Delta)
        await stream.aclose()
        await abandoned(double)


@pytest.mark.parametrize("kind", DOUBLES)
async def test_cancelling_a_call_hangs_up_on_the_engine(kind):
    async with engine_and_double(kind, Answer(LONG, delay=30.0)) as (engine, double):
        call = asyncio.create_task(engine.chat(a_request(), model_for(kind), 60.0))
        async with asyncio.timeout(5):
            while not double.in_flight:  # the double has no event for it
                await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await abandoned(double)


async def abandoned(double):
    async with asyncio.timeout(5):
        while not double.abandoned:  # the double has no event for it
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", DOUBLES)
async def test_an_engine_works_again_after_a_fault(kind):
    async with engine_and_double(kind, LONG) as (engine, double):
        double.inject(Fault.cut_before_headers())
        _, broken = await ask(engine, a_request(), model_for(kind), stream=True)
        assert isinstance(broken, Failure)
        _, whole = await ask(engine, a_request(), model_for(kind), stream=True)
        assert isinstance(whole, Reply)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("shape", ["default", "keep_first", "n_keep", "in_stream", "empty"])
async def test_lm_studios_ways_to_show_an_overflow_are_one_reason(shape, stream):
    async with engine_and_double("lmstudio") as (engine, double):
        double.inject(Fault.context_overflow(shape))
        request, model = a_request("word " * 4000), model_for("lmstudio", context=4096)
        _, result = await ask(engine, request, model, stream=stream)
    assert isinstance(result, Failure)
    assert result.reason == "context_overflow", result


async def test_lm_studios_loaded_model_does_not_pass_for_the_one_asked_for():
    double = LMStudioDouble(substitute=True)
    async with engine_and_double("lmstudio", double=double) as (engine, _):
        for stream in (False, True):
            _, result = await ask(engine, a_request(), model_for("lmstudio", id="qwen2.5-7b"), stream=stream)
            assert isinstance(result, Failure)
            assert result.reason == "wrong_model"


async def test_a_rate_limit_says_how_long_to_wait_and_a_used_up_quota_does_not():
    for kind in ("openai", "anthropic"):
        async with engine_and_double(kind) as (engine, double):
            double.inject(Fault.rate_limited(7.0))
            _, limited = await ask(engine, a_request(), model_for(kind), stream=False)
            double.inject(Fault.quota_exhausted())
            _, spent = await ask(engine, a_request(), model_for(kind), stream=True)
        assert isinstance(limited, Failure)
        assert isinstance(spent, Failure)
        assert limited.retry_after == 7.0
        assert spent.retry_after is None
        assert "will not help" in spent.detail


async def test_a_missing_model_is_a_404():
    for kind in ("ollama", "lmstudio", "openai", "anthropic"):
        async with engine_and_double(kind) as (engine, _):
            _, result = await ask(engine, a_request(), model_for(kind, id="nobody"), stream=False)
        assert isinstance(result, Failure)
        assert (result.reason, result.status) == ("http_error", 404)


async def test_a_wrong_url_at_lm_studio_is_explained_instead_of_believed():
    async with LMStudioDouble() as double:
        settings = EngineSettings(name="lm", kind="openai_compatible", url=double.url)  # lacks /v1
        engine = connect(settings)
        for stream in (False, True):
            _, result = await ask(engine, a_request(), model_for("lmstudio"), stream=stream)
            assert isinstance(result, Failure)
            assert "/v1" in result.detail
        await engine.close()
