"""Engines that speak OpenAI's Chat Completions: OpenAI itself, llama-server, vLLM, Groq, OpenRouter and many more.

One adapter for all; a `Profile` says what each takes. It does not know which profile fits an address (`profiles`
does), nor how to start or load anything.
"""

from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.config.engine import EngineSettings
from headgate.core.decisions import Decided, Questions
from headgate.core.engine import Health, ListedModel
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import LIST, Answering, Exchange
from headgate.engines.transport import Clocks, Transport
from headgate.wire.upstream import UNREADABLE, decisions
from headgate.wire.upstream.embeddings import OpenAIEmbeddings
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import Profile


class WireMeta(Struct):
    """llama-server's facts about its model."""

    n_ctx: int | None = None
    n_ctx_train: int | None = None
    n_params: int | None = None
    size: int | None = None
    ftype: str | None = None


class WireModel(Struct):
    """A model in `/models`; beyond the id every provider has words of its own."""

    id: str
    meta: WireMeta | None = None
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None
    max_context_length: int | None = None


class WireModels(Struct):
    """The answer of `/models`; Ollama writes null for none. A body without this is somebody else's."""

    data: list[WireModel] | None


class OpenAICompatible:
    """An engine that speaks Chat Completions.

    Args:
        settings: its name, kind, clocks and key.
        transport: the way to its address, to which the dialect's paths are appended.
        profile: what it takes.
    """

    kind: EngineKind

    def __init__(self, settings: EngineSettings, transport: Transport, profile: Profile) -> None:
        self.name = settings.name
        self.kind = settings.kind
        self._remote = not settings.local
        self.dialect = OpenAIChat(profile)
        # llama-server has an /embeddings too, of another shape; its chat is the same with and without /v1.
        beyond = settings.kind == "llamacpp" and not (settings.url or "").rstrip("/").endswith("/v1")
        self._embeddings = OpenAIEmbeddings(profile, "/v1/embeddings" if beyond else "/embeddings")
        self._exchange = Exchange(transport, self.dialect, settings)
        self._profile = profile

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

    def decides(self, model: Model) -> bool:
        """Whether this model answers questions with probabilities (`decide`)."""
        return model.id in self._profile.decides

    async def decide(self, asked: Questions, model: Model, within: float) -> Decided | Failure:
        """Ask OpenAI's Decisions API once."""
        if not self.decides(model):
            return Failure(reason="http_error", detail=f"{model.id} answers no decisions at {self.name}")
        body = decisions.encode(asked, model.id)
        if isinstance(body, Failure):
            return body
        clocks = Clocks(connect=min(10.0, within), first_byte=within, between_bytes=within, total=within)
        found = await self._exchange.send("POST", decisions.PATH, (), body, clocks)
        if isinstance(found, Failure):
            return found
        decided = decisions.decode(found.body, asked)
        return decided if isinstance(decided, Failure) else replace(decided, seconds=found.timing.total)

    async def health(self) -> Health:
        """Look whether it lists its models. A server without a list answers too; one that refuses our key is no use."""
        found = await self._exchange.get("/models")
        if not isinstance(found, Failure):
            return Health(up=True)
        up = found.status is not None and found.status < 500 and found.status != 401
        return Health(up=up, detail=found.detail)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it lists; sizes and windows as far as it gives them."""
        found = await self._exchange.get("/models", clocks=LIST)
        if isinstance(found, Failure):
            return found
        try:
            listed = msgspec.json.decode(found.body, type=WireModels)
        except UNREADABLE as error:
            return Failure(reason="malformed", detail=f"the list of models has another shape: {error}")
        return tuple(_listed(model, remote=self._remote) for model in listed.data or ())

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()


def _listed(model: WireModel, *, remote: bool) -> ListedModel:
    meta = model.meta or WireMeta()
    windows = (
        meta.n_ctx or meta.n_ctx_train,
        model.max_model_len,
        model.context_length,
        model.context_window,
        model.max_context_length,
    )
    return ListedModel(
        id=model.id,
        kind="embedding" if "embed" in model.id.lower() else "chat",
        context=next((window for window in windows if window), None),
        size=meta.size,
        quantization=meta.ftype or "",
        parameters=_count(meta.n_params),
        remote=remote,
    )


def _count(parameters: int | None) -> str:
    """A number of parameters as models are named by: 8B, 973K."""
    if parameters is None:
        return ""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)
