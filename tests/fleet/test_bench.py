"""A card says what was measured: on real models, on engines that play along, and on those that do not."""

import asyncio
import json
import tomllib
from contextlib import asynccontextmanager
from dataclasses import replace as with_fields
from pathlib import Path
from time import perf_counter

import pytest
from msgspec.structs import replace

from headgate.config.engine import EngineSettings
from headgate.core.cards import Card, PassRate
from headgate.core.engine import LoadedModel
from headgate.core.parts import WHOLE
from headgate.core.types import Failure, Model, Reply
from headgate.engines.connect import connect
from headgate.fleet.bench import Bench, measure, read_exam
from headgate.testing import Answer, Fault, OllamaDouble, ToolCall
from headgate.testing.answers import ServedModel, count_prompt

EXAM = read_exam()
RIGHT = tomllib.loads((Path(__file__).parents[1] / "data" / "exam_answers.toml").read_text(encoding="utf-8"))
BY_QUESTION = {item.ask: item for item in EXAM.items}
COUNTED = " ".join(str(number) for number in range(1, 61))
LLAMA = Model(name="llama", engine="ollama", engine_kind="ollama", id="llama3.1:8b", local=True, context=8192)


def bench(**more):
    fields = {"within": 60.0, "parallel": 1, "reload": False, "machine": "here", "now": 1.0, "tell": str}
    return Bench(**fields | more)


def item_of(call):
    return BY_QUESTION.get(call.prompt)


def able(call):
    """What a model says that knows every answer, and counts when it is told to."""
    item = item_of(call)
    if item is None:
        return Answer(COUNTED)
    right = RIGHT[item.id]
    if isinstance(right, str):
        return Answer(right)
    return Answer(tool_calls=(ToolCall(right["name"], right["arguments"]),), finish="tool_calls")


@asynccontextmanager
async def ollama(answer=able, **more):
    """Ollama's adapter and the double behind it."""
    settings = more.pop("settings", {})
    async with OllamaDouble(answer=answer, num_ctx=8192, **more) as double:
        engine = connect(EngineSettings(name="ollama", kind="ollama", url=double.url, **settings))
        try:
            yield engine, double
        finally:
            await engine.close()


class Managed:
    """An adapter whose models can be loaded and unloaded; it remembers what it was told."""

    def __init__(self, engine, *, takes=0.0, memory=(), load=None):
        self.engine, self.takes, self.memory, self.failure = engine, takes, memory, load
        self.told = []

    async def unload(self, model_id):
        self.told.append(("unload", model_id))

    async def load(self, model_id, context, *, parallel, within):
        self.told.append(("load", model_id, context, parallel))
        await asyncio.sleep(self.takes)  # the time that loading takes here
        return self.failure or LoadedModel(id=model_id)

    async def loaded(self):
        return self.memory

    def _unasked(self, *asked):
        raise AssertionError("a measurement asks for nothing else")

    shape = pull = remove = _unasked
    name, kind = "ollama", "ollama"
    chat = property(lambda self: self.engine.chat)
    stream = property(lambda self: self.engine.stream)
    embed = property(lambda self: self.engine.embed)
    health = property(lambda self: self.engine.health)
    list_models = property(lambda self: self.engine.list_models)
    close = property(lambda self: self.engine.close)


# ── Real models ──────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def embedded(model_id, kind="chat"):
    pytest.importorskip("xllamacpp")
    model = Model(
        name="m", engine="embedded", engine_kind="llamacpp", id=model_id, kind=kind, local=True, context=1024
    )
    engine = connect(EngineSettings(name="embedded", kind="llamacpp", parallel=2), [model])
    try:
        assert await engine.start() is None
        yield engine, model
    finally:
        await engine.close()


async def test_a_tiny_real_model_is_fast_sorts_mail_and_fails_nearly_all_else():
    async with embedded("headgate-micro") as (engine, model):
        card = await measure(engine, model, bench(parallel=2, exam=EXAM, now=1234.5))
    assert isinstance(card, Card)
    assert (card.engine, card.id, card.measured, card.parallel) == ("embedded", "headgate-micro", 1234.5, 2)
    assert card.first_token_warm < 5
    assert card.prompt_speed > 100
    assert card.speed > 10
    assert card.speed_parallel > 10
    assert card.tasks["classification"].passed >= 4
    assert card.tasks["code"] == PassRate(0, 7)
    assert card.tasks["translation"] == PassRate(0, 8)
    assert card.tools.passed == 0
    assert card.schema.passed >= 1
    assert sum(share.of for share in card.tasks.values()) + card.schema.of + card.tools.of + sum(
        share.of for share in card.languages.values()
    ) == len(EXAM.items)


