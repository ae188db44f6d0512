"""Ollama's models, fetched, loaded, unloaded and removed: against its double, and against servers that only pretend."""

import asyncio
import math
import time

import pytest
from adapter_doubles import engine_and_double, settings_for
from scripted_transport import ScriptedTransport

from headgate.core.engine import ManagedEngine, Progress
from headgate.core.types import Failure
from headgate.engines import downloads, ollama_models
from headgate.engines.ollama import Ollama
from headgate.testing import Answer, Fault, OllamaDouble, ServedModel
from headgate.testing.downloads import PullTrouble

GIB = 1 << 30
LLAMA, NOMIC, QWEN = "llama3.1:8b", "nomic-embed-text:latest", "qwen3:4b"


async def pulled(engine, model_id=QWEN):
    return [report async for report in engine.pull(model_id)]


def with_library(**more):
    return OllamaDouble(library={QWEN: ServedModel(size=2_600_000_000)}, **more)


def pretender(respond):
    return Ollama(settings_for("ollama", "http://127.0.0.1:1"), ScriptedTransport(respond))


async def test_ollama_lets_its_models_be_managed_and_lists_them_with_their_digests():
    async with engine_and_double("ollama") as (engine, _):
        assert isinstance(engine, ManagedEngine)
        listed = {model.id: model for model in await engine.list_models()}
    assert len({model.digest for model in listed.values()}) == 3
    assert all(len(model.digest) == 64 for model in listed.values())
    assert (listed[LLAMA].size, listed[LLAMA].quantization) == (4_920_753_328, "Q4_K_M")


async def test_a_model_is_loaded_with_the_asked_window_and_stays():
    double = OllamaDouble(vram=24 * GIB)
    async with engine_and_double("ollama", double=double) as (engine, _):
        loaded = await engine.load(LLAMA, 8192, parallel=None, within=5)
        (seen,) = await engine.loaded()
    assert (loaded.id, loaded.context, loaded.parallel) == (LLAMA, 8192, None)
    assert loaded.memory == loaded.vram == 4_920_753_328 + GIB  # 8192 tokens of 128 KiB each
    assert loaded.until > time.time() + 100 * 365 * 86_400
    assert (seen.id, seen.context, seen.memory) == (LLAMA, 8192, loaded.memory)
    assert double.loads == [(LLAMA, 8192)]


async def test_another_window_loads_the_model_anew_and_the_same_does_not():
    async with engine_and_double("ollama") as (engine, double):
        for context in (4096, 4096, 16_384):
            loaded = await engine.load("llama3.1:8b", context, parallel=4, within=5)
            assert loaded.context == context
    assert double.loads == [(LLAMA, 4096), (LLAMA, 16_384)]


async def test_a_model_for_embeddings_is_loaded_and_unloaded_like_any_other():
    async with engine_and_double("ollama") as (engine, double):
        loaded = await engine.load("nomic-embed-text", 2048, parallel=None, within=5)
        assert (loaded.id, loaded.context) == (NOMIC, 2048)
        assert await engine.unload("nomic-embed-text") is None
        assert await engine.loaded() == ()
    assert double.unloads == [NOMIC]


async def test_part_of_a_model_on_the_processor_is_told():
    async with engine_and_double("ollama", double=OllamaDouble(vram=3 * GIB)) as (engine, _):
        loaded = await engine.load(LLAMA, 8192, parallel=None, within=5)
    assert 0 < loaded.vram < loaded.memory


async def test_a_window_beyond_the_training_is_refused_before_anything_is_loaded():
    async with engine_and_double("ollama") as (engine, double):
        failure = await engine.load(LLAMA, 200_000, parallel=None, within=5)
    assert isinstance(failure, Failure)
    assert "131,072" in failure.detail
    assert "131072 or less" in failure.hint
    assert double.loads == []


async def test_too_little_memory_is_said_with_what_to_do():
    double = OllamaDouble(vram=0, ram=2 * GIB)
    async with engine_and_double("ollama", double=double) as (engine, _):
        failure = await engine.load(LLAMA, 8192, parallel=None, within=5)
    assert "there is not enough memory for llama3.1:8b" in failure.detail
    assert "5.6 GiB" in failure.detail
    assert "headgate models unload" in failure.hint


async def test_unknown_models_are_said_to_be_missing_with_the_way_to_get_them():
    async with engine_and_double("ollama") as (engine, _):
        failures = [
            await engine.load("nope", None, parallel=None, within=5),
            await engine.shape("nope"),
            await engine.remove("nope"),
        ]
        assert await engine.unload("nope") is None
    for failure in failures:
        assert failure.detail == "Ollama has no nope"
        assert failure.hint == "headgate models pull nope --engine my-ollama"


