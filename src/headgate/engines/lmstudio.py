"""LM Studio: Chat Completions with four habits that an adapter must survive.

It may answer with another loaded model than the one asked for; it hides errors under status 200, unknown paths among
them; it shows an overflow in four ways, one of them silence; and it takes no `json_object`. The first three are
failures here, the last is said as a schema. It does not know loading and unloading: `fleet` does.

Source: LM Studio's documentation of 0.4 and its issue tracker.
"""

from collections.abc import AsyncGenerator
from typing import TypeVar

import msgspec
from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.engine import Health, ListedModel
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import LIST, Exchange
from headgate.engines.profiles import LMSTUDIO
from headgate.engines.transport import Transport
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.embeddings import OpenAIEmbeddings
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_replies import unreadable

Shape = TypeVar("Shape", bound=Struct)

MODELS = "/v1/models"

# ── Its three lists of models, newest first ──────────────────────────────────────────────────────────────────────────


class WireConfig(Struct):
    """How an instance was loaded."""

    context_length: int | None = None


class WireInstance(Struct):
    """A model in memory."""

    id: str = ""
    config: WireConfig | None = None


class WireQuantization(Struct):
    """How a model's weights were made smaller."""

    name: str = ""


class WireModel1(Struct):
    """A model in `/api/v1/models` (0.4.0 and later)."""

    key: str
    type: str = "llm"
    quantization: WireQuantization | None = None
    size_bytes: int | None = None
    params_string: str | None = None
    loaded_instances: list[WireInstance] = []
    max_context_length: int | None = None


class WireModels1(Struct):
    """The answer of `/api/v1/models`."""

    models: list[WireModel1]


class WireModel0(Struct):
    """A model in `/api/v0/models` (0.3.6 and later)."""

    id: str
    type: str = "llm"
    quantization: str | None = None
    state: str = ""
    max_context_length: int | None = None
    loaded_context_length: int | None = None


class WireModels0(Struct):
    """The answer of `/api/v0/models`."""

    data: list[WireModel0]


class WirePlainModel(Struct):
    """A model in `/v1/models`: its name and nothing else."""

    id: str


class WirePlainModels(Struct):
    """The answer of `/v1/models`."""

    data: list[WirePlainModel]


class LMStudio:
    """LM Studio's server.

    Args:
        settings: its name, clocks and token, if it demands one.
        transport: the way to its address, without `/v1`.
    """

    kind: EngineKind = "lmstudio"

    def __init__(self, settings: EngineSettings, transport: Transport) -> None:
        self.name = settings.name
        self.dialect = OpenAIChat(LMSTUDIO, path="/v1/chat/completions")
        self._embeddings = OpenAIEmbeddings(LMSTUDIO, path="/v1/embeddings")
        self._exchange = Exchange(transport, self.dialect, settings)

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
        found = await self._exchange.get(MODELS)
        if isinstance(found, Failure):
            return Health(up=False, detail=found.detail)
        plain = _read(found.body, WirePlainModels)
        return Health(up=False, detail=plain.detail) if isinstance(plain, Failure) else Health(up=True)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has, from the newest list that this version knows."""
        found = await self._list("/api/v1/models", WireModels1)
        if isinstance(found, WireModels1):
            return tuple(_from_v1(model) for model in found.models)
        older = await self._list("/api/v0/models", WireModels0)
        if isinstance(older, WireModels0):
            return tuple(_from_v0(model) for model in older.data)
        plain = await self._list(MODELS, WirePlainModels)
        if isinstance(plain, Failure):
            return plain
        return tuple(ListedModel(id=model.id) for model in plain.data)

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _list(self, path: str, shape: type[Shape]) -> Shape | Failure:
        found = await self._exchange.get(path, clocks=LIST)
        return found if isinstance(found, Failure) else _read(found.body, shape)


def _read(body: bytes, shape: type[Shape]) -> Shape | Failure:
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        return unreadable(body, str(error), "http_error")


def _from_v1(model: WireModel1) -> ListedModel:
    loaded = model.loaded_instances
    here = next((instance.config.context_length for instance in loaded if instance.config), None)
    return ListedModel(
        id=model.key,
        kind="embedding" if model.type.startswith("embedding") else "chat",
        context=here or model.max_context_length,
        size=model.size_bytes,
        quantization=model.quantization.name if model.quantization else "",
        parameters=model.params_string or "",
        loaded=bool(loaded),
    )


def _from_v0(model: WireModel0) -> ListedModel:
    return ListedModel(
        id=model.id,
        kind="embedding" if model.type.startswith("embedding") else "chat",
        context=model.loaded_context_length or model.max_context_length,
        quantization=model.quantization or "",
        loaded=model.state == "loaded",
    )
