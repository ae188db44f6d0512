"""Propose a set of models that fits a machine: one for each role, with its context, its requests at a time, and its engine.

Pure. It takes the first of the catalogue's sets that fits whole and at once, so that nobody waits for a model to be loaded;
then it spends what is left on longer contexts. It does not know what is installed or downloaded.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from headgate.core.catalogue import Catalogue, KnownModel, KnownSet, Role
from headgate.core.fit import Room
from headgate.core.hardware import Hardware, room_of
from headgate.core.memory import Need, need
from headgate.core.words import EngineKind

AT_A_TIME = (4, 2, 1)
"""Requests at a time, best first. On the processor two are enough: they share its speed."""
FIRST = 8_192
"""Tokens of context that each model starts with."""
LONGER = {"classification": (16_384, 32_768, 65_536), "code": (16_384,), "general": (16_384, 32_768)}
"""The contexts that a role is given if there is room: long texts first."""
SPLIT: tuple[Role, ...] = ("general", "code", "classification", "embeddings")


class Pick(Struct, frozen=True, kw_only=True):
    """One model of a proposal."""

    model: KnownModel
    roles: tuple[Role, ...]
    engine: EngineKind
    id: str
    """The name that the engine knows it by; of the embedded engine, the repository that has its file."""
    quantization: str
    context: int
    """Tokens that one request may take."""
    parallel: int
    """Requests at a time."""
    need: Need


class Proposal(Struct, frozen=True, kw_only=True):
    """Models that fit together; no picks is: none of the known sets fits."""

    picks: tuple[Pick, ...]
    room: Room

    @property
    def total(self) -> int:
        """Bytes of memory that they take together."""
        return sum(pick.need.total for pick in self.picks)

    @property
    def download(self) -> int:
        """Bytes to fetch and to keep on the disk, estimated."""
        return sum(pick.need.weights for pick in self.picks)


def propose(
    hardware: Hardware, catalogue: Catalogue, engines: Sequence[EngineKind] = ("ollama",), *, held: int = 0
) -> Proposal:
    """The ablest of the known sets that fits this machine.

    Args:
        hardware: the machine.
        catalogue: what is known.
        engines: the local engines that may be used: with "lmstudio" beside another one, the model for classification and
            long texts goes there.
        held: bytes of the GPU that loaded models hold now, and that may be had back.
    """
    room = room_of(hardware, held)
    space = room.gpu or room.ram
    for known in catalogue.sets:
        if not room.gpu and not known.cpu:
            continue
        for parallel in AT_A_TIME if room.gpu else AT_A_TIME[1:]:
            picks = _start(known, catalogue, engines, parallel)
            if _total(picks) <= space:
                return Proposal(picks=tuple(_lengthen(picks, space).values()), room=room)
    return Proposal(picks=(), room=room)


def _start(
    known: KnownSet, catalogue: Catalogue, engines: Sequence[EngineKind], parallel: int
) -> dict[str, Pick]:
    """A set with the first context for each of its models, by name."""
    roles: dict[str, list[Role]] = {}
    for role in SPLIT:
        roles.setdefault(getattr(known, role), []).append(role)
    picks = {}
    for name, its in roles.items():
        model = catalogue.models[name]
        engine = _engine(model, tuple(its), engines)
        context = min(FIRST, model.context)
        # An encoder answers one text after the other, and LM Studio's requests share one cache.
        at_a_time = 1 if model.shape.embeds or engine == "lmstudio" else parallel
        picks[name] = Pick(
            model=model,
            roles=tuple(its),
            engine=engine,
            id=_id(model, engine),
            quantization=model.quantization,
            context=context,
            parallel=at_a_time,
            need=need(model.shape_in(), context, at_a_time),
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
            return model.gguf


def _lengthen(picks: dict[str, Pick], space: int) -> dict[str, Pick]:
    """The picks with longer contexts, one step after the other, as far as there is room."""
    for step in range(max(map(len, LONGER.values()))):
        for role, contexts in LONGER.items():
            for name, pick in picks.items():
                if pick.roles[0] != role or step >= len(contexts) or contexts[step] > pick.model.context:
                    continue
                taken = need(pick.model.shape_in(), contexts[step], pick.parallel)
                if _total(picks) - pick.need.total + taken.total <= space:
                    picks = picks | {name: msgspec.structs.replace(pick, context=contexts[step], need=taken)}
    return picks


def _total(picks: Mapping[str, Pick]) -> int:
    return sum(pick.need.total for pick in picks.values())
