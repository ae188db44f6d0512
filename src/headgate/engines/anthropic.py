"""Anthropic's API.

It does not know prices and budgets, and holds no conversation: every call carries everything.
"""

from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.engine import Health, ListedModel
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.exchange import LIST, Answering, Exchange
from headgate.engines.profiles import ANTHROPIC_RULES
from headgate.engines.transport import Headers, Transport
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.anthropic_messages import LATEST, AnthropicMessages

VERSION_HEADER = "anthropic-version"
BETA_HEADER = "anthropic-beta"


class WireModel(Struct):
    """A model in `/v1/models`."""

    id: str
    max_input_tokens: int | None = None


class WireModels(Struct):
    """The answer of `/v1/models`."""

    data: list[WireModel]


class Anthropic:
    """Anthropic's Messages API.

    Args:
        settings: its name, clocks, key and, if not the latest, the protocol's version.
        transport: the way to its address; it carries the key.
    """

    kind: EngineKind = "anthropic"

    def __init__(self, settings: EngineSettings, transport: Transport) -> None:
        self.name = settings.name
        self._remote = not settings.local
        self.dialect = AnthropicMessages(ANTHROPIC_RULES, settings.api_version or LATEST)
        self._version: Headers = ((VERSION_HEADER, self.dialect.version),)
        self._exchange = Exchange(transport, self.dialect, settings)

    def chat(self, request: Request, model: Model, within: float) -> Answering:
        """Ask once, without streaming."""
        return self._exchange.chat(request, model, within, self._headers_for(request, model))

    def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming; closing the generator hangs up."""
        return self._exchange.stream(request, model, within, self._headers_for(request, model))

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:  # noqa: ARG002  # the protocol
        """Say that Anthropic has no such thing."""
        detail = f"{self.name} speaks Anthropic's protocol, which has no embeddings"
        return Failure(reason="http_error", detail=detail, status=400)

    async def health(self) -> Health:
        """Look whether it lists a model to us; what refuses our key is no use."""
        found = await self._exchange.get("/v1/models?limit=1", self._version)
        if not isinstance(found, Failure):
            return Health(up=True)
        up = found.status is not None and found.status < 500 and found.status != 401
        return Health(up=up, detail=found.detail)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What the key may use."""
        found = await self._exchange.get("/v1/models?limit=1000", self._version, LIST)
        if isinstance(found, Failure):
            return found
        try:
            listed = msgspec.json.decode(found.body, type=WireModels)
        except UNREADABLE as error:
            return Failure(reason="malformed", detail=f"the list of models has another shape: {error}")
        return tuple(
            ListedModel(id=model.id, context=model.max_input_tokens, remote=self._remote)
            for model in listed.data
        )

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    def _headers_for(self, request: Request, model: Model) -> Headers:
        headers = self._version
        if "api_version" in model.settings:
            headers = ((VERSION_HEADER, self.dialect.version_for(model)),)
        return (*headers, (BETA_HEADER, request.beta)) if request.beta else headers
