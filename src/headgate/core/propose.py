"""Propose a set of models that fits a machine: one for each role, with its context, its requests at a time, and its engine.

Pure. It takes the first of the catalogue's sets that fits whole and at once, so that nobody waits for a model to be loaded;
then it spends what is left on longer contexts. Models that are there already go before others that would have to be fetched,
as long as they do their role well. It does not look for them.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from headgate.core.catalogue import Catalogue, KnownModel, KnownSet, Role
from headgate.core.fit import Room, classes_of
from headgate.core.hardware import Hardware, room_of
from headgate.core.memory import Need, caches_of, need
from headgate.core.words import EngineKind

AT_A_TIME = (4, 2, 1)
"""Requests at a time, best first. On the processor two are enough: they share its speed."""
FIRST = 8_192
"""Tokens of context that each model starts with."""
LONGER = {"classification": (16_384, 32_768, 65_536), "code": (16_384,), "general": (16_384, 32_768)}
"""The contexts that a role is given if there is room: long texts first."""
SPLIT: tuple[Role, ...] = ("general", "code", "classification", "embeddings")

WELL = 3
"""A model that is there does a role well if it has at least one of so many parts of the proposed one's parameters. Any model
for embeddings does, because another one would make all vectors anew."""
MOST_LANES = 3

STACKS: Mapping[str, KnownSet] = {
    "agency": KnownSet(
        general="llama3.1:8b",
        code="qwen2.5-coder:7b",
        classification="phi-3-mini-128k",
        embeddings="nomic-embed-text",
    )
}
"""Sets that are asked for by name: "agency" is a small office with one GPU, Ollama and LM Studio side by side."""
STACK_ENGINES: tuple[EngineKind, ...] = ("ollama", "lmstudio")


class Home(Struct, frozen=True):
    """Where a known model lies already."""

    engine: EngineKind
    id: str
    """The name that the engine knows it by."""
    quantization: str


class Pick(Struct, frozen=True, kw_only=True):
    """One model of a proposal."""

    model: KnownModel
    roles: tuple[Role, ...]
    engine: EngineKind
    id: str
    """The name that the engine knows it by; of the embedded engine, the repository that has its file and which of them."""
    quantization: str
    context: int
    """Tokens that one request may take."""
    parallel: int
    """Requests at a time."""
    need: Need
    there: bool = False
    """It need not be fetched."""


class Proposal(Struct, frozen=True, kw_only=True):
    """Models that fit together; no picks is: none of the known sets fits."""

    picks: tuple[Pick, ...]
    room: Room
    fits: bool = True
    """All of them at the same time."""

    @property
    def total(self) -> int:
        """Bytes of memory that they take together."""
        return sum(pick.need.total for pick in self.picks)

    @property
    def download(self) -> int:
        """Bytes to fetch and to keep on the disk, estimated."""
        return sum(pick.need.weights for pick in self.picks if not pick.there)


def propose(
    hardware: Hardware,
    catalogue: Catalogue,
    engines: Sequence[EngineKind] = ("ollama",),
    *,
    held: int = 0,
    homes: Mapping[str, Home] | None = None,
) -> Proposal:
    """The ablest of the known sets that fits this machine.

    Args:
        hardware: the machine.
        catalogue: what is known.
        engines: the local engines that may be used: with "lmstudio" beside another one, the model for classification and
            long texts goes there.
        held: bytes of the GPU that loaded models hold now, and that may be had back.
        homes: the models of the catalogue that are there already.
    """
    there = homes or {}
    room = room_for(hardware, engines, held)
    for known in catalogue.sets:
        if not room.gpu and not known.cpu:
            continue
        numbers = AT_A_TIME if room.gpu else AT_A_TIME[1:]
        for parallel in numbers:
            picks = _start(known, catalogue, engines, parallel, there)
            if _total(picks) > _space(room):
                continue
            at_hand = prefer(known, catalogue, there)
            tries = [
                _start(at_hand, catalogue, engines, number, there) for number in numbers if number >= parallel
            ]
            chosen = next((one for one in tries if _total(one) <= _space(room)), picks)
            return Proposal(picks=tuple(_lengthen(chosen, _space(room)).values()), room=room)
    return Proposal(picks=(), room=room)


def outfit(
    known: KnownSet,
    hardware: Hardware,
    catalogue: Catalogue,
    engines: Sequence[EngineKind] = STACK_ENGINES,
    *,
    parallel: int = 4,
    held: int = 0,
    homes: Mapping[str, Home] | None = None,
) -> Proposal:
    """This very set, whether it fits or not: with the longest contexts that fit at once, or else with short ones."""
    room = room_for(hardware, engines, held)
    for first in (FIRST, FIRST // 2):
        picks = _start(known, catalogue, engines, parallel, homes or {}, first=first)
        if _total(picks) <= _space(room):
            return Proposal(picks=tuple(_lengthen(picks, _space(room)).values()), room=room)
    return Proposal(picks=tuple(picks.values()), room=room, fits=False)


def prefer(known: KnownSet, catalogue: Catalogue, homes: Mapping[str, Home]) -> KnownSet:
    """The set with the models that are there in place of those that would have to be fetched, the most alike in size."""

    def chosen(role: Role) -> str:
        asked: str = getattr(known, role)
        size = catalogue.models[asked].parameters
        able = [
            catalogue.models[name]
            for name in homes
            if role in catalogue.models[name].roles
            and (role == "embeddings" or catalogue.models[name].parameters * WELL >= size)
        ]
        best = min(able, key=lambda model: abs(model.parameters - size), default=None)
        return asked if asked in homes or best is None else best.name

    return msgspec.structs.replace(known, **{role: chosen(role) for role in SPLIT})


def room_for(hardware: Hardware, engines: Sequence[EngineKind], held: int = 0) -> Room:
    """The room for models of these engines. The embedded one computes on the processor, and on Apple's GPU."""
    embedded = set(engines) == {"llamacpp"}
    if embedded and not any(gpu.vendor == "apple" for gpu in hardware.gpus):
        return room_of(msgspec.structs.replace(hardware, gpus=()))
    return room_of(hardware, held)


