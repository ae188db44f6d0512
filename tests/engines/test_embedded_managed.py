"""The embedded engine's models come and go while it runs, with the real llama.cpp."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gguf_files import random_model
from headgate.config.engine import EngineSettings
from headgate.core.engine import LoadedModel
from headgate.core.memory import Shape
from headgate.core.types import Delta, Failure, Message, Model, Reply, Request
from headgate.engines.connect import connect
from headgate.engines.llamacpp.engine import Llamacpp, LlamacppSettings
from headgate.engines.llamacpp.shipped import shipped_folder

pytest.importorskip("xllamacpp")

NANO, MICRO, EMBED = "headgate-nano", "headgate-micro", "headgate-embed"
MIB = 1024 * 1024

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")


@pytest.fixture(scope="session")
def slow_file(tmp_path_factory):
    """A model of 20 MB whose long answers take a second, in which a test can do things."""
    return str(random_model(tmp_path_factory.mktemp("models") / "slow.gguf"))


@pytest.fixture
async def engine_of():
    """Make engines that are closed in the end."""
    made = []

    def reach(url, key):
        return connect(EngineSettings(name="embedded", kind="llamacpp", url=url, key=key))

    def make(*models, **settings):
        wanted = LlamacppSettings(models={m: m for m in models}, eager=frozenset(), **settings)
        made.append(Llamacpp("embedded", wanted, reach))
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


def model(name):
    return Model(name="m", engine="embedded", engine_kind="llamacpp", id=name, local=True)


def saying(tokens):
    return Request(
        id="r", asked="auto", messages=(Message("user", "hello"),), max_tokens=tokens, temperature=0
    )


async def ask(engine, name, tokens=4):
    return await engine.chat(saying(tokens), model(name), within=60)


async def load(engine, name, context=None, parallel=None, within=60.0):
    return await engine.load(name, context, parallel=parallel, within=within)


async def names(engine):
    return [found.id for found in await engine.loaded()]


class Talk:
    """A long answer under way."""

    def __init__(self, engine, name, tokens=3000):
        self.begun = asyncio.Event()
        self.task = asyncio.create_task(self._listen(engine, name, tokens))

    async def _listen(self, engine, name, tokens):
        last = None
        async for item in engine.stream(saying(tokens), model(name), within=60):
            if isinstance(item, Delta):
                self.begun.set()
            last = item
        self.begun.set()
        return last

    async def end(self):
        return await asyncio.wait_for(self.task, 30)


async def talk(engine, name, tokens=3000):
    talking = Talk(engine, name, tokens)
    await talking.begun.wait()
    assert not talking.task.done()
    return talking


async def test_it_starts_with_nothing_loaded_and_loads_what_it_is_told(engine_of):
    engine = engine_of(NANO, MICRO)
    assert await engine.start() is None
    assert await engine.loaded() == ()
    assert (await engine.health()).up
    failure = await ask(engine, NANO)
    assert (failure.reason, failure.detail) == ("http_error", "headgate-nano is not loaded")
    found = await load(engine, NANO, 512, 3)
    assert (found.id, found.context, found.parallel) == (NANO, 512, 3)
    assert await engine.loaded() == (found,)
    assert isinstance(await ask(engine, NANO), Reply)
    assert [listed.loaded for listed in await engine.list_models()] == [True, False]


async def test_a_subset_can_be_loaded_at_the_start():
    settings = EngineSettings(name="embedded", kind="llamacpp", parallel=2)
    engine = connect(settings, [model(NANO), model(MICRO)], eager=frozenset({MICRO}))
    try:
        assert await engine.start() is None
        assert [(found.id, found.parallel) for found in await engine.loaded()] == [(MICRO, 2)]
    finally:
        await engine.close()


async def test_models_are_swapped_and_the_last_one_serves(engine_of):
    engine = engine_of(NANO, MICRO)
    await engine.start()
    pid = engine.status.pid
    for here, gone in ((NANO, MICRO), (MICRO, NANO), (NANO, MICRO)):
        assert await engine.unload(gone) is None
        assert isinstance(await load(engine, here), LoadedModel)
        assert await names(engine) == [here]
        assert isinstance(await ask(engine, here), Reply)
        assert (await ask(engine, gone)).reason == "http_error"
    assert engine.status.pid == pid


async def test_a_model_may_go_as_soon_as_it_has_come(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    async with asyncio.timeout(
        30
    ):  # one in six has hung, where llama.cpp was told to end before it had begun
        for _ in range(50):
            assert isinstance(await load(engine, NANO), LoadedModel)
            await engine.unload(NANO)
    assert engine.status.restarts == 0


async def test_a_model_is_loaded_anew_with_another_context(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    assert (await load(engine, NANO, 256)).context == 256
    assert (await load(engine, NANO, 1024, 2)).context == 1024
    assert [found.parallel for found in await engine.loaded()] == [2]


async def test_what_is_loaded_as_asked_is_left_as_it_is(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    await load(engine, NANO, 256, 2)
    url = engine.status.models[NANO].url
    await load(engine, NANO)
    await load(engine, NANO, 256, 2)
    assert engine.status.models[NANO].url == url


async def test_a_context_beyond_the_models_own_is_refused_and_harms_nothing(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    await load(engine, NANO)
    failure = await load(engine, NANO, 8192)
    assert failure.detail == "headgate-nano was trained for 1024 tokens and cannot take 8192"
    assert isinstance(await ask(engine, NANO), Reply)


async def test_parallel_slots_answer_side_by_side_and_others_load_meanwhile(engine_of, slow_file):
    engine = engine_of(slow_file, NANO, MICRO)
    await engine.start()
    await load(engine, slow_file, 1024, 4)
    talks = [await talk(engine, slow_file, 400) for _ in range(4)]  # each begins while those before it go on
    for _ in range(3):
        assert isinstance(await load(engine, NANO), LoadedModel)
        assert isinstance(await ask(engine, NANO), Reply)
        await engine.unload(NANO)
    for talking in talks:
        reply = await talking.end()
        assert isinstance(reply, Reply), reply
        assert reply.usage.output == 400


async def test_unloading_breaks_off_what_that_model_is_saying_at_once_and_nothing_else(engine_of, slow_file):
    engine = engine_of(slow_file, NANO)
    await engine.start()
    await load(engine, slow_file)
    await load(engine, NANO)
    other = engine.status.models[NANO].url
    talking = await talk(engine, slow_file)
    async with asyncio.timeout(10):  # llama.cpp alone would wait half a minute for its client
        assert await engine.unload(slow_file) is None
    failure = await talking.end()
    assert isinstance(failure, Failure)
    assert failure.reason == "broken_stream"
    assert engine.status.models[NANO].url == other
    assert isinstance(await ask(engine, NANO), Reply)


async def test_a_model_goes_on_while_another_is_unloaded(engine_of, slow_file):
    engine = engine_of(slow_file, MICRO)
    await engine.start()
    await load(engine, slow_file)
    await load(engine, MICRO)
    talking = await talk(engine, slow_file, 1000)
    await engine.unload(MICRO)
    assert not talking.task.done()
    assert isinstance(await talking.end(), Reply)


async def test_a_broken_file_between_two_good_ones_fails_alone(engine_of, tmp_path):
    whole = (shipped_folder() / "headgate-nano.gguf").read_bytes()
    cut, wrong = tmp_path / "cut.gguf", tmp_path / "wrong.gguf"
    cut.write_bytes(whole[:-50_000])
    wrong.write_bytes(b"GGUF" + bytes(100))
    engine = engine_of(NANO, str(cut), str(wrong), MICRO)
    await engine.start()
    first, second, third, fourth = [await load(engine, name) for name in (NANO, str(cut), str(wrong), MICRO)]
    assert isinstance(first, LoadedModel)
    assert "corrupted or incomplete" in second.detail
    assert "cut short or damaged" in third.detail
    assert isinstance(fourth, LoadedModel)
    assert await names(engine) == [NANO, MICRO]
    assert isinstance(await ask(engine, NANO), Reply)
    assert "\n" not in second.detail + third.detail


@pytest.mark.parametrize("foreseen", [True, False])
async def test_a_load_for_which_there_is_no_memory_leaves_the_model_as_it_was(
    engine_of, tmp_path, monkeypatch, foreseen
):
    if not foreseen:
        monkeypatch.setattr("headgate.engines.llamacpp.engine.free_memory", lambda: None)
    vast = str(random_model(tmp_path / "vast.gguf", context=16_000_000))
    engine = engine_of(vast)
    await engine.start()
    assert (await load(engine, vast, 512)).context == 512
    failure = await load(engine, vast, 16_000_000, 2)  # 256 GB of cache
    assert failure.reason == "refused"
    assert "memory" in failure.detail
    assert (await engine.loaded())[0].context == 512
    assert isinstance(await ask(engine, vast), Reply)


async def test_a_model_that_is_not_there_says_what_was_meant(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    failure = await load(engine, "headgate-nanno")
    assert failure.detail == "there is no embedded model 'headgate-nanno'"
    assert failure.hint == "did you mean headgate-nano?"


@linux_only
async def test_memory_is_measured_and_freed(engine_of, slow_file):
    engine = engine_of(slow_file, NANO)
    await engine.start()
    await load(engine, NANO)
    before = resident(engine)
    found = await load(engine, slow_file, 4096, 4)
    # 20 MB of weights, and 4 × 4096 tokens × 8 layers × 2 × 2 heads × 128 numbers × 2 bytes of cache
    assert 140 * MIB < found.memory < 250 * MIB
    assert found.vram == 0
    assert abs(resident(engine) - before - found.memory) < 20 * MIB
    await engine.unload(slow_file)
    assert resident(engine) - before < 20 * MIB


def resident(engine):
    return int(Path(f"/proc/{engine.status.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_killed_in_the_middle_of_an_answer_it_is_back_with_what_was_loaded(engine_of, slow_file):
    engine = engine_of(slow_file, NANO, MICRO)
    await engine.start()
    for name in (slow_file, NANO, MICRO):
        await load(engine, name, 512, 2)
    await engine.unload(MICRO)
    talking = await talk(engine, slow_file, 400)
    os.kill(engine.status.pid, signal.SIGKILL)
    failure = await talking.end()
    assert isinstance(failure, Failure)
    assert failure.reason in ("broken_stream", "refused")
    await engine.wait_until(lambda status: status.state == "up" and status.restarts == 1)
    assert {found.id: (found.context, found.parallel) for found in await engine.loaded()} == {
        slow_file: (512, 2),
        NANO: (512, 2),
    }
    assert isinstance(await ask(engine, NANO), Reply)


@linux_only
async def test_a_load_that_is_given_up_leaves_nothing_behind(engine_of, slow_file):
    engine = engine_of(slow_file, NANO)
    await engine.start()
    failure = await load(engine, slow_file, 4096, 8, within=0.01)
    assert failure.reason == "timeout"
    assert isinstance(await load(engine, NANO), LoadedModel)
    assert await names(engine) == [NANO]
    before = resident(engine)
    assert before < 100 * MIB


async def test_unloading_what_is_not_loaded_is_no_failure(engine_of):
    engine = engine_of(NANO)
    assert await engine.unload(NANO) is None
    await engine.start()
    assert await engine.unload(NANO) is None
    assert await engine.unload("whatever") is None


async def test_an_engine_that_was_not_started_starts_when_it_has_to_load(engine_of):
    engine = engine_of(NANO)
    assert isinstance(await load(engine, NANO), LoadedModel)
    assert isinstance(await ask(engine, NANO), Reply)


async def test_the_shape_comes_from_the_file(engine_of, slow_file):
    shape = await engine_of(slow_file).shape(slow_file)
    assert isinstance(shape, Shape)
    assert (shape.layers, shape.kv_heads, shape.key_length) == (8, (2,), 128)
    assert 20_000_000 < shape.weights < 21_000_000


async def test_a_text_is_embedded_by_a_model_that_was_loaded_later(engine_of):
    engine = engine_of(EMBED)
    await engine.start()
    await load(engine, EMBED)
    texts = (Message("user", "hello"), Message("user", "world"))
    request = Request(id="r", asked="auto", kind="embedding", messages=texts)
    reply = await engine.embed(request, model(EMBED), within=10)
    assert isinstance(reply, Reply), reply
    assert len(reply.vectors) == 2
