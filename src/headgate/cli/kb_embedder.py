"""Who makes the vectors for a command: the embedding model of the config, in the gate that is open here, else in one of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.runs import Embedder

NO_MODEL = (
    "note: the config has no embedding model, so the base is searched by words only;"
    ' a model with kind = "embedding" gives it vectors'
)


@asynccontextmanager
async def open_embedder(config: "Config") -> "AsyncIterator[Embedder | None]":
    """The embedder; None when the config has no embedding model, and then no gate is opened."""
    from headgate.app import open_gate
    from headgate.cli.runner import serving
    from headgate.client import HttpEmbedder
    from headgate.workers.embedder import embedding_model

    model = embedding_model(config.policy)
    if model is None:
        yield None
        return
    run = serving(config)
    if run is not None:
        async with HttpEmbedder(run.url, model.name) as embedder:
            yield embedder
        return
    async with open_gate(config) as gate:
        yield gate.embedder
