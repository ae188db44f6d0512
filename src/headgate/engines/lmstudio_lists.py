"""What LM Studio says of its models: its three lists, newest first, its jobs, and how they are read.

The status says nothing here: an unknown path is answered with 200 and an error, so only a body of the right shape counts.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from headgate.core.engine import ListedModel, LoadedModel
from headgate.core.types import Failure
from headgate.engines.lms import LmsLoaded
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.openai_replies import unreadable

Body = TypeVar("Body", bound=Struct)


class WireConfig(Struct):
    """How an instance was loaded."""

    context_length: int | None = None
    parallel: int | None = None


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


class WireLoad(Struct):
    """The answer of `/api/v1/models/load`."""

    instance_id: str
    status: str = ""


class WireUnload(Struct):
    """The answer of `/api/v1/models/unload`."""

    instance_id: str


class WireJob(Struct):
    """A download, as `/api/v1/models/download` and its `status` tell of it."""

    status: str
    job_id: str | None = None
    total_size_bytes: int | None = None
    downloaded_bytes: int | None = None


def read(body: bytes, shape: type[Body]) -> Body | Failure:
    """A body of this shape, or the failure of one that has another."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        return unreadable(body, str(error), "http_error")


def same_key(key: str, model_id: str) -> bool:
    """Whether a list's key is the model that was named: with or without its publisher and its quantization."""
    bare = model_id.partition("@")[0].lower()
    return bare in (key.lower(), key.rpartition("/")[2].lower())


def listed_v1(model: WireModel1) -> ListedModel:
    """A model of the newest list."""
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


def listed_v0(model: WireModel0) -> ListedModel:
    """A model of the older list."""
    return ListedModel(
        id=model.id,
        kind="embedding" if model.type.startswith("embedding") else "chat",
        context=model.loaded_context_length or model.max_context_length,
        quantization=model.quantization or "",
        loaded=model.state == "loaded",
    )


def instances_v1(model: WireModel1) -> tuple[LoadedModel, ...]:
    """The copies of a model in memory. How much they take, LM Studio does not say."""
    return tuple(
        LoadedModel(
            id=model.key,
            instance=instance.id,
            context=instance.config.context_length if instance.config else None,
            parallel=instance.config.parallel if instance.config else None,
        )
        for instance in model.loaded_instances
    )


def instance_v0(model: WireModel0) -> LoadedModel:
    """A loaded model of the older list."""
    return LoadedModel(id=model.id, instance=model.id, context=model.loaded_context_length)


def instance_of(row: LmsLoaded) -> LoadedModel:
    """A loaded model as the command lists it."""
    return LoadedModel(
        id=row.model_key or row.identifier,
        instance=row.identifier,
        context=row.context_length,
        parallel=row.parallel,
    )
