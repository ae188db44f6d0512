"""Ollama, by its native protocol: the only one of its doors through which a prompt can be kept whole.

It does not know pulling, loading and the queue inside Ollama: `fleet` does the first two, and nobody is told of the
third.
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.engine import Health, ListedModel
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import LIST, Answering, Exchange
from headgate.engines.transport import Transport
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.embeddings import OllamaEmbed
from headgate.wire.upstream.ollama_native import OllamaNative


class WireVersion(Struct):
    """The answer of `/api/version`."""

    version: str


class WireDetails(Struct):
    """Facts from the model's file."""

    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    context_length: int | None = None


class WireModel(Struct):
    """A model in `/api/tags`; windows and capabilities are there since about 0.30."""

    name: str
    size: int | None = None
    details: WireDetails | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None


class WireModels(Struct):
    """The answer of `/api/tags` and `/api/ps`."""

    models: list[WireModel] | None = None


class WireShown(Struct):
    """A model in `/api/show`."""

    model_info: dict[str, Any] = {}
    capabilities: list[str] | None = None


class Ollama:
    """Ollama's server.

    Args:
        settings: its name and clocks.
        transport: the way to its address.
    """

    kind: EngineKind = "ollama"

    def __init__(self, settings: EngineSettings, transport: Transport) -> None:
        self.name = settings.name
        self.dialect = OllamaNative()
        self._embeddings = OllamaEmbed()
        self._exchange = Exchange(transport, self.dialect, settings)

    def chat(self, request: Request, model: Model, within: float) -> Answering:
        """Ask once, without streaming."""
        return self._exchange.chat(request, model, within)

    def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming; closing the generator hangs up."""
        return self._exchange.stream(request, model, within)

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Turn each text into a vector."""
        return await self._exchange.embed(self._embeddings, request, model, within)

    async def health(self) -> Health:
        """Look whether it tells its version."""
        found = await self._exchange.get("/api/version")
        if isinstance(found, Failure):
            return Health(up=False, detail=found.detail)
        try:
            return Health(up=True, version=msgspec.json.decode(found.body, type=WireVersion).version)
        except UNREADABLE:
            return Health(up=False, detail="something answers there, but it is not Ollama")

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has; which of it is loaded, and which runs on Ollama's machines."""
        found = await self._models("/api/tags")
        if isinstance(found, Failure):
            return found
        running = await self._models("/api/ps")
        loaded = None if isinstance(running, Failure) else {model.name for model in running}
        return tuple([await self._listed(model, loaded) for model in found])

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _models(self, path: str) -> list[WireModel] | Failure:
        found = await self._exchange.get(path, clocks=LIST)
        if isinstance(found, Failure):
            return found
        try:
            return msgspec.json.decode(found.body, type=WireModels).models or []
        except UNREADABLE as error:
            return Failure(reason="malformed", detail=f"{path} has another shape than Ollama's: {error}")

    async def _listed(self, model: WireModel, loaded: set[str] | None) -> ListedModel:
        details = model.details or WireDetails()
        context, capabilities = details.context_length, model.capabilities
        if context is None and not model.remote_host:
            context, capabilities = await self._shown(model.name)
        embeds = "embedding" in capabilities if capabilities else "bert" in details.family
        return ListedModel(
            id=model.name,
            kind="embedding" if embeds else "chat",
            context=context,
            size=model.size,
            quantization=details.quantization_level,
            parameters=details.parameter_size,
            loaded=None if loaded is None else model.name in loaded,
            remote=bool(model.remote_host) or model.name.endswith((":cloud", "-cloud")),
        )

    async def _shown(self, name: str) -> tuple[int | None, list[str] | None]:
        """The window and capabilities of a model, from an Ollama that does not list them."""
        found = await self._exchange.post("/api/show", {"model": name}, clocks=LIST)
        if isinstance(found, Failure):
            return None, None
        try:
            shown = msgspec.json.decode(found.body, type=WireShown)
        except UNREADABLE:
            return None, None
        window = shown.model_info.get(f"{shown.model_info.get('general.architecture')}.context_length")
        return (window if isinstance(window, int) else None), shown.capabilities