async def test_an_engine_that_is_down_is_refused_by_every_verb():
    async with engine_and_double("ollama") as (engine, double):
        double.inject(Fault.refuse())
        found = [
            await engine.loaded(),
            await engine.load(LLAMA, None, parallel=None, within=5),
            await engine.unload(LLAMA),
            await engine.remove(LLAMA),
            await engine.shape(LLAMA),
            *await pulled(engine),
        ]
    assert [failure.reason for failure in found] == ["refused"] * 6


async def test_a_busy_model_is_not_said_to_be_unloaded(monkeypatch):
    monkeypatch.setattr(ollama_models, "LETTING_GO", 0.05)
    monkeypatch.setattr(ollama_models, "LOOK_AGAIN", 0.01)
    double = OllamaDouble(answer=Answer("late", delay=30))
    async with engine_and_double("ollama", double=double) as (engine, _):
        busy = asyncio.create_task(
            engine._exchange.post("/api/generate", {"model": LLAMA, "prompt": "x", "stream": False})
        )
        while not double.in_flight:
            await asyncio.sleep(0)
        failure = await engine.unload(LLAMA)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
    assert failure.reason == "timeout"
    assert "still in memory" in failure.detail


async def test_the_shape_comes_from_the_models_own_metadata():
    async with engine_and_double("ollama") as (engine, _):
        shape = await engine.shape(LLAMA)
    assert (shape.architecture, shape.layers, shape.kv_heads) == ("llama", 32, (8,))
    assert (shape.key_length, shape.weights, shape.context) == (128, 4_920_753_328, 131_072)


async def test_a_fact_for_each_layer_is_asked_for_once_more():
    heads = [4, 0, 4, 0]

    def respond(_method, path, body):
        if path == "/api/tags":
            return {"models": [{"name": "odd:latest", "size": 1000}]}
        facts = {"block_count": 4, "embedding_length": 64, "attention.head_count": 4, "context_length": 512}
        facts["attention.head_count_kv"] = heads if body.get("verbose") else None
        info = {"general.architecture": "odd"} | {f"odd.{name}": fact for name, fact in facts.items()}
        return {"details": {}, "model_info": info}

    assert (await pretender(respond).shape("odd")).kv_heads == (4, 0, 4, 0)
    heads = None
    failure = await pretender(respond).shape("odd")
    assert "does not say how many layers" in failure.detail


