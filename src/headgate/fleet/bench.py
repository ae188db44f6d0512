"""Measure one model on one engine, and make its capability card: first the speeds, then the exam.

    card = await measure(engine, model, Bench(...))

Everything is asked through the engine's own adapter and never through the gate, so nothing of it lands in the ledger's
requests. One budget of time holds for all of it: what was not reached stays unknown. A card comes at the very end or
not at all. It does not know where cards are kept.
"""

import asyncio
from collections.abc import Callable, Iterator
from importlib import resources
from time import perf_counter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.cards import Card
from headgate.core.engine import Engine, ManagedEngine
from headgate.core.exam import Exam, Item, Marks, grade, parse_exam, tally
from headgate.core.types import Failure, Message, Model, Request
from headgate.fleet.speeds import ONE_CALL, Clock, Speeds, Stopwatch, find_loaded, load_anew

SPEEDS_SHARE: Final = 0.5
"""Of the time that is left after loading, for the speeds, where an exam follows."""
LONG_SHARE: Final = 0.6
"""Of the time for the speeds that is left then, for long prompts."""
THINKING_ROOM: Final = 2048
"""Tokens more for the answers of a model that thinks aloud."""
BATCH: Final = 16
"""Texts in one call of a model that embeds."""
BATCHES: Final = 8
"""Calls that are timed."""

Tell = Callable[[str], object]


class Bench(Struct, frozen=True, kw_only=True):
    """How a model is to be measured."""

    within: float
    """Seconds for all of it."""
    parallel: int
    """Requests at a time that its engine is asked to serve."""
    reload: bool
    """Unload and load it, which tells how long that takes."""
    machine: str
    """What it runs on, for people."""
    now: float
    """Unix time, for the card."""
    tell: Tell
    """Told each step as it begins, for people."""
    digest: str = ""
    """Of the model's files, as its engine says."""
    cold: bool = False
    """The engine says that it is not in memory now."""
    window: int | None = None
    """Tokens that it takes, where neither the config nor its engine's memory says."""
    exam: Exam | None = None
    """None: only the speeds."""


def read_exam() -> Exam:
    """The exam that ships with us."""
    return parse_exam(resources.files("headgate.fleet").joinpath("exam.toml").read_text(encoding="utf-8"))


async def measure(engine: Engine, model: Model, bench: Bench) -> Card | Failure:
    """Measure a model.

    Args:
        engine: asked directly.
        model: of that engine, as the config describes it.
        bench: how.

    Returns:
        The card; or the failure that made an honest one impossible: the model does not load, or its engine is gone.
    """
    clock = Clock(bench.within)
    loading: float | None = None
    if bench.reload and isinstance(engine, ManagedEngine):
        bench.tell("loading it anew")
        loaded = await load_anew(engine, model, clock)
        if isinstance(loaded, Failure):
            return loaded
        loading = loaded
    card = Card(
        engine=model.engine,
        id=model.id,
        digest=bench.digest,
        machine=bench.machine,
        measured=bench.now,
        context=model.context,
        parallel=bench.parallel,
        load_seconds=loading,
    )
    if model.kind == "embedding":
        return await _measure_embedder(engine, model, card, clock, bench.tell)
    return await _measure_writer(engine, model, card, bench, clock)


# ── Models that answer ───────────────────────────────────────────────────────────────────────────────────────────────


async def _measure_writer(
    engine: Engine, model: Model, card: Card, bench: Bench, clock: Clock
) -> Card | Failure:
    watch = Stopwatch(engine, model, bench.parallel)
    watch.speeds.load_seconds = card.load_seconds
    bench.tell("asking for a first answer")
    failed = await watch.begin(clock, was_cold=bench.cold)
    if failed is not None:
        return failed
    card = await _in_memory(engine, model, card)
    failed = await _take_times(watch, clock if bench.exam is None else clock.part(SPEEDS_SHARE), card, bench)
    if failed is not None:
        return failed
    card = _with_speeds(card, watch.speeds)
    if bench.exam is None:
        return card
    marks = await _examine(engine, model, bench, clock, thinks=watch.speeds.thinks)
    if isinstance(marks, Failure):
        return marks
    return replace(card, schema=marks.schema, tools=marks.tools, tasks=marks.tasks, languages=marks.languages)


