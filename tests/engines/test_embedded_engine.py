"""The embedded engine as the gate sees it, with the real llama.cpp and the adapter that the gate asks it through."""

import os
import signal

import pytest

from headgate.config.engine import EngineSettings
from headgate.core.errors import EngineError
from headgate.core.types import Delta, Failure, Message, Model, Reply, Request
from headgate.engines.connect import connect
from headgate.engines.llamacpp import readiness
from headgate.engines.llamacpp.catalogue import resolve
from headgate.engines.llamacpp.engine import Llamacpp, LlamacppSettings

pytest.importorskip("xllamacpp")

NANO = "headgate-nano"
REQUEST = Request(id="r", asked="auto", messages=(Message("user", "hello"),), max_tokens=4)


def model(name=NANO):
    return Model(name="m", engine="embedded", engine_kind="llamacpp", id=name, local=True)


@pytest.fixture
def adapters():
    """Every adapter that an engine has made."""
    return []


@pytest.fixture
async def engine_of(adapters):
    """Make engines that are closed in the end."""
    made = []

    def reach(url, key):
        adapters.append(connect(EngineSettings(name="embedded", kind="llamacpp", url=url, key=key)))
        return adapters[-1]

    def make(*models):
        made.append(Llamacpp("embedded", LlamacppSettings(models={m: m for m in models}), reach))
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


async def ask(engine, name=NANO):
    return await engine.chat(REQUEST, model(name), within=10)


async def kill(engine, how=signal.SIGKILL):
    """Kill its child and wait until the gate has seen it."""
    os.kill(engine.status.pid, how)
    return await engine.wait_until(lambda status: status.state == "waiting")


async def test_a_shipped_model_answers_under_its_name(engine_of):
    engine = engine_of(NANO)
    assert await engine.start() is None
    reply = await ask(engine)
    assert isinstance(reply, Reply)
    assert reply.answered_by == NANO
    assert (await engine.health()).up


async def test_a_stream_ends_with_the_whole_reply(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    items = [item async for item in engine.stream(REQUEST, model(), within=10)]
    assert isinstance(items[-1], Reply)
    assert items[-1].text == "".join(item.text for item in items[:-1] if isinstance(item, Delta))


async def test_two_models_of_one_engine_answer_side_by_side(engine_of):
    engine = engine_of(NANO, "headgate-embed")
    assert await engine.start() is None
    nano, embed = await engine.list_models()
    assert (nano.id, nano.kind, nano.context, nano.loaded) == (NANO, "chat", 1024, True)
    assert (embed.id, embed.kind, embed.loaded) == ("headgate-embed", "embedding", True)
    assert len({found.url for found in engine.status.models.values()}) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT], ids=lambda number: number.name)
async def test_while_a_killed_child_restarts_it_is_refused_and_then_it_answers_again(
    engine_of, adapters, how
):
    engine = engine_of(NANO)
    await engine.start()
    await ask(engine)
    await kill(engine, how)
    failure = await ask(engine)
    assert isinstance(failure, Failure)
    assert failure.reason == "refused"
    assert how.name in failure.detail
    health = await engine.health()
    assert not health.up
    assert how.name in health.detail
    await engine.wait_until(lambda status: status.state == "up")
    assert isinstance(await ask(engine), Reply)
    old, new = adapters
    assert "closed" in (await old.chat(REQUEST, model(), within=10)).detail
    assert isinstance(await new.chat(REQUEST, model(), within=10), Reply)


async def test_a_stream_to_a_killed_child_ends_in_one_failure(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    await kill(engine)
    (item,) = [item async for item in engine.stream(REQUEST, model(), within=10)]
    assert isinstance(item, Failure)


async def test_a_file_that_is_no_model_spoils_nothing_for_the_others(engine_of, tmp_path):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_text("This is no model.")
    engine = engine_of(str(wrong), NANO, str(tmp_path / "gone.gguf"))
    assert await engine.start() is None
    failure = await ask(engine, str(wrong))
    assert failure.reason == "http_error"
    assert "it is not a GGUF file" in failure.detail
    assert isinstance(await ask(engine), Reply)
    health = await engine.health()
    assert health.up
    assert "it is not a GGUF file" in health.detail
    assert "does not exist" in health.detail


async def test_a_model_cut_short_is_refused_with_llama_cpps_own_reason(engine_of, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(resolve(NANO).read_bytes()[:-50_000])
    engine = engine_of(str(cut))
    error = await engine.start()
    assert isinstance(error, EngineError)
    assert "corrupted or incomplete" in str(error)
    assert "corrupted or incomplete" in (await ask(engine, str(cut))).detail
    assert not (await engine.health()).up


async def test_a_model_that_was_not_ordered_is_refused(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    assert (await ask(engine, "headgate-micro")).reason == "http_error"


async def test_an_engine_without_models_says_so(engine_of):
    assert "has no models" in str(await engine_of().start())


async def test_an_engine_that_was_not_started_is_refused_and_down(engine_of):
    engine = engine_of(NANO)
    assert (await ask(engine)).reason == "refused"
    assert not (await engine.health()).up
    assert isinstance(await engine.list_models(), Failure)


async def test_a_machine_that_cannot_run_it_starts_nothing_and_says_what_to_do(engine_of, monkeypatch):
    monkeypatch.setattr(
        readiness, "check", lambda: EngineError("the embedded engine is not installed", "pip install it")
    )
    engine = engine_of(NANO)
    assert "not installed" in str(await engine.start())
    assert "not installed" in (await ask(engine)).detail
    assert "pip install it" in (await engine.health()).detail
    assert engine.status is None


async def test_after_close_there_is_no_process_and_the_engine_refuses(engine_of):
    engine = engine_of(NANO)
    await engine.start()
    pid = engine.status.pid
    await engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (await ask(engine)).detail == "the embedded engine was stopped"


async def test_the_configs_table_makes_an_engine_that_answers():
    settings = EngineSettings(name="embedded", kind="llamacpp", parallel=1)
    engine = connect(settings, [model()])
    try:
        assert await engine.start() is None
        assert isinstance(await ask(engine), Reply)
    finally:
        await engine.close()
