"""What every engine adapter offers, and nothing more.

An adapter turns a `Request` into one engine's protocol and its answer back into a `Reply` or a `Failure`. It never
retries, never falls back and never judges: the cascade does. Expected failures are values. An adapter proves that a
reply is complete (the engine's end mark), that the right model answered, and that nothing was cut, or says why not.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

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
