"""Who makes the vectors for a command: the embedding model of the config, in the gate that is open here, else in one of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.runs import Embedder
    from headgate.core.types import Model

NO_MODEL = (
    "note: the config has no embedding model, so the base is searched by words only;"
    ' a model with kind = "embedding" gives it vectors'
)


STAYS = (
    "note: {name} stays on your machines, and {model} is not on one of them, so the base is searched by words only;"
    ' a model at home with kind = "embedding" gives it vectors'
)
LEAVES = "note: the text of all documents goes to {model}, which is not on a machine of yours; kb add --local keeps it here"


def allowed(config: "Config", name: str, *, local_only: bool | None) -> "tuple[Model | None, str]":
    """Who may embed the documents of a base, and what a person should know of that; "" is nothing.

    Args:
        config: has the models.
        name: of the base, which need not be there yet.
        local_only: what the command says of it; None is what the base itself says.
    """
    from headgate.knowledge import places
    from headgate.knowledge.store import Base
    from headgate.workers.embedder import embedding_model

    model = embedding_model(config.policy)
    if model is None:
        return None, NO_MODEL
    if model.local:
        return model, ""
    if local_only is None and places.place_of(name).is_file():
        with Base(places.find(name)) as base:
            local_only = base.local_only
    if local_only:
        return None, STAYS.format(name=name, model=model.name)
    return model, LEAVES.format(model=model.name)


@asynccontextmanager
async def open_embedder(config: "Config", model: "Model | None") -> "AsyncIterator[Embedder | None]":
    """The gate's embedder, which is of this model; None when there is no model, and then no gate is opened."""
    from headgate.app import open_gate
    from headgate.cli.runner import serving
    from headgate.client import HttpEmbedder

    if model is None:
        yield None
        return
    run = serving(config)
    if run is not None:
        async with HttpEmbedder(run.url, model.name, run.key) as embedder:
            yield embedder
        return
    async with open_gate(config) as gate:
        yield gate.embedder
