"""Say in sentences what to do about a model that does not fit: less context, a smaller cache, fewer at a time, another model.

Pure, and every figure in a sentence is computed. It does not know which model writes better.
"""

from collections.abc import Iterable

from headgate.core.catalogue import Catalogue, KnownModel
from headgate.core.fit import Fit, Room, classes_of, fit
from headgate.core.hardware import memory_words
from headgate.core.memory import KvType, Shape, kv_bytes, kv_per_token, need

OTHERS = 3
"""Other models that are named at most."""


def advise(name: str, shape: Shape, found: Fit, room: Room) -> list[str]:
    """What is wrong with how this model fits, and what would fit; nothing where it fits as asked.

    Args:
        name: what people call the model.
        shape: the model.
        found: how it fits as asked.
        room: the memory there is.
    """
    asked = found.need
    said = []
    if shape.context is not None and asked.context > shape.context:
        said.append(f"{name} was trained for {shape.context:,} tokens, so {asked.context:,} are of no use.")
    if found.verdict == "gpu" or (found.verdict == "cpu" and not room.gpu):
        return said
    space, where = (room.gpu, "on the GPU") if room.gpu else (room.ram, "in the RAM")
    said.append(f"{name} does not fit {where} with {_asked(found)}: {_why(shape, found, space)}.")
    if found.verdict == "partly":
        said.append(
            f"{found.on_gpu} of its {found.layers} layers would run there and the rest on the processor: slowly."
        )
    elif found.verdict == "cpu":
        said.append("It would run on the processor: slowly.")
    ways = _ways(shape, found, room)
    if ways:
        said.append(f"It fits {', or '.join(ways)}.")
    return said


def alternatives(
    shape: Shape, found: Fit, room: Room, known: KnownModel | None, catalogue: Catalogue
) -> list[KnownModel]:
    """Models of the same roles that do fit as asked, one request at a time: the most alike in size, the smaller ones last."""
    roles = set(known.roles) if known else {"embeddings"} if shape.embeds else {"general"}
    asked = found.need
    size = known.size if known else shape.weights
    fitting = [
        model
        for model in catalogue.models.values()
        if model is not known
        and roles & set(model.roles)
        and model.context >= asked.context
        and need(model.shape_in(), asked.context, 1, asked.kv_type).total <= (room.gpu or room.ram)
    ]
    return sorted(fitting, key=lambda model: (model.size < size * 3 // 4, abs(model.size - size)))[:OTHERS]


def offer(others: Iterable[KnownModel], context: int, kv_type: KvType) -> list[str]:
    """A sentence about other models with that context, if there are any."""
    named = [
        f"{model.name} ({memory_words(need(model.shape_in(), context, 1, kv_type).total)} in all, "
        f"{_kib(model.shape_in(), kv_type)} of cache a token)"
        for model in others
    ]
    return [f"With {context:,} tokens these fit alone: {', '.join(named)}."] if named else []


def _asked(found: Fit) -> str:
    asked = found.need
    times = f", {asked.parallel} requests at a time" if asked.parallel > 1 else ""
    return f"{asked.context:,} tokens{times}"


def _why(shape: Shape, found: Fit, space: int) -> str:
    """The part that is too big."""
    asked = found.need
    there = f"{memory_words(space)} can be had"
    if asked.weights > space:
        return f"its weights alone take {memory_words(asked.weights)}, and {there}"
    heads = (
        f", because each of its {shape.kv_heads[0]} heads has keys and values of its own"
        if _own_heads(shape)
        else ""
    )
    each = f"{_kib(shape, asked.kv_type)} a token{heads}"
    if asked.kv > space:
        return f"its {asked.kv_type} cache alone takes {memory_words(asked.kv)} ({each}), and {there}"
    return (
        f"it takes {memory_words(asked.total)}, of which its {asked.kv_type} cache is {memory_words(asked.kv)} ({each}), "
        f"and {there}"
    )


def _own_heads(shape: Shape) -> bool:
    """Whether no two heads share keys and values, as in models before 2023 or so."""
    return len(shape.kv_heads) == 1 and shape.embedding == shape.kv_heads[0] * shape.key_length


def _ways(shape: Shape, found: Fit, room: Room) -> list[str]:
    """How the same model fits whole, the least change first."""
    asked = found.need

    def largest(parallel: int, kv_type: KvType) -> int:
        """The largest class up to the asked context that fits whole; 0 is none."""
        sizes = [size for size in classes_of(shape) if size <= asked.context]
        kept = asked.overhead if asked.measured else None
        whole = "gpu" if room.gpu else "cpu"
        fits = [s for s in sizes if fit(shape, room, s, parallel, kv_type, overhead=kept).verdict == whole]
        return max(fits, default=0)

    ways = []
    best = largest(asked.parallel, asked.kv_type)
    if best:
        ways.append(f"with {best:,} tokens")
    for kv_type in ("q8_0", "q4_0"):
        if kv_bytes(shape, 4096, 1, kv_type) < kv_bytes(shape, 4096, 1, asked.kv_type):
            more = largest(asked.parallel, kv_type)
            if more > best:
                ways.append(f"with {more:,} and a {kv_type} cache")
                best = more
    if asked.parallel > 1:
        alone = largest(1, asked.kv_type)
        if alone > largest(asked.parallel, asked.kv_type):
            ways.append(f"with {alone:,} and one request at a time")
    return ways


def _kib(shape: Shape, kv_type: KvType) -> str:
    return f"{kv_per_token(shape, kv_type) / 1024:g} KiB"