async def test_a_real_model_that_embeds_gets_its_speed_and_the_length_of_its_vectors():
    async with embedded("headgate-embed", "embedding") as (engine, model):
        card = await measure(engine, model, bench(exam=EXAM))
    assert card.dimensions == 64
    assert card.texts_speed > 10
    assert (card.speed, card.tasks, card.schema) == (None, {}, None)


# ── The exam ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_knows_every_answer_gets_full_marks_and_nothing_is_asked_twice():
    async with ollama() as (engine, double):
        card = await measure(engine, LLAMA, bench(parallel=4, exam=EXAM))
        asked = [item.id for call in double.calls if (item := item_of(call))]
        assert sorted(asked) == sorted(item.id for item in EXAM.items)
        assert double.peak_in_flight <= 4
    assert (card.schema, card.tools) == (PassRate(6, 6), PassRate(6, 6))
    assert all(share.passed == share.of for share in (*card.tasks.values(), *card.languages.values()))
    assert len(card.tasks) == 10
    assert set(card.languages) == {"en", "de", "fr", "es", "it", "pt", "nl"}


async def test_calls_written_as_text_count_as_the_gate_would_deliver_them():
    def writes_calls(call):
        said = able(call)
        if not said.tool_calls:
            return said
        (one,) = said.tool_calls
        return f"<tool_call>{json.dumps({'name': one.name, 'arguments': one.arguments})}</tool_call>"

    async with ollama(writes_calls) as (engine, _):
        card = await measure(engine, LLAMA, bench(exam=EXAM))
    assert card.tools == PassRate(6, 6)


async def test_who_calls_a_tool_whatever_is_asked_fails_where_none_should_be_called():
    def always(call):
        tools = call.tools
        return Answer(tool_calls=(ToolCall(tools[0]["name"], {"city": "Lisbon"}),)) if tools else able(call)

    async with ollama(always) as (engine, _):
        card = await measure(engine, LLAMA, bench(exam=EXAM))
    assert card.tools == PassRate(1, 6)


async def test_a_model_that_its_engine_lets_call_no_tools_has_failed_these_items_and_no_other():
    models = {"llama3.1:8b": ServedModel(context=131_072, tools=False)}
    async with ollama(models=models) as (engine, _):
        card = await measure(engine, LLAMA, bench(exam=EXAM))
    assert card.tools == PassRate(0, 6)
    assert card.tasks["code"] == PassRate(7, 7)


async def test_a_model_that_thinks_aloud_gets_room_for_it():
    async with ollama(lambda call: with_fields(able(call), reasoning="Hmm.")) as (engine, double):
        await measure(engine, LLAMA, bench(exam=EXAM))
        limits = {
            item.id: call.fields["options"]["num_predict"] for call in double.calls if (item := item_of(call))
        }
    assert limits["classification-1"] > 2000


# ── The speeds ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_speeds_follow_what_the_engine_does():
    async with ollama(Answer(COUNTED, delay=0.05, chunk_delay=0.002)) as (engine, _):
        card = await measure(engine, LLAMA, bench(parallel=3))
    assert card.first_token_warm >= 0.05
    assert 0 < card.speed < 500
    assert card.speed_parallel > 1.5 * card.speed
    assert (card.tasks, card.schema, card.tools) == ({}, None, None)


async def test_no_prompt_begins_as_another_did_so_that_no_cache_helps():
    async with ollama() as (engine, double):
        await measure(engine, LLAMA, bench(parallel=2))
        await measure(engine, LLAMA, bench(parallel=2))
        begun = [call.prompt.split()[0] for call in double.calls if call.prompt]
    assert len(begun) > 20
    assert len(set(begun)) == len(begun)


async def test_prompts_rise_up_to_the_window_and_the_longest_fast_one_is_told():
    async with ollama(Answer(COUNTED, chunk_delay=0.002)) as (engine, double):
        card = await measure(engine, LLAMA, bench())
        longest = max(count_prompt(call) for call in double.calls)
    assert 5_000 < longest < 8192
    assert card.fast_context == longest


async def test_where_writing_slows_down_the_context_is_no_longer_fast():
    def tiring(call):
        return Answer(COUNTED, chunk_delay=0.02 if count_prompt(call) > 2_000 else 0.002)

    async with ollama(tiring) as (engine, _):
        card = await measure(engine, LLAMA, bench())
    assert 400 < card.fast_context <= 2_000