async def _take_times(watch: Stopwatch, clock: Clock, card: Card, bench: Bench) -> Failure | None:
    """All the speeds, as far as the time goes. Only an engine that is gone ends the measuring."""
    for step, timing in (
        ("waiting for first tokens", watch.wait_for_first_tokens),
        ("writing", watch.write),
        (f"writing {bench.parallel} at a time", watch.write_side_by_side),
    ):
        if clock.left:
            bench.tell(step)
            failed = await timing(clock)
            if failed is not None and failed.reason != "timeout":
                return failed
    if not clock.left:
        return None
    bench.tell("reading long prompts")
    return await watch.read_longer_and_longer(clock.part(LONG_SHARE), card.context or bench.window)


def _with_speeds(card: Card, speeds: Speeds) -> Card:
    return replace(
        card,
        load_seconds=speeds.load_seconds,
        first_token_cold=speeds.first_token_cold,
        first_token_warm=speeds.first_token_warm,
        prompt_speed=speeds.prompt_speed,
        speed=speeds.speed,
        speed_parallel=speeds.speed_parallel,
        fast_context=speeds.fast_context,
    )


async def _in_memory(engine: Engine, model: Model, card: Card) -> Card:
    """The card with what its engine says of the memory that it takes."""
    loaded = await find_loaded(engine, model.id)
    if loaded is None:
        return card
    known = bool(loaded.memory) and loaded.vram is not None
    return replace(
        card,
        context=loaded.context or card.context,
        memory=loaded.memory,
        on_gpu=min(1.0, (loaded.vram or 0) / (loaded.memory or 1)) if known else None,
    )


# ── The exam ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _examine(
    engine: Engine, model: Model, bench: Bench, clock: Clock, *, thinks: bool
) -> Marks | Failure:
    """Ask the exam's items, several at a time, until all are asked or the time is over."""
    assert bench.exam is not None
    room = THINKING_ROOM if thinks else 0
    asked = _announced(bench.exam, bench.tell)
    results: list[tuple[Item, bool]] = []

    async def work() -> Failure | None:
        for item in asked:
            if not clock.left:
                return None
            request = replace(item.request, max_tokens=item.most + room)
            within = min(clock.left, ONE_CALL)
            reply = await engine.chat(request, model, within)
            if isinstance(reply, Failure):
                if reply.reason == "timeout" and within < ONE_CALL:
                    return None  # the time for all of it was over, which says nothing about the model
                if _ends_the_exam(reply, item):
                    return reply
                results.append((item, False))
            else:
                results.append((item, bool(grade(item, reply, model).score)))
        return None

    failures = await asyncio.gather(*(work() for _ in range(bench.parallel)))
    return next((failure for failure in failures if failure is not None), None) or tally(results)


def _announced(exam: Exam, tell: Tell) -> Iterator[Item]:
    """The items, one after the other to whoever asks next; each part is told as it begins."""
    part = ""
    for item in exam.items:
        if item.part != part:
            part = item.part
            tell(f"exam: {part}")
        yield item


def _ends_the_exam(failure: Failure, item: Item) -> bool:
    """Whether a failure says that the engine is gone, and not that the model failed the item.

    An engine may refuse a schema or tools for this model, with whatever status; that is what these items ask.
    """
    if failure.reason in ("refused", "broken_stream"):
        return True
    if failure.reason != "http_error" or item.part in ("schema", "tools"):
        return False
    return failure.status is None or failure.status >= 500 or failure.status in (401, 403, 404, 429)


# ── Models that embed ────────────────────────────────────────────────────────────────────────────────────────────────


async def _measure_embedder(
    engine: Engine, model: Model, card: Card, clock: Clock, tell: Tell
) -> Card | Failure:
    """The length of the vectors, and texts per second over some batches."""
    tell("embedding texts")
    first = await engine.embed(_texts(0), model, clock.left)
    if isinstance(first, Failure):
        return first
    card = await _in_memory(engine, model, card)
    begun, texts = perf_counter(), 0
    for number in range(1, BATCHES + 1):
        if not clock.left:
            break
        reply = await engine.embed(_texts(number), model, clock.left)
        if isinstance(reply, Failure):
            if reply.reason == "timeout":
                break
            return reply
        texts += len(reply.vectors)
    return replace(
        card,
        dimensions=len(first.vectors[0]) // 4,  # little-endian float32
        texts_speed=texts / (perf_counter() - begun) if texts else None,
    )


def _texts(number: int) -> Request:
    """A batch of texts of forty words, all of them different."""
    texts = (
        f"Note {number}-{each}: the parcel for customer {number * BATCH + each} was sent on Monday from the depot in the "
        "north of the town, it weighs two kilos, the driver rings twice, and whoever is not at home finds it at the "
        "neighbour's shop until seven."
        for each in range(BATCH)
    )
    messages = tuple(Message("user", text) for text in texts)
    return Request(id="bench", asked="bench", kind="embedding", messages=messages, local_only=True)
