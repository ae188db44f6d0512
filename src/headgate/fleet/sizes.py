"""How much memory there is for the models of engines on this machine, and how much each of their lanes takes.

From the machine and the models' own metadata to what the scheduler plans with. What a lane really takes is learned when it
has been loaded. It does not know who waits.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from msgspec import Struct

from headgate.config.catalogue import known_models
from headgate.config.engine import EngineSettings
from headgate.core.cards import Card, Cards
from headgate.core.engine import ManagedEngine
from headgate.core.hardware import CARD_RESERVE, Hardware, room_of
from headgate.core.memory import KvType, Shape, caches_of, need, overhead_of
from headgate.core.types import Failure, Model
from headgate.fleet.lanes import LaneFacts, Pool

GPU, RAM = "GPU", "RAM"

UNTOLD = 8192
"""Tokens of context taken for a model of which neither the user nor its file says how many."""

ASKED, SAID = 500, 150
"""Tokens of a request and its answer, until the pace of real ones is known."""


class Memory(Struct, frozen=True, kw_only=True):
    """The machine's memory, and what the user allows of it."""

    hardware: Hardware
    vram: int | None = None
    """Bytes; None is what there is."""
    ram: int | None = None


class Before(Struct, frozen=True, kw_only=True):
    """What is known from before this gate was opened."""

    cards: Cards = {}
    """What was measured of models at home."""
    traffic: Mapping[str, float] = {}
    """Requests per second of late, by the model that answered."""


def pools_for(engines: Iterable[EngineSettings], memory: Memory, held: Mapping[str, int]) -> dict[str, Pool]:
    """The memory in which each engine's models have to fit; engines of which it is not known are left out.

    Args:
        engines: on this machine, their models managed by the gate.
        memory: what there is.
        held: bytes that models of these engines take now, by engine, which planning may have back.
    """
    settings = list(engines)
    has_card = bool(memory.hardware.gpus) or memory.vram is not None
    where = {s.name: GPU if has_card and uses_card(s, memory.hardware) else RAM for s in settings}
    room = room_of(memory.hardware, sum([size for name, size in held.items() if where.get(name) == GPU]))
    on_ram = sum([size for name, size in held.items() if where.get(name) == RAM])
    capacity = {
        GPU: memory.vram - CARD_RESERVE if memory.vram is not None else room.gpu,
        RAM: memory.ram if memory.ram is not None else room.ram + on_ram,
    }
    return {name: Pool(pool, capacity[pool]) for name, pool in where.items() if capacity[pool] > 0}


def uses_card(settings: EngineSettings, hardware: Hardware) -> bool:
    """Whether an engine computes on the graphics card: the embedded one does so on Apple's only."""
    embedded = settings.kind == "llamacpp" and settings.url is None
    return not embedded or any(gpu.vendor == "apple" for gpu in hardware.gpus)


async def lane_facts(
    engine: ManagedEngine, settings: EngineSettings, models: Sequence[Model], pool: Pool, before: Before
) -> list[LaneFacts]:
    """What is known of an engine's lanes, from the metadata of its models. One that cannot be measured is left to its engine.

    A model that is too big for the card is run partly by the processor, and takes all of the card. No model is loaded with
    more context than it was trained for, whatever the config says.
    """
    facts = []
    for model in models:
        shape = await shape_of(engine, model)
        if shape is None:
            continue
        slots = model.slots or settings.parallel
        trained = shape.context or sys.maxsize
        context = min(model.context or UNTOLD, trained)
        kv_type = cast("KvType", settings.kv_cache)
        card = before.cards.get((model.engine, model.id))
        overhead = None
        if card is not None and card.memory is not None and card.context is not None:
            overhead = overhead_of(shape, card.memory, card.context, caches(model, card.parallel), kv_type)
        takes = need(shape, context, caches(model, slots), kv_type, overhead=overhead).total
        facts.append(
            LaneFacts(
                name=model.name,
                engine=model.engine,
                weights=model.id,
                context=context if model.context is not None else None,
                slots=slots,
                pool=pool.name,
                memory=min(takes, pool.capacity) if pool.name == GPU else takes,
                load_seconds=(card.load_seconds if card is not None else None) or 0.0,
                service=service_of(card),
                rate=before.traffic.get(model.name, 0.0),
            )
        )
    return facts


async def shape_of(engine: ManagedEngine, model: Model) -> Shape | None:
    """What a model's memory depends on: from its engine, else from the catalogue (LM Studio does not tell)."""
    told = await engine.shape(model.id)
    if not isinstance(told, Failure):
        return told
    found = known_models().find(model.id)
    return found[0].shape_in(found[1]) if found is not None else None


def caches(model: Model, parallel: int) -> int:
    """How many caches are kept for so many requests at a time of this model."""
    return caches_of(model.engine_kind, parallel, embeds=model.kind == "embedding")


def service_of(card: Card | None) -> float | None:
    """Seconds that a request takes by the card, as long as none has been served; None without a card."""
    if card is None or not card.speed or not card.prompt_speed:
        return None
    return ASKED / card.prompt_speed + SAID / card.speed