async def test_a_window_that_is_smaller_than_told_ends_the_rise_and_spoils_nothing():
    small = {"llama3.1:8b": ServedModel(context=1500)}
    async with ollama(Answer(COUNTED, chunk_delay=0.002), models=small) as (engine, _):
        card = await measure(engine, replace(LLAMA, context=None), bench(window=131_072))
    assert 200 < card.fast_context < 1500
    assert card.speed


class Guessing:
    """An engine whose token counts are estimates."""

    def __init__(self, engine):
        self.engine = engine

    def __getattr__(self, name):
        return getattr(self.engine, name)

    async def stream(self, request, model, within):
        async for item in self.engine.stream(request, model, within):
            yield (
                replace(item, usage=replace(item.usage, estimated=WHOLE)) if isinstance(item, Reply) else item
            )


async def test_estimated_tokens_make_no_speed():
    async with ollama() as (engine, _):
        card = await measure(Guessing(engine), LLAMA, bench(parallel=2))
    assert card.first_token_warm is not None
    assert (card.speed, card.speed_parallel, card.prompt_speed, card.fast_context) == (None,) * 4


# ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_managed_engine_loads_anew_with_the_configs_context_and_the_cold_start_includes_it():
    memory = (
        LoadedModel(id="other", memory=1),
        LoadedModel(id="llama3.1:8b", context=4096, memory=6_000, vram=4_500),
    )
    async with ollama(Answer(COUNTED, delay=0.01)) as (engine, _):
        managed = Managed(engine, takes=0.1, memory=memory)
        card = await measure(managed, LLAMA, bench(parallel=2, reload=True))
    assert managed.told == [("unload", "llama3.1:8b"), ("load", "llama3.1:8b", 8192, None)]
    assert card.load_seconds >= 0.1
    assert card.first_token_cold >= card.load_seconds + 0.01
    assert card.first_token_warm < card.first_token_cold
    assert (card.context, card.memory, card.on_gpu) == (4096, 6_000, 0.75)


async def test_how_many_answers_at_a_time_is_the_engines_to_say_unless_the_config_does():
    async with ollama() as (engine, _):
        managed = Managed(engine)
        await measure(managed, replace(LLAMA, slots=3), bench(parallel=3, reload=True))
    assert managed.told[1] == ("load", "llama3.1:8b", 8192, 3)


async def test_without_leave_nothing_is_unloaded():
    async with ollama() as (engine, _):
        managed = Managed(engine)
        card = await measure(managed, LLAMA, bench(reload=False))
    assert managed.told == []
    assert (card.load_seconds, card.first_token_cold, card.memory, card.on_gpu) == (None,) * 4


async def test_a_model_that_loads_by_itself_tells_of_it_only_if_it_was_cold():
    async with ollama() as (engine, _):
        cold = await measure(engine, LLAMA, bench(cold=True))
        warm = await measure(engine, LLAMA, bench(cold=False))
    assert cold.load_seconds > 0
    assert cold.first_token_cold > 0
    assert (warm.load_seconds, warm.first_token_cold) == (None, None)


async def test_a_model_that_does_not_load_has_no_card():
    failure = Failure(reason="refused", detail="not enough memory")
    async with ollama() as (engine, double):
        found = await measure(Managed(engine, load=failure), LLAMA, bench(reload=True, exam=EXAM))
        assert found is failure
        assert not [call for call in double.calls if call.path == "/api/chat"]


# ── Time, and engines that go away ───────────────────────────────────────────────────────────────────────────────────


async def test_what_the_time_does_not_reach_stays_unknown():
    async with ollama(lambda call: with_fields(able(call), delay=0.05)) as (engine, _):
        begun = perf_counter()
        card = await measure(engine, LLAMA, bench(within=1.5, exam=EXAM))
        took = perf_counter() - begun
    assert took < 5
    assert card.first_token_warm
    assert card.schema.passed == card.schema.of > 0
    assert "chat" not in card.tasks
    assert card.languages == {}


async def test_an_engine_that_goes_away_in_the_middle_of_the_exam_leaves_no_card():
    async with ollama() as (engine, double):

        def leaves(call):
            if (item := item_of(call)) and item.part == "qa":
                double.inject(Fault.refuse())
            return able(call)

        double.answer = leaves
        found = await measure(engine, LLAMA, bench(exam=EXAM, parallel=2))
    assert isinstance(found, Failure)
    assert found.reason in ("refused", "broken_stream")


async def test_an_engine_that_does_not_answer_at_all_has_no_card():
    async with ollama(settings={"first_token": 0.1}) as (engine, double):
        double.inject(Fault.half_open(), times=None)
        found = await measure(engine, LLAMA, bench(within=5))
    assert isinstance(found, Failure)
    assert found.reason == "timeout"
