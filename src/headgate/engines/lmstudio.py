"""LM Studio: Chat Completions with four habits that an adapter must survive.

It may answer with another loaded model than the one asked for; it hides errors under status 200, unknown paths among
them; it shows an overflow in four ways, one of them silence; and it takes no `json_object`. The first three are
failures here, the last is said as a schema. What is done with its models stands in `lmstudio_models`.

Source: LM Studio's documentation of 0.4 and its issue tracker.
"""

from collections.abc import AsyncGenerator

from headgate.config.engine import EngineSettings
from headgate.core.engine import Health, ListedModel, LoadedModel, Progress
from headgate.core.memory import Shape
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import Exchange
from headgate.engines.lms import Lms
from headgate.engines.lmstudio_lists import WirePlainModels, read
from headgate.engines.lmstudio_models import PLAIN, LMStudioModels
from headgate.engines.profiles import LMSTUDIO
from headgate.engines.transport import Transport
from headgate.wire.upstream.embeddings import OpenAIEmbeddings
from headgate.wire.upstream.openai_chat import OpenAIChat


class LMStudio:
    """LM Studio's server.

    Args:
        settings: its name, clocks and token, if it demands one.
        transport: the way to its address, without `/v1`.
        lms: its command, if it runs on this machine.
    """

    kind: EngineKind = "lmstudio"

    def __init__(self, settings: EngineSettings, transport: Transport, lms: Lms | None = None) -> None:
        self.name = settings.name
        self.dialect = OpenAIChat(LMSTUDIO, path="/v1/chat/completions")
        self._embeddings = OpenAIEmbeddings(LMSTUDIO, path="/v1/embeddings")
        self._exchange = Exchange(transport, self.dialect, settings)
        self._models = LMStudioModels(self._exchange, settings.name, lms)

    async def chat(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Ask once, without streaming."""
        return await self._exchange.chat(request, model, within)

    def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming; closing the generator hangs up."""
        return self._exchange.stream(request, model, within)

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Turn each text into a vector."""
        return await self._exchange.embed(self._embeddings, request, model, within)

    async def health(self) -> Health:
        """Look whether there is a list of models; the status alone proves nothing here."""
        found = await self._exchange.get(PLAIN)
        if isinstance(found, Failure):
            return Health(up=False, detail=found.detail)
        plain = read(found.body, WirePlainModels)
        if not isinstance(plain, Failure):
            return Health(up=True)
        stranger = "something answers there, but it is not LM Studio"
        return Health(up=False, detail=stranger if plain.reason == "malformed" else plain.detail)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has, from the newest list that this version knows."""
        return await self._models.list_models()

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory now, each copy of a model by itself."""
        return await self._models.loaded()

    async def shape(self, model_id: str) -> Shape | Failure:
        """The facts that decide how much memory a model takes: LM Studio keeps them to itself."""
        return await self._models.shape(model_id)

    async def load(
        self, model_id: str, context: int | None, *, parallel: int | None, within: float
    ) -> LoadedModel | Failure:
        """Load a model, or load it anew with another context, and prove that it took effect."""
        return await self._models.load(model_id, context, parallel, within)

    async def unload(self, model_id: str) -> Failure | None:
        """Take every copy of a model out of memory."""
        return await self._models.unload(model_id)

    def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model. Closing the generator stops watching; the download is LM Studio's own, and nothing can stop it."""
        return self._models.pull(model_id)

    async def remove(self, model_id: str) -> Failure | None:
        """Say where a model's file lies: LM Studio deletes none."""
        return await self._models.remove(model_id)

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()
