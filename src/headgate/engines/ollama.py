"""Ollama, by its native protocol: the only one of its doors through which a prompt can be kept whole.

What is done with its models stands in `ollama_models`. It does not know the queue inside Ollama: nobody is told of it.
"""

from collections.abc import AsyncGenerator

from headgate.config.engine import EngineSettings
from headgate.core.engine import Health, ListedModel, LoadedModel, Progress
from headgate.core.memory import Shape
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import Answering, Exchange
from headgate.engines.ollama_lists import WireVersion, read
from headgate.engines.ollama_models import OllamaModels
from headgate.engines.transport import Transport
from headgate.wire.upstream.embeddings import OllamaEmbed
from headgate.wire.upstream.ollama_native import OllamaNative


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
        self._models = OllamaModels(self._exchange, settings.name)

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
        told = read(found.body, WireVersion, "/api/version")
        if isinstance(told, Failure):
            return Health(up=False, detail="something answers there, but it is not Ollama")
        return Health(up=True, version=told.version)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has; which of it is loaded, and which runs on Ollama's machines."""
        return await self._models.list_models()

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory now."""
        return await self._models.loaded()

    async def shape(self, model_id: str) -> Shape | Failure:
        """The facts that decide how much memory a model takes."""
        return await self._models.shape(model_id)

    async def load(
        self,
        model_id: str,
        context: int | None,
        *,
        parallel: int | None,  # noqa: ARG002  # one number for the whole server, which no request can set
        within: float,
    ) -> LoadedModel | Failure:
        """Load a model, or load it anew with another window, and prove that it took effect."""
        return await self._models.load(model_id, context, within)

    async def unload(self, model_id: str) -> Failure | None:
        """Take a model out of memory."""
        return await self._models.unload(model_id)

    def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model; closing the generator hangs up, and Ollama stops."""
        return self._models.pull(model_id)

    async def remove(self, model_id: str) -> Failure | None:
        """Delete a model from the disk."""
        return await self._models.remove(model_id)

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()