def contexts_of(pick: Pick, room: Room) -> tuple[int, ...]:
    """The contexts of a pick's lanes: the one with which all fit together, and one or two longer ones that it fits with alone."""
    shape = pick.model.shape_in(pick.quantization)
    longer = [
        size
        for size in classes_of(shape)
        if size > pick.context and need(shape, size, pick.parallel).total <= _space(room)
    ]
    if shape.embeds or not longer:
        return (pick.context,)
    between = [size for size in longer if size == longer[-1] // 4]
    return (pick.context, *between, longer[-1])[:MOST_LANES]


def _start(
    known: KnownSet,
    catalogue: Catalogue,
    engines: Sequence[EngineKind],
    parallel: int,
    homes: Mapping[str, Home],
    *,
    first: int = FIRST,
) -> dict[str, Pick]:
    """A set with the first context for each of its models, by name."""
    roles: dict[str, list[Role]] = {}
    for role in SPLIT:
        roles.setdefault(getattr(known, role), []).append(role)
    picks = {}
    for name, its in roles.items():
        model = catalogue.models[name]
        engine = _engine(model, tuple(its), engines)
        home = homes.get(name) or Home(engine, _id(model, engine), model.quantization)
        context = min(first, model.context)
        at_a_time = caches_of(home.engine, parallel, embeds=model.shape.embeds)
        picks[name] = Pick(
            model=model,
            roles=tuple(its),
            engine=home.engine,
            id=home.id,
            quantization=home.quantization,
            context=context,
            parallel=at_a_time,
            need=need(model.shape_in(home.quantization), context, at_a_time),
            there=name in homes,
        )
    return picks


def _engine(model: KnownModel, roles: tuple[Role, ...], engines: Sequence[EngineKind]) -> EngineKind:
    if "lmstudio" in engines and model.lmstudio and roles == ("classification",):
        return "lmstudio"
    return next((kind for kind in engines if _id(model, kind)), engines[0])


def _id(model: KnownModel, engine: EngineKind) -> str:
    match engine:
        case "ollama":
            return model.ollama or model.name
        case "lmstudio":
            return model.lmstudio
        case _:
            return f"hf.co/{model.gguf}:{model.quantization}" if model.gguf else ""


def _lengthen(picks: dict[str, Pick], space: int) -> dict[str, Pick]:
    """The picks with longer contexts, one step after the other, as far as there is room."""
    for step in range(max(map(len, LONGER.values()))):
        for role, contexts in LONGER.items():
            for name, pick in picks.items():
                if pick.roles[0] != role or step >= len(contexts) or contexts[step] > pick.model.context:
                    continue
                taken = need(pick.model.shape_in(pick.quantization), contexts[step], pick.parallel)
                if _total(picks) - pick.need.total + taken.total <= space:
                    picks = picks | {name: msgspec.structs.replace(pick, context=contexts[step], need=taken)}
    return picks


def _space(room: Room) -> int:
    return room.gpu or room.ram


def _total(picks: Mapping[str, Pick]) -> int:
    return sum(pick.need.total for pick in picks.values())
