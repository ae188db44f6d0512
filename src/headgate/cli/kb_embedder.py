"""Who makes the vectors for a command: the config's embedding model, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.app import OpenGate
    from headgate.config.compile import Config
    from headgate.core.runs import Embedder

NO_MODEL = 'note: the config has no embedding model, so this base is searched by words only; a model with kind = "embedding" gives it vectors'


class GateEmbedder:
    """INTERIM."""

    def __init__(self, gate: "OpenGate", model: str) -> None:
        self.gate = gate
        self._model = model

    @property
    def model(self) -> str:
        return self._model

    async def embed(self, texts: list[str], *, query: bool = False, batch: bool = False) -> list[bytes]:
        from headgate.core.errors import EngineError
        from headgate.core.types import GiveUp, Message, Request
        from headgate.gateway.serve import new_id

        request = Request(
            id=new_id(time()),
            asked=self._model,
            kind="embedding",
            messages=tuple(Message("user", text) for text in texts),
            batch=batch,
        )
        result, _ = await self.gate.ask(request)
        if isinstance(result, GiveUp):
            raise EngineError(result.reason, "headgate doctor says what is missing")
        return list(result.vectors)


@asynccontextmanager
async def open_embedder(config: "Config") -> "AsyncIterator[Embedder | None]":
    """The embedder; None when the config has no embedding model."""
    from headgate.app import open_gate

    model = next((model.name for model in config.policy.models.values() if model.kind == "embedding"), None)
    if model is None:
        yield None
        return
    async with open_gate(config) as gate:
        yield GateEmbedder(gate, model)
