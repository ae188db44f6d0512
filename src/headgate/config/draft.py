"""What a new page will say, as values: engines, models with their contexts, paid services, and the chains of its routes.

Pure: made from a proposal and from what was found. How it is written is `page`'s business.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from headgate.config.clouds import CLOUDS, Cloud
from headgate.config.engine import URLS
from headgate.core.catalogue import Role
from headgate.core.fit import Room
from headgate.core.memory import Need
from headgate.core.propose import Pick, Proposal, contexts_of
from headgate.core.words import EngineKind, ModelKind

NAMES: dict[EngineKind, str] = {"ollama": "ollama", "lmstudio": "lmstudio", "llamacpp": "embedded"}
"""What the page calls an engine of this kind."""


class DraftEngine(Struct, frozen=True, kw_only=True):
    """An engine at home."""

    name: str
    kind: EngineKind
    url: str | None = None
    parallel: int | None = None


class DraftModel(Struct, frozen=True, kw_only=True):
    """A model at home."""

    name: str
    engine: str
    id: str
    kind: ModelKind = "chat"
    roles: tuple[Role, ...] = ()
    contexts: tuple[int, ...] = ()
    """The shortest first; () leaves it to the engine."""
    at_a_time: int = 1
    there: bool = True
    size: int | None = None
    """Bytes of its file, estimated where it is not there."""
    quantization: str = ""
    need: Need | None = None
    """What it takes with its shortest context."""
    toy: bool = False


class Served(Struct, frozen=True, kw_only=True):
    """A server that was started with its models: they are its own business."""

    name: str
    kind: EngineKind
    url: str
    models: tuple[tuple[str, int | None], ...]
    """Name and context of each, as the server tells them."""


class Draft(Struct, frozen=True, kw_only=True):
    """A page before it is written."""

    engines: tuple[DraftEngine, ...]
    models: tuple[DraftModel, ...]
    clouds: tuple[Cloud, ...] = ()
    room: Room
    fits: bool = True
    """Its models can be loaded at the same time."""

    @property
    def missing(self) -> tuple[DraftModel, ...]:
        """The models that have to be fetched."""
        return tuple(model for model in self.models if not model.there)

    @property
    def toys(self) -> bool:
        """Its models are those that ship with Headgate."""
        return any(model.toy for model in self.models)

    def with_models_there(self, there: Iterable[str]) -> "Draft":
        """The same, once these models are there, by the page's names."""
        names = set(there)
        models = [
            msgspec.structs.replace(model, there=model.there or model.name in names) for model in self.models
        ]
        return msgspec.structs.replace(self, models=tuple(models))

    def chain(self, role: Role) -> tuple[str, ...]:
        """Who is tried for a role, in order.

        A model that is not there yet is followed by one that is, so that nothing is paid for because of a download that is
        still to come.
        """
        chat = [model for model in self.models if model.kind == "chat"]
        first = [model for model in chat if role in model.roles][:1]
        helpers = [model for model in chat if model.there and model not in first]
        helpers = sorted(helpers, key=lambda model: "general" not in model.roles)
        stand_in = helpers[:1] if not any(model.there for model in first) else []
        served = [model for model in chat if not model.roles]
        local = dict.fromkeys(model.name for model in (*first, *stand_in, *served))
        return (*local, *self.paid)

    @property
    def longest(self) -> tuple[str, ...]:
        """Who is tried for long texts: the paid model, or without one the local model with the longest context."""
        if self.paid:
            return self.paid
        chat = [model for model in self.models if model.kind == "chat"]
        return (max(chat, key=lambda model: (model.there, max(model.contexts, default=0))).name,)

    @property
    def paid(self) -> tuple[str, ...]:
        """The end of the chains."""
        return tuple(cloud.name for cloud in self.clouds[:1])


def draft(
    proposal: Proposal,
    *,
    engines: Sequence[EngineKind],
    urls: Mapping[EngineKind, str],
    clouds: Sequence[Cloud] = (),
    served: Sequence[Served] = (),
) -> Draft:
    """The draft of a page.

    Args:
        proposal: the models, and where each shall run.
        engines: the kinds that are here, whether the proposal uses them or not.
        urls: where they listen, if not at their usual address.
        clouds: the paid services that there is a key for.
        served: servers that were started with their models.
    """
    taken = {cloud.name for cloud in CLOUDS}
    models = []
    for pick in proposal.picks:
        name = unused(word_for(pick), taken)
        taken.add(name)
        models.append(model_of(name, pick, proposal.room))
    for server in served:
        for model_id, context in server.models:
            name = unused(first_word(model_id.rpartition("/")[2]), taken)
            taken.add(name)
            contexts = (context,) if context else ()
            models.append(DraftModel(name=name, engine=server.name, id=model_id, contexts=contexts))
    kinds = dict.fromkeys((*engines, *(pick.engine for pick in proposal.picks)))
    places = [
        DraftEngine(
            name=NAMES[kind],
            kind=kind,
            url=urls.get(kind, URLS.get(kind)),
            parallel=parallel_of(kind, proposal.picks),
        )
        for kind in kinds
    ]
    places += [DraftEngine(name=one.name, kind=one.kind, url=one.url) for one in served]
    return Draft(
        engines=tuple(places),
        models=tuple(models),
        clouds=tuple(clouds),
        room=proposal.room,
        fits=proposal.fits,
    )


def draft_toys(room: Room, clouds: Sequence[Cloud] = ()) -> Draft:
    """The draft with the models that ship with Headgate: no assistants, but the whole road can be tried with them."""
    toys = (
        DraftModel(
            name="clerk",
            engine="embedded",
            id="headgate-clerk",
            roles=("classification", "general", "code"),
            toy=True,
        ),
        DraftModel(
            name="embed",
            engine="embedded",
            id="headgate-embed",
            kind="embedding",
            roles=("embeddings",),
            toy=True,
        ),
    )
    engine = DraftEngine(name="embedded", kind="llamacpp", parallel=4)
    return Draft(engines=(engine,), models=toys, clouds=tuple(clouds), room=room)


def model_of(name: str, pick: Pick, room: Room) -> DraftModel:
    """A pick as a model of the page."""
    embeds = pick.model.shape.embeds
    return DraftModel(
        name=name,
        engine=NAMES[pick.engine],
        id=pick.id,
        kind="embedding" if embeds else "chat",
        roles=pick.roles,
        contexts=contexts_of(pick, room),
        at_a_time=pick.parallel,
        there=pick.there,
        size=pick.need.weights,
        quantization=pick.quantization,
        need=pick.need,
    )


def parallel_of(kind: EngineKind, picks: Sequence[Pick]) -> int | None:
    """Requests at a time of an engine. LM Studio's share one cache, so it keeps its own number."""
    if kind == "lmstudio":
        return None
    return max((pick.parallel for pick in picks if pick.engine == kind), default=None)


def word_for(pick: Pick) -> str:
    """A short name: of a model that only writes code "coder", else the family's."""
    return "coder" if pick.roles == ("code",) else first_word(pick.model.name)


def first_word(name: str) -> str:
    """The letters that a name begins with: "llama" of "llama3.1:8b"."""
    found = re.match(r"[a-z]+", name.lower())
    return found[0] if found else "local"


def unused(word: str, taken: set[str]) -> str:
    """The word, with a number where it is taken."""
    return next(one for one in (word, *(f"{word}{number}" for number in range(2, 1000))) if one not in taken)