async def test_a_download_is_one_figure_that_grows_to_its_total():
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        reports = await pulled(engine)
        assert QWEN in double.models
    assert all(isinstance(report, Progress) for report in reports)
    steps = list(dict.fromkeys(report.step for report in reports))
    assert steps == [
        "pulling manifest",
        "downloading",
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    done = [report.completed for report in reports if report.completed is not None]
    assert done == sorted(done)
    assert (done[-1], reports[-1].total) == (2_600_000_000, 2_600_000_000)


async def test_a_download_goes_on_where_it_broke_off():
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        double.break_pull(QWEN, PullTrouble.CUT)
        *_, failure = await pulled(engine)
        assert isinstance(failure, Failure)
        assert "unexpected EOF" in failure.detail
        assert QWEN not in double.models
        again = await pulled(engine)
        first = next(report.completed for report in again if report.completed)
    assert first >= 1_200_000_000
    assert again[-1].step == "success"


@pytest.mark.parametrize(
    ("trouble", "words", "hint"),
    [
        (PullTrouble.DIGEST, "what arrived is not what was promised", "anew"),
        (PullTrouble.DISK_FULL, "the disk is full", "make room"),
    ],
)
async def test_what_ends_a_download_is_said_with_what_to_do(trouble, words, hint):
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        double.break_pull(QWEN, trouble, after=1.0 if trouble is PullTrouble.DIGEST else 0.5)
        *_, failure = await pulled(engine)
    assert words in failure.detail
    assert hint in failure.hint


async def test_a_disk_that_fills_is_said_and_the_next_pull_goes_on():
    async with engine_and_double("ollama", double=with_library(disk=10**9)) as (engine, double):
        *_, failure = await pulled(engine)
        assert "the disk is full" in failure.detail
        double.disk.store.free = 10**10
        again = await pulled(engine)
    assert next(report.completed for report in again if report.completed) >= 10**9
    assert again[-1].step == "success"


async def test_a_name_that_ollama_cannot_find_is_said():
    async with engine_and_double("ollama") as (engine, _):
        *_, failure = await pulled(engine, "nope")
    assert failure.detail == "Ollama finds no nope to fetch: pull model manifest: file does not exist"
    assert "catalogue" in failure.hint


@pytest.mark.parametrize(
    "fault", [Fault.no_end_proof(after=3), Fault.cut_mid_stream(after=3), Fault.broken_chunk(after=3)]
)
async def test_a_report_that_breaks_off_is_no_success(fault):
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        double.inject(fault, path="/api/pull")
        *_, failure = await pulled(engine)
    assert isinstance(failure, Failure)
    assert failure.reason == "broken_stream"


async def test_silence_is_a_stall(monkeypatch):
    monkeypatch.setattr(downloads, "STALL", 0.05)
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        double.break_pull(QWEN, PullTrouble.STALL)
        *reports, failure = await pulled(engine)
        await double.idle()
    assert reports
    assert failure.reason == "timeout"
    assert "stalled" in failure.detail
    assert "goes on where it ended" in failure.hint
    assert double.abandoned == 1


async def test_the_same_figure_again_and_again_is_a_stall_too(monkeypatch):
    monkeypatch.setattr(downloads, "STALL", 0.05)

    async def chatter():
        while True:
            yield b'{"status":"pulling abc","digest":"sha256:abc","total":100,"completed":40}\n'
            await asyncio.sleep(0)

    engine = pretender(lambda *_: chatter())
    async with asyncio.timeout(30):
        *_, failure = await pulled(engine)
    assert failure.reason == "timeout"
    assert "no byte came" in failure.detail


async def test_whoever_stops_a_download_hangs_up_and_leaves_no_model():
    async with engine_and_double("ollama", double=with_library()) as (engine, double):
        double.break_pull(QWEN, PullTrouble.STALL)
        reports = engine.pull(QWEN)
        async for report in reports:
            if report.completed:
                break
        await reports.aclose()
        await double.idle()
        assert double.abandoned == 1
        assert QWEN not in [model.id for model in await engine.list_models()]


async def test_a_removed_model_is_gone():
    async with engine_and_double("ollama") as (engine, double):
        assert await engine.remove(LLAMA) is None
        assert LLAMA not in double.models


@pytest.mark.parametrize("body", [b"{}", b"<html>hello</html>", b'{"error":"Unexpected endpoint"}', b"[1]"])
async def test_a_server_that_says_yes_to_everything_is_no_ollama(body):
    engine = pretender(lambda *_: body)
    found = [
        await engine.list_models(),
        await engine.loaded(),
        await engine.shape(LLAMA),
        await engine.load(LLAMA, None, parallel=None, within=1),
        await engine.unload(LLAMA),
        await engine.remove(LLAMA),
        *await pulled(engine),
    ]
    assert len(found) == 7
    assert all(isinstance(one, Failure) for one in found)


def ollama_that(running=(), listed=()):
    def respond(_method, path, _body):
        return {
            "/api/show": {"details": {}, "model_info": {}},
            "/api/generate": {"done": True, "done_reason": "load"},
            "/api/ps": {"models": list(running)},
            "/api/tags": {"models": list(listed)},
        }.get(path, {})

    return pretender(respond)


async def test_a_load_that_did_not_take_effect_is_a_failure_that_says_what_was_found():
    other = ollama_that(running=[{"name": "other:1b", "context_length": 4096}])
    failure = await other.load(LLAMA, 8192, parallel=None, within=1)
    assert failure.detail == "Ollama says that it loaded llama3.1:8b, but in its memory there is other:1b"
    drifted = ollama_that(running=[{"name": LLAMA, "context_length": 4096}])
    failure = await drifted.load(LLAMA, 8192, parallel=None, within=1)
    assert "a context of 4,096 tokens instead of 8,192" in failure.detail
    silent = ollama_that(running=[{"name": LLAMA}])
    loaded = await silent.load(LLAMA, 8192, parallel=None, within=1)
    assert loaded.context is None  # an older version does not say; unknown is no drift


async def test_a_model_that_was_only_said_to_be_deleted_is_a_failure():
    failure = await ollama_that(listed=[{"name": LLAMA}]).remove(LLAMA)
    assert "its list still has it" in failure.detail


async def test_a_model_on_somebody_elses_machine_is_not_loaded():
    def respond(_method, _path, _body):
        return {"details": {}, "remote_host": "https://ollama.com"}

    failure = await pretender(respond).load("gpt-oss:120b-cloud", None, parallel=None, within=1)
    assert "runs on https://ollama.com" in failure.detail


async def test_a_load_gets_no_longer_than_it_is_given():
    double = OllamaDouble()
    async with engine_and_double("ollama", double=double) as (engine, _):
        double.inject(Fault.half_open(), path="/api/generate")
        failure = await engine.load(LLAMA, 8192, parallel=None, within=0.1)
    assert failure.reason == "timeout"
    assert "log" in failure.hint


async def test_an_odd_moment_of_expiry_is_unknown():
    odd = ollama_that(running=[{"name": LLAMA, "expires_at": "tomorrow"}])
    (loaded,) = await odd.loaded()
    assert loaded.until is None
    even = ollama_that(running=[{"name": LLAMA, "expires_at": "2026-11-23T08:32:15.410671385Z"}])
    (loaded,) = await even.loaded()
    assert math.isclose(loaded.until, 1_795_422_735.41067, abs_tol=0.001)
