"""What every engine adapter offers, and nothing more.

An adapter turns a `Request` into one engine's protocol and its answer back into a `Reply` or a `Failure`. It never
retries, never falls back and never judges: the cascade does. Expected failures are values. An adapter proves that a
reply is complete (the engine's end mark), that the right model answered, and that nothing was cut, or says why not.
"""

from collections.abc import AsyncGenerator, Iterable
from typing import Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from headgate.core.decisions import Decided, Questions
from headgate.core.memory import Shape
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind, ModelKind


class Health(Struct, frozen=True):
    """How an engine is right now."""

    up: bool
    version: str = ""
    detail: str = ""
    """For people: why it is down, or what is odd."""


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model as its engine lists it. Unknown facts are None."""

    id: str
    kind: ModelKind = "chat"
    context: int | None = None
    size: int | None = None
    """Bytes on disk."""
    quantization: str = ""
    parameters: str = ""
    loaded: bool | None = None
    remote: bool = False
    """It runs on somebody else's machine (Ollama's `:cloud` models)."""
    digest: str = ""
    """Of its files; another one is another model."""


class LoadedModel(Struct, frozen=True, kw_only=True):
    """A model in an engine's memory. Unknown facts are None."""

    id: str
    instance: str = ""
    """LM Studio's name for this copy of it."""
    context: int | None = None
    """Tokens that one request may take."""
    parallel: int | None = None
    """Requests at a time."""
    memory: int | None = None
    """Bytes, wherever they are."""
    vram: int | None = None
    """Bytes of these on a GPU."""
    until: float | None = None
    """Unix time at which the engine unloads it by itself."""


class Named(Protocol):
    """Something that its engine has a name for."""

    @property
    def id(self) -> str:
        """The engine's name for it."""
        ...


Known = TypeVar("Known", bound=Named)


def find_listed(model_id: str, listed: Iterable[Known]) -> Known | None:
    """The model as its engine lists it: Ollama adds ":latest", LM Studio a publisher, and neither minds capitals."""
    wanted, near = plain_id(model_id), None
    for one in listed:
        name = plain_id(one.id)
        if name == wanted:
            return one
        if near is None and name.rpartition("/")[2] in (wanted, wanted.partition("@")[0]):
            near = one
    return near


def plain_id(name: str) -> str:
    """A model's name without what goes without saying."""
    return name.lower().removesuffix(":latest")


class Progress(Struct, frozen=True, kw_only=True):
    """How far a download is. Bytes; None is not known yet."""

    step: str
    """For people: "pulling manifest", "downloading", "verifying" …"""
    file: str = ""
    """Which of several files, where there are several."""
    completed: int | None = None
    total: int | None = None


class Engine(Protocol):
    """A server that runs models."""

    @property
    def name(self) -> str:
        """The name in the config."""
        ...

    @property
    def kind(self) -> EngineKind:
        """Which protocol it speaks."""
        ...

    async def chat(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Ask once, without streaming. `within` is seconds for the whole call."""
        ...

    def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming.

        Yields `Delta`s and then, as the last item, exactly one `Reply` (the whole answer put together) or `Failure`.
        Closing the generator early hangs up on the engine at once.
        """
        ...

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Turn each text into a vector, all in one call. A reply has one for every text, proven sound."""
        ...

    async def health(self) -> Health:
        """Look whether it answers, in at most two seconds."""
        ...

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has."""
        ...

    async def close(self) -> None:
        """Close connections; stop the process if it is ours."""
        ...


@runtime_checkable
class DecidingEngine(Protocol):
    """An engine that has OpenAI's Decisions API, for some of its models."""

    def decides(self, model: Model) -> bool:
        """Whether this model answers there."""
        ...

    async def decide(self, asked: Questions, model: Model, within: float) -> Decided | Failure:
        """Ask once; an answer to each question, or why there is none. `within` is seconds for the whole call."""
        ...


@runtime_checkable
class ManagedEngine(Engine, Protocol):
    """An engine whose models can be fetched, loaded, unloaded and removed. Expected failures are values here too."""

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory now."""
        ...

    async def shape(self, model_id: str) -> Shape | Failure:
        """The facts that decide how much memory a model takes, from its own metadata."""
        ...

    async def load(
        self, model_id: str, context: int | None, *, parallel: int | None, within: float
    ) -> LoadedModel | Failure:
        """Load a model, or load it anew with another context, and prove that it took effect.

        Args:
            model_id: a model that the engine has.
            context: tokens for one request; None leaves it to the engine.
            parallel: requests at a time; None leaves it to the engine.
            within: seconds.
        """
        ...

    async def unload(self, model_id: str) -> Failure | None:
        """Take every copy of a model out of memory. One that is not loaded is no failure."""
        ...

    def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model, going on where an earlier try ended.

        Yields `Progress`; a `Failure` is the last item, and without one the model is there, whole and checked. Closing the
        generator early stops the download, and nothing half done is taken for a model.
        """
        ...

    async def remove(self, model_id: str) -> Failure | None:
        """Delete a model from the disk."""
        ...
