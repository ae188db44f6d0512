"""Whether models fit a machine's memory: one alone, all together, and with which contexts.

Engines do not know of each other, so each takes the GPU for its own; here they are added up. It does not know how the memory
was found (`fleet.hardware`), nor whether a model is any good.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from headgate.core.memory import KvType, Need, Shape, need

Verdict = Literal["gpu", "partly", "cpu", "not at all"]
"""Where a model runs: whole on the GPU; some of its layers there, and slow; on the processor, slower; or nowhere."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The better ones first."""

CLASSES = (4_096, 8_192, 16_384, 32_768, 65_536, 131_072, 262_144)
"""Context classes, in tokens. A few fixed ones, because another context means loading the model anew."""

SHORT = 8_192
"""Tokens of a model's first lane, where most requests of an office end."""


class Room(Struct, frozen=True, kw_only=True):
    """The memory that models may take, in bytes: what there is, less what the system and others keep."""

    gpu: int = 0
    """On all GPUs together; 0 is no GPU."""
    ram: int
    """For what runs on the processor."""
    unified: bool = False
    """The GPU's share is a part of the RAM (Apple silicon), and not beside it."""


class Fit(Struct, frozen=True, kw_only=True):
    """How one model fits, with nothing else loaded."""

    verdict: Verdict
    need: Need
    layers: int
    on_gpu: int
    """How many of its layers the GPU holds."""
    largest: int | None = None
    """The largest context class with which it runs as well as it can here; None: it runs with none."""
    largest_verdict: Verdict = "not at all"
    """How it runs with that."""


class Together(Struct, frozen=True, kw_only=True):
    """How a set of models fits, all loaded at the same time."""

    fits: bool
    """Nobody waits for a model to be loaded."""
    total: int
    """Bytes that all of them take."""
    room: int
    """Bytes that there are, of the memory where these models run: the GPU's, or the RAM where there is none."""
    warm: tuple[str, ...]
    """These stay loaded: as many as fit, in the order in which they were named."""
    swapped: tuple[str, ...]
    """These fit alone, and push others out."""
    beyond: tuple[str, ...]
    """These never fit there whole."""


class Lane(Struct, frozen=True, kw_only=True):
    """A fixed way to load a model: so much context for so many requests at a time."""

    context: int
    parallel: int
    need: Need


def classes_of(shape: Shape) -> tuple[int, ...]:
    """The context classes that the model was trained for; its own window where that is smaller than all."""
    within = tuple(size for size in CLASSES if shape.context is None or size <= shape.context)
    return within or (shape.context or CLASSES[0],)


def fit(
    shape: Shape,
    room: Room,
    context: int,
    parallel: int = 1,
    kv_type: KvType = "f16",
    *,
    overhead: int | None = None,
) -> Fit:
    """Whether a model fits, loaded so and with nothing else beside it. The arguments are those of `memory.need`."""
    wanted = need(shape, context, parallel, kv_type, overhead=overhead)
    verdict, on_gpu = place(wanted, shape.layers, room)
    found = {
        size: place(need(shape, size, parallel, kv_type, overhead=overhead), shape.layers, room)[0]
        for size in classes_of(shape)
    }
    best = min(found.values(), key=VERDICTS.index)
    largest = max(size for size, one in found.items() if one == best)
    return Fit(
        verdict=verdict,
        need=wanted,
        layers=shape.layers,
        on_gpu=on_gpu,
        largest=None if best == "not at all" else largest,
        largest_verdict=best,
    )


def place(wanted: Need, layers: int, room: Room) -> tuple[Verdict, int]:
    """Where a model runs that needs so much, and how many of its layers are on the GPU.

    Weights and cache are shared evenly among the layers, and what stands before and behind them counts as one more. Buffers
    and the process take their room on the GPU first.
    """
    if wanted.total <= room.gpu:
        return "gpu", layers
    layer = max(1.0, (wanted.weights + wanted.kv) / (layers + 1))
    on_gpu = max(0, min(layers, int((room.gpu - wanted.overhead) / layer)))
    left = wanted.total if room.unified or not on_gpu else wanted.total - wanted.overhead - on_gpu * layer
    if left > room.ram:
        return "not at all", 0
    return ("partly", on_gpu) if on_gpu else ("cpu", 0)


def together(needs: Mapping[str, Need], room: Room) -> Together:
    """Whether all these models can be loaded at the same time, and which of them if not all."""
    space = room.gpu or room.ram
    warm: list[str] = []
    taken = 0
    for name, wanted in needs.items():
        if taken + wanted.total <= space:
            warm.append(name)
            taken += wanted.total
    return Together(
        fits=len(warm) == len(needs),
        total=sum(wanted.total for wanted in needs.values()),
        room=space,
        warm=tuple(warm),
        swapped=tuple(name for name, one in needs.items() if name not in warm and one.total <= space),
        beyond=tuple(name for name, one in needs.items() if one.total > space),
    )


def lanes(
    shape: Shape,
    room: Room,
    parallel: int = 1,
    kv_type: KvType = "f16",
    *,
    overhead: int | None = None,
) -> tuple[Lane, ...]:
    """Two or three fixed ways to load a model in this room, short before long: the longer, the fewer at a time.

    One where a model has one class only, and none where it fits with none. Whole on the GPU, or in the RAM where there is no
    GPU.
    """
    space = room.gpu or room.ram
    sizes = classes_of(shape)

    def taken(context: int, at_a_time: int) -> Need:
        return need(shape, context, at_a_time, kv_type, overhead=overhead)

    fitting = [size for size in sizes if taken(size, 1).total <= space]
    if not fitting:
        return ()
    longest = fitting[-1]
    short = [size for size in fitting if size <= SHORT][-1:]
    chosen = sorted({*short, *(size for size in fitting if size == longest // 4 and size > SHORT), longest})
    if len(chosen) == 1 and len(fitting) > 1:
        chosen = [fitting[-2], longest]
    found = []
    for size in chosen:
        most = next(number for number in range(parallel, 0, -1) if taken(size, number).total <= space)
        found.append(Lane(context=size, parallel=most, need=taken(size, most)))
    return tuple(found)
